/* SPDX-License-Identifier: MIT
 *
 * Where a history is cut off, and where it goes on under another id.
 */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "history_state_private.h"
#include "relay/store/history.h"

enum history_cut history_cut(const struct history *history)
{
    if (atomic_load_explicit(&history->claim.cuts, memory_order_acquire) < history->cuts)
        return HISTORY_CUT_PENDING;
    return atomic_load_explicit(&history->claim.has_failed_cut, memory_order_relaxed)
               ? HISTORY_CUT_FAILED
               : HISTORY_CUT_DONE;
}

bool history_rewind(struct history *history, uint64_t offset, struct text *why)
{
    struct syncer *syncer = history->dependencies.syncer;
    struct syncer_place *place = syncer_reserve();
    if (place == NULL) {
        text_format(why, "out of memory");
        return false;
    }
    branches_begin(&history->branches, offset);
    uint64_t durable = syncer_cut_claim(syncer, &history->claim, offset);
    bool good = backlog_rewind(history->backlog, offset, why);
    time_log_cut(history->times, offset);
    if (good || !history->identity.snapshot.exists) /* it got so far */
        history_drop_beyond(history, offset);
    /* What was durable before the cut still is. What the syncer was at has claimed nothing: once more. */
    if (history->submitted > offset)
        history->submitted = offset;
    if (history->submitted > durable)
        history->submitted = durable;
    if (!good) {
        syncer_unreserve(place);
        return false;
    }
    const struct syncer_cut job = {history->directory, history->tail, offset,
                                   history->dependencies.files, &history->claim};
    history->has_jobs = true;
    history->cuts++;
    syncer_submit_cut(syncer, place, &job);
    return true;
}

bool history_rename(struct history *history, const struct replid *replid, struct text *why)
{
    uint64_t end = backlog_end(history->backlog);
    CHECK(history_boundary(history) == end);
    CHECK(history_cut(history) == HISTORY_CUT_DONE);
    bool good = backlog_begin_replid(history->backlog, why);
    struct identity before = history->identity; /* the segments are not touched */
    if (good) {
        identity_rename(&history->identity, replid, end);
        if (before.snapshot.offset > end)
            history->identity.snapshot.exists = false;
        good = history_write(history, true, why);
    }
    int error = errno;
    if (!good)
        history->identity = before;
    /* What the primary before this one had at the X of such a snapshot, nobody has got any more. Not before
     * the identity says so: a kill in between finds all that there was. */
    history_drop_beyond(history, end);
    branches_begin(&history->branches, end);
    /* If it cannot be submitted, it goes with the first bytes that come under the new id. */
    history->has_jobs = true;
    (void)!syncer_submit_names(history->dependencies.syncer, history->directory, &history->claim);
    errno = error;
    return good;
}
