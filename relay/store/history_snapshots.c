/* SPDX-License-Identifier: MIT
 *
 * The snapshots of a history. The order in which one takes another's place, so that a kill or a power failure
 * at any point finds one of them whole and named:
 *
 *     1. the new one is received, proven, and gets its name    kill: the identity names the old one
 *     2. the identity names the new one                        kill: it is found; the old one is a stray
 *     3. the syncer has made file, name and identity durable   power failure before that: the old one is found
 *     4. the old one goes
 *
 * The file thread does 1 (the name), 2 and 4, in this order, and thread 0 waits for none of them: readers are shown
 * the end of the new one, and new readers get it, when it has its name.
 *
 * With `fsync = no` there is no step 3: the page cache outlives a kill, and nothing a power failure. What a start
 * finds is in history_found.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "history_state_private.h"
#include "rdb_aux.h"
#include "relay/base/log.h"
#include "relay/store/history.h"
#include "relay/store/snapshot.h"
#include "relay/store/store_options.h"

/* ------------------------------------------------------------------ asked */

enum snapshot_use history_snapshot_use(const struct history *history,
                                       const struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return SNAPSHOT_USE_NONE;
    if (snapshot_offset(snapshot) < backlog_first(history->backlog))
        return SNAPSHOT_USE_BEHIND_WINDOW;
    if (snapshot_offset(snapshot) > backlog_published(history->backlog))
        return SNAPSHOT_USE_AHEAD_OF_STREAM;
    if (snapshot_received(snapshot) == 0)
        return SNAPSHOT_USE_NOT_BEGUN;
    return SNAPSHOT_USE_NOW;
}

struct snapshot *history_usable_snapshot(const struct history *history)
{
    return snapshot_set_usable(&history->snapshot_set, backlog_first(history->backlog));
}

struct snapshot *history_snapshot(const struct history *history)
{
    return snapshot_set_newest(&history->snapshot_set);
}

struct snapshot *history_served_snapshot(const struct history *history)
{
    return history->snapshot_set.complete;
}

struct snapshot *history_arriving_snapshot(const struct history *history)
{
    return history->snapshot_set.arriving;
}

size_t history_snapshots(const struct history *history, struct snapshot *out[HISTORY_SNAPSHOTS_MAX])
{
    const struct snapshot_set *set = &history->snapshot_set;
    struct snapshot *const all[HISTORY_SNAPSHOTS_MAX] = {set->complete, set->ahead, set->arriving,
                                                         set->replaced[0], set->replaced[1]};
    size_t count = 0;
    for (size_t i = 0; i < LENGTH_OF(all); i++) {
        if (all[i] != NULL)
            out[count++] = all[i];
    }
    return count;
}

bool history_is_snapshot_durable(const struct history *history)
{
    return history->snapshot_set.complete != NULL &&
           atomic_load_explicit(&history->claim.snapshot, memory_order_acquire) ==
               history->snapshot_serial;
}

static bool is_snapshot_asked(const struct history *history)
{
    return history->snapshot_set.complete != NULL &&
           history->snapshot_asked == history->snapshot_serial;
}

/* ------------------------------------------------------------------ received, and named */

/* The disk is full while a snapshot arrives. */
static enum snapshot_space history_snapshots_make_space(void *arg)
{
    const struct history *history = arg;
    return history->dependencies.make_space(history, history->dependencies.arg);
}

static void history_snapshots_set_error(struct history *history, const struct text *why)
{
    text_clear(&history->error);
    text_append(&history->error, text_bytes(why));
}

struct snapshot *history_begin_snapshot(struct history *history, uint64_t offset, struct text *why)
{
    history_fail_snapshot(history);
    history->seen_readable = 0;
    history->changed = true;
    struct snapshot *arriving = snapshot_reserve(offset, history_snapshots_make_space, history);
    if (arriving == NULL) {
        text_format(why, "%" PRIu64 ".rdb: out of memory", offset);
        history_snapshots_set_error(history, why);
        return NULL;
    }
    const struct remover remover = history_remover(history);
    snapshot_set_remover(arriving, &remover);
    history->snapshot_set.arriving = arriving;
    history_ask_making(history);
    return arriving;
}

/* Another round of making gives the file of the part the name of its own, also while that is being made. */
void history_take_beginning(struct history *history, const struct snapshot_beginning *beginning)
{
    struct snapshot *snapshot = history->snapshot_set.arriving;
    CHECK(snapshot != NULL && snapshot_offset(snapshot) == beginning->part.offset);
    snapshot_take_beginning(snapshot, beginning);
    history_ask_making(history);
}

bool history_is_refused(const struct history *history, struct text *why)
{
    const struct snapshot *arriving = history->snapshot_set.arriving;
    bool is_refused =
        arriving != NULL && !snapshot_is_made(arriving) && snapshot_is_refused(arriving);
    if (is_refused)
        text_append_string(why, text_string(&history->error));
    return is_refused;
}

void history_check_place(struct history *history)
{
    history->checks_place = true;
}

bool history_is_unnamed(const struct history *history)
{
    return history->named_serial != history->snapshot_serial;
}

/* The identity tells of the one that is served: one ahead may yet turn out to be of a lost branch. */
void history_name_snapshot(struct history *history)
{
    history->changed = true;
    history->identity.snapshot = snapshot_row(history->snapshot_set.complete);
    history->snapshot_serial++;
    history_ask_saving(history);
    history_settle_snapshots(history);
}

/* What was replaced, and the backlog still reaches back to, stays for a restore, and for replicas that run behind. */
static void keep_replaced(struct history *history)
{
    const struct store_options *options = history->dependencies.options;
    uint64_t first = backlog_unproven_first(history->backlog);
    struct snapshot *replaced;
    while ((options->snapshot_keep > 0 || options->keeps_aged) &&
           (replaced = snapshot_set_take_replaced(&history->snapshot_set, first)) != NULL) {
        older_snapshots_add(&history->older, snapshot_offset(replaced), snapshot_received(replaced),
                            options->keeps_aged ? replaced : NULL);
        snapshot_release(&replaced);
        history_trim_older(history);
    }
}

void history_settle_snapshots(struct history *history)
{
    if (history_is_unnamed(history))
        return;
    bool is_done = history->dependencies.options->fsync == STORE_FSYNC_NO ||
                   history_is_snapshot_durable(history);
    if (is_done)
        keep_replaced(history);
    (void)snapshot_set_settle(&history->snapshot_set, history->snapshot_dir, is_done);
}

/* ------------------------------------------------------------------ its name */

static struct history *history_of_naming(struct file_job *job)
{
    return (void *)((uint8_t *)job - offsetof(struct history, naming));
}

/* Does the RDB say itself that it was taken elsewhere? The stream goes on where the primary has said that it was. */
static bool is_of_another_place(const struct history *history, struct error *error)
{
    struct rdb_aux taken;
    uint8_t head[RDB_AUX_HEAD];
    uint64_t offset = snapshot_offset(history->named_snapshot);
    ssize_t got = pread(snapshot_file(history->named_snapshot), head, sizeof(head), 0);
    if (got <= 0 || !rdb_aux_read(bytes_at(head, (size_t)got), &taken) ||
        (taken.offset == offset && replid_equal(&taken.replid, &history->identity.replid)))
        return false;
    (void)error_set(error, ERROR_DAMAGED,
                    "%" PRIu64 ".rdb: the RDB says that it was taken at offset %" PRIu64 " of %s",
                    offset, taken.offset, taken.replid.hex);
    return true;
}

static bool name_in_turn(struct file_job *job, struct error *error)
{
    const struct history *history = history_of_naming(job);
    if (history->checks_place && is_of_another_place(history, error))
        return false;
    return snapshot_give_name(history->named_snapshot, history->snapshot_dir, error);
}

static void begin_naming(struct history *history, struct snapshot *snapshot)
{
    snapshot_retain(snapshot);
    history->named_snapshot = snapshot;
    history->naming.work = name_in_turn;
    file_job_begin(&history->naming, history->dependencies.files);
}

/* Of one that was given up meanwhile. */
void history_take_named(struct history *history)
{
    if (history->named_snapshot != history->snapshot_set.arriving &&
        file_job_take(&history->naming))
        snapshot_release(&history->named_snapshot);
}

static enum disk_step fail_completion(struct history *history, const struct text *why)
{
    history_fail_snapshot(history);
    history_snapshots_set_error(history, why);
    return DISK_STEP_FAILED;
}

/* It is whole and has its name. */
static void note_completed(struct history *history)
{
    snapshot_complete(history->snapshot_set.arriving);
    history->changed = true;
    text_clear(&history->error);
    history->has_name = true;
    snapshot_set_put(&history->snapshot_set, history->snapshot_dir, backlog_first(history->backlog),
                     backlog_published(history->backlog));
    history_name_snapshot(history);
}

enum disk_step history_complete_snapshot(struct history *history, struct text *why)
{
    struct snapshot *arriving = history->snapshot_set.arriving;
    CHECK(arriving != NULL);
    history_take_named(history);
    if (!history->naming.is_under_way) {
        if (!snapshot_prove(arriving, why))
            return fail_completion(history, why);
        begin_naming(history, arriving);
    }
    if (history->named_snapshot != arriving || !file_job_take(&history->naming))
        return DISK_STEP_PENDING;
    snapshot_release(&history->named_snapshot);
    if (!history->naming.is_good) {
        text_append_string(why, history->naming.error.text);
        return fail_completion(history, why);
    }
    note_completed(history);
    return DISK_STEP_DONE;
}

/* It may have its name by now: that goes as well, unless it is another's. */
static void remove_given_name(struct history *history, struct snapshot *snapshot)
{
    if (history->naming.is_under_way && history->named_snapshot == snapshot &&
        !snapshot_set_has_namesake(&history->snapshot_set, snapshot))
        snapshot_unlink(snapshot, history->snapshot_dir, NULL);
}

void history_fail_snapshot(struct history *history)
{
    struct snapshot *arriving = history->snapshot_set.arriving;
    if (arriving == NULL)
        return;
    const char *error = snapshot_error(arriving);
    if (error[0] != '\0') {
        text_clear(&history->error);
        text_format(&history->error, "%" PRIu64 ".rdb: %s", snapshot_offset(arriving), error);
    }
    snapshot_fail(arriving, history->is_made ? history->snapshot_dir : -1);
    remove_given_name(history, arriving);
    snapshot_release(&history->snapshot_set.arriving);
    history->changed = true;
}

/* The complete one may have gone: then it is another, or there is none. */
static void note_complete(struct history *history, const struct snapshot *before)
{
    history->changed = true;
    if (history->snapshot_set.complete == NULL && !history_search_goes_on(history))
        history->identity.snapshot.exists = false;
    else if (history->snapshot_set.complete != before && history->snapshot_set.complete != NULL)
        history_name_snapshot(history);
}

void history_drop_beyond(struct history *history, uint64_t offset)
{
    const struct snapshot *before = history->snapshot_set.complete;
    history_search_limit(history, offset);
    /* First: it may have the name of one of the others, which then goes with that. */
    if (history->snapshot_set.arriving != NULL &&
        snapshot_offset(history->snapshot_set.arriving) > offset)
        history_fail_snapshot(history);
    snapshot_set_cut(&history->snapshot_set, history->snapshot_dir, offset, &history->beyond);
    older_snapshots_cut(&history->older, offset, &history->beyond);
    note_complete(history, before);
}

void history_drop_unreadable(struct history *history)
{
    const struct snapshot *before = history->snapshot_set.complete;
    if (before == NULL || !snapshot_is_unreadable(before))
        return;
    log_warnx("store: the disk cannot read snapshot %" PRIu64 ".rdb: it is not served any more",
              snapshot_offset(before));
    snapshot_set_drop_complete(&history->snapshot_set, history->snapshot_dir);
    note_complete(history, before);
    if (history->snapshot_set.complete == NULL)
        history_ask_saving(history);
}

void history_advance_snapshots(struct history *history)
{
    if (snapshot_set_advance(&history->snapshot_set, history->snapshot_dir,
                             backlog_published(history->backlog)))
        history_name_snapshot(history);
    else if (snapshot_set_has_replaced(&history->snapshot_set))
        history_settle_snapshots(history);
}

bool history_drop_replaced(struct history *history)
{
    if (older_snapshots_drop_oldest(&history->older))
        return true;
    return !history_is_unnamed(history) &&
           snapshot_set_settle(&history->snapshot_set, history->snapshot_dir, true);
}

uint64_t history_spare_bytes(const struct history *history)
{
    uint64_t bytes = backlog_spare_bytes(history->backlog) + older_snapshots_bytes(&history->older);
    for (size_t i = 0; i < SNAPSHOT_SET_REPLACED_MAX; i++) {
        if (history->snapshot_set.replaced[i] != NULL)
            bytes += snapshot_received(history->snapshot_set.replaced[i]);
    }
    return bytes;
}

bool history_sync_snapshot(struct history *history)
{
    const struct snapshot *snapshot = history->snapshot_set.complete;
    if (snapshot == NULL || history_is_unnamed(history) || is_snapshot_asked(history))
        return true;
    const struct syncer_snapshot job = {
        .file = snapshot_file(snapshot),
        .offset = snapshot_offset(snapshot),
        .serial = history->snapshot_serial,
        .directory = history->directory,
        .claim = &history->claim,
    };
    if (!syncer_submit_snapshot(history->dependencies.syncer, &job))
        return false;
    history->snapshot_asked = job.serial;
    return true;
}
