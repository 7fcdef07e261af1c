/* SPDX-License-Identifier: MIT
 *
 * How much memory the process has. The backlog is mapped from files: those pages are counted apart,
 * since they are the kernel's to take back and say nothing about our needs.
 */
#ifndef RELAY_OS_MEMORY_H
#define RELAY_OS_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "relay/base/check.h"

struct memory {
    uint64_t used;     /* allocated; the resident memory that is no file's where malloc won't say */
    uint64_t resident; /* RSS, all of it */
    uint64_t file_backed; /* the part of it that is pages of files */
    uint64_t system;      /* of the machine */
};

void memory_read(struct memory *memory);

/* Gives what is free back to the system, where the C library can. */
void memory_purge(void);

/* The allocator's own account of itself, as XML. False: it has none. */
MUST_CHECK bool memory_write_statistics(FILE *into);

#endif
