/* SPDX-License-Identifier: MIT */
#include "../../../relay/commands/rates.h"

#include "test.h"

TEST(a_rate_is_what_came_between_two_samples)
{
    struct rates rates = {0};
    rates_add(&rates, &(struct rates_sample){.at_ms = 1000, .commands = 50, .input_bytes = 7000});
    assert_true(rates.commands == 0 && rates.input_bytes == 0);
    const struct rates_sample second = {.at_ms = 1500,
                                        .commands = 60,
                                        .input_bytes = 8000,
                                        .output_bytes = 100,
                                        .repl_input_bytes = 200,
                                        .repl_output_bytes = 300};
    rates_add(&rates, &second);
    assert_true(rates.commands == 20 && rates.input_bytes == 2000);
    assert_true(rates.output_bytes == 200);
    assert_true(rates.repl_input_bytes == 400 && rates.repl_output_bytes == 600);
    rates_add(&rates, &second); /* no time has gone by */
    assert_true(rates.commands == 20);
    struct rates_sample third = second;
    third.at_ms = 2500;
    rates_add(&rates, &third);
    assert_true(rates.commands == 0 && rates.input_bytes == 0);
}

TEST(the_peak_stays)
{
    struct rates rates = {0};
    rates_note_memory(&rates, 5);
    rates_note_memory(&rates, 9);
    rates_note_memory(&rates, 3);
    assert_int_equal(rates.memory_peak, 9);
}
