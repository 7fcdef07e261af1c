/* SPDX-License-Identifier: MIT
 *
 * A backlog as its files prove it, at a start.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "backlog.h"
#include "backlog_private.h"
#include "recovery.h"
#include "relay/base/log.h"
#include "relay/store/identity.h"
#include "segment.h"

/* Opens a new segment behind what was proven. Where the disk has no room for it, what is held can be
 * served all the same. */
static void open_behind(struct backlog *backlog, const struct identity_segment *row)
{
    struct text why;
    text_init(&why, BACKLOG_ERROR_MAX);
    struct segment *segment =
        segment_create(backlog->dependencies.directory, row->end,
                       backlog->dependencies.segment_bytes, backlog->space, &why);
    if (segment != NULL) {
        backlog_chain(backlog, segment);
    } else {
        log_warnx("store: no segment to go on in: %s", text_string(&why));
        backlog_set_error(backlog, &why);
    }
    text_fini(&why);
}

/* Puts what was proven into the chain. */
static void chain_up(struct backlog *backlog, struct proven *proven)
{
    const struct identity *identity = backlog->dependencies.identity;
    backlog->unproven = proven->unproven;
    for (size_t i = 0; i < identity->segment_count; i++) {
        const struct identity_segment *row = &identity->segments[i];
        if (i < proven->unproven)
            backlog->unproven_bytes += row->end - row->first;
        else
            backlog_chain(backlog, proven->sealed[i]);
    }
    if (proven->newest != NULL) {
        backlog_chain(backlog, proven->newest);
        backlog->boundary = proven->mark.boundary;
    } else {
        const struct identity_segment *row = &identity->segments[identity->segment_count - 1];
        open_behind(backlog, row);
        backlog->boundary = row->boundary;
    }
    if (backlog->boundary < backlog_first(backlog))
        log_warnx("store: the last command boundary, %" PRIu64 ", is before the window: it can be "
                  "served, but upstream cannot go on behind it",
                  backlog->boundary);
    backlog->published_boundary = backlog->boundary;
    if (!backlog_set_mark(backlog)) /* the next publish does */
        log_warnx("store: %s", backlog->error);
}

struct backlog *backlog_load(const struct backlog_dependencies *dependencies, struct text *why)
{
    struct backlog *backlog = backlog_make(dependencies, why);
    if (backlog == NULL)
        return NULL;
    struct proven proven;
    if (recovery_load(&proven, dependencies, backlog->space, why)) {
        chain_up(backlog, &proven);
        recovery_fini(&proven);
    } else {
        int error = errno;
        backlog_free(&backlog);
        errno = error;
    }
    return backlog;
}
