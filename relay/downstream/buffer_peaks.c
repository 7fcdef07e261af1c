/* SPDX-License-Identifier: MIT */
#include "buffer_peaks.h"

#include "relay/base/check.h"

static void buffer_peak_raise(struct buffer_peak *peak, size_t input_bytes, size_t output_bytes)
{
    if (input_bytes > peak->input_bytes)
        peak->input_bytes = input_bytes;
    if (output_bytes > peak->output_bytes)
        peak->output_bytes = output_bytes;
}

void buffer_peaks_note(struct buffer_peaks *peaks, int64_t now_ms, size_t input_bytes,
                       size_t output_bytes)
{
    CHECK(now_ms >= 0);
    int64_t second = now_ms / 1000;
    struct buffer_peak *peak = &peaks->of[second % BUFFER_PEAKS_SECONDS];
    if (peak->second != second)
        *peak = (struct buffer_peak){.second = second};
    buffer_peak_raise(peak, input_bytes, output_bytes);
}

struct buffer_peak buffer_peaks_recent(const struct buffer_peaks *peaks, int64_t now_ms)
{
    struct buffer_peak most = {.second = now_ms / 1000};
    for (int i = 0; i < BUFFER_PEAKS_SECONDS; i++) {
        const struct buffer_peak *peak = &peaks->of[i];
        if (peak->second <= most.second && peak->second > most.second - BUFFER_PEAKS_SECONDS)
            buffer_peak_raise(&most, peak->input_bytes, peak->output_bytes);
    }
    return most;
}
