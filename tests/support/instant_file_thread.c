/* SPDX-License-Identifier: MIT */
#include "instant_file_thread.h"

#include <stddef.h>

static char nothing;

struct file_thread *file_thread_start(void)
{
    return (struct file_thread *)(void *)&nothing;
}

void file_thread_stop(struct file_thread **thread)
{
    *thread = NULL;
}

void file_thread_submit(struct file_thread *thread, struct thread_job *job)
{
    (void)thread;
    job->work(job);
}

void file_thread_drain(struct file_thread *thread)
{
    (void)thread;
}

void file_thread_on_done(struct file_thread *thread, void (*fn)(void *arg), void *arg)
{
    (void)thread;
    (void)fn;
    (void)arg;
}
