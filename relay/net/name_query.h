/* SPDX-License-Identifier: MIT
 *
 * A question to the C library: the addresses of a name. getaddrinfo blocks and cannot be interrupted,
 * so each question has a thread of its own, which ends with the answer.
 *
 * A question belongs to its name, not to who asked: everybody who wants the same name meanwhile waits
 * for the same answer, and when nobody waits any more it goes on, so that an attempt whose time was
 * shorter than the name servers need leaves an answer for the next one. Such an answer is used once,
 * and within NAME_QUERY_KEPT_MS.
 *
 * At most NAME_QUERIES_MAX questions at a time in a process: a further one fails until one has ended.
 *
 *     loop's thread        ask ──► waits ──(notifier)──► take (or leave, at any time)
 *     a question's thread       resolve ──► answer, rings every waiter's notifier
 *
 * The table of questions, the answers and the waiters are guarded by one lock, held for moments only;
 * it is not taken while the C library is asked.
 */
#ifndef RELAY_NET_NAME_QUERY_H
#define RELAY_NET_NAME_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "relay/base/check.h"

struct notifier;

enum {
    LOOKUP_ADDRESSES_MAX = 16, /* of a name; more are not tried */
    NAME_QUERIES_MAX = 16,
    NAME_QUERY_KEPT_MS = 60 * 1000,
    NAME_QUERY_ERROR_MAX = 64,
};

struct addresses {
    size_t count;
    struct address list[LOOKUP_ADDRESSES_MAX];
};

/* Blocks. Fills `found` (with port 0), or says in words why it is empty. Called on a thread of its
 * own, for several names at a time. */
typedef void resolve_fn(const char *host, struct addresses *found,
                        char error[NAME_QUERY_ERROR_MAX]);

/* Asks getaddrinfo. The addresses come in the order of RFC 6724, families taking turns as RFC 8305 has
 * it (4: "interlacing"), so that a family that leads nowhere costs one attempt and not all. */
void resolve_by_system(const char *host, struct addresses *found, char error[NAME_QUERY_ERROR_MAX]);

/* Somebody who waits. A member of what waits; the fields are name_query.c's. */
struct name_waiter {
    struct name_waiter *next;
    struct name_query *query; /* NULL: does not wait */
    struct notifier *notifier;
};

/* Waits for the addresses of `host` (shorter than ADDRESS_HOST_MAX): `notifier` is rung when they are
 * there, perhaps before this returns. False, with a reason in `error`: nothing is waited for. Thread:
 * any; the notifier's loop for what follows. */
MUST_CHECK bool name_query_ask(struct name_waiter *waiter, const char *host, resolve_fn *resolve,
                               struct notifier *notifier, char error[NAME_QUERY_ERROR_MAX]);

/* The notifier has rung: copies the answer and leaves. False: it has not been answered yet. */
MUST_CHECK bool name_query_take(struct name_waiter *waiter, struct addresses *found,
                                char error[NAME_QUERY_ERROR_MAX]);

/* Waits no more: its notifier will not be rung. Does nothing for one that does not wait. */
void name_query_leave(struct name_waiter *waiter);

#endif
