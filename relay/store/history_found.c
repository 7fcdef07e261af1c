/* SPDX-License-Identifier: MIT
 *
 * The snapshots that a start finds. What is in snapshot/ and no identity names may be one that was received just
 * before a kill, or of a branch that was lost: it is taken if its own checksum and what it says of its primary
 * prove it. They are read behind the start's back, one after the other (history_proof.c):
 *
 *     usable   the newest that lies in the window, and is proven
 *     named    without one: that which the identity names, of no use now, so that it is told of
 *     ahead    beside a usable one: the newest beyond the end of the stream
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history_state_private.h"
#include "rdb_aux.h"
#include "relay/base/log.h"
#include "relay/store/snapshot.h"
#include "relay/store/store_options.h"

enum { FOUND_MAX = OLDER_SNAPSHOTS_MAX + 2 };

enum seek { SEEK_USABLE, SEEK_NAMED, SEEK_AHEAD, SEEK_DONE };

struct snapshot_search {
    struct identity_snapshot rows[2]; /* of the identity, and of the copy of it */
    size_t count;
    uint64_t found[FOUND_MAX]; /* the X of files that are there, the newest first */
    uint64_t first;            /* of the window, what is not proven yet included, at the start */
    uint64_t published;        /* at the start */
    uint64_t limit;            /* beyond it they are of a branch that has been left meanwhile */
    enum seek seek;
    size_t next; /* of `found` */
    bool has_found;
    uint64_t offset; /* of the one that is to be proven */
};

/* ------------------------------------------------------------------ what there is */

/* Into its place; of too many the oldest are left out. */
static void note_file(const char *name, void *arg)
{
    struct snapshot_search *search = arg;
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
static void read_rows(struct snapshot_search *search, const struct history *history)
{
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

/* The one that comes next; SEEK_DONE: none. */
static void seek_next(struct snapshot_search *search)
{
    for (; search->seek != SEEK_DONE; search->next = 0) {
        bool ahead = search->seek == SEEK_AHEAD;
        while (search->seek != SEEK_NAMED && search->next < search->count) {
            search->offset = search->found[search->next++];
            if (search->offset <= search->limit && search->offset >= search->first &&
                ahead == (search->offset > search->published))
                return;
        }
        if (search->seek == SEEK_USABLE) {
            search->seek = search->has_found ? SEEK_AHEAD : SEEK_NAMED;
            search->offset = search->rows[0].offset;
            bool is_usable = search->offset >= search->first && search->offset <= search->published;
            if (search->seek == SEEK_NAMED && search->rows[0].exists && !is_usable &&
                search->offset <= search->limit)
                return;
        } else {
            bool is_behind = search->seek == SEEK_NAMED && search->has_found &&
                             search->rows[0].offset <= search->published;
            search->seek = is_behind ? SEEK_AHEAD : SEEK_DONE;
        }
    }
}

enum history_proof history_find_snapshots(struct history *history, struct text *why)
{
    struct snapshot_search *search = calloc(1, sizeof(*search));
    if (search == NULL) {
        text_format(why, "out of memory");
        errno = ENOMEM;
        return HISTORY_REFUSED;
    }
    history->search = search;
    if (!files_each(history->snapshot_dir, note_file, search, why))
        return HISTORY_REFUSED;
    read_rows(search, history);
    search->first = backlog_unproven_first(history->backlog);
    search->published = backlog_published(history->backlog);
    search->limit = UINT64_MAX;
    seek_next(search);
    return HISTORY_PROVEN;
}

bool history_search_goes_on(const struct history *history)
{
    return history->search != NULL;
}

void history_search_limit(struct history *history, uint64_t offset)
{
    if (history->search != NULL && history->search->limit > offset)
        history->search->limit = offset;
}

bool history_search_next(const struct history *history, uint64_t *offset)
{
    if (history->search == NULL || history->search->seek == SEEK_DONE)
        return false;
    *offset = history->search->offset;
    return true;
}

bool history_search_is_awaited(const struct history *history)
{
    return history->search != NULL && history->search->seek == SEEK_USABLE;
}

uint64_t history_search_bytes(const struct history *history)
{
    uint64_t offset;
    if (!history_search_next(history, &offset))
        return 0;
    for (size_t i = 0; i < LENGTH_OF(history->search->rows); i++) {
        const struct identity_snapshot *row = &history->search->rows[i];
        if (row->exists && row->offset == offset)
            return row->length;
    }
    return 0;
}

/* ------------------------------------------------------------------ one is proven */

/* On the verifier's thread: nothing of the history is touched. */
struct finding {
    struct proof proof;
    int directory; /* ours */
    uint64_t offset;
    struct identity_snapshot rows[2];
    bool is_this_boot;
    struct snapshot *snapshot; /* NULL: not proven */
    bool is_adopted;           /* nobody names it */
    struct error error;        /* of one that is not; of several the first */
};

static void finding_free(struct proof *proof)
{
    struct finding *finding = (struct finding *)(void *)proof;
    snapshot_release(&finding->snapshot);
    if (finding->directory != -1)
        close(finding->directory);
    free(finding);
}

static void prove_snapshot(struct proof *proof, const struct files_pace *pace)
{
    struct finding *finding = (struct finding *)(void *)proof;
    for (size_t i = 0; i < LENGTH_OF(finding->rows) && finding->snapshot == NULL; i++) {
        const struct identity_snapshot *row = &finding->rows[i];
        if (!row->exists || row->offset != finding->offset)
            continue;
        finding->snapshot = snapshot_load(finding->directory, row, pace, &finding->error);
        if (finding->snapshot == NULL && files_is_refusal(finding->error.number))
            return;
    }
    if (finding->snapshot != NULL)
        return;
    const struct error told = finding->error;
    finding->snapshot = snapshot_adopt(finding->directory, finding->offset, finding->is_this_boot,
                                       pace, &finding->error);
    finding->is_adopted = true;
    /* Why it is not what the identity tells of says more, unless it may yet be proven. */
    if (told.kind != ERROR_NONE && !files_is_refusal(finding->error.number))
        finding->error = told;
}

struct proof *history_search_proof(const struct history *history)
{
    const struct snapshot_search *search = history->search;
    struct finding *finding = calloc(1, sizeof(*finding));
    if (finding == NULL)
        return NULL;
    finding->proof.work = prove_snapshot;
    finding->proof.discard = finding_free;
    finding->directory = fcntl(history->snapshot_dir, F_DUPFD_CLOEXEC, 0);
    finding->offset = search->offset;
    finding->rows[0] = search->rows[0];
    finding->rows[1] = search->rows[1];
    finding->is_this_boot = tail_is_of_this_boot(history->tail);
    const struct files_key *key = clean_mark_find(&history->clean, CLEAN_SNAPSHOT, search->offset);
    finding->proof.is_trusted = key != NULL;
    if (key != NULL)
        finding->proof.key = *key;
    if (finding->directory != -1)
        return &finding->proof;
    finding_free(&finding->proof);
    return NULL;
}

/* Does it say itself that it was taken of this history at its X? An RDB of before Redis 4 says nothing; then
 * it must be of here, unless there was a branch that it could be of. */
static bool belongs_here(const struct history *history, const struct snapshot *snapshot)
{
    struct rdb_aux primary;
    uint8_t head[RDB_AUX_HEAD];
    ssize_t got = pread(snapshot_file(snapshot), head, sizeof(head), 0);
    const struct identity *identity = &history->identity;
    uint64_t offset = snapshot_offset(snapshot);
    uint64_t end = history->search->published;
    if (got <= 0 || !rdb_aux_read(bytes_at(head, (size_t)got), &primary))
        return identity->earlier_count == 0 && offset <= end;
    enum continuity continuity =
        identity_may_continue(identity, history->search->first, end, &primary.replid, offset);
    bool is_ahead =
        continuity == CONTINUITY_AHEAD && replid_equal(&primary.replid, &identity->replid);
    return primary.offset == offset && (continuity == CONTINUITY_YES || is_ahead);
}

/* Is it what the search is for? */
static bool is_taken(const struct history *history, struct finding *finding)
{
    if (finding->snapshot == NULL) {
        log_warnx("store: snapshot %s: it is not served", finding->error.text);
        return false;
    }
    if (finding->offset > history->search->limit)
        return false;
    if (!finding->is_adopted)
        return true;
    if (belongs_here(history, finding->snapshot)) {
        log_info("store: history-%" PRIu64 ": snapshot %" PRIu64
                 ".rdb is not named by the identity, but proven: it is kept",
                 history->number, finding->offset);
        return true;
    }
    log_warnx("store: snapshot %" PRIu64
              ".rdb: it is of another history, or of a lost branch of this one: it is not served",
              finding->offset);
    return false;
}

/* It takes its place, unless a newer one has come meanwhile. */
static void history_found_place(struct history *history, struct snapshot **snapshot)
{
    struct snapshot_set *snapshot_set = &history->snapshot_set;
    const struct remover remover = history_remover(history);
    snapshot_set_remover(*snapshot, &remover);
    struct snapshot **where =
        history->search->seek == SEEK_AHEAD ? &snapshot_set->ahead : &snapshot_set->complete;
    if (*where != NULL || (where == &snapshot_set->complete && snapshot_set->ahead != NULL))
        return;
    *where = *snapshot;
    *snapshot = NULL;
    history->changed = true;
    const struct identity_snapshot row = snapshot_row(*where);
    const struct identity_snapshot *named = &history->identity.snapshot;
    bool is_named = named->exists && named->offset == row.offset && named->crc == row.crc &&
                    named->length == row.length;
    if (where == &snapshot_set->complete && !is_named)
        history_name_snapshot(history);
}

static bool history_found_is_kept(const struct snapshot_set *snapshot_set, uint64_t offset)
{
    const struct snapshot *const kept[] = {snapshot_set->complete, snapshot_set->ahead,
                                           snapshot_set->replaced[0], snapshot_set->replaced[1]};
    for (size_t i = 0; i < LENGTH_OF(kept); i++) {
        if (kept[i] != NULL && snapshot_offset(kept[i]) == offset)
            return true;
    }
    return false;
}

/* Is it one that the complete one may have replaced? A restore proves it; who has kept it, no longer knows. */
static bool keep_for_restore(struct history *history, uint64_t offset, const char *name)
{
    const struct snapshot *complete = history->snapshot_set.complete;
    const struct store_options *options = history->dependencies.options;
    struct stat about;
    if ((options->snapshot_keep == 0 && !options->keeps_aged) || complete == NULL ||
        offset >= snapshot_offset(complete) || offset < backlog_unproven_first(history->backlog) ||
        offset > history->search->limit || fstatat(history->snapshot_dir, name, &about, 0) == -1)
        return false;
    older_snapshots_add(&history->older, offset, (uint64_t)about.st_size, NULL);
    return true;
}

/* What was found and is of no use goes. */
static void end_search(struct history *history)
{
    const struct snapshot_search *search = history->search;
    const struct remover remover = history_remover(history);
    for (size_t i = search->count; i > 0; i--) { /* the oldest first */
        char name[SNAPSHOT_NAME_MAX];
        uint64_t offset = search->found[i - 1];
        snapshot_name(offset, name);
        if (!history_found_is_kept(&history->snapshot_set, offset) &&
            !keep_for_restore(history, offset, name))
            removal_ask(&remover, history->snapshot_dir, name, 0, NULL);
    }
    history_trim_older(history);
    free(history->search);
    history->search = NULL;
    history->changed = true;
    if (history->snapshot_set.complete == NULL && history->identity.snapshot.exists) {
        history->identity.snapshot.exists = false;
        history_ask_saving(history);
    }
}

bool history_search_take(struct history *history, struct proof *proof, struct error *error)
{
    struct finding *finding = (struct finding *)(void *)proof;
    bool is_refused = finding->snapshot == NULL && files_is_refusal(finding->error.number) &&
                      finding->error.number != EIO;
    if (is_refused) {
        *error = finding->error;
    } else {
        if (is_taken(history, finding)) {
            history->search->has_found = true;
            history->search->next = history->search->count; /* the older ones are not looked at */
            history_found_place(history, &finding->snapshot);
        }
        seek_next(history->search);
    }
    finding_free(proof);
    if (!is_refused && history->search->seek == SEEK_DONE)
        end_search(history);
    return !is_refused;
}

void history_search_end(struct history *history)
{
    free(history->search);
    history->search = NULL;
}

void history_search_settle(struct history *history)
{
    if (history->search != NULL && history->search->seek == SEEK_DONE)
        end_search(history);
}

/* ------------------------------------------------------------------ strays */

/* What was found goes when the search is over. */
static void remove_stray_snapshot(const char *name, void *arg)
{
    struct history *history = arg;
    const struct snapshot_search *search = history->search;
    uint64_t offset;
    if (!snapshot_parse_name(name, &offset)) {
        log_warnx("store: history-%" PRIu64 "/snapshot/%s is not ours and is left alone",
                  history->number, name);
        return;
    }
    bool is_found = false;
    for (size_t i = 0; i < search->count; i++) {
        char whole[SNAPSHOT_NAME_MAX];
        snapshot_name(search->found[i], whole);
        is_found = is_found || strcmp(name, whole) == 0;
    }
    if (!is_found)
        (void)reclaimer_unlink(history->dependencies.reclaimer, history->snapshot_dir, name);
}

bool history_tidy_snapshots(struct history *history, struct text *why)
{
    return files_each(history->snapshot_dir, remove_stray_snapshot, history, why);
}
