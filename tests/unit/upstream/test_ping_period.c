/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/ping_period.h"

#include "test.h"

TEST(the_default_until_it_is_known)
{
    struct ping_period period = {.count = 0};
    assert_int_equal(ping_period_ms(&period), 10 * 1000);
    for (int i = 0; i <= 3; i++) {
        ping_period_note(&period, 5000 + i * 2000);
        assert_int_equal(ping_period_ms(&period), 10 * 1000);
    }
    ping_period_note(&period, 13 * 1000);
    assert_int_equal(ping_period_ms(&period), 2000);
}

TEST(a_longer_one_holds_at_once)
{
    struct ping_period period = {.count = 0};
    ping_period_note(&period, 1000);
    ping_period_note(&period, 61 * 1000);
    assert_int_equal(ping_period_ms(&period), 60 * 1000);
}

TEST(what_had_piled_up_is_no_measure)
{
    struct ping_period period = {.count = 0};
    for (int i = 0; i < 100; i++)
        ping_period_note(&period, 1000 + i);
    assert_int_equal(ping_period_ms(&period), 10 * 1000);
}

TEST(no_interval_spans_two_connections)
{
    struct ping_period period = {.count = 0};
    for (int i = 0; i <= PING_PERIOD_SAMPLES; i++)
        ping_period_note(&period, 1000 + i * 5000);
    ping_period_restart(&period);
    ping_period_note(&period, 500 * 1000);
    assert_int_equal(ping_period_ms(&period), 5000);
    ping_period_note(&period, 507 * 1000);
    assert_int_equal(ping_period_ms(&period), 7000);
}
