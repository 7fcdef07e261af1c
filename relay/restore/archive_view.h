/* SPDX-License-Identifier: MIT
 *
 * An archive as histories that can be restored: a view for each unbroken run of bytes of a timeline, with what it has in
 * common with the timelines before it. Files are fetched when they are needed (history_view_fetch), and kept open.
 *
 * Owner: the caller. Thread: the caller's.
 */
#ifndef RELAY_RESTORE_ARCHIVE_VIEW_H
#define RELAY_RESTORE_ARCHIVE_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/archive/catalog.h"
#include "relay/archive/source.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/text.h"
#include "relay/store/history_view.h"

struct archive_views {
    struct history_view *view; /* the newest timeline first; of one, the newest run */
    size_t count;
    struct archive_rows **rows; /* of each */
    struct catalog catalog;
    struct archive_source source;
    bool has_holes;
};

/* `system`: NULL: all. `timeline`: 0: all. What is missing or damaged is told in `notes`, a line each. False: `error`. */
MUST_CHECK bool archive_views_open(struct archive_views *views, const struct archive_source *source,
                                   const char *system, uint64_t timeline, struct text *notes,
                                   struct error *error);
/* A line for each gap: where the backlog had given up bytes before they were archived. */
void archive_views_tell_gaps(const struct archive_views *views, struct text *out);

void archive_views_close(struct archive_views *views);

/* The entries of the catalog that a timeline consists of, those of the timelines before it included: oldest first. For each
 * segment, how far it counts. To be freed. NULL: out of memory, or there are none (*count is 0). */
struct chain_part {
    size_t entry; /* in the catalog */
    uint64_t end; /* its bytes, or its offset, count up to here */
};
struct chain_part *archive_chain(const struct catalog *catalog, size_t index, size_t *count);

#endif
