/* SPDX-License-Identifier: MIT
 *
 * /status.json: a picture as JSON. Its fields are described in etc/monitoring/README.md; they stay as
 * they are while `version` does, and new ones may come. Pure. Thread: the owner's.
 */
#ifndef RELAY_STATUS_DOCUMENT_H
#define RELAY_STATUS_DOCUMENT_H

#include "picture.h"
#include "relay/base/text.h"

enum { DOCUMENT_VERSION = 1 };

/* Everything but the samples, and without the last brace. */
void document_write(const struct picture *picture, struct text *out);

/* The samples with a number above `since`, and the brace. `now_ms`, `wall_us`: one moment, to tell when
 * they were taken. */
void document_write_samples(const struct samples *samples, uint64_t since, int64_t now_ms,
                            int64_t wall_us, struct text *out);

#endif
