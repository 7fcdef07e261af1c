/* SPDX-License-Identifier: MIT */
#include "relay/store/history.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "files.h"
#include "history_state_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/store/store_options.h"
#include "segment.h"

enum {
    IDENTITY_LENGTH_MAX = 64 * 1024 * 1024, /* about half a million segments */
    LOG_ROWS_LEAST = 256, /* behind the identity, before it is written whole again */
};

/* ------------------------------------------------------------------ made, loaded, ended */

void history_free(struct history **history)
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
    time_log_free(&it->times);
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
    history->older.directory = history->snapshot_dir;
    history->older.reclaimer = history->dependencies.reclaimer;
    if (history->backlog_dir == -1 || history->snapshot_dir == -1)
        return false;
    history->tail = tail_open(history->directory, why);
    if (history->tail == NULL)
        return false;
    history->times = time_log_new(history->dependencies.times, history->directory);
    if (history->times != NULL)
        return true;
    text_format(why, "out of memory");
    errno = ENOMEM;
    return false;
}

/* One with its directories open and nothing in it yet. NULL: errno and `why`. */
struct history *history_make(const struct history_dependencies *dependencies, uint64_t number,
                             struct text *why)
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

/* Before its snapshot is complete, a kill must not leave anything that looks like a history. */
static bool save_cut(void *arg, struct text *why)
{
    struct history *history = arg;
    return !history->has_name || history_write(history, true, why);
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

struct remover history_remover(const struct history *history)
{
    return (struct remover){history->dependencies.files, history->dependencies.reclaimer};
}

struct backlog_dependencies history_backlog_dependencies(struct history *history)
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
    struct backlog_dependencies backlog_dependencies = history_backlog_dependencies(history);
    history->backlog = backlog_new(&backlog_dependencies, offset, why);
    bool good = history->backlog != NULL && history_begin_snapshot(history, offset, why) != NULL;
    if (!good) {
        error = errno;
        history_remove(&history);
        errno = error;
    }
    return history;
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

bool history_write(struct history *history, bool is_cut, struct text *why)
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
    return history_write(history, false, why);
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
    older_snapshots_trim(&history->older, backlog_unproven_first(history->backlog), UINT64_MAX,
                         history->dependencies.options->snapshot_keep);
}

void history_note_time(struct history *history)
{
    time_log_note(history->times, backlog_published_boundary(history->backlog),
                  &history->identity.replid, backlog_unproven_first(history->backlog),
                  history->dependencies.options->fsync != STORE_FSYNC_NO);
}

bool history_offset_at(const struct history *history, int64_t wall_us, struct time_answer *out)
{
    return time_index_find(time_log_index(history->times), wall_us, out);
}

bool history_restorable(const struct history *history, struct time_entry *oldest,
                        struct time_entry *newest)
{
    const struct snapshot *served = history_served_snapshot(history);
    const struct older_snapshots *older = &history->older;
    if (served == NULL)
        return false;
    uint64_t base = older->count > 0 ? older->snapshot[0].offset : snapshot_offset(served);
    if (base < backlog_first(history->backlog))
        return false;
    const struct time_index *index = time_log_index(history->times);
    const struct time_entry *from = time_index_at_offset(index, base);
    if (from == NULL)
        return false;
    *oldest = *from;
    *newest = *time_index_newest(index);
    return true;
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
