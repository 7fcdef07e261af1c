/* SPDX-License-Identifier: MIT
 *
 * How much memory the process has. The backlog is mapped from files: those pages are counted apart,
 * since they are the kernel's to take back and say nothing about our needs.
 */
#ifndef RELAY_ADMIN_MEMORY_H
#define RELAY_ADMIN_MEMORY_H

#include <stdint.h>

struct memory {
    uint64_t used;     /* allocated; the resident memory that is no file's where malloc won't say */
    uint64_t resident; /* RSS, all of it */
    uint64_t file_backed; /* the part of it that is pages of files */
    uint64_t system;      /* of the machine */
};

void memory_read(struct memory *memory);

#endif
