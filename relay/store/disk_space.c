/* SPDX-License-Identifier: MIT */
#include "disk_space.h"

#include <sys/statvfs.h>

static void ask_in_turn(struct thread_job *job)
{
    struct disk_space *space = (struct disk_space *)(void *)job;
    struct statvfs disk = {0};
    bool is_told = fstatvfs(space->directory, &disk) == 0;
    atomic_store_explicit(&space->free_bytes, (uint64_t)disk.f_bavail * disk.f_frsize,
                          memory_order_relaxed);
    atomic_store_explicit(&space->total_bytes,
                          is_told ? (uint64_t)disk.f_blocks * disk.f_frsize : 0,
                          memory_order_relaxed);
    atomic_store_explicit(&space->is_asked, false, memory_order_release);
}

void disk_space_init(struct disk_space *space, struct file_thread *files, int directory)
{
    *space =
        (struct disk_space){.job = {.work = ask_in_turn}, .files = files, .directory = directory};
    ask_in_turn(&space->job);
}

void disk_space_refresh(struct disk_space *space)
{
    /* Acquire: the job is ours again. */
    if (atomic_load_explicit(&space->is_asked, memory_order_acquire))
        return;
    atomic_store_explicit(&space->is_asked, true, memory_order_relaxed);
    file_thread_submit(space->files, &space->job);
}

bool disk_space_read(const struct disk_space *space, uint64_t *free_bytes, uint64_t *total_bytes)
{
    *free_bytes = atomic_load_explicit(&space->free_bytes, memory_order_relaxed);
    *total_bytes = atomic_load_explicit(&space->total_bytes, memory_order_relaxed);
    return *total_bytes > 0;
}
