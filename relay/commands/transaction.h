/* SPDX-License-Identifier: MIT
 *
 * The commands between MULTI and EXEC, kept as bytes until they are run. Bounded: a transaction that is
 * over a limit refuses the command, and is spoiled by it.
 *
 *     transaction_begin(&t);
 *     if (!transaction_add(&t, command))
 *         ...                                   refused
 *     struct transaction ready = transaction_take(&t);
 *     while (transaction_next(&ready, &command))
 *         run(&command);                        views into `ready`
 *     transaction_fini(&ready);
 *
 * Sentinel re-points us by a transaction with SLAVEOF, CONFIG REWRITE and CLIENT KILLs (docs/protocol.md 5.2). In a
 * group that renames CONFIG or CLIENT it says words that we do not know: behind a REPLICAOF these are queued,
 * too, and refused one by one when they are run, so that the REPLICAOF takes effect.
 *
 * Pure. Owner: the client state. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_TRANSACTION_H
#define RELAY_COMMANDS_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/bounds.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/resp/reader.h"

enum { TRANSACTION_REFUSAL_MAX = 256 };

struct transaction {
    bool is_open;
    bool is_spoiled;    /* a command was refused: EXEC will refuse the rest */
    bool has_replicaof; /* a REPLICAOF is among them, queued or refused: Sentinel's */
    bool is_lenient; /* one is queued: what follows is refused when it is run, and spoils nothing */
    char refusal[TRANSACTION_REFUSAL_MAX]; /* what spoiled it first */
    size_t count;
    struct text queue;
    size_t taken; /* of the queue, by transaction_next */
};

void transaction_init(struct transaction *transaction);
void transaction_fini(struct transaction *transaction); /* leaves one that is not open */
void transaction_begin(struct transaction *transaction);

/* False: it would be over a limit, or out of memory; nothing was added. */
MUST_CHECK bool transaction_add(struct transaction *transaction, const struct command *command);

/* Moves it out; `transaction` is not open any more. */
MUST_CHECK struct transaction transaction_take(struct transaction *transaction);

/* The next of its commands. False: there is none. */
MUST_CHECK bool transaction_next(struct transaction *transaction, struct command *command);

#endif
