/* SPDX-License-Identifier: MIT
 *
 * What the files of a backlog prove at a start: the newest unbroken run of segments whose bytes have
 * the checksums that the identity and the tail speak of. The start waits for no more of it than it takes to go
 * on: the end, and what is before it back to the last command boundary. The rest is proven behind its back
 * (backlog_next_unproven), the newest first. Thread: thread 0.
 */
#ifndef RELAY_STORE_RECOVERY_H
#define RELAY_STORE_RECOVERY_H

#include <stdbool.h>

#include "backlog_dependencies.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "tail.h"

struct clean_mark;
struct segment;
struct segment_space;

struct proven {
    struct segment *
        *sealed; /* one for each segment of the identity; NULL for those that are not proven yet */
    size_t unproven; /* so many of them, the oldest */
    struct segment
        *newest; /* held, and proven from points[0] on; NULL: the run ends with a sealed one */
    struct tail_mark mark; /* of the newest */
};

/* Drops from the identity what has turned out not to be provable, each with a line in the log. False: `why` and
 * errno; either nothing of it can be proven (ENODATA), or the system refused us what it takes to look
 * (files_is_refusal), and nothing was touched. */
MUST_CHECK bool recovery_load(struct proven *proven,
                              const struct backlog_dependencies *dependencies,
                              struct segment_space *space, struct text *why);

/* Frees the list; the segments are the caller's. */
void recovery_fini(struct proven *proven);

#endif
