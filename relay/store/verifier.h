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
#ifndef RELAY_STORE_VERIFIER_H
#define RELAY_STORE_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"
#include "relay/base/check.h"

struct verifier;

/* One proof. Embedded in what it needs and what it finds, all of which is its own. */
struct proof {
    void (*work)(struct proof *proof, const struct files_pace *pace); /* the verifier's thread */
    void (*discard)(struct proof *proof); /* frees it, with what it has found. Any thread */
    struct files_key key;                 /* for `pace` */
    bool is_trusted;                      /* while it has this key, it need not be read */
    struct verifier *verifier;            /* the verifier's, as the one below */
    bool is_abandoned;
};

/* NULL: no thread or no memory. */
MUST_CHECK struct verifier *verifier_start(void);
void verifier_stop(struct verifier **verifier);

/* There is none under way. Thread 0. */
void verifier_submit(struct verifier *verifier, struct proof *proof);

/* The one that was submitted, if it is done: the caller's. NULL: it is not, or there is none. Thread 0. */
struct proof *verifier_take(struct verifier *verifier);

/* Nobody wants the one that was submitted any more. Thread 0. */
void verifier_abandon(struct verifier *verifier);

/* As syncer_on_durable: whenever one is done. */
void verifier_on_done(struct verifier *verifier, void (*fn)(void *arg), void *arg);

/* What was read of the one that is under way. Any thread. */
uint64_t verifier_bytes(const struct verifier *verifier);

#endif
