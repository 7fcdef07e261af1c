/* SPDX-License-Identifier: MIT */
#include "relay/admin/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t page_bytes(void)
{
    long bytes = sysconf(_SC_PAGESIZE);
    return bytes > 0 ? (uint64_t)bytes : 4096;
}

void memory_read(struct memory *memory)
{
    *memory = (struct memory){0};
    unsigned long long resident;
    unsigned long long shared;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm != NULL) {
        if (fscanf(statm, "%*u %llu %llu", &resident, &shared) == 2) {
            memory->resident = resident * page_bytes();
            memory->file_backed = (shared < resident ? shared : resident) * page_bytes();
        }
        fclose(statm);
    }
    long pages = sysconf(_SC_PHYS_PAGES);
    if (pages > 0)
        memory->system = (uint64_t)pages * page_bytes();
    struct mallinfo2 heap = mallinfo2();
    memory->used = heap.uordblks + heap.hblkhd;
    if (memory->used == 0) /* another allocator: a sanitizer's */
        memory->used = memory->resident - memory->file_backed;
}
