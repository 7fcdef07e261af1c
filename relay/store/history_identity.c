/* SPDX-License-Identifier: MIT
 *
 * The identity of a history on its way to the disk. The file thread writes it, thread 0 goes on; of what changes
 * meanwhile the newest is written next, so at most one is under way. In this order, so that a kill finds what was
 * before, or what is to come:
 *
 *     1  the text of it is made of what thread 0 has in memory
 *     2  the file thread makes the file for the rows to come (segment_log.h), then the identity beside the old one,
 *        and renames it over that; without fsync it removes the files of rows that it took in
 *     3  thread 0 learns of it, and only then does what rests on it:
 *          a segment is sealed     between 1 and 3 it waits: its row would go behind the identity before
 *          a snapshot is named     is_unnamed ends; those that it has replaced go
 *          a history is whole      it becomes current (store_promote)
 *          the end was cut off     what is beyond it goes, and bytes may come (history_rewind.c)
 *          another id              replicas learn it, and bytes may come (history_rewind.c)
 *     4  the syncer makes it durable (syncer.h)
 *
 * One that cannot be written is written again with the next change, or second.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <unistd.h>

#include "files.h"
#include "history_state_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/os/file.h"
#include "relay/store/history.h"
#include "relay/store/store_options.h"

enum {
    IDENTITY_LENGTH_MAX = 64 * 1024 * 1024, /* about half a million segments */
    SAVING_PAUSE_MS = 1000,
    SPACE_PAUSE_MS = 20,  /* while files are being freed */
    LOG_ROWS_LEAST = 256, /* behind the identity, before it is written whole again */
};

static struct identity_saving *saving_of(struct file_job *job)
{
    return (struct identity_saving *)(void *)job;
}

/* ------------------------------------------------------------------ written */

static bool write_identity(struct file_job *job, struct error *error)
{
    struct identity_saving *saving = saving_of(job);
    const struct file_replacement replacement = {.content = text_bytes(&saving->content)};
    if (!segment_log_make_file(saving->directory, &saving->log_file, error))
        return false;
    if (!file_replace(saving->directory, "identity", &replacement, error)) {
        segment_log_close_file(&saving->log_file);
        return false;
    }
    if (saving->old_log_file != -1)
        close(saving->old_log_file);
    if (saving->drops_old_rows)
        segment_log_remove_before(saving->directory, saving->log_file.base);
    return true;
}

/* What is to be written: under another id, as soon as it is that. False: out of memory. */
static bool format_identity(struct history *history)
{
    struct identity_saving *saving = &history->saving;
    struct identity written = history->identity; /* the segments are not touched */
    if (history->change == CHANGE_RENAME)
        history_rename_identity(history, &written);
    written.base = saving->log_file.base;
    text_init(&saving->content, IDENTITY_LENGTH_MAX);
    identity_format(&written, &saving->content);
    return !saving->content.failed;
}

static void begin_saving(struct history *history)
{
    struct identity_saving *saving = &history->saving;
    bool is_cut = history->change != CHANGE_NONE || history->is_found;
    history->wants_saving = false;
    saving->change = history->change;
    saving->log_file = segment_log_next(&history->log, is_cut);
    saving->old_log_file = history->log.file;
    saving->directory = history->directory;
    saving->snapshot_serial = history->snapshot_serial;
    saving->drops_old_rows = history->dependencies.options->fsync == STORE_FSYNC_NO;
    saving->job.work = write_identity;
    if (format_identity(history)) {
        file_job_begin(&saving->job, history->dependencies.files);
        return;
    }
    text_fini(&saving->content);
    (void)error_set(&saving->job.error, ERROR_EXHAUSTED, "identity: out of memory");
    saving->job.is_good = false;
    saving->is_over = true;
}

static void note_saved(struct history *history)
{
    struct identity_saving *saving = &history->saving;
    history->identity.base = saving->log_file.base;
    history->log.file = -1; /* the file thread has closed it */
    segment_log_follow(&history->log, &saving->log_file);
    history->is_found = false;
    history->named_serial = saving->snapshot_serial;
    history->save_error.kind = ERROR_NONE;
    char sum[LOG_REPEAT_SUM_MAX];
    if (log_repeat_goes_on(&history->unsaved) && log_repeat_end(&history->unsaved, clock_ms(), sum))
        log_info("store: history-%" PRIu64 ": its identity can be written again%s", history->number,
                 sum);
}

static void note_unsaved(struct history *history)
{
    char sum[LOG_REPEAT_SUM_MAX];
    history->save_error = history->saving.job.error;
    bool is_other = history->saving.change != history->change; /* that is not to wait */
    history->save_not_before_ms = is_other ? 0 : clock_ms() + SAVING_PAUSE_MS;
    history->wants_saving = true;
    if (history->saving.change == CHANGE_NONE &&
        log_repeat_note(&history->unsaved, history->save_error.text, clock_ms(), sum))
        log_warnx("store: history-%" PRIu64 "%s: %s", history->number, sum,
                  history->save_error.text);
}

static void end_saving(struct history *history)
{
    bool is_good = history->saving.job.is_good;
    enum identity_change change = history->saving.change;
    text_fini(&history->saving.content);
    history->saving.is_over = false;
    if (is_good)
        note_saved(history);
    else
        note_unsaved(history);
    if (change != CHANGE_NONE)
        history_end_change(history, is_good);
}

void history_take_saved(struct history *history)
{
    struct identity_saving *saving = &history->saving;
    if (history->is_lost)
        return;
    do {
        if (saving->is_over || file_job_take(&saving->job))
            end_saving(history);
        bool may_begin = history->wants_saving && !saving->job.is_under_way && !saving->is_over &&
                         clock_ms() >= history->save_not_before_ms;
        if (!may_begin)
            return;
        begin_saving(history);
    } while (!saving->job.is_under_way || !file_job_is_busy(&saving->job));
}

void history_ask_saving(struct history *history)
{
    history->wants_saving = true;
    history->save_not_before_ms = 0;
    history_take_saved(history);
}

bool history_is_saving(const struct history *history)
{
    return file_job_is_busy(&history->saving.job);
}

bool history_save_now(struct history *history, struct text *why)
{
    history_ask_saving(history);
    while (history->saving.job.is_under_way) {
        file_thread_drain(history->dependencies.files);
        history_take_saved(history);
    }
    if (history->save_error.kind == ERROR_NONE)
        return true;
    text_append_string(why, history->save_error.text);
    return false;
}

/* ------------------------------------------------------------------ rows behind it */

/* Behind an identity that is being written nothing is added; without one it has to be written first. */
enum backlog_space history_may_name_segment(void *arg, struct text *why)
{
    struct history *history = arg;
    if (!history->has_name)
        return BACKLOG_SPACE;
    history_take_saved(history);
    bool is_missing = !history->saving.job.is_under_way && !segment_log_is_open(&history->log);
    if (is_missing && !history->awaits_log) {
        history->awaits_log = true;
        history_ask_saving(history);
    }
    if (history->saving.job.is_under_way)
        return BACKLOG_HELD;
    history->awaits_log = false;
    if (segment_log_is_open(&history->log))
        return BACKLOG_SPACE;
    text_append_string(why, history->save_error.text);
    errno = history->save_error.number;
    return BACKLOG_NO_SPACE;
}

/* As many rows as there are segments are written for each that is sealed, when half of them are new. */
bool history_name_segment(void *arg, const struct identity_segment *row, struct text *why)
{
    struct history *history = arg;
    if (!history->has_name)
        return true;
    if (!segment_log_add(&history->log, row, why))
        return false;
    size_t rows = history->log.rows;
    if (rows >= LOG_ROWS_LEAST && rows >= history->identity.segment_count / 2)
        history_ask_saving(history);
    return true;
}

/* ------------------------------------------------------------------ of a new history */

enum disk_step history_await_name(struct history *history, struct text *why)
{
    history_take_saved(history);
    if (!history_is_unnamed(history))
        return DISK_STEP_DONE;
    if (history->saving.job.is_under_way || history->save_error.kind == ERROR_NONE)
        return DISK_STEP_PENDING;
    enum snapshot_space space = SNAPSHOT_SPACE_NONE;
    if (history->save_error.kind == ERROR_FULL)
        space = history->dependencies.make_space(history, history->dependencies.arg);
    if (space == SNAPSHOT_SPACE_NONE) {
        text_append_string(why, history->save_error.text);
        return DISK_STEP_FAILED;
    }
    history->save_error.kind = ERROR_NONE;
    history->save_not_before_ms = space == SNAPSHOT_SPACE_MADE ? 0 : clock_ms() + SPACE_PAUSE_MS;
    return DISK_STEP_PENDING;
}
