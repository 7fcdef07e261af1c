/* SPDX-License-Identifier: MIT */
#include "relay/store/history.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "history_state_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/store/snapshot.h"
#include "relay/store/store_options.h"
#include "segment.h"

enum {
    IDENTITY_LENGTH_MAX = 64 * 1024 * 1024, /* about half a million segments */
    LOG_ROWS_LEAST = 256,    /* behind the identity, before it is written whole again */
    SYNC_SEGMENTS_MAX = 256, /* at once: each takes a descriptor meanwhile */
};

/* ------------------------------------------------------------------ made, loaded, ended */

static void history_free(struct history **history)
{
    struct history *it = *history;
    if (it == NULL)
        return;
    if (it->has_jobs)
        syncer_drain(it->dependencies.syncer);
    backlog_free(&it->backlog);
    history_search_end(it);
    clean_mark_fini(&it->clean);
    snapshot_set_fini(&it->snapshot_set);
    tail_close(&it->tail);
    segment_log_fini(&it->log);
    identity_fini(&it->identity);
    text_fini(&it->error);
    file_thread_drain(it->dependencies.files); /* its jobs use the directories */
    int directories[] = {it->snapshot_dir, it->backlog_dir, it->directory};
    for (size_t i = 0; i < LENGTH_OF(directories); i++) {
        if (directories[i] != -1)
            close(directories[i]);
    }
    free(it);
    *history = NULL;
}

static bool open_directories(struct history *history, struct text *why)
{
    char name[HISTORY_NAME_MAX];
    history_name(history->number, name);
    history->directory = files_open_directory(history->dependencies.data_dir, name, why);
    if (history->directory == -1)
        return false;
    segment_log_init(&history->log, history->directory);
    history->backlog_dir = files_open_directory(history->directory, "backlog", why);
    history->snapshot_dir = files_open_directory(history->directory, "snapshot", why);
    if (history->backlog_dir == -1 || history->snapshot_dir == -1)
        return false;
    history->tail = tail_open(history->directory, why);
    return history->tail != NULL;
}

/* One with its directories open and nothing in it yet. NULL: errno and `why`. */
static struct history *history_make(const struct history_dependencies *dependencies,
                                    uint64_t number, struct text *why)
{
    struct history *history = calloc(1, sizeof(*history));
    if (history == NULL) {
        text_format(why, "out of memory");
        errno = ENOMEM;
        return NULL;
    }
    history->dependencies = *dependencies;
    history->number = number;
    history->snapshot_serial = 1; /* of one that is found */
    segment_log_init(&history->log, -1);
    history->directory = -1;
    history->backlog_dir = -1;
    history->snapshot_dir = -1;
    text_init(&history->error, HISTORY_WHY_MAX);
    if (!open_directories(history, why)) {
        int error = errno;
        history_free(&history);
        errno = error;
    }
    return history;
}

static bool save(struct history *history, bool is_cut, struct text *why);

/* Before its snapshot is complete, a kill must not leave anything that looks like a history. */
static bool save_cut(void *arg, struct text *why)
{
    struct history *history = arg;
    return !history->has_name || save(history, true, why);
}

/* As many rows as there are segments are written for each that is sealed, when half of them are new. */
static bool name_segment(void *arg, const struct identity_segment *row, struct text *why)
{
    struct history *history = arg;
    if (!history->has_name)
        return true;
    size_t rows = history->log.rows;
    bool is_long = rows >= LOG_ROWS_LEAST && rows >= history->identity.segment_count / 2;
    /* At a start the identity may not have been written yet: the disk was full. */
    if (is_long || !segment_log_has_base(&history->log))
        return history_save(history, why);
    return segment_log_add(&history->log, row, why);
}

static struct backlog_dependencies dependencies_of(struct history *history)
{
    const struct store_options *options = history->dependencies.options;
    return (struct backlog_dependencies){
        .directory = history->backlog_dir,
        .window_bytes = options->window_bytes,
        .window_bytes_max = options->window_bytes_max,
        .segment_bytes = options->segment_bytes,
        .identity = &history->identity,
        .tail = history->tail,
        .reclaimer = history->dependencies.reclaimer,
        .files = history->dependencies.files,
        .clean = &history->clean,
        .save = save_cut,
        .name = name_segment,
        .arg = history,
    };
}

struct history *history_new(const struct history_dependencies *dependencies, uint64_t number,
                            const struct replid *replid, uint64_t offset, struct text *why)
{
    struct history *history = history_make(dependencies, number, why);
    int error = errno;
    if (history == NULL) {
        history_erase(dependencies->data_dir, number); /* it may have come as far as a directory */
        errno = error;
        return NULL;
    }
    identity_init(&history->identity, replid);
    struct backlog_dependencies backlog_dependencies = dependencies_of(history);
    history->backlog = backlog_new(&backlog_dependencies, offset, why);
    bool good = history->backlog != NULL && history_begin_snapshot(history, offset, why) != NULL;
    if (!good) {
        error = errno;
        history_remove(&history);
        errno = error;
    }
    return history;
}

enum history_proof history_read_identity(const struct history *history, const char *name,
                                         struct identity *out, struct text *why)
{
    struct text file;
    text_init(&file, IDENTITY_LENGTH_MAX);
    struct text reason;
    text_init(&reason, HISTORY_WHY_MAX);
    bool good = files_read(history->directory, name, &file, &reason);
    int error = good ? 0 : errno;
    if (good) {
        errno = 0; /* of what parsing does, only memory can set it */
        good = identity_parse(text_bytes(&file), out, &reason);
        error = errno;
    }
    if (!good)
        text_format(why, "%s%s: %s", why->length > 0 ? " " : "", name, text_string(&reason));
    text_fini(&file);
    text_fini(&reason);
    errno = error;
    if (good)
        return HISTORY_PROVEN;
    if (error == ENOENT)
        return HISTORY_BEGUN;
    return files_is_refusal(error) ? HISTORY_REFUSED : HISTORY_UNPROVEN;
}

/* The newest identity is not fsynced where it is written, and a power failure may leave it empty. The
 * one before it, that the syncer keeps beside it, then tells what was proven a moment earlier. */
static enum history_proof load_identity(struct history *history, struct text *why)
{
    enum history_proof proof = history_read_identity(history, "identity", &history->identity, why);
    if (proof != HISTORY_UNPROVEN && proof != HISTORY_BEGUN)
        return proof;
    enum history_proof kept =
        history_read_identity(history, SYNCER_IDENTITY_KEPT, &history->identity, why);
    if (kept == HISTORY_BEGUN)
        return proof;
    if (kept != HISTORY_PROVEN)
        return kept;
    log_warnx("store: history-%" PRIu64 ": %s: the one before it is used", history->number,
              text_string(why));
    text_clear(why);
    return HISTORY_PROVEN;
}

/* With what was sealed since it was written. */
static enum history_proof load_rows(struct history *history, struct text *why)
{
    uint64_t newest;
    if (!segment_log_apply(history->directory, &history->identity, &newest, why))
        return HISTORY_REFUSED;
    history->log.base = newest;
    return HISTORY_PROVEN;
}

static enum history_proof load_backlog(struct history *history, struct text *why)
{
    struct backlog_dependencies dependencies = dependencies_of(history);
    history->backlog = backlog_load(&dependencies, why);
    if (history->backlog != NULL)
        return HISTORY_PROVEN;
    return files_is_refusal(errno) ? HISTORY_REFUSED : HISTORY_UNPROVEN;
}

/* Segments that are not in the chain, left by a kill between two steps. */
static void remove_stray_segment(const char *name, void *arg)
{
    struct history *history = arg;
    uint64_t first;
    if (!segment_parse_name(name, &first)) {
        log_warnx("store: history-%" PRIu64 "/backlog/%s is not ours and is left alone",
                  history->number, name);
        return;
    }
    bool known = backlog_newest(history->backlog)->first == first;
    for (size_t i = 0; i < history->identity.segment_count && !known; i++)
        known = history->identity.segments[i].first == first;
    if (!known)
        (void)reclaimer_unlink(history->dependencies.reclaimer, history->backlog_dir, name);
}

/* What cannot be done now (a full disk) is done at the next start: no reason not to serve. */
static void tidy(struct history *history)
{
    struct text why;
    text_init(&why, HISTORY_WHY_MAX);
    if (!files_each(history->backlog_dir, remove_stray_segment, history, &why) ||
        !history_tidy_snapshots(history, &why) || !save(history, true, &why))
        log_warnx("store: history-%" PRIu64 ": %s", history->number, text_string(&why));
    /* The copy may tell of what is no more. */
    history->has_jobs = true;
    (void)!syncer_submit_names(history->dependencies.syncer, history->directory, &history->claim);
    text_fini(&why);
}

/* It lets go of what was opened without touching a file. */
static enum history_proof look_at_files(struct history *history, struct text *why)
{
    enum history_proof proof = load_identity(history, why);
    clean_mark_read(&history->clean, history->directory);
    if (proof == HISTORY_PROVEN)
        proof = load_rows(history, why);
    if (proof == HISTORY_PROVEN)
        proof = load_backlog(history, why);
    if (proof == HISTORY_PROVEN)
        proof = history_find_snapshots(history, why);
    if (proof == HISTORY_PROVEN && !history_may_prove(history, why))
        proof = HISTORY_REFUSED;
    return proof;
}

enum history_proof history_load(const struct history_dependencies *dependencies, uint64_t number,
                                struct history **out, struct text *why)
{
    struct history *history = history_make(dependencies, number, why);
    *out = NULL;
    if (history == NULL)
        return errno == ENOTDIR ? HISTORY_STRANGE : HISTORY_REFUSED;
    enum history_proof proof = look_at_files(history, why);
    if (proof != HISTORY_PROVEN) {
        int error = errno;
        history_free(&history);
        errno = error;
        return proof;
    }
    history->has_name = true;
    clean_mark_remove(history->directory);
    tidy(history);
    history_begin_proof(history);
    *out = history;
    return HISTORY_PROVEN;
}

/* All that is proven, if it is on the disk for good: see clean_mark.h. */
static bool fill_mark(const struct history *history, struct clean_mark *mark, size_t unproven,
                      bool has_newest, uint64_t newest)
{
    char name[SNAPSHOT_NAME_MAX];
    bool good = true;
    for (size_t i = unproven; i < history->identity.segment_count && good; i++) {
        uint64_t first = history->identity.segments[i].first;
        segment_name(first, name);
        good = clean_mark_add(mark, CLEAN_SEGMENT, first, history->backlog_dir, name);
    }
    segment_name(newest, name);
    if (has_newest)
        good = good && clean_mark_add(mark, CLEAN_SEGMENT, newest, history->backlog_dir, name);
    if (history_is_snapshot_durable(history)) {
        uint64_t offset = snapshot_offset(history->snapshot_set.complete);
        snapshot_name(offset, name);
        good = good && clean_mark_add(mark, CLEAN_SNAPSHOT, offset, history->snapshot_dir, name);
    }
    return good;
}

/* Closes the backlog, since that cuts the newest segment to its length. */
static void leave_mark(struct history *history)
{
    const struct backlog *backlog = history->backlog;
    const struct segment *last = backlog_newest(backlog);
    uint64_t newest = last->first;
    bool is_durable = history_durable(history) == backlog_end(backlog);
    bool has_newest = last->points[0].offset == newest && last->written > newest;
    /* What begins with a part that is not proven is read the next time. */
    size_t unproven = 0;
    while (unproven < history->identity.segment_count &&
           history->identity.segments[unproven].first < backlog_first(backlog))
        unproven++;
    struct clean_mark mark = {.count = 0};
    struct text why;
    text_init(&why, HISTORY_WHY_MAX);
    backlog_free(&history->backlog);
    if (is_durable && fill_mark(history, &mark, unproven, has_newest, newest) &&
        !clean_mark_write(&mark, history->directory, &why))
        log_warnx("store: history-%" PRIu64 ": the next start reads all that is held: %s",
                  history->number, text_string(&why));
    clean_mark_fini(&mark);
    text_fini(&why);
}

void history_close(struct history **history)
{
    struct history *it = *history;
    if (it == NULL)
        return;
    history_end_proof(it);
    history_fail_snapshot(it);
    (void)history_publish(it);
    uint64_t before;
    uint64_t snapshot_before;
    do {
        syncer_drain(it->dependencies.syncer); /* a busy one takes nothing more */
        before = it->submitted;
        snapshot_before = it->snapshot_asked;
        history_sync(it);
    } while (it->submitted != before || it->snapshot_asked != snapshot_before);
    history_settle_snapshots(it);
    leave_mark(it);
    history_free(history);
}

/* Behind the syncer: what it still does for this history points here. */
static void remove_in_turn(struct reclaim_job *job)
{
    struct history *it = (void *)((uint8_t *)job - offsetof(struct history, job));
    int data_dir = reclaimer_directory(it->dependencies.reclaimer);
    uint64_t number = it->number;
    history_free(&it);
    history_erase(data_dir, number);
}

/* No start finds it from now on; what takes longer is the reclaimer's. */
static void forget_in_turn(struct file_job *job)
{
    struct history *it = (void *)((uint8_t *)job - offsetof(struct history, forget_job));
    struct reclaimer *reclaimer = it->dependencies.reclaimer;
    history_forget(it->directory);
    it->job.work = remove_in_turn;
    reclaimer_take(reclaimer, &it->job);
    reclaimer_announced_done(reclaimer, 0);
}

void history_remove(struct history **history)
{
    struct history *it = *history;
    *history = NULL;
    if (it == NULL)
        return;
    history_end_proof(it);
    history_fail_snapshot(it);
    it->forget_job.work = forget_in_turn;
    reclaimer_announce(it->dependencies.reclaimer, 0);
    file_thread_submit(it->dependencies.files, &it->forget_job);
}

void history_tell_unsaved(struct history *history, const char *why)
{
    char sum[LOG_REPEAT_SUM_MAX];
    if (log_repeat_note(&history->unsaved, why, clock_ms(), sum))
        log_warnx("store: history-%" PRIu64 "%s: %s", history->number, sum, why);
}

static void tell_saved(struct history *history)
{
    char sum[LOG_REPEAT_SUM_MAX];
    if (log_repeat_goes_on(&history->unsaved) && log_repeat_end(&history->unsaved, clock_ms(), sum))
        log_info("store: history-%" PRIu64 ": its identity can be written again%s", history->number,
                 sum);
}

static bool save(struct history *history, bool is_cut, struct text *why)
{
    struct text content;
    text_init(&content, IDENTITY_LENGTH_MAX);
    history->identity.base = history->log.base + 1;
    identity_format(&history->identity, &content);
    bool good = !content.failed;
    int error = ENOMEM;
    if (good) {
        good = files_replace(history->directory, "identity", text_bytes(&content), false, why);
        error = errno;
    } else {
        text_format(why, "out of memory");
    }
    text_fini(&content);
    if (good) {
        segment_log_follow(&history->log, history->identity.base, is_cut);
        if (history->dependencies.options->fsync ==
            STORE_FSYNC_NO) /* else the syncer does, when it is kept */
            segment_log_remove_before(history->directory, history->identity.base);
        history->is_unnamed = false;
        tell_saved(history);
    }
    errno = error;
    return good;
}

bool history_save(struct history *history, struct text *why)
{
    return save(history, false, why);
}

/* ------------------------------------------------------------------ asked */

uint64_t history_number(const struct history *history)
{
    return history->number;
}

const struct identity *history_identity(const struct history *history)
{
    return &history->identity;
}

struct backlog *history_backlog(struct history *history)
{
    return history->backlog;
}

const struct branches *history_branches(const struct history *history)
{
    return &history->branches;
}

uint64_t history_durable(const struct history *history)
{
    return atomic_load_explicit(&history->claim.durable, memory_order_acquire);
}

enum continuity history_may_continue(const struct history *history, const struct replid *replid,
                                     uint64_t offset)
{
    uint64_t published = backlog_published(history->backlog);
    enum continuity continuity = identity_may_continue(
        &history->identity, backlog_first(history->backlog), published, replid, offset);
    if (continuity != CONTINUITY_GONE || !history_is_proving(history))
        return continuity;
    continuity = identity_may_continue(&history->identity, backlog_unproven_first(history->backlog),
                                       published, replid, offset);
    return continuity == CONTINUITY_YES ? CONTINUITY_UNPROVEN : continuity;
}

const char *history_error(const struct history *history)
{
    const char *window = backlog_error(history->backlog);
    return window[0] != '\0' ? window : text_string(&history->error);
}

/* ------------------------------------------------------------------ done to */

/* Of a segment that is not there the next start knows by itself. */
bool history_shorten(struct history *history, uint64_t keep_from)
{
    return backlog_shorten(history->backlog, keep_from);
}

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
        good = save(history, true, why);
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

void history_take_options(struct history *history)
{
    const struct store_options *options = history->dependencies.options;
    backlog_set_sizes(history->backlog, options->window_bytes, options->window_bytes_max,
                      options->segment_bytes);
}

void history_trim(struct history *history)
{
    (void)backlog_drop_unreadable(history->backlog);
    (void)backlog_trim(history->backlog);
    history_drop_unreadable(history);
    history_settle_snapshots(history);
}

bool history_publish(struct history *history)
{
    history_take_proof(history);
    bool news = backlog_publish(history->backlog);
    history_advance_snapshots(history);
    if (history->snapshot_set.arriving != NULL) {
        uint64_t readable = snapshot_readable(history->snapshot_set.arriving);
        news = news || readable != history->seen_readable;
        history->seen_readable = readable;
    }
    news = news || history->changed;
    history->changed = false;
    return news;
}

struct sync_run {
    struct history *history;
    struct tail_mark mark; /* of the newest segment */
    unsigned count;
    uint64_t submitted; /* up to here */
    bool full;          /* the rest next time */
};

/* Sealed segments are fsynced on the way; the newest one's job carries the mark. The identity and the
 * names go with each that was not submitted before. */
static void submit_segment(struct segment *segment, void *arg)
{
    struct sync_run *run = arg;
    struct history *history = run->history;
    bool newest = segment == backlog_newest(history->backlog);
    struct syncer_job job = {
        .segment = segment,
        .directory = newest && segment->first >= history->submitted ? history->directory : -1,
        .tail = newest ? history->tail : NULL,
        .mark = run->mark,
        .after_snapshot = history->snapshot_set.complete != NULL || history_search_goes_on(history),
        .held_from = backlog_first(history->backlog),
        .claim = &history->claim,
    };
    run->full = run->full || run->count++ == SYNC_SEGMENTS_MAX ||
                !syncer_submit(history->dependencies.syncer, &job);
    if (!run->full)
        run->submitted = segment->written;
}

static void sync_stream(struct history *history)
{
    struct sync_run run = {.history = history, .mark = backlog_mark(history->backlog)};
    if (run.mark.end == history->submitted)
        return;
    run.submitted = history->submitted;
    backlog_each_from(history->backlog, history->submitted, submit_segment, &run);
    history->submitted = run.submitted;
}

/* The RDB that the history begins with comes before the stream, since no offset is durable without it. Those
 * that take its place come behind the stream, which is waited for. */
static bool has_durable_snapshot(const struct history *history)
{
    return atomic_load_explicit(&history->claim.snapshot, memory_order_acquire) != 0;
}

void history_sync(struct history *history)
{
    if (syncer_is_busy(history->dependencies.syncer))
        return;
    history->has_jobs = true;
    if (!has_durable_snapshot(history) && !history_sync_snapshot(history))
        return; /* memory or descriptors are out: the next time */
    sync_stream(history);
    (void)history_sync_snapshot(history);
}
