/* SPDX-License-Identifier: MIT */
#include "relay/store/branches.h"

#include "relay/base/check.h"

/* The oldest start stands for the second as well: at the lower offset, for the readers of both. */
static void merge_oldest(struct branches *branches)
{
    branches->starts[0].number = branches->starts[1].number;
    for (size_t i = 2; i < branches->count; i++)
        branches->starts[i - 1] = branches->starts[i];
    branches->count--;
}

void branches_begin(struct branches *branches, uint64_t offset)
{
    branches->current++;
    /* Who is limited by one that lies behind `offset` is limited by this one now. */
    while (branches->count > 0 && branches->starts[branches->count - 1].offset >= offset)
        branches->count--;
    if (branches->count == BRANCHES_STARTS_MAX)
        merge_oldest(branches);
    branches->starts[branches->count].number = branches->current;
    branches->starts[branches->count].offset = offset;
    branches->count++;
}

uint64_t branches_common_end(const struct branches *branches, uint64_t branch)
{
    CHECK(branch <= branches->current);
    for (size_t i = 0; i < branches->count; i++) {
        if (branches->starts[i].number > branch)
            return branches->starts[i].offset;
    }
    return UINT64_MAX;
}

uint64_t branches_start(const struct branches *branches)
{
    return branches->count > 0 ? branches->starts[branches->count - 1].offset : 0;
}
