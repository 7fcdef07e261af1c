/* SPDX-License-Identifier: MIT
 *
 * Replicas that run behind and that an operator has stopped:
 *
 *     RELAY PAUSE        HOLD_PAUSED   it is sent nothing more. Its connection is closed, so that nothing on its way
 *                                      reaches it, and its next PSYNC is not answered; it hears newlines
 *     RELAY RESUME TO    HOLD_TARGET   it is sent what is before `until`, at once, whatever the delay; then as above
 *     RELAY RESUME       none          as before
 *
 * What may be sent is a limit (delay.h). A replica executes whole commands only, and of a transaction nothing before its
 * EXEC (docs/protocol.md 3.3): so where `until` is in the middle of either, it stops before that.
 *
 * A hold is of a place and not of a connection, since a replica comes back on another: of its address, its user, and
 * what it announces. Of two that are alike both are held. It stays until it is resumed, over restarts of both sides;
 * and so long the stream is kept from where the replica stands.
 *
 * Offsets are those of one history, told by its number. In another history one with a target is held as one that is
 * paused: what it has is of the history before. A rewind lowers what is beyond it.
 *
 * Order. A command changes the hold in memory, then the limits, so that no worker sends more once it is answered; then
 * the note (STORE_NOTE_HOLDS) is given to the file thread. A kill in the moment between finds the hold before.
 *
 * Owner: downstream.c. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_HOLDS_H
#define RELAY_DOWNSTREAM_HOLDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/downstream/hold_status.h"
#include "replica_stats.h"

struct delay;
struct known_who;

enum { HOLDS_MAX = 64 };

struct hold {
    char address[REPLICA_STATS_ADDRESS_MAX]; /* of the connection */
    char user[CLIENT_NAME_MAX];
    char announced[256]; /* ip-address; "" */
    uint16_t port;       /* listening-port */
    enum hold_kind kind;
    uint64_t history_number;
    uint64_t until; /* HOLD_TARGET */
    uint64_t from;  /* it has what is before this; what comes next is kept for it */
};

struct holds {
    size_t count;
    struct hold at[HOLDS_MAX];
    bool has_changed; /* since the note was written */
};

/* That of a replica; NULL: there is none, or it does not run behind. */
const struct hold *holds_find(const struct holds *holds, const struct replica_stats *stats);

/* The same one, to be changed; NULL for NULL. */
struct hold *holds_edit(struct holds *holds, const struct hold *hold);

/* The same, made where there is none, as HOLD_PAUSED at 0. NULL: there are HOLDS_MAX. */
struct hold *holds_take(struct holds *holds, const struct replica_stats *stats);

void holds_remove(struct holds *holds, struct hold *hold);

/* What may be sent: the limit. False: nothing, not even a snapshot. `hold` NULL: what is due. */
bool hold_limit(const struct hold *hold, const struct delay *delay, uint64_t *limit);

/* The replica stands at `offset` of that history. */
void holds_note_place(struct holds *holds, struct hold *hold, uint64_t history_number,
                      uint64_t offset);

/* The history has been cut at `offset`. */
void holds_cut(struct holds *holds, uint64_t history_number, uint64_t offset);

/* From where on the history is needed for them; UINT64_MAX: it is not. */
uint64_t holds_needed_from(const struct holds *holds, uint64_t history_number);

/* Is it one of those that are asked for? By address and port; an id is of no hold. */
bool hold_is(const struct hold *hold, const struct known_who *who);

/* The note: a line each. What cannot be read of it is left out: false. */
void holds_format(const struct holds *holds, struct text *out);
MUST_CHECK bool holds_parse(struct holds *holds, struct bytes note);

#endif
