/* SPDX-License-Identifier: MIT
 *
 * Error replies by their first word, as INFO errorstats shows them.
 *
 * Owner: struct commands. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_ERROR_STATS_H
#define RELAY_COMMANDS_ERROR_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"

enum { ERROR_KINDS_MAX = 32, ERROR_CODE_MAX = 32 };

/* All zeros: there was none. */
struct error_stats {
    uint64_t total;
    unsigned kinds;
    struct error_count {
        char code[ERROR_CODE_MAX];
        uint64_t count;
    } of[ERROR_KINDS_MAX];
};

/* Is the reply, in the form of the protocol, an error? */
bool error_stats_is_error(struct bytes reply);

/* Counts a reply; one that is no error is not counted. */
void error_stats_note(struct error_stats *stats, struct bytes reply);

#endif
