/* SPDX-License-Identifier: MIT
 *
 * The last minutes, a sample a second: for the plots, and to tell for an offset how long ago the
 * stream was there. A ring of fixed size. Pure. Thread: the owner's.
 */
#ifndef RELAY_STATUS_SAMPLES_H
#define RELAY_STATUS_SAMPLES_H

#include <stdint.h>

enum { SAMPLES_MAX = 600 };

struct sample {
    int64_t at_ms;      /* clock_ms */
    uint64_t published; /* end of the stream that replicas could have */
    uint64_t received;  /* bytes from the primary since start */
    uint64_t sent;      /* bytes to replicas since start */
    uint64_t lag_bytes; /* of the replica that is most behind */
    int64_t lag_ms;
};

struct samples {
    uint64_t count; /* ever taken: the newest has this number, the first had 1 */
    struct sample ring[SAMPLES_MAX];
};

/* Where the stream was cut back or replaced, what was published before is forgotten. */
void samples_add(struct samples *samples, const struct sample *sample);

/* The number of the oldest that is kept; count + 1 when there is none. */
uint64_t samples_oldest(const struct samples *samples);

/* samples_oldest <= number <= count */
const struct sample *samples_at(const struct samples *samples, uint64_t number);

/* For how long there has been more than `offset`, as far as the samples reach back: taken between two
 * samples as if the stream had come evenly. `published` is where it is at `now_ms`; 0: no more. */
int64_t samples_behind_ms(const struct samples *samples, uint64_t offset, uint64_t published,
                          int64_t now_ms);

#endif
