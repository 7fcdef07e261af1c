/* SPDX-License-Identifier: MIT */
#include "syncer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "file_thread.h"
#include "files.h"
#include "job_thread.h"
#include "relay/base/log.h"
#include "relay/os/file.h"
#include "relay/store/identity.h"
#include "segment.h"
#include "segment_log.h"

enum { IDENTITY_HEAD = 256 }; /* the base is in it */

struct syncer_place {
    struct thread_job queued; /* first: the job is the place */
    struct syncer *syncer;
    /* True: more is durable than before; whoever found the syncer busy may look again. */
    bool (*work)(struct syncer *syncer, const struct syncer_place *queued);
    union {
        struct syncer_job job;
        struct syncer_snapshot snapshot;
        struct syncer_cut cut;
    };
    int file;        /* ours; -1: none */
    int directory;   /* the same */
    unsigned branch; /* of the claim, when it was submitted */
    uint64_t first;  /* of the segment */
    uint64_t until;  /* its last offset, if it were full */
};

struct syncer {
    struct job_thread jobs;
    pthread_mutex_t
        claims; /* what a job claims, and that it may claim nothing any more, exclude each other */
    bool has_moved;                /* its thread's: the job that is done made more durable */
    void (*on_durable)(void *arg); /* not NULL while somebody wants to know */
    void *on_durable_arg;
    _Atomic uint64_t failures;
};

/* The identity of this moment gets a second name and is fsynced, then takes the place of the copy
 * before it. Thread 0 may replace `identity` meanwhile, without harm. */
bool syncer_keep_identity(int directory)
{
    static const char beside[] = SYNCER_IDENTITY_KEPT ".new";
    unlinkat(directory, beside, 0);
    bool linked = linkat(directory, "identity", directory, beside, 0) == 0;
    int identity = openat(directory, linked ? beside : "identity", O_RDONLY | O_CLOEXEC);
    bool good = identity != -1 && fsync(identity) == 0;
    if (identity != -1)
        close(identity);
    /* A file system without links has no copy, and is no worse off than without us. */
    if (good && linked)
        good = renameat(directory, beside, directory, SYNCER_IDENTITY_KEPT) == 0;
    return good;
}

/* Where a history is: its own name, and that of the data directory, which we may have made. One that we may
 * not read we have not made anything in. */
static bool sync_place(int directory, struct syncer_claim *claim)
{
    if (claim->has_place)
        return true;
    claim->has_place = file_sync_directory(directory, "..") &&
                       (file_sync_directory(directory, "../..") || errno == EACCES);
    return claim->has_place;
}

/* What goes behind an identity that is older than the copy is of no use any more. */
static void remove_old_rows(int directory)
{
    char head[IDENTITY_HEAD];
    int kept = openat(directory, SYNCER_IDENTITY_KEPT, O_RDONLY | O_CLOEXEC);
    ssize_t got = kept == -1 ? -1 : read(kept, head, sizeof(head));
    if (kept != -1)
        close(kept);
    uint64_t base = got > 0 ? identity_peek_base(bytes_at(head, (size_t)got)) : 0;
    if (base > 0)
        segment_log_remove_before(directory, base);
}

/* `identity` and the rows behind it, the names of the files in `folder`, and those of all above. */
static bool sync_names(int directory, const char *folder, struct syncer_claim *claim)
{
    if (!file_sync_directory(directory, folder) || !segment_log_sync(directory) ||
        !syncer_keep_identity(directory) || fsync(directory) == -1 || !sync_place(directory, claim))
        return false;
    remove_old_rows(directory);
    return true;
}

/* After a failed fsync the kernel may forget what it could not write and say yes the next time: of
 * this segment nothing is claimed any more, and of the window nothing while it holds the segment. */
static void note_failure(struct syncer *syncer, const struct syncer_place *queued)
{
    struct syncer_claim *claim = queued->job.claim;
    atomic_fetch_add_explicit(&syncer->failures, 1, memory_order_relaxed);
    atomic_store_explicit(&claim->marked, UINT64_MAX, memory_order_release);
    if (claim->broken_until >= queued->until)
        return;
    log_error("store: cannot fsync segment %" PRIu64
              ".seg: nothing more is durable until the window has left it behind",
              queued->first);
    claim->broken_until = queued->until;
}

static bool sync_snapshot(struct syncer *syncer, const struct syncer_place *queued)
{
    const struct syncer_snapshot *job = &queued->snapshot;
    if (fdatasync(queued->file) == 0 && sync_names(job->directory, "snapshot", job->claim)) {
        atomic_store_explicit(&job->claim->snapshot, job->serial, memory_order_release);
        return true;
    }
    atomic_fetch_add_explicit(&syncer->failures, 1, memory_order_relaxed);
    log_error("store: cannot fsync snapshot %" PRIu64
              ".rdb: it is served, but a power failure may cost it",
              job->offset);
    return false;
}

/* The mark is on the disk. It counts unless it speaks of bytes that were cut off meanwhile. */
static void claim_marked(struct syncer *syncer, const struct syncer_place *queued, bool is_durable)
{
    struct syncer_claim *claim = queued->job.claim;
    uint64_t end = queued->job.mark.end;
    pthread_mutex_lock(&syncer->claims);
    if (queued->branch == claim->branch) {
        atomic_store_explicit(&claim->marked, end, memory_order_release);
        if (is_durable)
            atomic_store_explicit(&claim->durable, end, memory_order_release);
    }
    pthread_mutex_unlock(&syncer->claims);
}

/* True: more is durable than before, or would be if the RDB before it were: what came meanwhile, and an RDB that
 * has been proven meanwhile, are submitted in the turn that this makes, and the window may go on. */
static bool sync_segment(struct syncer *syncer, const struct syncer_place *queued)
{
    const struct syncer_job *job = &queued->job;
    struct syncer_claim *claim = job->claim;
    if (fdatasync(queued->file) == -1 ||
        (job->directory != -1 && !sync_names(job->directory, "backlog", claim))) {
        note_failure(syncer, queued);
        return false;
    }
    if (job->tail == NULL || queued->first < claim->broken_until)
        return false;
    if (!tail_set_durable(job->tail, job->mark)) {
        note_failure(syncer, queued);
        return false;
    }
    bool is_awaited =
        job->after_snapshot && atomic_load_explicit(&claim->snapshot, memory_order_relaxed) == 0;
    claim_marked(syncer, queued, !is_awaited && job->held_from >= claim->broken_until);
    return true;
}

static bool sync_cut(struct syncer *syncer, const struct syncer_place *queued)
{
    const struct syncer_cut *job = &queued->cut;
    file_thread_drain(job->files);
    bool good = file_sync_directory(job->directory, "snapshot") &&
                sync_names(job->directory, "backlog", job->claim) &&
                tail_forget_durable(job->tail, job->offset);
    if (!good) {
        atomic_fetch_add_explicit(&syncer->failures, 1, memory_order_relaxed);
        atomic_store_explicit(&job->claim->has_failed_cut, true, memory_order_relaxed);
        log_error("store: cannot fsync that the history ends at offset %" PRIu64 " now",
                  job->offset);
    }
    atomic_fetch_add_explicit(&job->claim->cuts, 1, memory_order_release);
    return true;
}

static bool sync_identity(struct syncer *syncer, const struct syncer_place *queued)
{
    const struct syncer_cut *job = &queued->cut;
    if (sync_names(job->directory, "backlog", job->claim))
        return true;
    atomic_fetch_add_explicit(&syncer->failures, 1, memory_order_relaxed);
    log_error("store: cannot fsync the identity: a power failure may bring back the one before it");
    return false;
}

static bool sync_file(struct syncer *syncer, const struct syncer_place *queued)
{
    if (fsync(queued->file) == 0 && fsync(queued->directory) == 0)
        return true;
    atomic_fetch_add_explicit(&syncer->failures, 1, memory_order_relaxed);
    log_error("store: cannot fsync a note in the data directory: a power failure may cost it");
    return false;
}

static void run_place(struct thread_job *job)
{
    struct syncer_place *place = (struct syncer_place *)job;
    place->syncer->has_moved = place->work(place->syncer, place);
    syncer_unreserve(place);
}

static void tell_durable(void *arg)
{
    struct syncer *syncer = arg;
    if (syncer->has_moved)
        syncer->on_durable(syncer->on_durable_arg);
}

struct syncer *syncer_start(void)
{
    struct syncer *syncer = calloc(1, sizeof(*syncer));
    if (syncer == NULL || !job_thread_start(&syncer->jobs, "store-fsync")) {
        free(syncer);
        return NULL;
    }
    pthread_mutex_init(&syncer->claims, NULL);
    return syncer;
}

void syncer_stop(struct syncer **syncer)
{
    struct syncer *it = *syncer;
    if (it == NULL)
        return;
    job_thread_stop(&it->jobs);
    pthread_mutex_destroy(&it->claims);
    free(it);
    *syncer = NULL;
}

struct syncer_place *syncer_reserve(void)
{
    struct syncer_place *place = calloc(1, sizeof(*place));
    if (place == NULL)
        return NULL;
    place->file = -1;
    place->directory = -1;
    return place;
}

void syncer_unreserve(struct syncer_place *place)
{
    if (place->file != -1)
        close(place->file);
    if (place->directory != -1)
        close(place->directory);
    free(place);
}

/* With a descriptor of our own for `file`; NULL: memory or descriptors are out. */
static struct syncer_place *reserve_for(int file)
{
    struct syncer_place *place = syncer_reserve();
    if (place == NULL)
        return NULL;
    place->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (place->file != -1)
        return place;
    syncer_unreserve(place);
    return NULL;
}

/* `claim`: that it will be told in; NULL: none. Thread 0, as who makes it claim nothing: syncer_cut_claim. */
static void enqueue(struct syncer *syncer, struct syncer_place *place,
                    const struct syncer_claim *claim)
{
    place->queued.work = run_place;
    place->syncer = syncer;
    place->branch = claim != NULL ? claim->branch : 0;
    job_thread_submit(&syncer->jobs, &place->queued);
}

bool syncer_submit(struct syncer *syncer, const struct syncer_job *job)
{
    struct syncer_place *queued = reserve_for(job->segment->file);
    if (queued == NULL)
        return false;
    queued->work = sync_segment;
    queued->job = *job;
    queued->job.segment = NULL;
    queued->first = job->segment->first;
    queued->until = job->segment->first + job->segment->capacity;
    enqueue(syncer, queued, job->claim);
    return true;
}

bool syncer_submit_snapshot(struct syncer *syncer, const struct syncer_snapshot *job)
{
    struct syncer_place *queued = reserve_for(job->file);
    if (queued == NULL)
        return false;
    queued->work = sync_snapshot;
    queued->snapshot = *job;
    enqueue(syncer, queued, NULL);
    return true;
}

uint64_t syncer_cut_claim(struct syncer *syncer, struct syncer_claim *claim, uint64_t offset)
{
    pthread_mutex_lock(&syncer->claims);
    claim->branch++;
    uint64_t before = atomic_load_explicit(&claim->durable, memory_order_relaxed);
    if (before > offset)
        atomic_store_explicit(&claim->durable, offset, memory_order_relaxed);
    uint64_t marked = atomic_load_explicit(&claim->marked, memory_order_relaxed);
    if (marked > offset && marked != UINT64_MAX)
        atomic_store_explicit(&claim->marked, offset, memory_order_relaxed);
    pthread_mutex_unlock(&syncer->claims);
    return before;
}

void syncer_submit_cut(struct syncer *syncer, struct syncer_place *place,
                       const struct syncer_cut *job)
{
    place->work = sync_cut;
    place->cut = *job;
    enqueue(syncer, place, NULL);
}

bool syncer_submit_names(struct syncer *syncer, int directory, struct syncer_claim *claim)
{
    struct syncer_place *place = syncer_reserve();
    if (place == NULL)
        return false;
    place->work = sync_identity;
    place->cut = (struct syncer_cut){.directory = directory, .claim = claim};
    enqueue(syncer, place, NULL);
    return true;
}

bool syncer_submit_file(struct syncer *syncer, int directory, const char *name)
{
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    struct syncer_place *place = file == -1 ? NULL : syncer_reserve();
    if (place == NULL) {
        if (file != -1)
            close(file);
        return false;
    }
    place->file = file;
    place->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    if (place->directory == -1) {
        syncer_unreserve(place);
        return false;
    }
    place->work = sync_file;
    enqueue(syncer, place, NULL);
    return true;
}

void syncer_on_durable(struct syncer *syncer, void (*fn)(void *arg), void *arg)
{
    job_thread_on_done(&syncer->jobs, NULL, NULL);
    syncer->on_durable = fn;
    syncer->on_durable_arg = arg;
    if (fn != NULL)
        job_thread_on_done(&syncer->jobs, tell_durable, syncer);
}

bool syncer_is_busy(struct syncer *syncer)
{
    return job_thread_is_busy(&syncer->jobs);
}

void syncer_drain(struct syncer *syncer)
{
    job_thread_drain(&syncer->jobs);
}

uint64_t syncer_failures(const struct syncer *syncer)
{
    return atomic_load_explicit(&syncer->failures, memory_order_relaxed);
}
