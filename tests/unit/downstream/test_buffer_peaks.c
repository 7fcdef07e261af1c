/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/buffer_peaks.h"
#include "test.h"

static void expect_recent(const struct buffer_peaks *peaks, int64_t now_ms, size_t input,
                          size_t output)
{
    struct buffer_peak recent = buffer_peaks_recent(peaks, now_ms);
    assert_int_equal(recent.input_bytes, input);
    assert_int_equal(recent.output_bytes, output);
}

TEST(the_largest_of_the_last_seconds_is_told)
{
    struct buffer_peaks peaks = {0};
    expect_recent(&peaks, 0, 0, 0);
    expect_recent(&peaks, 900000, 0, 0);
    buffer_peaks_note(&peaks, 900000, 10, 200);
    buffer_peaks_note(&peaks, 900400, 30, 100);
    expect_recent(&peaks, 900900, 30, 200);
    buffer_peaks_note(&peaks, 903000, 20, 300);
    expect_recent(&peaks, 903000, 30, 300);
    expect_recent(&peaks, 907999, 30, 300);
    expect_recent(&peaks, 908000, 20, 300); /* the first second is eight seconds ago */
    expect_recent(&peaks, 911000, 0, 0);
}

/* Nothing was noted for a while: what stands at the places of the seconds between is old. */
TEST(a_gap_brings_nothing_back)
{
    struct buffer_peaks peaks = {0};
    for (int64_t second = 100; second < 108; second++)
        buffer_peaks_note(&peaks, second * 1000, 50, 50);
    buffer_peaks_note(&peaks, 112 * 1000, 1, 1);
    expect_recent(&peaks, 112 * 1000, 50, 50);
    expect_recent(&peaks, 115 * 1000, 1, 1);
    expect_recent(&peaks, 120 * 1000, 0, 0);
}
