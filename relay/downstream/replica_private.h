/* SPDX-License-Identifier: MIT
 *
 * What the files that make a replica work (replica.h) offer to each other:
 *
 *     replica            its states, the events that it is told, its end
 *     replica_send       what it is sent next, and what the result of sending means for it
 *     replica_readahead  what it needs from the disk, which a readahead thread reads
 *     replica_input      what it says: REPLCONF ACK, and newlines
 *     replica_limits     what bounds all full syncs together: its share of the rate, and its place
 *     replica_liveness   is it still there, and how does it learn that we are
 *
 * A call that may close the replica says so here. The caller then looks at the state before it touches
 * connection, feed or stats again: closing gives all three away.
 *
 * Thread: that of its connection's loop.
 */
#ifndef RELAY_DOWNSTREAM_REPLICA_PRIVATE_H
#define RELAY_DOWNSTREAM_REPLICA_PRIVATE_H

#include "replica.h"

/* ---------------------------------------------------------------- replica.c */

/* The only function that changes its state. */
void replica_enter(struct replica *replica, enum replica_state state, const char *cause);

static inline bool replica_is_closing(const struct replica *replica)
{
    return replica->machine.state == REPLICA_CLOSING;
}

/* ---------------------------------------------------------------- replica_send.c */

/* Sends what fits now, or queues for it behind all that are up to date. May close it. */
void replica_send(struct replica *replica);

/* Queues for its piece (loop_put_off), however far it is. */
void replica_queue(struct replica *replica);

/* Is it going to be served by itself: by its socket, its place in the queue, the disk, or
 * the rate of full syncs? */
bool replica_will_send(const struct replica *replica);

/* While it waits: sends what fits of the replies to the commands before its PSYNC. May close it. */
void replica_flush_replies(struct replica *replica);

/* Looks whether it can still be sent what comes next, and lets go of segments that are needed elsewhere,
 * also where nothing can be sent. May close it. */
void replica_check(struct replica *replica);

/* Has it been attached with an RDB, of which it has not said yet that it has loaded it? What was sent last may
 * still lie in the kernel, where closing would throw it away. SYNC never says so. */
bool replica_is_full_syncing(const struct replica *replica);

/* Puts on its stats what has been sent and received; the latter of the feed's progress, too. */
void replica_show_traffic(struct replica *replica);
void replica_show_sent(struct replica *replica);

/* ---------------------------------------------------------------- replica_readahead.c */

/* Has its next piece read, unless one is being read or none is needed. */
void replica_read_ahead(struct replica *replica);

/* It closes: a job that is under way frees itself when it comes home. */
void replica_let_go_of_job(struct replica *replica);

/* ---------------------------------------------------------------- replica_limits.c */

/* The rate of full syncs allows it no more now: reserves the next piece, and goes on when that is due. May close
 * it. */
void replica_wait_for_rate(struct replica *replica);

/* It has its RDB, or closes: what it has reserved and not sent is there for others. */
void replica_leave_rate(struct replica *replica);

/* Its full sync is over: the place is there for others. Where it has none, has no effect. */
void replica_leave_place(struct replica *replica);

/* ---------------------------------------------------------------- replica_input.c */

/* Receives what has come, a bounded amount, and runs it. May close it. */
void replica_receive(struct replica *replica);

/* The same for what was read before it became a replica. */
void replica_take_input(struct replica *replica, struct bytes input);

/* ---------------------------------------------------------------- replica_liveness.c */

/* It has said something. */
void replica_note_life(struct replica *replica);

/* Has its system asked by TCP once it is silent: from when it is attached. */
void replica_keep_alive(const struct replica *replica);

/* While it waits: sends it a newline. May close it. */
void replica_say_alive(struct replica *replica);

/* Each second while it is attached: closes one that says and takes nothing, or whose host has gone. */
void replica_check_liveness(struct replica *replica);

#endif
