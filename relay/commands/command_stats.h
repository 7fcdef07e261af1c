/* SPDX-License-Identifier: MIT
 *
 * How often each command was called, how long it took, and how often it was refused: what INFO commandstats,
 * INFO latencystats and LATENCY HISTOGRAM show.
 *
 *     calls       its handler has run (a blocked WAIT, AUTH or CONFIG REWRITE counts once, without the time that it
 *                 was blocked)
 *     rejected    refused before: wrong number of arguments, not authenticated, no permission, ...
 *     failed      its handler has replied with an error; counted in calls, too
 *
 * Owner: struct commands. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_COMMAND_STATS_H
#define RELAY_COMMANDS_COMMAND_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command_table.h"
#include "latency_histogram.h"
#include "relay/base/check.h"

struct command_stat {
    uint64_t calls;
    uint64_t us; /* of all calls */
    uint64_t rejected;
    uint64_t failed;
    struct latency_histogram
        *latency; /* NULL before the first call, and where there was no memory for it */
};

struct command_stats {
    const struct command_table *table;
    struct command_stat *all; /* by number of the command */
    size_t count;
};

/* For the commands of the table, which lives longer; all rows below are of it. False: out of memory. */
MUST_CHECK bool command_stats_init(struct command_stats *stats, const struct command_table *table);
void command_stats_fini(struct command_stats *stats);

/* CONFIG RESETSTAT: all counts are zero again. */
void command_stats_reset(struct command_stats *stats);

const struct command_stat *command_stats_find(const struct command_stats *stats,
                                              const struct command_row *row);

/* A call took `us`, >= 0. */
void command_stats_note_call(struct command_stats *stats, const struct command_row *row, int64_t us,
                             bool has_failed);
void command_stats_note_rejected(struct command_stats *stats, const struct command_row *row);

#endif
