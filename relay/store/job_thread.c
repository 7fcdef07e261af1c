/* SPDX-License-Identifier: MIT */
#include "job_thread.h"

#include <string.h>

#include "relay/base/thread.h"

static struct thread_job *take_first_job(struct job_thread *thread)
{
    struct thread_job *job = thread->first;
    thread->first = job->next;
    if (thread->first == NULL)
        thread->last = &thread->first;
    return job;
}

static void *run_jobs(void *arg)
{
    struct job_thread *thread = arg;
    thread_set_name(thread->name);
    pthread_mutex_lock(&thread->lock);
    for (;;) {
        while (thread->first == NULL && !thread->stopping)
            pthread_cond_wait(&thread->changed, &thread->lock);
        if (thread->first == NULL)
            break;
        struct thread_job *job = take_first_job(thread);
        pthread_mutex_unlock(&thread->lock);
        job->work(job);
        pthread_mutex_lock(&thread->lock);
        thread->done++;
        pthread_cond_broadcast(&thread->changed);
        /* Not before: who is told may submit at once. Under the lock: see job_thread_on_done. */
        if (thread->on_done != NULL)
            thread->on_done(thread->on_done_arg);
    }
    pthread_mutex_unlock(&thread->lock);
    return NULL;
}

static void destroy_queue(struct job_thread *thread)
{
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
}

bool job_thread_start(struct job_thread *thread, const char *name)
{
    memset(thread, 0, sizeof(*thread));
    thread->name = name;
    thread->last = &thread->first;
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->changed, NULL);
    if (thread_start(&thread->thread, run_jobs, thread))
        return true;
    destroy_queue(thread);
    return false;
}

void job_thread_stop(struct job_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    thread->stopping = true;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
    pthread_join(thread->thread, NULL);
    destroy_queue(thread);
}

void job_thread_submit(struct job_thread *thread, struct thread_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&thread->lock);
    *thread->last = job;
    thread->last = &job->next;
    thread->submitted++;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
}

void job_thread_drain(struct job_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    uint64_t wanted = thread->submitted;
    while (thread->done < wanted)
        pthread_cond_wait(&thread->changed, &thread->lock);
    pthread_mutex_unlock(&thread->lock);
}

bool job_thread_is_busy(struct job_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    bool is_busy = thread->done < thread->submitted;
    pthread_mutex_unlock(&thread->lock);
    return is_busy;
}

void job_thread_on_done(struct job_thread *thread, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&thread->lock);
    thread->on_done = fn;
    thread->on_done_arg = arg;
    pthread_mutex_unlock(&thread->lock);
}
