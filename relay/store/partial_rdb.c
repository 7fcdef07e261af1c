/* SPDX-License-Identifier: MIT */
#include "partial_rdb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc_reader.h"
#include "files.h"
#include "job_thread.h"
#include "part_note.h"
#include "reclaimer.h"
#include "relay/base/log.h"
#include "relay/store/snapshot.h"
#include "relay/store/store_options.h"
#include "snapshot_private.h"

enum {
    PARTIAL_WHY_MAX = 512,
    STUCK_TICKS_MAX = 30, /* the disk does not read: nobody waits for it any longer */
};

/* What is read for a start has the numbers of no snapshot. */
#define READING_NUMBER UINT64_MAX

struct partial_rdb {
    struct partial_rdb_dependencies dependencies;
    struct job_thread thread;
    char boot_id[FILES_BOOT_ID_CAPACITY];
    /* What lies here and does not arrive. */
    enum store_part standing;
    struct rdb_part part;
    int file;            /* O_RDWR; -1: none */
    uint64_t file_bytes; /* STORE_PART_UNPROVEN: so much is read in all, or what the note says */
    uint64_t seen_read;  /* of it, at the last tick */
    unsigned stuck_ticks;
    /* What arrives. */
    struct snapshot *tracked; /* NULL: none */
    struct replid replid;
    uint64_t began_bytes; /* that were here when it began */
    uint64_t noted_bytes; /* the last job was told of them */
    /* Counted up whenever another file gets the name: jobs of before write nothing any more. */
    _Atomic uint64_t generation;
    _Atomic bool
        has_failed; /* the disk refused an fsync of this generation: it claims nothing any more */
};

/* A note that is to be written, and what it speaks of. */
struct note_job {
    struct thread_job queued; /* first */
    struct partial_rdb *partial;
    uint64_t generation;
    int file; /* ours */
    struct part_note note;
};

/* ------------------------------------------------------------------ its own thread */

static bool note_job_write(const struct note_job *job, struct text *why)
{
    struct text content;
    text_init(&content, PART_NOTE_LENGTH_MAX);
    part_note_format(&job->note, &content);
    bool good = files_replace(job->partial->dependencies.data_dir, PARTIAL_RDB_NOTE,
                              text_bytes(&content), job->note.is_synced, why);
    text_fini(&content);
    return good;
}

static void note_job_run(struct thread_job *queued)
{
    struct note_job *job = (struct note_job *)(void *)queued;
    struct partial_rdb *partial = job->partial;
    struct text why;
    text_init(&why, PARTIAL_WHY_MAX);
    bool good = !job->note.is_synced || fdatasync(job->file) == 0;
    if (!good)
        text_format(&why, "%s", strerror(errno));
    bool counts =
        atomic_load_explicit(&partial->generation, memory_order_acquire) == job->generation;
    if (counts && !atomic_load_explicit(&partial->has_failed, memory_order_relaxed)) {
        good = good && note_job_write(job, &why);
        /* After a failed fsync the kernel may say yes to the next without having written. */
        if (!good) {
            atomic_store_explicit(&partial->has_failed, true, memory_order_relaxed);
            log_warnx("store: what has come of %" PRIu64
                      ".rdb cannot be kept for a restart, which will fetch it anew: %s",
                      job->note.part.offset, text_string(&why));
        }
    }
    text_fini(&why);
    close(job->file);
    free(job);
}

/* Memory or descriptors are out: the next time. */
static void submit_note(struct partial_rdb *partial, int file, const struct rdb_part *part)
{
    struct note_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return;
    job->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (job->file == -1) {
        free(job);
        return;
    }
    job->queued.work = note_job_run;
    job->partial = partial;
    job->generation = atomic_load_explicit(&partial->generation, memory_order_relaxed);
    job->note.part = *part;
    job->note.is_synced = partial->dependencies.options->fsync != STORE_FSYNC_NO;
    memcpy(job->note.boot_id, partial->boot_id, sizeof(job->note.boot_id));
    partial->noted_bytes = part->bytes;
    job_thread_submit(&partial->thread, &job->queued);
}

/* ------------------------------------------------------------------ names */

bool partial_rdb_is_name(const char *name)
{
    static const char *const names[] = {PARTIAL_RDB_NAME, PARTIAL_RDB_NOTE,
                                        PARTIAL_RDB_NOTE ".new"};
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static void drop_note(struct partial_rdb *partial)
{
    atomic_fetch_add_explicit(&partial->generation, 1, memory_order_release);
    atomic_store_explicit(&partial->has_failed, false, memory_order_relaxed);
    if (unlinkat(partial->dependencies.data_dir, PARTIAL_RDB_NOTE, 0) == -1 && errno != ENOENT)
        log_warn("store: cannot remove the note " PARTIAL_RDB_NOTE);
}

/* `is_last`: no other name is left of it, so it is freed, behind our back. */
static void drop_name(struct partial_rdb *partial, bool is_last)
{
    if (is_last)
        (void)reclaimer_unlink(partial->dependencies.reclaimer, partial->dependencies.data_dir,
                               PARTIAL_RDB_NAME);
    else
        (void)unlinkat(partial->dependencies.data_dir, PARTIAL_RDB_NAME, 0);
}

/* The last who has a file that has no name frees it: not thread 0. */
struct closing {
    struct reclaim_job job;
    int file;
};

static void partial_rdb_close_in_turn(struct reclaim_job *job)
{
    struct closing *closing = (struct closing *)(void *)job;
    close(closing->file);
    free(closing);
}

static void partial_rdb_close_file(struct partial_rdb *partial)
{
    if (partial->file == -1)
        return;
    struct closing *closing = calloc(1, sizeof(*closing));
    if (closing == NULL) {
        close(partial->file);
    } else {
        *closing = (struct closing){
            .job = {.work = partial_rdb_close_in_turn, .bytes = partial->part.bytes},
            .file = partial->file};
        reclaimer_take(partial->dependencies.reclaimer, &closing->job);
    }
    partial->file = -1;
}

void partial_rdb_drop(struct partial_rdb *partial)
{
    if (partial->standing == STORE_PART_NONE)
        return;
    crc_reader_forget(partial->dependencies.reader, READING_NUMBER);
    partial->standing = STORE_PART_NONE;
    drop_note(partial);
    drop_name(partial, true);
    partial_rdb_close_file(partial);
}

/* ------------------------------------------------------------------ what a start finds */

static bool read_note(struct partial_rdb *partial, struct part_note *note)
{
    struct text content;
    struct text why;
    text_init(&content, PART_NOTE_LENGTH_MAX);
    text_init(&why, PARTIAL_WHY_MAX);
    bool good = files_read(partial->dependencies.data_dir, PARTIAL_RDB_NOTE, &content, &why);
    bool is_there = good || errno != ENOENT;
    good = good && part_note_parse(text_bytes(&content), note);
    if (is_there && !good)
        log_warnx(
            "store: the note about the beginning of an RDB cannot be read: it is fetched anew");
    if (good && !part_note_counts(note, partial->boot_id)) {
        log_warnx("store: the machine was booted since the beginning of %" PRIu64
                  ".rdb was written without an fsync: it is fetched anew",
                  note->part.offset);
        good = false;
    }
    text_fini(&content);
    text_fini(&why);
    return good;
}

/* How many bytes of the file are to be read; 0: it is of no use. After a kill all that was written is there. */
static uint64_t length_to_read(const struct partial_rdb *partial, const struct part_note *note)
{
    struct stat about;
    const struct rdb_part *part = &note->part;
    if (fstat(partial->file, &about) == -1 || !S_ISREG(about.st_mode) ||
        (uint64_t)about.st_size < part->bytes)
        return 0;
    uint64_t bytes = part->bytes;
    if (part_note_is_of_boot(note, partial->boot_id))
        bytes = (uint64_t)about.st_size;
    return part->length > 0 && bytes > part->length ? part->length : bytes;
}

static void partial_rdb_read(struct partial_rdb *partial, uint64_t bytes)
{
    crc_reader_begin(partial->dependencies.reader, READING_NUMBER, partial->file, bytes);
}

static void partial_rdb_look(struct partial_rdb *partial)
{
    struct part_note note;
    if (read_note(partial, &note)) {
        partial->file =
            openat(partial->dependencies.data_dir, PARTIAL_RDB_NAME, O_RDWR | O_CLOEXEC);
        partial->part = note.part;
        partial->file_bytes = partial->file != -1 ? length_to_read(partial, &note) : 0;
        if (partial->file_bytes == 0)
            log_warnx("store: the beginning of %" PRIu64
                      ".rdb is not there as it was noted: it is fetched anew",
                      note.part.offset);
    }
    partial->standing = STORE_PART_UNPROVEN;
    if (partial->file_bytes > 0)
        partial_rdb_read(partial, partial->part.bytes);
    else
        partial_rdb_drop(partial);
}

/* The bytes that were noted have been read, or those behind them as well. */
static void judge_reading(struct partial_rdb *partial)
{
    struct crc_reader *reader = partial->dependencies.reader;
    uint64_t noted = partial->part.bytes;
    uint64_t all = partial->file_bytes;
    uint64_t crc;
    enum crc_reading reading = crc_reader_find(reader, READING_NUMBER, noted, &crc);
    if (reading == CRC_READING_NONE) {
        partial_rdb_read(partial, noted);
        return;
    }
    if (reading == CRC_READING_FAILED || crc != partial->part.crc) {
        log_warnx("store: the first %" PRIu64 " bytes of %" PRIu64
                  ".rdb do not match their checksum: it is fetched anew",
                  noted, partial->part.offset);
        partial_rdb_drop(partial);
        return;
    }
    reading = all > noted ? crc_reader_find(reader, READING_NUMBER, all, &crc) : reading;
    if (reading == CRC_READING_NONE) {
        partial_rdb_read(partial, all);
        return;
    }
    if (reading == CRC_READING_DONE) {
        partial->part.bytes = all;
        partial->part.crc = crc;
    }
    crc_reader_forget(reader, READING_NUMBER);
    partial->standing = STORE_PART_READY;
    log_info("store: the first %" PRIu64 " bytes of %" PRIu64
             ".rdb are here and proven: a relay is asked for the rest",
             partial->part.bytes, partial->part.offset);
}

bool partial_rdb_take(struct partial_rdb *partial)
{
    if (partial->standing != STORE_PART_UNPROVEN)
        return false;
    judge_reading(partial);
    return partial->standing != STORE_PART_UNPROVEN;
}

static void tick_reading(struct partial_rdb *partial)
{
    uint64_t read = crc_reader_bytes(partial->dependencies.reader);
    partial->stuck_ticks = read == partial->seen_read ? partial->stuck_ticks + 1 : 0;
    partial->seen_read = read;
    if (partial->stuck_ticks < STUCK_TICKS_MAX) {
        judge_reading(partial); /* it may have found the reader busy */
        return;
    }
    log_warnx("store: the beginning of %" PRIu64
              ".rdb cannot be read from the disk: it is fetched anew",
              partial->part.offset);
    partial_rdb_drop(partial);
}

/* ------------------------------------------------------------------ opened and closed */

struct partial_rdb *partial_rdb_open(const struct partial_rdb_dependencies *dependencies)
{
    struct partial_rdb *partial = calloc(1, sizeof(*partial));
    if (partial == NULL)
        return NULL;
    partial->dependencies = *dependencies;
    partial->file = -1;
    if (!files_boot_id(partial->boot_id))
        memset(partial->boot_id, 0, sizeof(partial->boot_id));
    if (!job_thread_start(&partial->thread, "store-partial")) {
        free(partial);
        return NULL;
    }
    partial_rdb_look(partial);
    return partial;
}

static void untrack(struct partial_rdb *partial)
{
    snapshot_release(&partial->tracked);
}

void partial_rdb_close(struct partial_rdb **partial)
{
    struct partial_rdb *it = *partial;
    if (it == NULL)
        return;
    partial_rdb_tick(it); /* what is whole needs no note any more */
    (void)partial_rdb_keep(it);
    job_thread_stop(&it->thread);
    if (it->file != -1)
        close(it->file); /* it has its name */
    free(it);
    *partial = NULL;
}

/* ------------------------------------------------------------------ arriving */

enum store_part partial_rdb_state(const struct partial_rdb *partial, struct rdb_part *out)
{
    if (partial->standing != STORE_PART_NONE)
        *out = partial->part;
    return partial->standing;
}

const struct rdb_part *partial_rdb_part(const struct partial_rdb *partial)
{
    return &partial->part;
}

int partial_rdb_file(const struct partial_rdb *partial)
{
    return partial->file;
}

static void partial_rdb_follow(struct partial_rdb *partial, struct snapshot *snapshot,
                               const struct replid *replid)
{
    untrack(partial);
    snapshot_retain(snapshot);
    partial->tracked = snapshot;
    partial->replid = *replid;
    partial->began_bytes = snapshot_received(snapshot);
    partial->noted_bytes = partial->began_bytes;
}

void partial_rdb_track(struct partial_rdb *partial, struct snapshot *snapshot,
                       const struct replid *replid)
{
    partial_rdb_drop(partial);
    drop_note(partial);
    drop_name(partial, true);
    if (!files_link(snapshot_file(snapshot), partial->dependencies.data_dir, PARTIAL_RDB_NAME)) {
        log_warn("store: what comes of %" PRIu64
                 ".rdb cannot be kept: a transfer that breaks begins anew",
                 snapshot_offset(snapshot));
        untrack(partial);
        return;
    }
    snapshot_keep_file(snapshot, true);
    partial_rdb_follow(partial, snapshot, replid);
}

void partial_rdb_resumed(struct partial_rdb *partial, struct snapshot *snapshot)
{
    CHECK(partial->standing == STORE_PART_READY);
    partial->standing = STORE_PART_NONE;
    close(partial->file); /* the snapshot has it */
    partial->file = -1;
    const struct replid replid = partial->part.replid;
    partial_rdb_follow(partial, snapshot, &replid);
}

/* What is here of it now. False: too little, or that cannot be said. */
static bool read_tracked(const struct partial_rdb *partial, struct rdb_part *part)
{
    snapshot_note_part(partial->tracked, part);
    part->replid = partial->replid;
    return rdb_part_is_valid(part);
}

/* It is whole, or has failed for good: nothing of it is kept. */
static void partial_rdb_let_go(struct partial_rdb *partial)
{
    bool is_whole = snapshot_state(partial->tracked) == SNAPSHOT_COMPLETE;
    drop_note(partial);
    drop_name(partial, !is_whole);
    snapshot_keep_file(partial->tracked, false);
    untrack(partial);
}

bool partial_rdb_keep(struct partial_rdb *partial)
{
    if (partial->tracked == NULL)
        return false;
    struct rdb_part part;
    bool is_arriving = snapshot_state(partial->tracked) == SNAPSHOT_ARRIVING;
    int file = is_arriving && read_tracked(partial, &part)
                   ? fcntl(snapshot_kept_file(partial->tracked), F_DUPFD_CLOEXEC, 0)
                   : -1;
    if (file == -1) {
        partial_rdb_let_go(partial);
        return false;
    }
    log_info("store: %" PRIu64 " bytes of %" PRIu64
             ".rdb have come, and are kept: the rest can be asked for",
             part.bytes, part.offset);
    partial->standing = STORE_PART_READY;
    partial->part = part;
    partial->file = file;
    if (part.bytes > partial->noted_bytes || partial->noted_bytes == 0)
        submit_note(partial, file, &part);
    untrack(partial);
    return part.bytes > partial->began_bytes;
}

static void tick_tracked(struct partial_rdb *partial)
{
    struct rdb_part part;
    if (snapshot_state(partial->tracked) != SNAPSHOT_ARRIVING)
        partial_rdb_let_go(partial);
    else if (!job_thread_is_busy(&partial->thread) && read_tracked(partial, &part) &&
             part.bytes > partial->noted_bytes)
        submit_note(partial, snapshot_file(partial->tracked), &part);
}

void partial_rdb_tick(struct partial_rdb *partial)
{
    if (partial->tracked != NULL)
        tick_tracked(partial);
    else if (partial->standing == STORE_PART_UNPROVEN)
        tick_reading(partial);
}
