/* SPDX-License-Identifier: MIT */
#include "readahead.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/base/thread.h"
#include "relay/store/page_cache.h"

/* Two, so that one replica's long way to the disk does not keep all others from it. */
enum { READERS = 2 };

struct reader_thread {
    struct readahead *readahead;
    pthread_t thread;
    uint8_t through[PAGE_CACHE_FILL_BYTES]; /* takes memory when it is used first */
};

struct readahead {
    struct mailbox *home;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct readahead_job *first; /* under the lock, as the two below */
    struct readahead_job **last;
    bool is_stopping;
    unsigned thread_count; /* the worker's */
    struct reader_thread threads[READERS];
};

static void send_home(struct readahead *readahead, struct readahead_job *job)
{
    close(job->file);
    mailbox_post(readahead->home, &job->message);
}

static void read_job(struct readahead_job *job, uint8_t *through)
{
    job->number = 0;
    job->was_cached = page_cache_has(job->file, job->position, job->length);
    if (!job->was_cached && !page_cache_fill(job->file, job->position, job->length, through))
        job->number = errno;
}

/* NULL: the end. */
static struct readahead_job *next_job(struct readahead *readahead)
{
    pthread_mutex_lock(&readahead->lock);
    while (readahead->first == NULL && !readahead->is_stopping)
        pthread_cond_wait(&readahead->changed, &readahead->lock);
    struct readahead_job *job = readahead->is_stopping ? NULL : readahead->first;
    if (job != NULL) {
        readahead->first = job->next;
        if (readahead->first == NULL)
            readahead->last = &readahead->first;
    }
    pthread_mutex_unlock(&readahead->lock);
    return job;
}

static void *readahead_run(void *arg)
{
    struct reader_thread *reader = arg;
    thread_set_name("readahead");
    struct readahead_job *job;
    while ((job = next_job(reader->readahead)) != NULL) {
        read_job(job, reader->through);
        send_home(reader->readahead, job);
    }
    return NULL;
}

static bool start_threads(struct readahead *readahead, struct error *error)
{
    while (readahead->thread_count < READERS) {
        struct reader_thread *reader = &readahead->threads[readahead->thread_count];
        reader->readahead = readahead;
        if (!thread_start(&reader->thread, readahead_run, reader))
            return readahead->thread_count > 0 || /* one does, too */
                   error_set_system(error, errno, "cannot start a thread");
        readahead->thread_count++;
    }
    return true;
}

struct readahead *readahead_new(struct mailbox *home)
{
    struct readahead *readahead = calloc(1, sizeof(*readahead));
    if (readahead == NULL)
        return NULL;
    readahead->home = home;
    readahead->last = &readahead->first;
    pthread_mutex_init(&readahead->lock, NULL);
    pthread_cond_init(&readahead->changed, NULL);
    return readahead;
}

bool readahead_submit(struct readahead *readahead, struct readahead_job *job, struct error *error)
{
    CHECK(!job->is_under_way);
    if (readahead->thread_count == 0 && !start_threads(readahead, error))
        return false;
    /* The replica may close, and its segment be freed, while a reader still has the number of its descriptor. */
    int file = fcntl(job->file, F_DUPFD_CLOEXEC, 0);
    if (file == -1)
        return error_set_system(error, errno, "cannot duplicate a descriptor");
    job->file = file;
    job->is_under_way = true;
    job->next = NULL;
    pthread_mutex_lock(&readahead->lock);
    *readahead->last = job;
    readahead->last = &job->next;
    pthread_cond_signal(&readahead->changed);
    pthread_mutex_unlock(&readahead->lock);
    return true;
}

static void cancel_all(struct readahead *readahead)
{
    struct readahead_job *next;
    for (struct readahead_job *job = readahead->first; job != NULL; job = next) {
        next = job->next;
        job->number = ECANCELED;
        send_home(readahead, job);
    }
}

void readahead_free(struct readahead **where)
{
    struct readahead *readahead = *where;
    *where = NULL;
    if (readahead == NULL)
        return;
    pthread_mutex_lock(&readahead->lock);
    readahead->is_stopping = true;
    pthread_cond_broadcast(&readahead->changed);
    pthread_mutex_unlock(&readahead->lock);
    for (unsigned i = 0; i < readahead->thread_count; i++)
        CHECK(pthread_join(readahead->threads[i].thread, NULL) == 0);
    cancel_all(readahead);
    pthread_cond_destroy(&readahead->changed);
    pthread_mutex_destroy(&readahead->lock);
    free(readahead);
}
