/* SPDX-License-Identifier: MIT */
#include "replica_stats_list.h"

#include <string.h>

static bool is_in_scope(const struct replica_stats *stats,
                        const struct replica_stats_list_scope *scope)
{
    return scope->branches != NULL && stats->history_number == scope->history_number;
}

static bool counts(const struct replica_stats *stats, const struct replica_stats_list_scope *scope)
{
    /* One that loads has acknowledged nothing of what it is sent, whatever its offset was before. */
    return stats->acknowledges && !stats->runs_behind && is_in_scope(stats, scope) &&
           REPLICA_STATS_GET(stats, state) == (int)REPLICA_STREAMING;
}

/* The branch first: when the worker has confirmed it, what it had acknowledged until then was common, and
 * what comes after is of that branch. */
uint64_t replica_stats_list_offset(const struct replica_stats *stats,
                                   const struct replica_stats_list_scope *scope)
{
    if (!is_in_scope(stats, scope))
        return 0;
    uint64_t common = branches_common_end(scope->branches, REPLICA_STATS_GET(stats, branch));
    uint64_t acknowledged = REPLICA_STATS_GET(stats, acknowledged);
    return acknowledged < common ? acknowledged : common;
}

/* The best so far, the least of them first: a heap. */
struct best {
    size_t count;
    uint64_t offset[ACKNOWLEDGED_RANK_MAX];
};

static void replica_stats_list_swap(uint64_t *a, uint64_t *b)
{
    uint64_t kept = *a;
    *a = *b;
    *b = kept;
}

static void replica_stats_list_add(struct best *best, uint64_t offset)
{
    size_t at = best->count++;
    best->offset[at] = offset;
    while (at > 0 && best->offset[at] < best->offset[(at - 1) / 2]) {
        replica_stats_list_swap(&best->offset[at], &best->offset[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void replace_least(struct best *best, uint64_t offset)
{
    size_t at = 0;
    best->offset[0] = offset;
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < best->count; child++) {
            if (best->offset[child] < best->offset[least])
                least = child;
        }
        if (least == at)
            return;
        replica_stats_list_swap(&best->offset[at], &best->offset[least]);
        at = least;
    }
}

static bool least_of_all(const struct replica_stats_list *replica_stats_list,
                         const struct replica_stats_list_scope *scope, uint64_t *offset)
{
    bool found = false;
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, replica_stats_list, entry)
    {
        if (stats->known == NULL)
            continue;
        /* One that does not count has nothing yet, and holds up `ack = all`: that is what "all" means. */
        uint64_t acknowledged = counts(stats, scope) ? replica_stats_list_offset(stats, scope) : 0;
        if (!found || acknowledged < *offset)
            *offset = acknowledged;
        found = true;
    }
    return found;
}

/* Once over the replica stats, whatever the rank: this is asked in every turn that brings acknowledgements. */
bool replica_stats_list_acknowledged(const struct replica_stats_list *replica_stats_list,
                                     const struct replica_stats_list_scope *scope, unsigned rank,
                                     uint64_t *offset)
{
    CHECK(rank <= ACKNOWLEDGED_RANK_MAX);
    if (rank == 0)
        return least_of_all(replica_stats_list, scope, offset);
    struct best best;
    best.count = 0;
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, replica_stats_list, entry)
    {
        if (!counts(stats, scope))
            continue;
        uint64_t acknowledged = replica_stats_list_offset(stats, scope);
        if (best.count < rank)
            replica_stats_list_add(&best, acknowledged);
        else if (acknowledged > best.offset[0])
            replace_least(&best, acknowledged);
    }
    if (best.count < rank)
        return false;
    *offset = best.offset[0];
    return true;
}

unsigned replica_stats_list_count_acknowledged(const struct replica_stats_list *replica_stats_list,
                                               const struct replica_stats_list_scope *scope,
                                               uint64_t offset)
{
    unsigned count = 0;
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, replica_stats_list, entry)
    {
        if (counts(stats, scope) && replica_stats_list_offset(stats, scope) >= offset)
            count++;
    }
    return count;
}

bool replica_stats_list_have(const struct replica_stats_list *replica_stats_list,
                             const char *address, uint16_t port)
{
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, replica_stats_list, entry)
    {
        if (stats->terms.listening_port == port && strcmp(stats->address, address) == 0)
            return true;
    }
    return false;
}
