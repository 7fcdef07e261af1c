/* SPDX-License-Identifier: MIT
 *
 * The space of the file system that the data directory is on, as it was at most about a second ago: asking may
 * wait for the disk (a network file system asks its server), so the file thread does it.
 *
 * Owner: the store.
 */
#ifndef RELAY_STORE_DISK_SPACE_H
#define RELAY_STORE_DISK_SPACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "file_thread.h"
#include "relay/base/check.h"

struct disk_space {
    struct thread_job job;
    struct file_thread *files;
    int directory;
    _Atomic bool is_asked;        /* the file thread has it */
    _Atomic uint64_t free_bytes;  /* for us */
    _Atomic uint64_t total_bytes; /* 0: it could not be told */
};

/* Asks for the first time, at once. `directory` and `files` outlive it; `files` is drained before it goes. */
void disk_space_init(struct disk_space *space, struct file_thread *files, int directory);

/* Has it asked anew, unless that is under way. Once a second. Thread 0. */
void disk_space_refresh(struct disk_space *space);

/* Bytes. False: it could not be told. Any thread. */
MUST_CHECK bool disk_space_read(const struct disk_space *space, uint64_t *free_bytes,
                                uint64_t *total_bytes);

#endif
