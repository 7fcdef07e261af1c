/* SPDX-License-Identifier: MIT
 *
 * When an RDB was asked for last, kept beside the histories, so that a restart does not make
 * `snapshot-min-interval` begin anew. It is written before the RDB is asked for, and again when that has
 * ended. It is not waited for until it is on the disk: a kill does not lose it; after a power failure it may
 * be an older one, or broken, which counts as "just now". By the wall's clock, since that alone outlives a
 * process; a time that is still to come counts as "just now", too.
 *
 *     psync-relay refresh 1
 *     asked 1767225600000         milliseconds since 1970
 *
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_REFRESH_NOTE_H
#define RELAY_UPSTREAM_REFRESH_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

struct refresh_pace;
struct store;

/* What the note says, into `pace`. */
void refresh_note_recall(const struct store *store, struct refresh_pace *pace);

/* Writes what `pace` says now. What the disk says against it is logged. */
void refresh_note_keep(struct store *store, const struct refresh_pace *pace);

/* Reads a note's time. False: it is none. Pure. */
MUST_CHECK bool refresh_note_parse(struct bytes note, int64_t *wall_ms);

#endif
