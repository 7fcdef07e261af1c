/* SPDX-License-Identifier: MIT */
#include "command_stats.h"

#include <stdlib.h>

bool command_stats_init(struct command_stats *stats, const struct command_table *table)
{
    size_t count = command_count(table);
    *stats = (struct command_stats){
        .table = table, .all = calloc(count, sizeof(*stats->all)), .count = count};
    return stats->all != NULL;
}

void command_stats_reset(struct command_stats *stats)
{
    for (size_t i = 0; stats->all != NULL && i < stats->count; i++) {
        free(stats->all[i].latency);
        stats->all[i] = (struct command_stat){.calls = 0};
    }
}

void command_stats_fini(struct command_stats *stats)
{
    command_stats_reset(stats);
    free(stats->all);
    *stats = (struct command_stats){.all = NULL};
}

static struct command_stat *stat_of(const struct command_stats *stats,
                                    const struct command_row *row)
{
    return &stats->all[command_number(stats->table, row)];
}

const struct command_stat *command_stats_find(const struct command_stats *stats,
                                              const struct command_row *row)
{
    return stat_of(stats, row);
}

void command_stats_note_call(struct command_stats *stats, const struct command_row *row, int64_t us,
                             bool has_failed)
{
    struct command_stat *stat = stat_of(stats, row);
    stat->calls++;
    stat->us += (uint64_t)us;
    stat->failed += has_failed;
    if (stat->latency == NULL)
        stat->latency = calloc(1, sizeof(*stat->latency)); /* most commands are never called */
    if (stat->latency != NULL)
        latency_histogram_add(stat->latency, us);
}

void command_stats_note_rejected(struct command_stats *stats, const struct command_row *row)
{
    stat_of(stats, row)->rejected++;
}
