/* SPDX-License-Identifier: MIT */
#include "command_stats.h"

#include <stdlib.h>

bool command_stats_init(struct command_stats *stats, size_t count)
{
    *stats = (struct command_stats){.of = calloc(count, sizeof(*stats->of)), .count = count};
    return stats->of != NULL;
}

void command_stats_reset(struct command_stats *stats)
{
    for (size_t i = 0; stats->of != NULL && i < stats->count; i++) {
        free(stats->of[i].latency);
        stats->of[i] = (struct command_stat){.calls = 0};
    }
}

void command_stats_fini(struct command_stats *stats)
{
    command_stats_reset(stats);
    free(stats->of);
    *stats = (struct command_stats){.of = NULL};
}

void command_stats_note_call(struct command_stats *stats, size_t number, int64_t us,
                             bool has_failed)
{
    CHECK(number < stats->count);
    struct command_stat *stat = &stats->of[number];
    stat->calls++;
    stat->us += (uint64_t)us;
    stat->failed += has_failed;
    if (stat->latency == NULL)
        stat->latency = calloc(1, sizeof(*stat->latency)); /* most commands are never called */
    if (stat->latency != NULL)
        latency_histogram_add(stat->latency, us);
}

void command_stats_note_rejected(struct command_stats *stats, size_t number)
{
    CHECK(number < stats->count);
    stats->of[number].rejected++;
}
