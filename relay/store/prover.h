/* SPDX-License-Identifier: MIT
 *
 * The store's thread that reads what a start has not waited for: segments and RDBs, to prove them by their
 * checksums before they are served. One file at a time, which thread 0 submits and whose result it takes; the order
 * is thread 0's (history_proof.c).
 *
 * It is in nobody's way: it has the lowest priority for processor and disk, reads in small pieces, and rests after
 * each that the disk had to be waited for, a quarter of what that took. It needs one piece of memory. What is abandoned, and
 * the end of the relay, wait for a piece at most.
 */
#ifndef RELAY_STORE_PROVER_H
#define RELAY_STORE_PROVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"
#include "relay/base/check.h"

struct prover;

/* One proof. Embedded in what it needs and what it finds, all of which is its own. */
struct proof {
    void (*work)(struct proof *proof, const struct files_pace *pace); /* the prover's thread */
    void (*discard)(struct proof *proof); /* frees it, with what it has found. Any thread */
    struct files_key key;                 /* for `pace` */
    bool is_trusted;                      /* while it has this key, it need not be read */
    struct prover *prover;                /* the prover's, as the one below */
    bool is_abandoned;
};

/* NULL: no thread or no memory. */
MUST_CHECK struct prover *prover_start(void);
void prover_stop(struct prover **prover);

/* There is none under way. Thread 0. */
void prover_submit(struct prover *prover, struct proof *proof);

/* The one that was submitted, if it is done: the caller's. NULL: it is not, or there is none. Thread 0. */
struct proof *prover_take(struct prover *prover);

/* Nobody wants the one that was submitted any more. Thread 0. */
void prover_abandon(struct prover *prover);

/* As syncer_on_durable: whenever one is done. */
void prover_on_done(struct prover *prover, void (*fn)(void *arg), void *arg);

/* What was read of the one that is under way. Any thread. */
uint64_t prover_bytes(const struct prover *prover);

#endif
