/* SPDX-License-Identifier: MIT */
#include "relay/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backlog_writer.h"
#include "files.h"
#include "history_keeper.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "syncer.h"

enum { WHY_MAX = 512 };

struct store {
    struct store_options options; /* data_dir is only used while opening */
    int directory;
    int lock;
    uint64_t number; /* of the newest history so far */
    struct history *current;
    struct history *arriving;
    struct syncer *syncer;
    bool changed; /* another history became current, or one was abandoned, since the last publish */
};

/* ------------------------------------------------------------------ opening */

static bool make_directory(struct store *store, const char *path, struct text *why)
{
    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        text_format(why, "data-dir %s: cannot make it: %s", path, strerror(errno));
        return false;
    }
    store->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->directory == -1) {
        text_format(why, "data-dir %s: cannot open it: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool take_lock(struct store *store, const char *path, struct text *why)
{
    store->lock = openat(store->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock == -1) {
        text_format(why,
                    "data-dir %s: cannot write in it: %s: give it to the user that runs the relay",
                    path, strerror(errno));
        return false;
    }
    if (flock(store->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    text_format(why,
                errno == EWOULDBLOCK
                    ? "data-dir %s: another psync-relay uses it: stop that one, or "
                      "give this one a data-dir of its own"
                    : "data-dir %s: cannot lock it",
                path);
    return false;
}

struct found {
    uint64_t *numbers;
    size_t count;
    bool failed;
};

static void note_history(const char *name, void *arg)
{
    struct found *found = arg;
    uint64_t number;
    if (!history_parse_name(name, &number)) {
        if (strcmp(name, "lock") != 0)
            log_warnx("store: %s in the data directory is not ours and is left alone", name);
        return;
    }
    uint64_t *larger = realloc(found->numbers, (found->count + 1) * sizeof(number));
    if (larger == NULL) {
        found->failed = true;
        return;
    }
    found->numbers = larger;
    found->numbers[found->count++] = number;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

static void log_loaded(struct history *history)
{
    const struct backlog *backlog = history_backlog(history);
    const struct snapshot *snapshot = history_snapshot(history);
    log_info("store: history-%" PRIu64 " replid=%s window=%" PRIu64 "..%" PRIu64
             " boundary=%" PRIu64 " snapshot=%s",
             history_number(history), history_identity(history)->replid.hex, backlog_first(backlog),
             backlog_end(backlog), history_boundary(history),
             snapshot != NULL ? "complete" : "none");
}

/* The newest history that can be proven becomes current; all others go. */
static void load_histories(struct store *store, const struct found *found)
{
    for (size_t i = 0; i < found->count; i++) {
        uint64_t number = found->numbers[i];
        struct text why;
        text_init(&why, WHY_MAX);
        if (store->current == NULL)
            store->current =
                history_load(store->directory, number, &store->options, store->syncer, &why);
        if (store->current == NULL || history_number(store->current) != number) {
            if (why.length > 0)
                log_warnx("store: history-%" PRIu64 " cannot be served and is removed: %s", number,
                          text_string(&why));
            history_remove_files(store->directory, number);
        }
        text_fini(&why);
    }
    if (store->current != NULL)
        log_loaded(store->current);
    else
        log_info("store: nothing to serve yet");
}

static bool find_histories(struct store *store, struct text *why)
{
    struct found found = {0};
    bool good = files_each(store->directory, note_history, &found, why) && !found.failed;
    if (found.count > 0) {
        qsort(found.numbers, found.count, sizeof(found.numbers[0]), newest_first);
        store->number = found.numbers[0];
    }
    if (good)
        load_histories(store, &found);
    free(found.numbers);
    return good;
}

struct store *store_open(const struct store_options *options, struct text *why)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        text_format(why, "memory is out");
        return NULL;
    }
    store->options = *options;
    store->directory = -1;
    store->lock = -1;
    bool good =
        make_directory(store, options->data_dir, why) && take_lock(store, options->data_dir, why);
    if (good) {
        store->syncer = syncer_start();
        if (store->syncer == NULL)
            text_format(why, "cannot start the thread that fsyncs");
    }
    if (store->syncer == NULL || !find_histories(store, why))
        store_close(&store);
    return store;
}

void store_close(struct store **store)
{
    struct store *it = *store;
    if (it == NULL)
        return;
    history_remove(&it->arriving);
    history_close(&it->current);
    syncer_stop(&it->syncer);
    if (it->lock != -1)
        close(it->lock);
    if (it->directory != -1)
        close(it->directory);
    free(it);
    *store = NULL;
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

struct history *store_begin_history(struct store *store, const struct replid *replid,
                                    uint64_t offset, struct text *why)
{
    store_abandon(store);
    store->number++;
    store->arriving = history_new(store->directory, store->number, &store->options, store->syncer,
                                  replid, offset, why);
    return store->arriving;
}

bool store_promote(struct store *store, struct text *why)
{
    CHECK(store->arriving != NULL);
    if (!history_complete_snapshot(store->arriving, why) ||
        !history_save(store->arriving, true, why)) {
        store_abandon(store);
        return false;
    }
    struct history *before = store->current;
    store->current = store->arriving;
    store->arriving = NULL;
    history_remove(&before);
    store->changed = true;
    return true;
}

void store_abandon(struct store *store)
{
    if (store->arriving == NULL)
        return;
    history_remove(&store->arriving);
    store->changed = true;
}

bool store_snapshot_is_due(const struct store *store)
{
    if (store->current == NULL)
        return false;
    const struct snapshot *snapshot = history_snapshot(store->current);
    if (snapshot == NULL || history_usable_snapshot(store->current) != snapshot)
        return true;
    /* A quarter of the window is left for the new one to arrive in. */
    uint64_t end = backlog_end(history_backlog(store->current));
    uint64_t x = snapshot_offset(snapshot);
    return end > x && end - x > store->options.window_bytes / 4 * 3;
}

/* ------------------------------------------------------------------ turns and seconds */

bool store_publish(struct store *store)
{
    bool news = store->changed;
    store->changed = false;
    if (store->current != NULL && history_publish(store->current))
        news = true;
    if (store->arriving != NULL && history_publish(store->arriving))
        news = true;
    if (news && store->options.fsync == STORE_FSYNC_ALWAYS && store->current != NULL)
        history_sync(store->current);
    return news;
}

void store_tick(struct store *store)
{
    if (store->current != NULL && store->options.fsync != STORE_FSYNC_NO)
        history_sync(store->current);
}

/* ------------------------------------------------------------------ report */

static void report_snapshot(struct report *report, struct history *history)
{
    const struct snapshot *snapshot = history_snapshot(history);
    if (snapshot == NULL) {
        report_text(report, "snapshot_state", "none");
        return;
    }
    bool usable = history_usable_snapshot(history) == snapshot;
    report_text(report, "snapshot_state", usable ? "usable" : "behind_window");
    report_u64(report, "snapshot_offset", snapshot_offset(snapshot));
    report_u64(report, "snapshot_bytes", snapshot_received(snapshot));
    report_text(report, "snapshot_proof",
                snapshot_is_verified(snapshot) ? "crc64" : "length_and_mark");
    report_i64(report, "snapshot_age_seconds",
               (clock_ms() - snapshot_completed_ms(snapshot)) / 1000);
}

static void report_window(struct report *report, struct history *history)
{
    const struct backlog *backlog = history_backlog(history);
    report_u64(report, "window_first_offset", backlog_first(backlog));
    report_u64(report, "window_end_offset", backlog_published(backlog));
    report_u64(report, "window_bytes", backlog_published(backlog) - backlog_first(backlog));
    report_u64(report, "window_boundary", history_boundary(history));
    report_u64(report, "segments", backlog_segment_count(backlog));
    report_u64(report, "segment_disk_bytes", backlog_disk_bytes(backlog));
    report_u64(report, "pinned_bytes", backlog_pinned_bytes(backlog));
    report_u64(report, "durable_offset", history_durable(history));
    report_text(report, "store_last_error", "%s", backlog_error(backlog));
}

void store_report(const struct store *store, struct report *report)
{
    report_section(report, "Store");
    report_text(report, "history", "%s",
                store->current != NULL    ? "current"
                : store->arriving != NULL ? "arriving"
                                          : "none");
    struct history *shown = store->current != NULL ? store->current : store->arriving;
    if (shown != NULL) {
        report_u64(report, "history_number", history_number(shown));
        report_window(report, shown);
        report_snapshot(report, shown);
        const struct snapshot *arriving = history_arriving_snapshot(shown);
        if (arriving != NULL) {
            report_u64(report, "arriving_snapshot_offset", snapshot_offset(arriving));
            report_u64(report, "arriving_snapshot_bytes", snapshot_received(arriving));
        }
    }
    struct statvfs disk;
    if (fstatvfs(store->directory, &disk) == 0)
        report_u64(report, "disk_free_bytes", (uint64_t)disk.f_bavail * disk.f_frsize);
    report_u64(report, "fsync_failures", syncer_failures(store->syncer));
}
