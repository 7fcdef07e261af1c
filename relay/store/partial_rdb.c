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
#include "file_thread.h"
#include "files.h"
#include "job_thread.h"
#include "part_note.h"
#include "reclaimer.h"
#include "relay/base/log.h"
#include "relay/store/snapshot.h"
#include "relay/store/store_options.h"

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
    struct snapshot_beginning beginning; /* its file: -1: none */
    uint64_t file_bytes; /* STORE_PART_UNPROVEN: so much is read in all, or what the note says */
    struct rdb_edges file_edges; /* of that */
    uint64_t seen_read;          /* of it, at the last tick */
    unsigned stuck_ticks;
    /* What arrives. */
    struct snapshot *tracked; /* NULL: none */
    struct replid replid;
    uint64_t began_bytes; /* that were here when it began */
    uint64_t noted_bytes; /* the last job was told of them */
    /* From 1; counted up by thread 0 before it has the names removed: what was asked for before is of no use. */
    _Atomic uint64_t generation;
    _Atomic uint64_t
        unlinked; /* the generation whose file could not get its name; the file thread's */
    uint64_t
        unnoted; /* the generation whose notes the disk has refused; the own thread's: it claims
                       * nothing any more */
};

static uint64_t partial_rdb_generation(const struct partial_rdb *partial)
{
    return atomic_load_explicit(&partial->generation, memory_order_acquire);
}

/* A note that is to be written, and what it speaks of. */
struct note_job {
    struct thread_job queued; /* first */
    struct partial_rdb *partial;
    uint64_t generation;
    int file; /* ours */
    struct part_note note;
};

/* A file that is to get its name. */
struct link_job {
    struct thread_job queued; /* first */
    struct partial_rdb *partial;
    uint64_t generation;
    struct snapshot *snapshot; /* held: its file */
};

/* ------------------------------------------------------------------ its own thread */

static bool note_job_is_current(const struct note_job *job)
{
    const struct partial_rdb *partial = job->partial;
    return partial_rdb_generation(partial) == job->generation;
}

/* Has the file its name, and has the disk taken what was to be noted of it? After a failed fsync the kernel may say
 * yes to the next without having written. */
static bool note_job_may_claim(const struct note_job *job)
{
    const struct partial_rdb *partial = job->partial;
    file_thread_drain(partial->dependencies.remover.files);
    return note_job_is_current(job) && partial->unnoted != job->generation &&
           atomic_load_explicit(&partial->unlinked, memory_order_acquire) != job->generation;
}

static bool note_job_write(const struct note_job *job, struct text *why)
{
    struct text content;
    if (job->note.is_synced && fdatasync(job->file) == -1) {
        text_format(why, "%s", strerror(errno));
        return false;
    }
    text_init(&content, PART_NOTE_LENGTH_MAX);
    part_note_format(&job->note, &content);
    bool good = files_replace(job->partial->dependencies.data_dir, PARTIAL_RDB_NOTE,
                              text_bytes(&content), job->note.is_synced, why);
    text_fini(&content);
    return good;
}

/* Its removal may have been before it: then it goes once more. Notes are written by this thread alone, so it is no
 * newer one. */
static void note_job_end(const struct note_job *job, bool good, const struct text *why)
{
    if (!note_job_is_current(job)) {
        (void)unlinkat(job->partial->dependencies.data_dir, PARTIAL_RDB_NOTE, 0);
    } else if (!good) {
        job->partial->unnoted = job->generation;
        log_warnx("store: what has come of %" PRIu64
                  ".rdb cannot be kept for a restart, which will fetch it anew: %s",
                  job->note.part.offset, text_string(why));
    }
}

static void note_job_run(struct thread_job *queued)
{
    struct note_job *job = (struct note_job *)(void *)queued;
    struct text why;
    text_init(&why, PARTIAL_WHY_MAX);
    if (note_job_may_claim(job))
        note_job_end(job, note_job_write(job, &why), &why);
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
    job->generation = partial_rdb_generation(partial);
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

/* Note first: a kill in between leaves a name that no note speaks of. `bytes`: what that gives back. */
static void partial_rdb_remove_names(struct partial_rdb *partial, uint64_t bytes)
{
    const struct partial_rdb_dependencies *dependencies = &partial->dependencies;
    atomic_fetch_add_explicit(&partial->generation, 1, memory_order_acq_rel);
    removal_ask(&dependencies->remover, dependencies->data_dir, PARTIAL_RDB_NOTE, 0, NULL);
    removal_ask(&dependencies->remover, dependencies->data_dir, PARTIAL_RDB_NAME, bytes, NULL);
}

/* On the file thread: behind the making of the file, and before its own name goes, however soon that is. */
static void link_in_turn(struct thread_job *queued)
{
    struct link_job *job = (struct link_job *)(void *)queued;
    struct partial_rdb *partial = job->partial;
    if (!files_link(snapshot_file(job->snapshot), partial->dependencies.data_dir,
                    PARTIAL_RDB_NAME)) {
        log_warn("store: what comes of %" PRIu64
                 ".rdb cannot be kept: a transfer that breaks begins anew",
                 snapshot_offset(job->snapshot));
        atomic_store_explicit(&partial->unlinked, job->generation, memory_order_release);
    }
    snapshot_release(&job->snapshot);
    free(job);
}

/* False: out of memory. */
static bool partial_rdb_ask_link(struct partial_rdb *partial, struct snapshot *snapshot)
{
    struct link_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return false;
    job->queued.work = link_in_turn;
    job->partial = partial;
    job->generation = partial_rdb_generation(partial);
    snapshot_retain(snapshot);
    job->snapshot = snapshot;
    file_thread_submit(partial->dependencies.remover.files, &job->queued);
    return true;
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
    struct snapshot_beginning *beginning = &partial->beginning;
    if (beginning->file == -1)
        return;
    struct closing *closing = calloc(1, sizeof(*closing));
    if (closing == NULL) {
        close(beginning->file);
    } else {
        *closing =
            (struct closing){.job = {.work = partial_rdb_close_in_turn}, .file = beginning->file};
        reclaimer_take(partial->dependencies.remover.reclaimer, &closing->job);
    }
    beginning->file = -1;
}

/* Nothing lies here any more; the names are still to be removed. */
static void partial_rdb_forget_standing(struct partial_rdb *partial)
{
    crc_reader_forget(partial->dependencies.reader, READING_NUMBER);
    partial->standing = STORE_PART_NONE;
    partial_rdb_close_file(partial);
}

void partial_rdb_drop(struct partial_rdb *partial)
{
    if (partial->standing == STORE_PART_NONE)
        return;
    partial_rdb_forget_standing(partial);
    partial_rdb_remove_names(partial, partial->beginning.part.bytes);
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
    if (fstat(partial->beginning.file, &about) == -1 || !S_ISREG(about.st_mode) ||
        (uint64_t)about.st_size < part->bytes)
        return 0;
    uint64_t bytes = part->bytes;
    if (part_note_is_of_boot(note, partial->boot_id))
        bytes = (uint64_t)about.st_size;
    return part->length > 0 && bytes > part->length ? part->length : bytes;
}

static void partial_rdb_read(struct partial_rdb *partial, uint64_t bytes)
{
    crc_reader_begin(partial->dependencies.reader, READING_NUMBER, partial->beginning.file, bytes);
}

/* False: it is not there as it was noted. */
static bool open_noted(struct partial_rdb *partial, const struct part_note *note)
{
    struct snapshot_beginning *beginning = &partial->beginning;
    struct error error;
    beginning->part = note->part;
    beginning->file = openat(partial->dependencies.data_dir, PARTIAL_RDB_NAME, O_RDWR | O_CLOEXEC);
    if (beginning->file == -1)
        return false;
    partial->file_bytes = length_to_read(partial, note);
    return partial->file_bytes > 0 &&
           rdb_edges_read(&beginning->edges, beginning->file, beginning->part.bytes, &error) &&
           rdb_edges_read(&partial->file_edges, beginning->file, partial->file_bytes, &error);
}

static void partial_rdb_look(struct partial_rdb *partial)
{
    struct part_note note;
    bool is_noted = read_note(partial, &note);
    bool is_there = is_noted && open_noted(partial, &note);
    if (is_noted && !is_there)
        log_warnx("store: the beginning of %" PRIu64
                  ".rdb is not there as it was noted: it is fetched anew",
                  note.part.offset);
    partial->standing = STORE_PART_UNPROVEN;
    if (is_there)
        partial_rdb_read(partial, note.part.bytes);
    else
        partial_rdb_drop(partial);
}

/* The bytes that were noted have been read, or those behind them as well. */
static void judge_reading(struct partial_rdb *partial)
{
    struct crc_reader *reader = partial->dependencies.reader;
    struct rdb_part *part = &partial->beginning.part;
    uint64_t noted = part->bytes;
    uint64_t all = partial->file_bytes;
    uint64_t crc;
    enum crc_reading reading = crc_reader_find(reader, READING_NUMBER, noted, &crc);
    if (reading == CRC_READING_NONE) {
        partial_rdb_read(partial, noted);
        return;
    }
    if (reading == CRC_READING_FAILED || crc != part->crc) {
        log_warnx("store: the first %" PRIu64 " bytes of %" PRIu64
                  ".rdb do not match their checksum: it is fetched anew",
                  noted, part->offset);
        partial_rdb_drop(partial);
        return;
    }
    reading = all > noted ? crc_reader_find(reader, READING_NUMBER, all, &crc) : reading;
    if (reading == CRC_READING_NONE) {
        partial_rdb_read(partial, all);
        return;
    }
    if (reading == CRC_READING_DONE) {
        part->bytes = all;
        part->crc = crc;
        partial->beginning.edges = partial->file_edges;
    }
    crc_reader_forget(reader, READING_NUMBER);
    partial->standing = STORE_PART_READY;
    log_info("store: the first %" PRIu64 " bytes of %" PRIu64
             ".rdb are here and proven: a relay is asked for the rest",
             part->bytes, part->offset);
}

static void untrack(struct partial_rdb *partial)
{
    if (partial->tracked == NULL)
        return;
    snapshot_keep_file(partial->tracked, false);
    snapshot_release(&partial->tracked);
}

/* The file has not got its name: nothing of it is kept. */
static bool take_unlinked(struct partial_rdb *partial)
{
    if (atomic_load_explicit(&partial->unlinked, memory_order_acquire) !=
        partial_rdb_generation(partial))
        return false;
    untrack(partial);
    partial_rdb_forget_standing(partial);
    partial_rdb_remove_names(partial, 0);
    return true;
}

bool partial_rdb_take(struct partial_rdb *partial)
{
    if (take_unlinked(partial))
        return true;
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
              partial->beginning.part.offset);
    partial_rdb_drop(partial);
}

/* ------------------------------------------------------------------ opened and closed */

struct partial_rdb *partial_rdb_open(const struct partial_rdb_dependencies *dependencies)
{
    struct partial_rdb *partial = calloc(1, sizeof(*partial));
    if (partial == NULL)
        return NULL;
    partial->dependencies = *dependencies;
    partial->beginning.file = -1;
    atomic_init(&partial->generation, 1);
    if (!files_boot_id(partial->boot_id))
        memset(partial->boot_id, 0, sizeof(partial->boot_id));
    if (!job_thread_start(&partial->thread, "store-partial")) {
        free(partial);
        return NULL;
    }
    partial_rdb_look(partial);
    return partial;
}

void partial_rdb_close(struct partial_rdb **partial)
{
    struct partial_rdb *it = *partial;
    if (it == NULL)
        return;
    partial_rdb_tick(it); /* what is whole needs no note any more */
    (void)partial_rdb_keep(it);
    file_thread_drain(it->dependencies.remover.files);
    job_thread_stop(&it->thread);
    if (it->beginning.file != -1)
        close(it->beginning.file); /* it has its name */
    free(it);
    *partial = NULL;
}

/* ------------------------------------------------------------------ arriving */

enum store_part partial_rdb_state(const struct partial_rdb *partial, struct rdb_part *out)
{
    if (partial->standing != STORE_PART_NONE)
        *out = partial->beginning.part;
    return partial->standing;
}

const struct snapshot_beginning *partial_rdb_beginning(const struct partial_rdb *partial)
{
    return &partial->beginning;
}

static void partial_rdb_follow(struct partial_rdb *partial, struct snapshot *snapshot,
                               const struct replid *replid)
{
    untrack(partial);
    snapshot_retain(snapshot);
    snapshot_keep_file(snapshot, true);
    partial->tracked = snapshot;
    partial->replid = *replid;
    partial->began_bytes = snapshot_received(snapshot);
    partial->noted_bytes = partial->began_bytes;
}

void partial_rdb_track(struct partial_rdb *partial, struct snapshot *snapshot,
                       const struct replid *replid)
{
    bool has_standing = partial->standing != STORE_PART_NONE;
    if (has_standing)
        partial_rdb_forget_standing(partial);
    partial_rdb_remove_names(partial, has_standing ? partial->beginning.part.bytes : 0);
    if (partial_rdb_ask_link(partial, snapshot)) {
        partial_rdb_follow(partial, snapshot, replid);
        return;
    }
    log_warnx("store: what comes of %" PRIu64
              ".rdb cannot be kept: a transfer that breaks begins anew: out of memory",
              snapshot_offset(snapshot));
    untrack(partial);
}

void partial_rdb_resumed(struct partial_rdb *partial, struct snapshot *snapshot)
{
    CHECK(partial->standing == STORE_PART_READY);
    partial->standing = STORE_PART_NONE;
    partial->beginning.file = -1; /* the snapshot has it */
    const struct replid replid = partial->beginning.part.replid;
    partial_rdb_follow(partial, snapshot, &replid);
}

/* What is here of it now. False: too little, or that cannot be said. */
static bool read_tracked(const struct partial_rdb *partial, struct snapshot_beginning *out)
{
    snapshot_note_beginning(partial->tracked, out);
    out->part.replid = partial->replid;
    return rdb_part_is_valid(&out->part);
}

/* It is whole, or has failed for good: nothing of it is kept. */
static void partial_rdb_let_go(struct partial_rdb *partial)
{
    bool is_whole = snapshot_state(partial->tracked) == SNAPSHOT_COMPLETE;
    partial_rdb_remove_names(partial, is_whole ? 0 : snapshot_received(partial->tracked));
    untrack(partial);
}

bool partial_rdb_keep(struct partial_rdb *partial)
{
    if (partial->tracked == NULL)
        return false;
    struct snapshot_beginning beginning;
    bool is_arriving = snapshot_state(partial->tracked) == SNAPSHOT_ARRIVING;
    int file = is_arriving && read_tracked(partial, &beginning)
                   ? fcntl(beginning.file, F_DUPFD_CLOEXEC, 0)
                   : -1;
    if (file == -1) {
        partial_rdb_let_go(partial);
        return false;
    }
    beginning.file = file;
    const struct rdb_part *part = &beginning.part;
    log_info("store: %" PRIu64 " bytes of %" PRIu64
             ".rdb have come, and are kept: the rest can be asked for",
             part->bytes, part->offset);
    partial->standing = STORE_PART_READY;
    partial->beginning = beginning;
    if (part->bytes > partial->noted_bytes || partial->noted_bytes == 0)
        submit_note(partial, file, part);
    snapshot_release(&partial->tracked); /* its file stays kept */
    return part->bytes > partial->began_bytes;
}

static void tick_tracked(struct partial_rdb *partial)
{
    struct snapshot_beginning now;
    if (snapshot_state(partial->tracked) != SNAPSHOT_ARRIVING)
        partial_rdb_let_go(partial);
    else if (!job_thread_is_busy(&partial->thread) && read_tracked(partial, &now) &&
             now.part.bytes > partial->noted_bytes)
        submit_note(partial, now.file, &now.part);
}

void partial_rdb_tick(struct partial_rdb *partial)
{
    if (partial->tracked != NULL)
        tick_tracked(partial);
    else if (partial->standing == STORE_PART_UNPROVEN)
        tick_reading(partial);
}
