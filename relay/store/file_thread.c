/* SPDX-License-Identifier: MIT */
#include "file_thread.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "relay/base/thread.h"

struct file_thread {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below; taken once a job */
    pthread_cond_t changed;
    struct file_job *first;
    struct file_job **last;
    bool stopping;
    uint64_t submitted; /* jobs */
    uint64_t done;
    void (*on_done)(void *arg); /* NULL: nobody wants to know */
    void *on_done_arg;
};

static struct file_job *take_first_job(struct file_thread *thread)
{
    struct file_job *job = thread->first;
    thread->first = job->next;
    if (thread->first == NULL)
        thread->last = &thread->first;
    return job;
}

static void *run_file_thread(void *arg)
{
    struct file_thread *thread = arg;
    thread_set_name("store-files");
    pthread_mutex_lock(&thread->lock);
    for (;;) {
        while (thread->first == NULL && !thread->stopping)
            pthread_cond_wait(&thread->changed, &thread->lock);
        if (thread->first == NULL)
            break;
        struct file_job *job = take_first_job(thread);
        pthread_mutex_unlock(&thread->lock);
        job->work(job);
        pthread_mutex_lock(&thread->lock);
        thread->done++;
        pthread_cond_broadcast(&thread->changed);
        if (thread->on_done != NULL) /* under the lock: see file_thread_on_done */
            thread->on_done(thread->on_done_arg);
    }
    pthread_mutex_unlock(&thread->lock);
    return NULL;
}

static void file_thread_free(struct file_thread *thread)
{
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}

struct file_thread *file_thread_start(void)
{
    struct file_thread *thread = calloc(1, sizeof(*thread));
    if (thread == NULL)
        return NULL;
    thread->last = &thread->first;
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->changed, NULL);
    if (thread_start(&thread->thread, run_file_thread, thread))
        return thread;
    file_thread_free(thread);
    return NULL;
}

void file_thread_stop(struct file_thread **thread)
{
    struct file_thread *it = *thread;
    *thread = NULL;
    if (it == NULL)
        return;
    pthread_mutex_lock(&it->lock);
    it->stopping = true;
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
    pthread_join(it->thread, NULL);
    file_thread_free(it);
}

void file_thread_submit(struct file_thread *thread, struct file_job *job)
{
    if (thread == NULL) {
        job->work(job);
        return;
    }
    job->next = NULL;
    pthread_mutex_lock(&thread->lock);
    *thread->last = job;
    thread->last = &job->next;
    thread->submitted++;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
}

void file_thread_drain(struct file_thread *thread)
{
    if (thread == NULL)
        return;
    pthread_mutex_lock(&thread->lock);
    uint64_t wanted = thread->submitted;
    while (thread->done < wanted)
        pthread_cond_wait(&thread->changed, &thread->lock);
    pthread_mutex_unlock(&thread->lock);
}

bool file_thread_is_busy(struct file_thread *thread)
{
    if (thread == NULL)
        return false;
    pthread_mutex_lock(&thread->lock);
    bool is_busy = thread->done < thread->submitted;
    pthread_mutex_unlock(&thread->lock);
    return is_busy;
}

void file_thread_on_done(struct file_thread *thread, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&thread->lock);
    thread->on_done = fn;
    thread->on_done_arg = arg;
    pthread_mutex_unlock(&thread->lock);
}
