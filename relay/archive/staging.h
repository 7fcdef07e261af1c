/* SPDX-License-Identifier: MIT
 *
 * Files of the folder data-dir/archive/: steps 1 and 2 of a shipment, and what a start finds of them. Thread: the archiver.
 */
#ifndef RELAY_ARCHIVE_STAGING_H
#define RELAY_ARCHIVE_STAGING_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/error.h"
#include "shipment.h"

/* Makes the folder where it is missing. -1: `error`. */
int staging_open(const char *data_dir, struct error *error);

/* Reads the state (none: system id "", timeline 0) and a manifest that waits for its shipment; removes all else. */
MUST_CHECK bool staging_find(int folder, struct shipment *shipment, struct error *error);

/* Steps 1 and 2. False: `error`; ERROR_MISSING: the store has given up what was to be shipped. */
MUST_CHECK bool staging_make(int folder, struct shipment *shipment, struct error *error);

MUST_CHECK bool staging_save(int folder, const struct archive_state *state, struct error *error);

/* Both files go. */
void staging_remove(int folder, const struct object_name *name);

#endif
