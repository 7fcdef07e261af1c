/* SPDX-License-Identifier: MIT
 *
 * How far replicas that run behind ([delayed]) are sent the stream.
 *
 * One number decides what a worker may send to such a replica: the *limit* on its replica stats. No byte at or beyond
 * it is sent. Thread 0 alone writes it, and it is the least of
 *
 *     due     what the store had received `delay` ago: the same for all of them, decided here;
 *     a hold  where an operator wants this one to stop: holds.h
 *
 * `due` is an answer of the time index (relay/store/time_index.h), so it is a command boundary. In one branch of one
 * history it only rises. What becomes of it when the history changes, in this order:
 *
 *     a rewind    thread 0 cuts the history, then lowers `due` and all limits to the cut at the most, and only then
 *                 appends bytes of the new branch. A worker loads what is published before it loads the limit, so
 *                 one that sees bytes of the new branch sees the limit that was set for it. The bytes of the lost
 *                 branch are out of reach by then (cursor.h). Who has been sent some of them is closed, as any replica.
 *     a new id    what was due is due; the replica is closed to learn the id, and goes on where it is.
 *     another     begins anew, at 0. Replicas of the history before are closed. They keep the data that they have, and
 *       history   get a full sync once the RDB of the new history is `delay` old.
 *
 * The clock. Times in the index are those of the wall clock. No byte may come too early because somebody has set it:
 *
 *     forward  what came before the step would look older by the step. For `delay` from then on the step is taken off,
 *              as long as the process has seen it. So nothing comes early, and something may come late by a step.
 *     back     the index answers with the last offset that came at or before a time, which is right again.
 *     while the relay was down: nobody knows. The times of the index are taken as they are.
 *
 * A step is what the wall clock has moved more than the monotonic one between two seconds.
 *
 * What a replica that runs behind sees: the stream as it was, with its PINGs, which keep its link alive. Where nothing
 * is due for longer than its repl-timeout (the primary was away, or an operator holds it), it breaks the link and asks
 * again. It is then not answered before there is a byte for it (attach.h), and hears newlines meanwhile. Nothing can be
 * put into the stream itself (docs/protocol.md 3.3).
 *
 * Owner: downstream.c. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_DELAY_H
#define RELAY_DOWNSTREAM_DELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history;

enum {
    DELAY_STEPS_MAX = 8, /* of the clock, that are remembered; of more, two count as one */
    DELAY_STEP_LEAST_MS =
        500, /* less is how clocks are slewed, and how exactly a second is known */
};

struct delay_step {
    int64_t forward_us;
    int64_t until_ms; /* clock_ms: it counts until then */
};

struct delay {
    int64_t delay_ms;
    bool has_looked;
    int64_t ahead_us; /* of the wall clock before the monotonic one, at the last look */
    size_t step_count;
    struct delay_step steps[DELAY_STEPS_MAX];
    uint64_t history_number; /* 0: there is none */
    uint64_t branch;
    bool has_due; /* false: nothing is, not even the snapshot at offset 0 */
    uint64_t due;
};

void delay_init(struct delay *delay, int64_t delay_ms);

/* Another delay from now on. A longer one sends nothing until it is over for what comes next. */
void delay_set(struct delay *delay, int64_t delay_ms);

/* Each second, and at once when the history has become another or has been cut; NULL: there is none. True: `due` is
 * another. */
bool delay_look(struct delay *delay, const struct history *history);

/* So much of the delay is added now because the clock was set forward; 0: it was not. */
int64_t delay_added_us(const struct delay *delay, int64_t now_ms);

#endif
