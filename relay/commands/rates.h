/* SPDX-License-Identifier: MIT
 *
 * How much a second, and the most memory so far: what INFO says of the last moments. A sample is taken every second;
 * a rate is what came between the last two. Pure. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_RATES_H
#define RELAY_COMMANDS_RATES_H

#include <stdint.h>

/* Counts since the start. */
struct rates_sample {
    int64_t at_ms;
    uint64_t commands;
    uint64_t input_bytes; /* from clients, replicas and the primary */
    uint64_t output_bytes;
    uint64_t repl_input_bytes;  /* from the primary */
    uint64_t repl_output_bytes; /* to replicas */
};

/* All zeros: nothing was sampled. */
struct rates {
    struct rates_sample last;
    double commands; /* a second, as all of these */
    double input_bytes;
    double output_bytes;
    double repl_input_bytes;
    double repl_output_bytes;
    uint64_t memory_peak; /* of what was seen */
};

void rates_add(struct rates *rates, const struct rates_sample *sample);
void rates_note_memory(struct rates *rates, uint64_t used_bytes);

#endif
