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
 * With `fsync = no` there is no step 3: the page cache outlives a kill, and nothing a power failure.
 * What a start finds in snapshot/ that no identity names may be one of these, or of a branch that was lost:
 * it is taken if its own checksum and what it says of its origin prove it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "history_private.h"
#include "rdb_origin.h"
#include "relay/base/log.h"

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
    return shelf_usable(&history->shelf, backlog_first(history->backlog));
}

struct snapshot *history_snapshot(const struct history *history)
{
    return shelf_newest(&history->shelf);
}

struct snapshot *history_served_snapshot(const struct history *history)
{
    return history->shelf.complete;
}

struct snapshot *history_arriving_snapshot(const struct history *history)
{
    return history->shelf.arriving;
}

bool history_is_snapshot_durable(const struct history *history)
{
    return history->shelf.complete != NULL &&
           atomic_load_explicit(&history->claim.snapshot, memory_order_acquire) ==
               history->snapshot_serial;
}

static bool is_snapshot_asked(const struct history *history)
{
    return history->shelf.complete != NULL && history->snapshot_asked == history->snapshot_serial;
}

/* ------------------------------------------------------------------ found at a start */

enum { FOUND_MAX = 8 };

struct search {
    struct history *history;
    struct identity_snapshot rows[2]; /* of the identity, and of the copy of it */
    size_t count;
    uint64_t found[FOUND_MAX]; /* the X of files that are there, the newest first */
    int refusal;               /* the system did not let us look at one that nobody names */
};

/* Into its place; of too many the oldest are left out. */
static void note_file(const char *name, void *arg)
{
    struct search *search = arg;
    uint64_t offset;
    char whole[SNAPSHOT_NAME_MAX];
    if (!snapshot_parse_name(name, &offset))
        return;
    snapshot_name(offset, whole);
    if (strcmp(name, whole) != 0)
        return;
    size_t at = search->count;
    while (at > 0 && search->found[at - 1] < offset)
        at--;
    if (at == FOUND_MAX)
        return;
    size_t last = search->count < FOUND_MAX ? search->count++ : FOUND_MAX - 1;
    memmove(search->found + at + 1, search->found + at, (last - at) * sizeof(search->found[0]));
    search->found[at] = offset;
}

/* Is what the copy says of a snapshot said of this branch? An id that came since may have begun before it. */
static bool is_of_this_branch(const struct identity *identity, const struct identity *kept)
{
    if (replid_equal(&identity->replid, &kept->replid))
        return true;
    for (size_t i = 0; i < identity->earlier_count; i++) {
        if (replid_equal(&identity->earlier[i].replid, &kept->replid))
            return kept->snapshot.offset <= identity->earlier[i].limit;
    }
    return false;
}

/* The copy may tell of the one that the newest identity does not tell of any more. */
static void read_rows(struct search *search)
{
    const struct history *history = search->history;
    struct identity kept;
    struct text why;
    text_init(&why, HISTORY_WHY_MAX);
    search->rows[0] = history->identity.snapshot;
    if (history_read_identity(history, SYNCER_IDENTITY_KEPT, &kept, &why) == HISTORY_PROVEN) {
        if (is_of_this_branch(&history->identity, &kept))
            search->rows[1] = kept.snapshot;
        identity_fini(&kept);
    }
    text_fini(&why);
}

/* Does it say itself that it was taken of this history at its X? An RDB of before Redis 4 says nothing; then
 * it must be of here, unless there was a branch that it could be of. */
static bool belongs_here(const struct history *history, const struct snapshot *snapshot)
{
    struct rdb_origin origin;
    uint8_t head[RDB_ORIGIN_HEAD];
    ssize_t got = pread(snapshot_file(snapshot), head, sizeof(head), 0);
    const struct identity *identity = &history->identity;
    uint64_t offset = snapshot_offset(snapshot);
    uint64_t end = backlog_published(history->backlog);
    if (got <= 0 || !rdb_origin_read(bytes_at(head, (size_t)got), &origin))
        return identity->earlier_count == 0 && offset <= end;
    enum continuity continuity = identity_may_continue(identity, backlog_first(history->backlog),
                                                       end, &origin.replid, offset);
    bool is_ahead =
        continuity == CONTINUITY_AHEAD && replid_equal(&origin.replid, &identity->replid);
    return origin.offset == offset && (continuity == CONTINUITY_YES || is_ahead);
}

static struct snapshot *adopt(struct search *search, uint64_t offset, struct text *why)
{
    const struct history *history = search->history;
    struct snapshot *snapshot =
        snapshot_adopt(history->snapshot_dir, offset, tail_is_of_this_boot(history->tail), why);
    if (snapshot == NULL)
        return NULL;
    if (belongs_here(history, snapshot)) {
        log_info("store: history-%" PRIu64 ": snapshot %" PRIu64
                 ".rdb is not named by the identity, but proven: it is kept",
                 history->number, offset);
        return snapshot;
    }
    text_format(why, "%" PRIu64 ".rdb: it is of another history, or of a lost branch of this one",
                offset);
    snapshot_release(&snapshot);
    errno = EBADMSG;
    return NULL;
}

/* NULL: it is not proven, which a line in the log says, or errno is a refusal and `why` says so. */
static struct snapshot *load(struct search *search, uint64_t offset, struct text *why)
{
    bool is_named = false;
    for (size_t i = 0; i < LENGTH_OF(search->rows); i++) {
        const struct identity_snapshot *row = &search->rows[i];
        if (!row->exists || row->offset != offset)
            continue;
        is_named = true;
        text_clear(why);
        struct snapshot *snapshot = snapshot_load(search->history->snapshot_dir, row, why);
        if (snapshot != NULL || files_is_refusal(errno))
            return snapshot;
    }
    struct text reason;
    text_init(&reason, HISTORY_WHY_MAX);
    struct snapshot *snapshot = adopt(search, offset, &reason);
    int error = errno;
    if (snapshot == NULL && files_is_refusal(error))
        search->refusal = error;
    if (snapshot == NULL)
        log_warnx("store: snapshot %s: it is not served",
                  text_string(is_named && why->length > 0 ? why : &reason));
    text_fini(&reason);
    text_clear(why);
    errno = 0;
    return snapshot;
}

/* The newest of those that are not beyond the stream (`ahead`: of those that are). */
static struct snapshot *find_newest(struct search *search, bool ahead, struct text *why)
{
    const struct backlog *backlog = search->history->backlog;
    struct snapshot *found = NULL;
    errno = 0;
    for (size_t i = 0; i < search->count && found == NULL && !files_is_refusal(errno); i++) {
        uint64_t offset = search->found[i];
        bool is_ahead = offset > backlog_published(backlog);
        if (is_ahead == ahead && offset >= backlog_first(backlog))
            found = load(search, offset, why);
        if (found != NULL)
            snapshot_set_reclaimer(found, search->history->ties.reclaimer);
    }
    return found;
}

/* One that is of no use now, but that the identity names: it is told of. */
static struct snapshot *find_named(struct search *search, struct text *why)
{
    const struct identity_snapshot *row = &search->rows[0];
    const struct backlog *backlog = search->history->backlog;
    bool is_usable =
        row->offset >= backlog_first(backlog) && row->offset <= backlog_published(backlog);
    errno = 0;
    return row->exists && !is_usable ? load(search, row->offset, why) : NULL;
}

enum history_proof history_load_snapshots(struct history *history, struct text *why)
{
    struct search search = {.history = history};
    struct shelf *shelf = &history->shelf;
    struct identity_snapshot *row = &history->identity.snapshot;
    if (!files_each(history->snapshot_dir, note_file, &search, why))
        return HISTORY_REFUSED;
    read_rows(&search);
    shelf->complete = find_newest(&search, false, why);
    if (shelf->complete == NULL && !files_is_refusal(errno))
        shelf->complete = find_named(&search, why);
    int error = shelf->complete == NULL && errno == 0 ? search.refusal : errno;
    if (shelf->complete == NULL && files_is_refusal(error)) {
        if (why->length == 0)
            text_format(why, "snapshot: %s", strerror(error));
        errno = error;
        return HISTORY_REFUSED;
    }
    if (shelf->complete == NULL)
        row->exists = false;
    else
        *row = snapshot_row(shelf->complete);
    if (shelf->complete != NULL && row->offset <= backlog_published(history->backlog))
        shelf->ahead = find_newest(&search, true, why);
    text_clear(why);
    return HISTORY_PROVEN;
}

static void remove_stray_snapshot(const char *name, void *arg)
{
    struct history *history = arg;
    uint64_t offset;
    if (!snapshot_parse_name(name, &offset)) {
        log_warnx("store: history-%" PRIu64 "/snapshot/%s is not ours and is left alone",
                  history->number, name);
        return;
    }
    const struct snapshot *const ours[] = {history->shelf.complete, history->shelf.ahead};
    bool is_ours = false;
    for (size_t i = 0; i < LENGTH_OF(ours); i++) {
        char whole[SNAPSHOT_NAME_MAX];
        if (ours[i] == NULL)
            continue;
        snapshot_name(snapshot_offset(ours[i]), whole);
        is_ours = is_ours || strcmp(name, whole) == 0;
    }
    if (!is_ours)
        (void)reclaimer_unlink(history->ties.reclaimer, history->snapshot_dir, name);
}

bool history_tidy_snapshots(struct history *history, struct text *why)
{
    return files_each(history->snapshot_dir, remove_stray_snapshot, history, why);
}

/* ------------------------------------------------------------------ received, and named */

/* The disk is full while a snapshot arrives. */
static bool make_room(void *arg)
{
    const struct history *history = arg;
    return history->ties.make_room(history, history->ties.arg);
}

static void set_error(struct history *history, const struct text *why)
{
    text_clear(&history->error);
    text_append(&history->error, text_bytes(why));
}

struct snapshot *history_begin_snapshot(struct history *history, uint64_t offset, struct text *why)
{
    history_fail_snapshot(history);
    history->shelf.arriving =
        snapshot_create(history->snapshot_dir, offset, make_room, history, why);
    if (history->shelf.arriving == NULL) {
        int error = errno;
        set_error(history, why);
        errno = error;
    } else {
        snapshot_set_reclaimer(history->shelf.arriving, history->ties.reclaimer);
    }
    history->seen_readable = 0;
    history->changed = true;
    return history->shelf.arriving;
}

/* It is good and is served; only a restart might not know of it. */
static void save_name(struct history *history)
{
    struct text why;
    text_init(&why, HISTORY_WHY_MAX);
    if (!history_save(history, &why))
        history_tell_unsaved(history, text_string(&why));
    text_fini(&why);
}

/* The identity tells of the one that is served: one ahead may yet turn out to be of a lost branch. */
static void name_snapshot(struct history *history)
{
    history->changed = true;
    history->identity.snapshot = snapshot_row(history->shelf.complete);
    history->snapshot_serial++;
    history->is_unnamed = true;
    history_settle_snapshots(history);
}

void history_settle_snapshots(struct history *history)
{
    if (history->is_unnamed)
        save_name(history);
    if (history->is_unnamed)
        return;
    bool is_done =
        history->ties.options->fsync == STORE_FSYNC_NO || history_is_snapshot_durable(history);
    (void)shelf_settle(&history->shelf, history->snapshot_dir, is_done);
}

bool history_complete_snapshot(struct history *history, struct text *why)
{
    CHECK(history->shelf.arriving != NULL);
    history->changed = true;
    if (!snapshot_complete(history->shelf.arriving, history->snapshot_dir, why)) {
        set_error(history, why);
        snapshot_release(&history->shelf.arriving);
        return false;
    }
    text_clear(&history->error);
    history->has_name = true;
    shelf_put(&history->shelf, history->snapshot_dir, backlog_first(history->backlog),
              backlog_published(history->backlog));
    name_snapshot(history);
    return true;
}

void history_fail_snapshot(struct history *history)
{
    if (history->shelf.arriving == NULL)
        return;
    const char *error = snapshot_error(history->shelf.arriving);
    if (error[0] != '\0') {
        text_clear(&history->error);
        text_format(&history->error, "%" PRIu64 ".rdb: %s",
                    snapshot_offset(history->shelf.arriving), error);
    }
    snapshot_fail(history->shelf.arriving, history->snapshot_dir);
    snapshot_release(&history->shelf.arriving);
    history->changed = true;
}

/* The complete one may have gone: then it is another, or there is none. */
static void note_complete(struct history *history, const struct snapshot *before)
{
    history->changed = true;
    if (history->shelf.complete == NULL)
        history->identity.snapshot.exists = false;
    else if (history->shelf.complete != before)
        name_snapshot(history);
}

void history_drop_beyond(struct history *history, uint64_t offset)
{
    const struct snapshot *before = history->shelf.complete;
    shelf_cut(&history->shelf, history->snapshot_dir, offset);
    note_complete(history, before);
    if (history->shelf.arriving != NULL && snapshot_offset(history->shelf.arriving) > offset)
        history_fail_snapshot(history);
}

void history_drop_unreadable(struct history *history)
{
    const struct snapshot *before = history->shelf.complete;
    if (before == NULL || !snapshot_is_unreadable(before))
        return;
    log_warnx("store: the disk cannot read snapshot %" PRIu64 ".rdb: it is not served any more",
              snapshot_offset(before));
    shelf_drop_complete(&history->shelf, history->snapshot_dir);
    note_complete(history, before);
    if (history->shelf.complete == NULL)
        save_name(history);
}

void history_advance_snapshots(struct history *history)
{
    if (shelf_advance(&history->shelf, history->snapshot_dir, backlog_published(history->backlog)))
        name_snapshot(history);
    else if (shelf_has_replaced(&history->shelf))
        history_settle_snapshots(history);
}

bool history_drop_replaced(struct history *history)
{
    return !history->is_unnamed && shelf_settle(&history->shelf, history->snapshot_dir, true);
}

uint64_t history_spare_bytes(const struct history *history)
{
    uint64_t bytes = backlog_spare_bytes(history->backlog);
    for (size_t i = 0; i < SHELF_REPLACED_MAX; i++) {
        if (history->shelf.replaced[i] != NULL)
            bytes += snapshot_received(history->shelf.replaced[i]);
    }
    return bytes;
}

bool history_sync_snapshot(struct history *history)
{
    const struct snapshot *snapshot = history->shelf.complete;
    if (snapshot == NULL || history->is_unnamed || is_snapshot_asked(history))
        return true;
    const struct syncer_snapshot job = {
        .file = snapshot_file(snapshot),
        .offset = snapshot_offset(snapshot),
        .serial = history->snapshot_serial,
        .directory = history->directory,
        .claim = &history->claim,
    };
    if (!syncer_submit_snapshot(history->ties.syncer, &job))
        return false;
    history->snapshot_asked = job.serial;
    return true;
}
