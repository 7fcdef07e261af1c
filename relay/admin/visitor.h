/* SPDX-License-Identifier: MIT
 *
 * What the admin keeps of a client that does more than ask and get an answer: its subscriptions, its
 * transaction, the answer that it waits for. Most clients have none of it, and no visitor.
 *
 * Owner: the admin; gone when the client goes. Thread: thread 0.
 */
#ifndef RELAY_ADMIN_VISITOR_H
#define RELAY_ADMIN_VISITOR_H

#include "login.h"
#include "relay/base/check.h"
#include "relay/base/queue.h"
#include "topics.h"
#include "transaction.h"
#include "waiter.h"

struct admin;
struct client;

struct visitor {
    TAILQ_ENTRY(visitor) entry;
    struct admin *admin;
    struct subscriber subscriber;
    struct transaction transaction;
    struct waiter waiter;
    struct login login;
};

TAILQ_HEAD(visitors, visitor);

/* NULL: the client has no visitor. */
struct visitor *visitor_find(const struct client *client);

/* Makes one where there is none. NULL: memory is out. */
MUST_CHECK struct visitor *visitor_get(struct admin *admin, struct client *client);

/* The client is as it was when it came. */
void visitor_forget(struct client *client);

/* Forgets all of them. */
void visitors_close(struct admin *admin);

#endif
