/* SPDX-License-Identifier: MIT */
#include "file_job.h"

static void file_job_run(struct thread_job *queued)
{
    struct file_job *job = (struct file_job *)(void *)queued;
    job->is_good = job->work(job, &job->error);
    atomic_store_explicit(&job->is_done, true, memory_order_release);
}

void file_job_begin(struct file_job *job, struct file_thread *files)
{
    CHECK(!job->is_under_way);
    job->queued.work = file_job_run;
    job->is_under_way = true;
    job->error = (struct error){.kind = ERROR_NONE};
    atomic_store_explicit(&job->is_done, false, memory_order_relaxed);
    file_thread_submit(files, &job->queued);
}

bool file_job_is_busy(const struct file_job *job)
{
    return job->is_under_way && !atomic_load_explicit(&job->is_done, memory_order_acquire);
}

bool file_job_take(struct file_job *job)
{
    if (!job->is_under_way || file_job_is_busy(job))
        return false;
    job->is_under_way = false;
    return true;
}
