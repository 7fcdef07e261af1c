/* SPDX-License-Identifier: MIT */
#include "file_thread.h"

#include <stdlib.h>

struct file_thread {
    struct job_thread jobs;
};

struct file_thread *file_thread_start(void)
{
    struct file_thread *thread = malloc(sizeof(*thread));
    if (thread != NULL && job_thread_start(&thread->jobs, "store-files"))
        return thread;
    free(thread);
    return NULL;
}

void file_thread_stop(struct file_thread **thread)
{
    struct file_thread *it = *thread;
    *thread = NULL;
    if (it == NULL)
        return;
    job_thread_stop(&it->jobs);
    free(it);
}

void file_thread_submit(struct file_thread *thread, struct thread_job *job)
{
    if (thread == NULL)
        job->work(job);
    else
        job_thread_submit(&thread->jobs, job);
}

void file_thread_drain(struct file_thread *thread)
{
    if (thread != NULL)
        job_thread_drain(&thread->jobs);
}

void file_thread_on_done(struct file_thread *thread, void (*fn)(void *arg), void *arg)
{
    job_thread_on_done(&thread->jobs, fn, arg);
}
