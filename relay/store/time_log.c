/* SPDX-License-Identifier: MIT */
#include "time_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "relay/base/clock.h"
#include "relay/base/error.h"
#include "relay/base/log.h"
#include "relay/base/log_repeat.h"
#include "relay/base/text.h"
#include "relay/os/file.h"

enum { FILE_BYTES_MAX = TIME_LOG_RECORDS_MAX * TIME_RECORD_BYTES };

struct time_batch {
    size_t count;
    uint8_t records[TIME_LOG_BATCH][TIME_RECORD_BYTES];
    uint64_t last[TIME_LOG_BATCH]; /* the offset of each */
    uint64_t first_held;           /* the history holds nothing before it */
    bool is_durable;               /* to be fsynced */
};

struct time_log {
    struct job_thread *thread;
    struct time_index index; /* thread 0 */
    struct time_batch next;  /* thread 0: for the next job */
    struct thread_job job;
    _Atomic bool has_job; /* what is below is the thread's meanwhile */
    struct time_batch batch;
    int history;   /* its directory; not owned */
    int directory; /* of the files; -1: not open yet */
    int file;      /* the newest; -1: another one is to be made */
    struct time_log_files files;
    struct log_repeat failed;
};

/* ------------------------------------------------------------------ names */

void time_log_name(uint64_t number, char name[TIME_LOG_NAME_MAX])
{
    snprintf(name, TIME_LOG_NAME_MAX, "%010" PRIu64 ".times", number);
}

bool time_log_parse_name(const char *name, uint64_t *number)
{
    size_t digits = strspn(name, "0123456789");
    char canonical[TIME_LOG_NAME_MAX];
    if (!bytes_to_u64(bytes_at(name, digits), number))
        return false;
    time_log_name(*number, canonical);
    return strcmp(name, canonical) == 0;
}

/* ------------------------------------------------------------------ read */

/* Into its place; of too many the oldest are left out. */
static void note_time_file(const char *name, void *arg)
{
    struct time_log_files *files = arg;
    uint64_t number;
    if (!time_log_parse_name(name, &number))
        return;
    size_t at = files->count;
    while (at > 0 && files->file[at - 1].number > number)
        at--;
    if (files->count < TIME_LOG_FILES_MAX) {
        memmove(files->file + at + 1, files->file + at,
                (files->count - at) * sizeof(files->file[0]));
        files->count++;
    } else if (at > 0) {
        at--;
        memmove(files->file, files->file + 1, at * sizeof(files->file[0]));
    } else {
        return;
    }
    files->file[at] = (struct time_log_file){.number = number};
}

static void list_time_files(int folder, struct time_log_files *files)
{
    struct text why;
    text_init(&why, ERROR_TEXT_MAX);
    if (!files_each(folder, note_time_file, files, &why))
        log_warnx("store: " TIME_LOG_FOLDER ": cannot list: %s", text_string(&why));
    text_fini(&why);
}

void time_log_read(int directory, const struct identity *identity, uint64_t end,
                   struct time_index *index, struct time_log_files *files)
{
    files->count = 0;
    int folder = openat(directory, TIME_LOG_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder == -1) {
        if (errno != ENOENT)
            log_warn("store: " TIME_LOG_FOLDER ": cannot open");
        return;
    }
    list_time_files(folder, files);
    struct text content;
    text_init(&content, FILE_BYTES_MAX);
    for (size_t i = 0; i < files->count; i++) {
        struct time_log_file *file = &files->file[i];
        struct error error;
        char name[TIME_LOG_NAME_MAX];
        time_log_name(file->number, name);
        text_clear(&content);
        if (!file_read(folder, name, &content, &error))
            log_warnx("store: " TIME_LOG_FOLDER "/%s: times are left out", error.text);
        time_index_take_file(index, text_bytes(&content), identity, end, &file->sum);
        if (file->sum.damaged > 0)
            log_warnx("store: " TIME_LOG_FOLDER "/%s: %zu of %zu records are damaged: times are "
                      "known less precisely",
                      name, file->sum.damaged, file->sum.records);
    }
    text_fini(&content);
    close(folder);
}

void time_log_load(struct time_log *log, const struct identity *identity, uint64_t end)
{
    time_log_read(log->history, identity, end, &log->index, &log->files);
}

/* ------------------------------------------------------------------ written, on the thread */

/* The folder, made where it is missing. */
static bool open_folder(struct time_log *log, bool is_durable)
{
    if (log->directory != -1)
        return true;
    bool is_made = mkdirat(log->history, TIME_LOG_FOLDER, 0700) == 0;
    if (!is_made && errno != EEXIST)
        return false;
    log->directory = openat(log->history, TIME_LOG_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return log->directory != -1 && (!is_made || !is_durable || fsync(log->history) == 0);
}

static struct time_log_file *newest_file(struct time_log *log)
{
    return log->files.count > 0 ? &log->files.file[log->files.count - 1] : NULL;
}

static void remove_oldest_file(struct time_log *log)
{
    char name[TIME_LOG_NAME_MAX];
    time_log_name(log->files.file[0].number, name);
    (void)unlinkat(log->directory, name, 0); /* else it is read, and not used, by the next start */
    log->files.count--;
    memmove(log->files.file, log->files.file + 1, log->files.count * sizeof(log->files.file[0]));
}

/* The newest goes on if it has room and ends with a whole record; else the next is made. */
static bool open_time_file(struct time_log *log, bool is_durable)
{
    const struct time_log_file *newest = newest_file(log);
    bool is_full = newest != NULL && newest->sum.records >= TIME_LOG_RECORDS_MAX;
    if (log->file != -1 && !is_full)
        return true;
    if (log->file != -1)
        close(log->file);
    char name[TIME_LOG_NAME_MAX];
    bool goes_on = newest != NULL && !is_full && !newest->sum.has_half;
    uint64_t number = newest == NULL ? 1 : newest->number + (goes_on ? 0 : 1);
    time_log_name(number, name);
    int flags = O_WRONLY | O_APPEND | O_CLOEXEC | (goes_on ? 0 : O_CREAT | O_EXCL);
    log->file = openat(log->directory, name, flags, 0600);
    if (log->file == -1)
        return false;
    if (goes_on)
        return true;
    if (log->files.count == TIME_LOG_FILES_MAX)
        remove_oldest_file(log);
    log->files.file[log->files.count++] = (struct time_log_file){.number = number};
    return !is_durable || fsync(log->directory) == 0;
}

/* A part of it may have been written where it fails: the next file is begun then. */
static bool append_batch(struct time_log *log)
{
    const struct time_batch *batch = &log->batch;
    size_t length = batch->count * TIME_RECORD_BYTES;
    struct time_log_file *newest = newest_file(log);
    ssize_t written;
    do
        written = write(log->file, batch->records, length);
    while (written == -1 && errno == EINTR);
    newest->sum.records += batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->last[i] > newest->sum.last)
            newest->sum.last = batch->last[i];
    }
    if (written >= 0 && (size_t)written < length)
        errno = ENOSPC;
    return written == (ssize_t)length;
}

/* What is before the window is of no use; the newest is appended to. */
static void remove_files_before(struct time_log *log, uint64_t first)
{
    while (log->files.count > 1 && log->files.file[0].sum.last < first)
        remove_oldest_file(log);
}

static void note_written(struct time_log *log, bool is_good)
{
    char sum[LOG_REPEAT_SUM_MAX];
    int number = errno;
    if (is_good) {
        if (log_repeat_goes_on(&log->failed) && log_repeat_end(&log->failed, clock_ms(), sum))
            log_info("store: times are written again%s", sum);
        return;
    }
    struct time_log_file *newest = newest_file(log);
    if (newest != NULL)
        newest->sum.has_half = true; /* nobody knows how much of it is there */
    if (log->file != -1)
        close(log->file);
    log->file = -1;
    if (log_repeat_note(&log->failed, strerror(number), clock_ms(), sum))
        log_warnx("store: cannot write when the stream came: %s: times are known less precisely%s",
                  strerror(number), sum);
}

static void write_in_turn(struct thread_job *job)
{
    struct time_log *log =
        (struct time_log *)(void *)((uint8_t *)job - offsetof(struct time_log, job));
    const struct time_batch *batch = &log->batch;
    bool is_good = open_folder(log, batch->is_durable) && open_time_file(log, batch->is_durable) &&
                   append_batch(log) && (!batch->is_durable || fdatasync(log->file) == 0);
    note_written(log, is_good);
    if (log->directory != -1)
        remove_files_before(log, batch->first_held);
    /* Release: thread 0 fills the batch again. */
    atomic_store_explicit(&log->has_job, false, memory_order_release);
}

/* ------------------------------------------------------------------ noted, on thread 0 */

struct job_thread *time_log_start_thread(void)
{
    struct job_thread *thread = malloc(sizeof(*thread));
    if (thread != NULL && job_thread_start(thread, "store-times"))
        return thread;
    free(thread);
    return NULL;
}

void time_log_stop_thread(struct job_thread **thread)
{
    if (*thread != NULL)
        job_thread_stop(*thread);
    free(*thread);
    *thread = NULL;
}

struct time_log *time_log_new(struct job_thread *thread, int directory)
{
    struct time_log *log = calloc(1, sizeof(*log));
    if (log == NULL)
        return NULL;
    log->thread = thread;
    log->history = directory;
    log->directory = -1;
    log->file = -1;
    log->job.work = write_in_turn;
    time_index_init(&log->index);
    return log;
}

static void submit_batch(struct time_log *log)
{
    /* Acquire: what the thread has done with the batch before. */
    if (log->next.count == 0 || atomic_load_explicit(&log->has_job, memory_order_acquire))
        return;
    log->batch = log->next;
    log->next.count = 0;
    atomic_store_explicit(&log->has_job, true, memory_order_relaxed);
    if (log->thread != NULL)
        job_thread_submit(log->thread, &log->job);
    else
        write_in_turn(&log->job);
}

void time_log_free(struct time_log **log)
{
    struct time_log *it = *log;
    *log = NULL;
    if (it == NULL)
        return;
    if (it->thread != NULL)
        job_thread_drain(it->thread);
    submit_batch(it);
    if (it->thread != NULL)
        job_thread_drain(it->thread);
    if (it->file != -1)
        close(it->file);
    if (it->directory != -1)
        close(it->directory);
    time_index_fini(&it->index);
    free(it);
}

void time_log_note(struct time_log *log, uint64_t boundary, const struct replid *replid,
                   uint64_t first, bool is_durable)
{
    const struct time_entry *newest = time_index_newest(&log->index);
    const struct time_entry entry = {.offset = boundary, .wall_us = clock_wall_us()};
    struct time_batch *next = &log->next;
    time_index_trim(&log->index, first);
    if (newest == NULL || newest->offset != boundary) {
        (void)!time_index_add(&log->index, entry); /* the disk has it */
        size_t place = next->count < TIME_LOG_BATCH ? next->count++ : TIME_LOG_BATCH - 1;
        time_record_write(next->records[place], entry, replid);
        next->last[place] = boundary;
    }
    next->first_held = first;
    next->is_durable = is_durable;
    submit_batch(log);
}

void time_log_cut(struct time_log *log, uint64_t offset)
{
    time_index_cut(&log->index, offset);
}

const struct time_index *time_log_index(const struct time_log *log)
{
    return &log->index;
}
