/* SPDX-License-Identifier: MIT */
#include "relay/archive/archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/os/random.h"
#include "relay/store/history.h"
#include "relay/store/store.h"

enum {
    BACKOFF_MS = 1000,
    BACKOFF_MS_MAX = 60 * 1000,
    CHANCE_DIGITS = 8,
    MICROSECONDS = 1000 * 1000,
};

/* ------------------------------------------------------------------ opened and closed */

static void on_shipped(void *arg)
{
    archive_turn_end(arg);
}

/* Called by the archiver's thread. */
static void ring_done(void *arg)
{
    notifier_wake(arg);
}

static void archive_start(struct archive *archive)
{
    archive->archiver = archiver_start(archive->options.data_dir, ring_done, archive->done);
    if (archive->archiver == NULL)
        log_warnx("archive: cannot start its thread: nothing is archived");
}

/* What is being shipped is shipped again by the next start; nothing is pinned any more. */
static void archive_stop(struct archive *archive)
{
    archiver_stop(&archive->archiver);
    cursor_detach(&archive->pin);
    struct history *history = store_current(archive->store);
    if (history != NULL)
        history_keep_from(history, UINT64_MAX);
    archive->is_busy = false;
    archive->is_found = false;
    archive->has_waiting = false;
    archive->error.kind = ERROR_NONE;
    archive->failing_since_ms = 0;
    archive->not_before_ms = 0;
}

struct archive *archive_open(struct loop *loop, struct store *store,
                             const struct archive_options *options,
                             const struct archive_callbacks *callbacks)
{
    struct archive *archive = calloc(1, sizeof(*archive));
    if (archive == NULL)
        return NULL;
    archive->store = store;
    archive->options = *options;
    archive->callbacks = *callbacks;
    time_index_init(&archive->times);
    archive->shipment = calloc(1, sizeof(*archive->shipment));
    archive->done = notifier_new(loop, on_shipped, archive);
    if (archive->shipment == NULL || archive->done == NULL) {
        archive_close(&archive);
        return NULL;
    }
    archive->shipment->file = -1;
    if (options->command[0] != '\0')
        archive_start(archive);
    return archive;
}

void archive_close(struct archive **where)
{
    struct archive *archive = *where;
    *where = NULL;
    if (archive == NULL)
        return;
    archive_stop(archive);
    if (archive->done != NULL)
        notifier_free(&archive->done);
    time_index_fini(&archive->times);
    free(archive->shipment);
    free(archive);
}

void archive_change(struct archive *archive, const struct archive_options *options)
{
    bool was_on = archive->archiver != NULL;
    archive->options = *options;
    archive->not_before_ms = 0; /* another command may do */
    if (was_on && options->command[0] == '\0')
        archive_stop(archive);
    else if (!was_on && options->command[0] != '\0')
        archive_start(archive);
}

/* ------------------------------------------------------------------ jobs */

void archive_begin(struct archive *archive, enum shipment_work work)
{
    struct shipment *shipment = archive->shipment;
    shipment->work = work;
    shipment->limit_ms = archive->options.command_timeout_ms;
    snprintf(shipment->command, sizeof(shipment->command), "%s", archive->options.command);
    archive->is_busy = true;
    archive->has_waiting = false;
    archiver_begin(archive->archiver, shipment);
}

static void archive_begin_find(struct archive *archive)
{
    *archive->shipment = (struct shipment){.file = -1};
    archive_begin(archive, SHIPMENT_FIND);
}

/* The note of how far the archive is, and what was being shipped when the relay ended. */
static void take_found(struct archive *archive)
{
    struct shipment *shipment = archive->shipment;
    const struct manifest *manifest = &shipment->manifest;
    archive->note = shipment->note;
    archive->is_found = true;
    archive->has_waiting = shipment->is_staged;
    archive->has_lost_file = shipment->has_lost_file;
    if (archive->note.system.id[0] == '\0') {
        char chance[CHANCE_DIGITS + 1];
        random_hex(chance, CHANCE_DIGITS);
        archive_system_make(&archive->note.system, clock_wall_us(), chance);
    }
    shipment->note.replid = manifest->replid;
    if (manifest->name.kind == OBJECT_SNAPSHOT) {
        shipment->note.has_snapshot = true;
        shipment->note.snapshot_offset = manifest->name.offset;
        shipment->note.snapshot_us = manifest->shipped_us;
    }
    log_info("archive: system=%s timeline=%" PRIu64 " archived=%" PRIu64 " waiting=%s",
             archive->note.system.id, archive->note.timeline, archive->note.archived,
             archive->has_waiting ? "yes" : "no");
}

static void take_shipped(struct archive *archive)
{
    const struct shipment *shipment = archive->shipment;
    const struct manifest *manifest = &shipment->manifest;
    char name[OBJECT_NAME_MAX];
    archive->since_ms = 0;
    if (shipment->is_idle_only) {
        if (archive->idle_since_ms == 0)
            archive->idle_since_ms = clock_ms();
        return;
    }
    if (manifest->name.kind == OBJECT_SEGMENT)
        archive->idle_since_ms = 0;
    archive->note = shipment->note;
    archive->files++;
    archive->bytes += manifest->length;
    archive->last_shipped_us = clock_wall_us();
    archive_move_pin(archive);
    log_debug("archive: shipped %s bytes=%" PRIu64,
              object_name_format(&manifest->name, false, name), manifest->length);
}

static void tell_archive_trouble(struct archive *archive)
{
    const struct shipment *shipment = archive->shipment;
    char name[OBJECT_NAME_MAX] = "";
    char sum[LOG_REPEAT_SUM_MAX];
    if (shipment->work == SHIPMENT_SHIP)
        object_name_format(&shipment->manifest.name, false, name);
    if (shipment->output[0] != '\0')
        (void)error_set(&archive->error, archive->error.kind, "%s: %s", shipment->error.text,
                        shipment->output);
    if (log_repeat_note(&archive->trouble, archive->error.text, clock_ms(), sum))
        log_warnx("archive: %s cannot be shipped%s, and is tried again: %s", name, sum,
                  archive->error.text);
}

static void archive_take_failure(struct archive *archive)
{
    const struct shipment *shipment = archive->shipment;
    archive->has_waiting = shipment->work == SHIPMENT_SHIP && shipment->is_staged;
    if (shipment->error.kind == ERROR_CANCELED)
        return;
    archive->failures++;
    if (archive->failing_since_ms == 0)
        archive->failing_since_ms = clock_ms();
    archive->backoff_ms = archive->backoff_ms == 0 ? BACKOFF_MS : 2 * archive->backoff_ms;
    if (archive->backoff_ms > BACKOFF_MS_MAX)
        archive->backoff_ms = BACKOFF_MS_MAX;
    archive->not_before_ms = clock_ms() + archive->backoff_ms;
    archive->error = shipment->error;
    tell_archive_trouble(archive);
}

static void archive_take_success(struct archive *archive)
{
    char sum[LOG_REPEAT_SUM_MAX];
    archive->backoff_ms = 0;
    archive->failing_since_ms = 0;
    archive->error.kind = ERROR_NONE;
    if (log_repeat_goes_on(&archive->trouble) && log_repeat_end(&archive->trouble, clock_ms(), sum))
        log_info("archive: shipping works again%s", sum);
    switch (archive->shipment->work) {
    case SHIPMENT_FIND:
        take_found(archive);
        break;
    case SHIPMENT_SAVE:
        archive_take_timeline(archive, store_current(archive->store));
        break;
    case SHIPMENT_SHIP:
        take_shipped(archive);
        break;
    }
}

/* ------------------------------------------------------------------ turns and seconds */

static void archive_keep(const struct archive *archive, struct history *history)
{
    bool keeps = archive->options.on_full == ARCHIVE_FULL_STOP && archive->pin.segment != NULL &&
                 archive->history == history_number(history);
    history_keep_from(history, keeps ? archive->note.archived : UINT64_MAX);
}

/* Also while a command runs, or fails: what was given up for room is not held. Where the archive goes on is found anew. */
static void let_go_of_given_up(struct archive *archive)
{
    struct bytes view;
    if (archive->pin.segment == NULL)
        return;
    switch (cursor_peek(&archive->pin, &view)) {
    case CURSOR_LAGGED:
    case CURSOR_DISK_FULL:
    case CURSOR_UNREADABLE:
        cursor_detach(&archive->pin);
        break;
    case CURSOR_BYTES:
    case CURSOR_AT_END:
    case CURSOR_REWOUND:
    case CURSOR_RENAMED:
        break;
    }
}

void archive_turn_end(struct archive *archive)
{
    struct history *history = store_current(archive->store);
    if (archive->archiver == NULL)
        return;
    let_go_of_given_up(archive);
    if (archive->is_busy) {
        if (!archiver_take(archive->archiver))
            return;
        archive->is_busy = false;
        if (archive->shipment->is_good)
            archive_take_success(archive);
        else
            archive_take_failure(archive);
        if (history != NULL)
            archive_keep(archive, history);
    }
    if (clock_ms() < archive->not_before_ms)
        return;
    if (!archive->is_found)
        archive_begin_find(archive);
    else if (archive->has_waiting)
        archive_begin(archive, SHIPMENT_SHIP);
    else if (archive_follow(archive, history))
        archive_choose(archive, history);
}

/* When the stream came, for the manifests: kept here as well, since a history that is replaced takes what it knew with
 * it, and the end of it is still to be shipped. */
static void note_ids_and_time(struct archive *archive, const struct history *history)
{
    if (archive->pin.segment == NULL || history_number(history) != archive->history)
        return;
    const struct time_entry *newest = time_index_newest(&archive->times);
    const struct time_entry entry = {.offset = history_published_boundary(history),
                                     .wall_us = clock_wall_us()};
    archive->ids = *history_identity(history);
    if (entry.offset > archive->note.archived && (newest == NULL || newest->offset < entry.offset))
        (void)!time_index_add(&archive->times, entry);
}

void archive_tick(struct archive *archive)
{
    struct history *history = store_current(archive->store);
    if (archive->archiver != NULL && history != NULL) {
        note_ids_and_time(archive, history);
        archive_keep(archive, history);
    }
    archive_turn_end(archive);
}

/* ------------------------------------------------------------------ status */

static const char *const activity_names[] = {
    [ARCHIVE_OFF] = "off",           [ARCHIVE_STARTING] = "starting", [ARCHIVE_IDLE] = "idle",
    [ARCHIVE_SHIPPING] = "shipping", [ARCHIVE_RETRYING] = "retrying",
};

static enum archive_activity activity_of(const struct archive *archive)
{
    if (archive->archiver == NULL)
        return ARCHIVE_OFF;
    if (archive->failing_since_ms != 0)
        return ARCHIVE_RETRYING;
    if (archive->is_busy && archive->shipment->work == SHIPMENT_SHIP)
        return ARCHIVE_SHIPPING;
    return archive->pin.segment != NULL ? ARCHIVE_IDLE : ARCHIVE_STARTING;
}

static void describe_waiting(const struct archive *archive, struct archive_status *out)
{
    const struct history *history = store_current(archive->store);
    if (archive->pin.segment == NULL || history == NULL ||
        history_number(history) != archive->history)
        return;
    uint64_t end = history_published(history);
    if (end > archive->note.archived)
        out->waiting_bytes = end - archive->note.archived;
    if (out->waiting_bytes > 0 && archive->since_ms != 0)
        out->waiting_ms = clock_ms() - archive->since_ms;
}

void archive_status(const struct archive *archive, struct archive_status *out)
{
    int64_t now_ms = clock_ms();
    int64_t running_ms =
        archive->archiver != NULL ? archiver_running_since_ms(archive->archiver) : 0;
    *out = (struct archive_status){
        .activity = activity_of(archive),
        .system = archive->note.system,
        .timeline = archive->note.timeline,
        .archived = archive->note.archived,
        .files = archive->files,
        .bytes = archive->bytes,
        .failures = archive->failures,
        .failing_ms = archive->failing_since_ms != 0 ? now_ms - archive->failing_since_ms : 0,
        .error = archive->error.kind != ERROR_NONE ? archive->error.text : "",
        .running_ms = running_ms != 0 ? now_ms - running_ms : 0,
        .gaps = archive->gaps,
        .gap_bytes = archive->gap_bytes,
        .last_shipped_s = archive->last_shipped_us / MICROSECONDS,
        .has_snapshot = archive->note.has_snapshot,
        .snapshot_offset = archive->note.snapshot_offset,
        .snapshot_s = archive->note.snapshot_us / MICROSECONDS,
        .stops_stream = archive->options.on_full == ARCHIVE_FULL_STOP,
    };
    out->activity_name = activity_names[out->activity];
    describe_waiting(archive, out);
}
