/* SPDX-License-Identifier: MIT */
#include "relay/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backlog.h"
#include "crc_reader.h"
#include "file_thread.h"
#include "files.h"
#include "history_private.h"
#include "reclaimer.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "store_private.h"
#include "syncer.h"
#include "time_log.h"
#include "verifier.h"

enum {
    WHY_MAX = 512,
    SEGMENTS_MANY = 2048, /* of a window; but segments of this size may be more: */
    SEGMENT_LEAST_MAX = 1024 * 1024,
    RECLAIM_LIMIT_MS = 2000, /* at the end: what is left then is freed by the next start */
};

/* ------------------------------------------------------------------ opening */

static void log_loaded(struct history *history)
{
    const struct backlog *backlog = history_backlog(history);
    const struct snapshot *snapshot = history_snapshot(history);
    log_info("store: history-%" PRIu64 " replid=%s window=%" PRIu64 "..%" PRIu64
             " boundary=%" PRIu64 " snapshot=%s",
             history_number(history), history_identity(history)->replid.hex, backlog_first(backlog),
             backlog_end(backlog), history_boundary(history),
             snapshot != NULL                       ? "complete"
             : history_is_proving_snapshot(history) ? "unproven"
                                                    : "none");
}

static enum snapshot_space store_make_space(const struct history *history, void *arg);

static struct history_dependencies dependencies_of(struct store *store)
{
    return (struct history_dependencies){
        .data_dir = store->data_dir.directory,
        .options = &store->options,
        .syncer = store->syncer,
        .reclaimer = store->reclaimer,
        .files = store->files,
        .verifier = store->verifier,
        .times = store->times,
        .make_space = store_make_space,
        .arg = store,
    };
}

/* False: the system did not let us look. To go on without what may be there would be to throw it away:
 * `why` says what to do. */
static bool load_history(struct store *store, uint64_t number, struct text *why)
{
    struct text reason;
    text_init(&reason, WHY_MAX);
    struct history_dependencies dependencies = dependencies_of(store);
    enum history_proof proof = history_load(&dependencies, number, &store->current, &reason);
    const char *advice = files_advice(errno);
    if (proof == HISTORY_REFUSED)
        text_format(why, "data-dir %s: history-%" PRIu64 ": %s: %s", store->options.data_dir,
                    number, text_string(&reason), advice != NULL ? advice : "look at the disk");
    else if (proof == HISTORY_BEGUN)
        log_info("store: history-%" PRIu64
                 " was still arriving when the relay ended: it is removed",
                 number);
    else if (proof != HISTORY_PROVEN)
        log_warnx("store: history-%" PRIu64 " cannot be served%s: %s", number,
                  proof == HISTORY_UNPROVEN ? " and is removed" : "", text_string(&reason));
    if (proof == HISTORY_UNPROVEN || proof == HISTORY_BEGUN)
        history_remove_files(store->reclaimer, number);
    text_fini(&reason);
    return proof != HISTORY_REFUSED;
}

/* The newest history that can be proven becomes current; those before it go. */
static bool load_histories(struct store *store, struct text *why)
{
    const struct data_dir *data_dir = &store->data_dir;
    for (size_t i = 0; i < data_dir->count; i++) {
        if (store->current != NULL)
            history_remove_files(store->reclaimer, data_dir->numbers[i]);
        else if (!load_history(store, data_dir->numbers[i], why))
            return false;
    }
    if (data_dir->count > 0)
        store->number = data_dir->numbers[0];
    if (store->current != NULL)
        log_loaded(store->current);
    else
        log_info("store: nothing to serve yet");
    return true;
}

/* A file system takes its time for each file, more so where others have just been removed (ext4 looks for an
 * inode among those): of a window that is large, small segments would be thousands a second. Told when it is
 * another than before. */
static void set_segment_bytes(struct store *store, const struct store_options *options)
{
    uint64_t before = store->options.segment_bytes;
    uint64_t least = options->window_bytes / SEGMENTS_MANY;
    if (least > SEGMENT_LEAST_MAX)
        least = SEGMENT_LEAST_MAX;
    bool is_raised = options->segment_bytes < least;
    store->options.segment_bytes = is_raised ? least : options->segment_bytes;
    if (is_raised && store->options.segment_bytes != before)
        log_info("store: segment-size is %" PRIu64 ", little for a repl-backlog-size of %" PRIu64
                 ": segments of %" PRIu64 " bytes are made",
                 options->segment_bytes, options->window_bytes, least);
}

struct store *store_open(const struct store_options *options, struct text *why)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        text_format(why, "out of memory");
        return NULL;
    }
    store->options = *options;
    set_segment_bytes(store, options);
    text_init(&store->error, WHY_MAX);
    if (!data_dir_open(&store->data_dir, options->data_dir, true, why)) {
        free(store);
        return NULL;
    }
    store->syncer = syncer_start();
    store->files = file_thread_start();
    store->reclaimer = reclaimer_start(store->data_dir.directory);
    store->verifier = verifier_start();
    store->times = time_log_start_thread();
    bool has_threads = store->syncer != NULL && store->files != NULL && store->reclaimer != NULL &&
                       store->verifier != NULL && store->times != NULL && store_parts_open(store);
    if (!has_threads) {
        text_format(why, "cannot start the threads that make, fsync, remove and prove files");
        store_close(&store);
        return NULL;
    }
    notes_init(&store->notes, store->data_dir.directory, store->files, store->syncer);
    disk_space_init(&store->disk, store->files, store->data_dir.directory);
    if (!load_histories(store, why))
        store_close(&store);
    return store;
}

void store_change(struct store *store, const struct store_options *options)
{
    store->options.window_bytes = options->window_bytes;
    store->options.window_bytes_max = options->window_bytes_max;
    set_segment_bytes(store, options);
    store->options.fsync = options->fsync;
    store->options.snapshot_keep = options->snapshot_keep;
    if (store->current != NULL)
        history_take_options(store->current);
    if (store->arriving != NULL)
        history_take_options(store->arriving);
}

void store_on_durable(struct store *store, void (*fn)(void *arg), void *arg)
{
    syncer_on_durable(store->syncer, fn, arg);
    verifier_on_done(store->verifier, fn, arg);
    file_thread_on_done(store->files, fn, arg);
    crc_reader_on_done(store->crc_reader, fn, arg);
}

/* ------------------------------------------------------------------ notes */

bool store_keep_note(struct store *store, const char *name, struct bytes content, struct text *why)
{
    CHECK(content.length > 0);
    return notes_keep(&store->notes, name, content, true, why);
}

bool store_jot_note(struct store *store, const char *name, struct bytes content, struct text *why)
{
    CHECK(content.length > 0);
    return notes_keep(&store->notes, name, content, false, why);
}

bool store_note_is_pending(const struct store *store, const char *name)
{
    return notes_are_pending(&store->notes, name);
}

bool store_read_note(const struct store *store, const char *name, struct text *out,
                     struct text *why)
{
    return notes_read(&store->notes, name, out, why);
}

void store_drop_note(struct store *store, const char *name)
{
    struct text why;
    text_init(&why, WHY_MAX);
    if (!notes_keep(&store->notes, name, (struct bytes){0}, false, &why))
        log_warnx("store: cannot remove %s from the data directory", text_string(&why));
    text_fini(&why);
}

/* ------------------------------------------------------------------ histories come and go */

struct history *store_current(const struct store *store)
{
    return store->current;
}

struct history *store_arriving(const struct store *store)
{
    return store->arriving;
}

/* ------------------------------------------------------------------ replaced ones */

static void drop_retired(struct store *store)
{
    while (store->retired_count > 0)
        history_remove(&store->retired[--store->retired_count]);
}

/* It was replaced. Without fsync there is nothing to wait for. */
static void retire(struct store *store, struct history *history)
{
    if (history == NULL)
        return;
    history_end_proof(history);
    if (store->retired_count == STORE_RETIRED_MAX)
        drop_retired(store);
    store->retired[store->retired_count++] = history;
    if (store->options.fsync == STORE_FSYNC_NO)
        drop_retired(store);
}

/* They go when what replaced them would survive a power failure; where the disk has failed that, they stay
 * until their room is needed. Without an RDB the current one has lost what it began with, and only its
 * stream is to be safe. */
static void tick_retired(struct store *store)
{
    if (store->retired_count == 0 || syncer_is_busy(store->syncer))
        return;
    const struct history *current = store->current;
    if (store->options.fsync == STORE_FSYNC_NO || history_served_snapshot(current) == NULL ||
        history_is_snapshot_durable(current))
        drop_retired(store);
}

/* The disk is full while a snapshot of `history` arrives, or files that name what it holds are written. What was
 * replaced goes first, histories and snapshots, and what is being freed already is waited for; then the window is
 * shortened: down to what is pinned, and to what the snapshot itself will need. */
static enum snapshot_space give_space(struct store *store, const struct history *history)
{
    if (store->retired_count > 0) {
        drop_retired(store);
        return SNAPSHOT_SPACE_MADE;
    }
    if (store_parts_give_space(store))
        return SNAPSHOT_SPACE_MADE;
    if (reclaimer_gives(store->reclaimer, &store->given))
        return SNAPSHOT_SPACE_SOON;
    if (store->current == NULL)
        return SNAPSHOT_SPACE_NONE;
    if (history_drop_replaced(store->current))
        return SNAPSHOT_SPACE_MADE;
    uint64_t keep_from = UINT64_MAX;
    const struct snapshot *arriving = history_arriving_snapshot(history);
    if (history == store->current && arriving != NULL)
        keep_from = snapshot_offset(arriving);
    return history_shorten(store->current, keep_from) ? SNAPSHOT_SPACE_MADE : SNAPSHOT_SPACE_NONE;
}

/* One that arrives takes what it says it has, or more than has come of it. */
static void note_refused(struct store *store, const struct history *history)
{
    uint64_t length = 0;
    const struct snapshot *snapshot = history_arriving_snapshot(history);
    bool is_known = snapshot != NULL && snapshot_length(snapshot, &length);
    if (snapshot != NULL && !is_known)
        length = snapshot_received(snapshot);
    rdb_space_note_refused(&store->room, length, is_known, clock_ms());
}

static enum snapshot_space store_make_space(const struct history *history, void *arg)
{
    struct store *store = arg;
    enum snapshot_space space = give_space(store, history);
    if (space == SNAPSHOT_SPACE_NONE)
        note_refused(store, history);
    return space;
}

/* Free, being freed, and what is given up where an RDB needs it. False: that cannot be told, or is still to be
 * seen. */
static bool read_room(const struct store *store, uint64_t *available)
{
    uint64_t free_bytes;
    uint64_t total_bytes;
    if (store->retired_count > 0 || !disk_space_read(&store->disk, &free_bytes, &total_bytes))
        return false;
    *available = free_bytes + reclaimer_bytes(store->reclaimer) + store_parts_spare_bytes(store);
    if (store->current != NULL)
        *available += history_spare_bytes(store->current);
    return true;
}

bool store_expects_space(struct store *store, bool is_refresh, struct text *why)
{
    const struct snapshot *last = store->current != NULL ? history_snapshot(store->current) : NULL;
    uint64_t last_bytes = last != NULL ? snapshot_received(last) : 0;
    uint64_t expected =
        rdb_space_refused(&store->room, last != NULL ? snapshot_completed_ms(last) : 0);
    if (is_refresh && expected < last_bytes)
        expected = last_bytes;
    if (!is_refresh && expected > 0) /* a history of its own begins with a segment */
        expected += store->options.segment_bytes;
    uint64_t available;
    if (!read_room(store, &available) ||
        rdb_space_allows(&store->room, expected, available, clock_ms()))
        return true;
    text_format(why,
                "there is no room on the disk for an RDB: it takes %" PRIu64
                " bytes or more, and %" PRIu64 " are free, or can be made free",
                expected, available);
    return false;
}

void store_close(struct store **store)
{
    struct store *it = *store;
    if (it == NULL)
        return;
    store_parts_close(it);
    history_remove(&it->arriving);
    history_close(&it->current);
    drop_retired(it);
    verifier_stop(&it->verifier);
    if (it->files != NULL)
        file_thread_on_done(it->files, NULL, NULL);
    notes_fini(&it->notes);
    file_thread_drain(it->files);
    if (reclaimer_stop(&it->reclaimer, RECLAIM_LIMIT_MS)) {
        syncer_stop(&it->syncer);
        file_thread_stop(&it->files);
        time_log_stop_thread(&it->times);
    } /* else it still works with them: they end with the process */
    data_dir_close(&it->data_dir);
    text_fini(&it->error);
    free(it);
    *store = NULL;
}

/* ------------------------------------------------------------------ new ones */

static void store_set_error(struct store *store, const struct text *why)
{
    text_clear(&store->error);
    text_append(&store->error, text_bytes(why));
}

struct history *store_begin_history(struct store *store, const struct replid *replid,
                                    uint64_t offset, struct text *why)
{
    store_abandon(store);
    store->number++;
    struct history_dependencies dependencies = dependencies_of(store);
    store->arriving = history_new(&dependencies, store->number, replid, offset, why);
    if (store->arriving == NULL)
        store_set_error(store, why);
    return store->arriving;
}

/* Its snapshot is proven and has its name, and then its identity on the disk is what makes it a history. */
static enum disk_step complete_arriving(struct store *store, struct text *why)
{
    struct history *arriving = store->arriving;
    if (history_arriving_snapshot(arriving) != NULL) {
        enum disk_step step = history_complete_snapshot(arriving, why);
        if (step != DISK_STEP_DONE)
            return step;
    }
    return history_await_name(arriving, why);
}

enum disk_step store_promote(struct store *store, struct text *why)
{
    CHECK(store->arriving != NULL);
    enum disk_step step = complete_arriving(store, why);
    if (step == DISK_STEP_FAILED) {
        store_abandon(store);
        store_set_error(store, why);
    }
    if (step != DISK_STEP_DONE)
        return step;
    struct history *before = store->current;
    store->current = store->arriving;
    store->arriving = NULL;
    history_begin_service(store->current);
    store_parts_keep_beginning(store);
    retire(store, before);
    text_clear(&store->error);
    store->changed = true;
    return DISK_STEP_DONE;
}

bool store_awaits_disk(const struct store *store)
{
    return store->arriving != NULL && history_awaits_disk(store->arriving);
}

void store_abandon(struct store *store)
{
    if (store->arriving == NULL)
        return;
    history_fail_snapshot(store->arriving);
    text_clear(&store->error);
    text_append_string(&store->error, history_error(store->arriving));
    history_remove(&store->arriving);
    store->changed = true;
}

bool store_snapshot_is_due(const struct store *store)
{
    if (store->current == NULL)
        return false;
    const struct snapshot *snapshot = history_snapshot(store->current);
    if (history_snapshot_use(store->current, snapshot) == SNAPSHOT_USE_BEHIND_WINDOW ||
        snapshot == NULL)
        return !history_is_proving_snapshot(store->current);
    /* A quarter of the window is left for the new one to arrive in; of what there is room for, where that is less: at the
     * cap it is given up in whole segments, and those that a failover has ended early hold less than they count. */
    const struct backlog *backlog = history_backlog(store->current);
    uint64_t end = backlog_end(backlog);
    uint64_t x = snapshot_offset(snapshot);
    uint64_t quarter = store->options.window_bytes / 4;
    return end > x && (end - x > 3 * quarter || backlog_room_behind(backlog, x) < quarter);
}

/* ------------------------------------------------------------------ turns and seconds */

/* The window may wait for it: a second is long where it is small. */
static bool needs_sync(const struct store *store)
{
    bool is_awaited = backlog_take_sync_wish(history_backlog(store->current));
    return store->options.fsync == STORE_FSYNC_ALWAYS ||
           (store->options.fsync == STORE_FSYNC_EVERYSEC && is_awaited);
}

bool store_publish(struct store *store)
{
    bool news = store->changed;
    store->changed = false;
    notes_take(&store->notes);
    if (store->current != NULL && history_publish(store->current))
        news = true;
    if (store->arriving != NULL && history_publish(store->arriving))
        news = true;
    if (store_parts_take(store))
        news = true;
    /* Also without news: what came while the syncer was busy waits for it to be ready. */
    if (store->current != NULL && needs_sync(store))
        history_sync(store->current);
    return news;
}

void store_tick(struct store *store)
{
    disk_space_refresh(&store->disk);
    store_parts_tick(store);
    if (store->arriving != NULL)
        history_note_time(store->arriving);
    if (store->current == NULL)
        return;
    history_trim(store->current);
    history_note_proof_progress(store->current);
    tick_retired(store);
    history_note_time(store->current);
    if (store->options.fsync != STORE_FSYNC_NO)
        history_sync(store->current);
}
