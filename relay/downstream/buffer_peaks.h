/* SPDX-License-Identifier: MIT
 *
 * The largest buffers that a client has needed in the last seconds: client_recent_max_input_buffer and
 * client_recent_max_output_buffer of INFO. redis-server looks at its clients once a second and remembers eight of
 * these looks; here a buffer is noted whenever it has grown, so that a short burst is not missed.
 *
 * Pure. Owner: the client list. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_BUFFER_PEAKS_H
#define RELAY_DOWNSTREAM_BUFFER_PEAKS_H

#include <stddef.h>
#include <stdint.h>

enum { BUFFER_PEAKS_SECONDS = 8 };

struct buffer_peak {
    int64_t second; /* of clock_ms */
    size_t input_bytes;
    size_t output_bytes;
};

/* All zeros: nothing was noted. */
struct buffer_peaks {
    struct buffer_peak of[BUFFER_PEAKS_SECONDS]; /* by second, in turn */
};

/* A client has so many bytes of memory in its buffers now; 0 of one that did not change. now_ms: clock_ms. */
void buffer_peaks_note(struct buffer_peaks *peaks, int64_t now_ms, size_t input_bytes,
                       size_t output_bytes);

/* The largest of the last BUFFER_PEAKS_SECONDS, the second of now_ms included; `second` is that of now_ms. */
struct buffer_peak buffer_peaks_recent(const struct buffer_peaks *peaks, int64_t now_ms);

#endif
