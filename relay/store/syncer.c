/* SPDX-License-Identifier: MIT */
#include "syncer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "segment.h"

struct queued {
    struct queued *next;
    struct syncer_job job;
};

struct syncer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queued *first; /* under the lock, as the three below */
    struct queued **last;
    bool busy;
    bool stopping;
    _Atomic uint64_t failures;
    uint64_t broken_first; /* the syncer's: the segment whose fsync failed, plus one; 0: none */
};

/* `identity` and the names of the segments. */
static bool sync_names(int directory)
{
    int identity = openat(directory, "identity", O_RDONLY | O_CLOEXEC);
    bool good = identity != -1 && fsync(identity) == 0;
    if (identity != -1)
        close(identity);
    int backlog = openat(directory, "backlog", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    good = backlog != -1 && fsync(backlog) == 0 && good;
    if (backlog != -1)
        close(backlog);
    return fsync(directory) == 0 && good;
}

static void do_job(struct syncer *syncer, const struct syncer_job *job)
{
    bool good = fdatasync(job->segment->file) == 0;
    good = good && (job->directory == -1 || sync_names(job->directory));
    if (!good) {
        /* After a failed fsync the kernel may forget what it could not write and say yes the next
         * time: nothing of this segment is claimed to be durable any more. */
        if (syncer->broken_first != job->segment->first + 1)
            log_error("store: cannot fsync segment %llu.seg; what follows in it is not durable",
                      (unsigned long long)job->segment->first);
        syncer->broken_first = job->segment->first + 1;
    }
    if (syncer->broken_first == job->segment->first + 1 ||
        !tail_set_durable(job->tail, job->mark)) {
        atomic_fetch_add_explicit(&syncer->failures, 1, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(job->durable, job->mark.end, memory_order_release);
}

static void *run(void *arg)
{
    struct syncer *syncer = arg;
    pthread_mutex_lock(&syncer->lock);
    for (;;) {
        while (syncer->first == NULL && !syncer->stopping)
            pthread_cond_wait(&syncer->changed, &syncer->lock);
        struct queued *queued = syncer->first;
        if (queued == NULL)
            break;
        syncer->first = queued->next;
        if (syncer->first == NULL)
            syncer->last = &syncer->first;
        syncer->busy = true;
        pthread_mutex_unlock(&syncer->lock);
        do_job(syncer, &queued->job);
        segment_release(queued->job.segment);
        free(queued);
        pthread_mutex_lock(&syncer->lock);
        syncer->busy = false;
        pthread_cond_broadcast(&syncer->changed);
    }
    pthread_mutex_unlock(&syncer->lock);
    return NULL;
}

struct syncer *syncer_start(void)
{
    struct syncer *syncer = calloc(1, sizeof(*syncer));
    if (syncer == NULL)
        return NULL;
    syncer->last = &syncer->first;
    pthread_mutex_init(&syncer->lock, NULL);
    pthread_cond_init(&syncer->changed, NULL);
    /* Signals are thread 0's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&syncer->thread, NULL, run, syncer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        return syncer;
    free(syncer);
    return NULL;
}

void syncer_stop(struct syncer **syncer)
{
    struct syncer *it = *syncer;
    if (it == NULL)
        return;
    pthread_mutex_lock(&it->lock);
    it->stopping = true;
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
    pthread_join(it->thread, NULL);
    pthread_cond_destroy(&it->changed);
    pthread_mutex_destroy(&it->lock);
    free(it);
    *syncer = NULL;
}

bool syncer_submit(struct syncer *syncer, const struct syncer_job *job)
{
    struct queued *queued = calloc(1, sizeof(*queued));
    if (queued == NULL)
        return false;
    queued->job = *job;
    segment_retain(job->segment);
    pthread_mutex_lock(&syncer->lock);
    *syncer->last = queued;
    syncer->last = &queued->next;
    pthread_cond_broadcast(&syncer->changed);
    pthread_mutex_unlock(&syncer->lock);
    return true;
}

bool syncer_is_busy(struct syncer *syncer)
{
    pthread_mutex_lock(&syncer->lock);
    bool busy = syncer->busy || syncer->first != NULL;
    pthread_mutex_unlock(&syncer->lock);
    return busy;
}

void syncer_drain(struct syncer *syncer)
{
    pthread_mutex_lock(&syncer->lock);
    while (syncer->busy || syncer->first != NULL)
        pthread_cond_wait(&syncer->changed, &syncer->lock);
    pthread_mutex_unlock(&syncer->lock);
}

uint64_t syncer_failures(const struct syncer *syncer)
{
    return atomic_load_explicit(&syncer->failures, memory_order_relaxed);
}
