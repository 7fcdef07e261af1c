/* SPDX-License-Identifier: MIT */
#include "relay/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backlog_writer.h"
#include "data_dir.h"
#include "files.h"
#include "history_keeper.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "syncer.h"

enum { WHY_MAX = 512 };

struct store {
    struct store_options options; /* data_dir is only used while opening */
    struct data_dir data_dir;
    uint64_t number; /* of the newest history so far */
    struct history *current;
    struct history *arriving;
    struct syncer *syncer;
    bool changed; /* another history became current, or one was abandoned, since the last publish */
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
             snapshot != NULL ? "complete" : "none");
}

static void load_history(struct store *store, uint64_t number)
{
    struct text why;
    text_init(&why, WHY_MAX);
    bool is_unproven;
    store->current = history_load(store->data_dir.directory, number, &store->options, store->syncer,
                                  &is_unproven, &why);
    if (store->current == NULL)
        log_warnx("store: history-%" PRIu64 " cannot be served%s: %s", number,
                  is_unproven ? " and is removed" : "", text_string(&why));
    if (store->current == NULL && is_unproven)
        history_remove_files(store->data_dir.directory, number);
    text_fini(&why);
}

/* The newest history that can be proven becomes current; those before it go. */
static void load_histories(struct store *store)
{
    const struct data_dir *data_dir = &store->data_dir;
    for (size_t i = 0; i < data_dir->count; i++) {
        if (store->current == NULL)
            load_history(store, data_dir->numbers[i]);
        else
            history_remove_files(data_dir->directory, data_dir->numbers[i]);
    }
    if (data_dir->count > 0)
        store->number = data_dir->numbers[0];
    if (store->current != NULL)
        log_loaded(store->current);
    else
        log_info("store: nothing to serve yet");
}

struct store *store_open(const struct store_options *options, struct text *why)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        text_format(why, "memory is out");
        return NULL;
    }
    store->options = *options;
    if (!data_dir_open(&store->data_dir, options->data_dir, true, why)) {
        free(store);
        return NULL;
    }
    store->syncer = syncer_start();
    if (store->syncer == NULL) {
        text_format(why, "cannot start the thread that fsyncs");
        store_close(&store);
        return NULL;
    }
    load_histories(store);
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
    data_dir_close(&it->data_dir);
    free(it);
    *store = NULL;
}

void store_on_durable(struct store *store, void (*fn)(void *arg), void *arg)
{
    syncer_on_durable(store->syncer, fn, arg);
}

/* ------------------------------------------------------------------ notes */

bool store_keep_note(struct store *store, const char *name, struct bytes content, struct text *why)
{
    CHECK(data_dir_is_note(name));
    CHECK(content.length > 0);
    return files_replace(store->data_dir.directory, name, content, true, why);
}

bool store_read_note(const struct store *store, const char *name, struct text *out,
                     struct text *why)
{
    CHECK(data_dir_is_note(name));
    if (faccessat(store->data_dir.directory, name, F_OK, 0) == -1 && errno == ENOENT)
        return true;
    return files_read(store->data_dir.directory, name, out, why);
}

void store_drop_note(struct store *store, const char *name)
{
    CHECK(data_dir_is_note(name));
    if (unlinkat(store->data_dir.directory, name, 0) == -1 && errno != ENOENT)
        log_warn("store: cannot remove %s from the data directory", name);
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
    store->arriving = history_new(store->data_dir.directory, store->number, &store->options,
                                  store->syncer, replid, offset, why);
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
    if (fsync(store->data_dir.directory) == -1)
        log_warn("store: cannot fsync the data directory");
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
    /* Also without news: what came while the syncer was busy waits for it to be ready. */
    if (store->options.fsync == STORE_FSYNC_ALWAYS && store->current != NULL)
        history_sync(store->current);
    return news;
}

void store_tick(struct store *store)
{
    if (store->current == NULL)
        return;
    history_trim(store->current);
    if (store->options.fsync != STORE_FSYNC_NO)
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
    if (fstatvfs(store->data_dir.directory, &disk) == 0)
        report_u64(report, "disk_free_bytes", (uint64_t)disk.f_bavail * disk.f_frsize);
    report_u64(report, "fsync_failures", syncer_failures(store->syncer));
}
