/* SPDX-License-Identifier: MIT
 *
 * The rate of all full syncs together (repl-full-sync-rate), shared by all workers without a lock. What may be
 * sent is a line of pieces in time. A replica reserves the next piece, is told when it is due, waits until
 * then, sends it, and reserves the next:
 *
 *      now           next_us
 *       | piece | piece |             next_us moves on by the time that a piece takes at this rate
 *
 * A replica reserves one piece at a time, so all that can send have equal shares, whatever worker they are on. One
 * whose connection is full reserves nothing, and the others have its share. The price is one atomic operation for
 * each piece, which is a fiftieth of a second's bytes (SYNC_RATE_PIECE_MIN..MAX).
 *
 * Bound: in any T seconds, rate * (T + SYNC_RATE_SLACK_US) bytes are allowed, and at most two pieces for each replica
 * beside: one that it had before and has not sent yet, one that it began. The slack makes up for timers that are
 * late; a longer idle time is not made up for.
 *
 * Pure but for the atomics: the time is given. Thread: any, but sync_rate_set, which is thread 0's.
 */
#ifndef RELAY_DOWNSTREAM_SYNC_RATE_H
#define RELAY_DOWNSTREAM_SYNC_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SYNC_RATE_PIECE_MIN = 512,
    SYNC_RATE_PIECE_MAX = 256 * 1024,
    SYNC_RATE_PIECES_A_SECOND = 50, /* as long as they are within the two above */
    SYNC_RATE_SLACK_US = 100 * 1000,
};

/* All zeros: no limit. */
struct sync_rate {
    _Atomic uint64_t bytes_a_second; /* 0: no limit */
    _Atomic int64_t next_us;         /* clock_us of the next piece */
};

/* A piece of the line that is a replica's. */
struct sync_rate_piece {
    size_t bytes;
    int64_t due_us; /* clock_us */
};

/* Another rate from now on; 0: none. The line begins anew: pieces that were reserved and are not due yet are to be
 * reserved again. */
void sync_rate_set(struct sync_rate *rate, uint64_t bytes_a_second, int64_t now_us);

bool sync_rate_is_limited(const struct sync_rate *rate);

/* The next piece. With no limit it is due at once. */
struct sync_rate_piece sync_rate_reserve(struct sync_rate *rate, int64_t now_us);

/* So many bytes that were reserved are not sent: the replica has left, or has its RDB. */
void sync_rate_give_back(struct sync_rate *rate, size_t bytes);

#endif
