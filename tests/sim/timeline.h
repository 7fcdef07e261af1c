/* SPDX-License-Identifier: MIT
 *
 * What the truth is: the streams that the simulated primaries have written, each with its replication id. A
 * promotion makes a timeline that has the bytes of the one before up to an offset. The models compare every
 * byte that they receive with these.
 */
#ifndef TESTS_SIM_TIMELINE_H
#define TESTS_SIM_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_BYTES = 41, TIMELINES_MAX = 64 };

struct timeline {
    unsigned number;
    char id[ID_BYTES];
    struct timeline *before; /* NULL: a primary that began with nothing */
    uint64_t parted_at;      /* the last offset that both have */
    uint64_t start;          /* offset of the byte before the first */
    uint8_t *bytes;
    size_t length;
    size_t capacity;
    uint64_t *boundaries; /* ends of whole commands outside MULTI, in order */
    int64_t *written_us;  /* when each boundary was */
    size_t boundary_count;
    size_t boundary_capacity;
};

struct timeline *timeline_new(uint64_t start);
/* Has the bytes of `before` up to `offset`, which is a boundary, and an id of its own. */
struct timeline *timeline_part(struct timeline *before, uint64_t offset);
struct timeline *timeline_find(const char *id); /* NULL: nobody ever said that id */
uint64_t timeline_end(const struct timeline *timeline);
const uint8_t *timeline_bytes(const struct timeline *timeline, uint64_t offset);
/* Appends a command; `size` bytes of value. */
void timeline_write(struct timeline *timeline, size_t size);
void timeline_write_transaction(struct timeline *timeline, unsigned commands);
void timeline_write_ping(struct timeline *timeline);
void timeline_write_getack(struct timeline *timeline);
bool timeline_is_boundary(const struct timeline *timeline, uint64_t offset);
/* When the last byte before this boundary was written. */
int64_t timeline_written_us(const struct timeline *timeline, uint64_t boundary);
/* The last boundary that is not behind the offset. */
uint64_t timeline_boundary_before(const struct timeline *timeline, uint64_t offset);
/* The greatest offset up to which both have the same bytes; 0: none. */
uint64_t timeline_common(const struct timeline *a, const struct timeline *b);

/* ---- RDB files: each says of which timeline and offset it is ---- */

/* To be freed by the caller. */
uint8_t *rdb_make(const struct timeline *timeline, uint64_t offset, size_t filler, size_t *length);
/* NULL: good; else what is wrong. */
const char *rdb_check(const uint8_t *rdb, size_t length, const char *id, uint64_t offset);

#endif
