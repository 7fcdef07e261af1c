/* SPDX-License-Identifier: MIT */
#include "rates.h"

static double a_second(uint64_t before, uint64_t after, int64_t ms)
{
    return after > before ? (double)(after - before) * 1000 / (double)ms : 0;
}

void rates_add(struct rates *rates, const struct rates_sample *sample)
{
    const struct rates_sample *last = &rates->last;
    int64_t ms = sample->at_ms - last->at_ms;
    if (last->at_ms != 0 && ms <= 0)
        return;
    if (last->at_ms != 0) {
        rates->commands = a_second(last->commands, sample->commands, ms);
        rates->input_bytes = a_second(last->input_bytes, sample->input_bytes, ms);
        rates->output_bytes = a_second(last->output_bytes, sample->output_bytes, ms);
        rates->repl_input_bytes = a_second(last->repl_input_bytes, sample->repl_input_bytes, ms);
        rates->repl_output_bytes = a_second(last->repl_output_bytes, sample->repl_output_bytes, ms);
    }
    rates->last = *sample;
}

void rates_note_memory(struct rates *rates, uint64_t used_bytes)
{
    if (used_bytes > rates->memory_peak)
        rates->memory_peak = used_bytes;
}
