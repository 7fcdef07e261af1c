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

/* ------------------------------------------------------------------ made, loaded, ended */

void history_free(struct history **history)
{
    struct history *it = *history;
    if (it == NULL)
        return;
    file_thread_drain(it->dependencies.files); /* its jobs use what goes now */
    if (it->has_jobs)
        syncer_drain(it->dependencies.syncer);
    backlog_free(&it->backlog);
    history_search_end(it);
    clean_mark_fini(&it->clean);
    snapshot_release(&it->made_snapshot);
    snapshot_release(&it->named_snapshot);
    snapshot_set_fini(&it->snapshot_set);
    older_snapshots_fini(&it->older);
    time_log_free(&it->times);
    if (it->cut_place != NULL)
        syncer_unreserve(it->cut_place);
    removals_forget(&it->beyond);
    text_fini(&it->saving.content);
    if (it->saving.job.is_under_way && it->saving.job.is_good)
        it->log.file = it->saving.log_file.file; /* it was written after all */
    tail_close(&it->tail);
    segment_log_fini(&it->log);
    identity_fini(&it->identity);
    text_fini(&it->error);
    /* What was let go of may have asked for a file to be removed: the next segment, which was made ahead. It is removed by
     * its directory, whose descriptor would be another's, and so would be the file. */
    file_thread_drain(it->dependencies.files);
    int directories[] = {it->snapshot_dir, it->backlog_dir, it->directory};
    for (size_t i = 0; i < LENGTH_OF(directories); i++) {
        if (directories[i] != -1)
            close(directories[i]);
    }
    free(it);
    *history = NULL;
}

/* The directory `name`, unless an earlier try has opened it. */
static bool history_open_once(int *directory, int at, const char *name, struct text *why)
{
    if (*directory == -1)
        *directory = files_open_directory(at, name, why);
    return *directory != -1;
}

bool history_open_directories(struct history *history, struct text *why)
{
    char name[HISTORY_NAME_MAX];
    history_name(history->number, name);
    bool good = history_open_once(&history->directory, history->dependencies.data_dir, name, why) &&
                history_open_once(&history->backlog_dir, history->directory, "backlog", why) &&
                history_open_once(&history->snapshot_dir, history->directory, "snapshot", why);
    if (good && history->tail == NULL)
        history->tail = tail_open(history->directory, why);
    if (!good || history->tail == NULL)
        return false;
    if (history->times == NULL)
        history->times = time_log_new(history->dependencies.times, history->directory);
    if (history->times != NULL)
        return true;
    text_format(why, "out of memory");
    errno = ENOMEM;
    return false;
}

/* With nothing in it yet, and no directory. NULL: errno and `why`. */
static struct history *history_alloc(const struct history_dependencies *dependencies,
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
    history->named_serial = 1;
    segment_log_init(&history->log, -1);
    history->directory = -1;
    history->backlog_dir = -1;
    history->snapshot_dir = -1;
    text_init(&history->error, HISTORY_WHY_MAX);
    return history;
}

void history_note_place(struct history *history)
{
    history->is_made = true;
    history->log.directory = history->directory;
    history->older.directory = history->snapshot_dir;
    history->older.remover = history_remover(history);
}

struct history *history_make(const struct history_dependencies *dependencies, uint64_t number,
                             struct text *why)
{
    struct history *history = history_alloc(dependencies, number, why);
    if (history == NULL)
        return NULL;
    if (history_open_directories(history, why)) {
        history_note_place(history);
        history->is_found = true;
        return history;
    }
    int error = errno;
    history_free(&history);
    errno = error;
    return NULL;
}

static bool is_saving(void *arg)
{
    return history_is_saving(arg);
}

static void take_saved(void *arg)
{
    history_take_saved(arg);
}

static uint64_t marked_end(void *arg)
{
    const struct history *history = arg;
    if (history->dependencies.options->fsync == STORE_FSYNC_NO)
        return UINT64_MAX;
    return atomic_load_explicit(&history->claim.marked, memory_order_acquire);
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
        .has_needed = options->keeps_aged,
        .needed_from = history_needed_from(history),
        .identity = &history->identity,
        .tail = history->tail,
        .reclaimer = history->dependencies.reclaimer,
        .files = history->dependencies.files,
        .clean = &history->clean,
        .marked = marked_end,
        .may_name = history_may_name_segment,
        .name = history_name_segment,
        .is_saving = is_saving,
        .take_saved = take_saved,
        .arg = history,
    };
}

struct history *history_new(const struct history_dependencies *dependencies, uint64_t number,
                            const struct replid *replid, uint64_t offset, struct text *why)
{
    struct history *history = history_alloc(dependencies, number, why);
    if (history == NULL)
        return NULL;
    identity_init(&history->identity, replid);
    atomic_store_explicit(&history->claim.marked, UINT64_MAX, memory_order_relaxed);
    struct backlog_dependencies backlog_dependencies = history_backlog_dependencies(history);
    history->backlog = backlog_new(&backlog_dependencies, offset, why);
    if (history->backlog == NULL) {
        history_free(&history); /* there is nothing to wait for */
        return NULL;
    }
    backlog_keep_all(history->backlog, true); /* until it is current (history_begin_service) */
    history->first_segment = backlog_newest(history->backlog);
    if (history_begin_snapshot(history, offset, why) == NULL)
        history_remove(&history);
    return history;
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

bool history_awaits_disk(const struct history *history)
{
    return file_job_is_busy(&history->naming) || history_is_saving(history);
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

void history_begin_service(struct history *history)
{
    backlog_keep_all(history->backlog, false);
    history->checks_place =
        false; /* an RDB that comes later may have been taken under an id before */
}

void history_take_options(struct history *history)
{
    const struct store_options *options = history->dependencies.options;
    backlog_set_sizes(history->backlog, options->window_bytes, options->window_bytes_max,
                      options->segment_bytes);
}

void history_trim(struct history *history)
{
    history_take_saved(history);
    (void)backlog_drop_unreadable(history->backlog);
    backlog_set_needed(history->backlog, history_needed_from(history));
    (void)backlog_trim(history->backlog);
    history_drop_unreadable(history);
    history_settle_snapshots(history);
    history_trim_older(history);
}

void history_note_time(struct history *history)
{
    if (!history->is_made)
        return;
    time_log_note(history->times, backlog_published_boundary(history->backlog),
                  &history->identity.replid, backlog_unproven_first(history->backlog),
                  history->dependencies.options->fsync != STORE_FSYNC_NO);
}

bool history_offset_at(const struct history *history, int64_t wall_us, struct time_answer *out)
{
    return time_index_find(time_log_index(history->times), wall_us, out);
}

const struct time_index *history_times(const struct history *history)
{
    return time_log_index(history->times);
}

void history_keep_from(struct history *history, uint64_t offset)
{
    backlog_keep_from(history->backlog, offset);
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
    history_take_made(history);
    history_take_saved(history);
    history_take_named(history);
    history_take_proof(history);
    bool news = backlog_publish(history->backlog);
    if (history->is_made) /* before that the file thread has the directories */
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
