/* SPDX-License-Identifier: MIT
 *
 * What a relay says of itself to those who ask (asker.h), and whether it is true: which history it has and how far,
 * what its replicas have acknowledged, how many of them have what a WAIT was for, and what is durable, which has to be
 * there after a power failure. */
#ifndef TESTS_SIM_CLAIMS_H
#define TESTS_SIM_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "timeline.h"

struct process;
struct world;

struct claims {
    const struct world *world;
    struct process *process;
    struct timeline *durable_of; /* NULL: it has said nothing yet */
    uint64_t durable;
    uint64_t disk_errors; /* that there had been when it was asked */
    unsigned cuts;        /* of its history */
    uint64_t answers;
};

/* When a question was asked: an answer that was under way while the disk failed or the history was cut proves nothing. */
struct claims_moment {
    uint64_t disk_errors;
    unsigned cuts;
};

/* Where the stream of a history stands, by one INFO. */
struct claimed_place {
    struct timeline *timeline; /* NULL: it has none */
    uint64_t offset;
};

struct claims_moment claims_moment(const struct claims *claims);
struct claimed_place claims_take_info(struct claims *claims, const char *info,
                                      const struct claims_moment *asked);
/* So many replicas have acknowledged what was published at `place`, or behind it. */
void claims_take_wait(const struct claims *claims, const struct claimed_place *place,
                      uint64_t count);
/* What its history has beyond `offset` is cut off. */
void claims_note_cut(struct claims *claims, uint64_t offset);
/* It has started and says that it has `timeline` up to `end`. */
void claims_on_start(const struct claims *claims, const struct timeline *timeline, uint64_t end);

#endif
