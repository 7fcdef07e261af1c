/* SPDX-License-Identifier: MIT */
#include "relay/os/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t memory_page_bytes(void)
{
    long bytes = sysconf(_SC_PAGESIZE);
    return bytes > 0 ? (uint64_t)bytes : 4096;
}

/* What only glibc's allocator tells and does. A sanitizer's says 0, too. */
#if defined(__GLIBC__)

static size_t heap_bytes(void)
{
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
#else
    return 0; /* mallinfo counts in int */
#endif
}

void memory_purge(void)
{
    malloc_trim(0);
}

bool memory_write_statistics(FILE *into)
{
    return malloc_info(0, into) == 0;
}

#else

static size_t heap_bytes(void)
{
    return 0;
}

void memory_purge(void)
{
}

bool memory_write_statistics(FILE *into)
{
    (void)into;
    return false;
}

#endif

void memory_read(struct memory *memory)
{
    *memory = (struct memory){0};
    unsigned long long resident;
    unsigned long long shared;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm != NULL) {
        if (fscanf(statm, "%*u %llu %llu", &resident, &shared) == 2) {
            memory->resident = resident * memory_page_bytes();
            memory->file_backed = (shared < resident ? shared : resident) * memory_page_bytes();
        }
        fclose(statm);
    }
    long pages = sysconf(_SC_PHYS_PAGES);
    if (pages > 0)
        memory->system = (uint64_t)pages * memory_page_bytes();
    /* Where the allocator does not tell, what is resident and belongs to no file is the nearest
     * there is. */
    memory->used = heap_bytes();
    if (memory->used == 0)
        memory->used = memory->resident - memory->file_backed;
}
