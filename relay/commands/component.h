/* SPDX-License-Identifier: MIT
 *
 * What the component holds. Handlers get it with their request.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_COMPONENT_H
#define RELAY_COMMANDS_COMPONENT_H

#include "client_state.h"
#include "command_stats.h"
#include "error_stats.h"
#include "login.h"
#include "pubsub.h"
#include "rates.h"
#include "relay/commands/options.h"
#include "relay/downstream/downstream.h"
#include "relay/net/conn.h"
#include "rewrites.h"
#include "waiter.h"

struct command_table;

enum { RUN_ID_DIGITS = 40 };

struct commands {
    const struct command_table *table;
    struct loop *loop;
    struct store *store;
    struct link *link;
    struct downstream *downstream;
    struct commands_options options;
    struct commands_callbacks callbacks;
    char run_id[RUN_ID_DIGITS + 1];
    int64_t started_ms;      /* clock_ms */
    int64_t started_wall_us; /* clock_wall_us */

    struct pubsub pubsub;
    struct waiters waiters;
    struct logins logins;
    struct rewrites rewrites;
    struct client_states client_states;

    /* For INFO. The other components count from their start: CONFIG RESETSTAT notes what their counts were. */
    struct downstream_counts downstream_at_reset;
    struct conn_traffic upstream_at_reset;
    struct rates rates;
    struct command_stats stats;
    struct error_stats errors;
    uint64_t denied_commands; /* refused because the role of the user is not enough */
};

#endif
