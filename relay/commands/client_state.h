/* SPDX-License-Identifier: MIT
 *
 * What the commands keep for one client between two of its commands: its subscriptions, its transaction, the WAIT,
 * the login or the CONFIG REWRITE that blocks it. Most clients need none of it and have no state.
 *
 * Owner: struct commands; a state ends with its client. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_CLIENT_STATE_H
#define RELAY_COMMANDS_CLIENT_STATE_H

#include "login.h"
#include "pubsub.h"
#include "relay/base/check.h"
#include "relay/base/queue.h"
#include "rewrites.h"
#include "transaction.h"
#include "waiter.h"

struct client;
struct client_states;

struct client_state {
    TAILQ_ENTRY(client_state) entry;
    struct client_states *states;
    struct client *client;
    struct subscriber subscriber;
    struct transaction transaction;
    struct waiter waiter;
    struct login login;
    struct rewrite_waiter rewrite;
};

TAILQ_HEAD(client_state_list, client_state);

struct client_states {
    struct client_state_list list;
    /* A state that ends leaves these. */
    struct pubsub *pubsub;
    struct waiters *waiters;
    struct logins *logins;
    struct rewrites *rewrites;
};

void client_states_init(struct client_states *states, struct pubsub *pubsub,
                        struct waiters *waiters, struct logins *logins, struct rewrites *rewrites);

/* Ends all of them. */
void client_states_close(struct client_states *states);

/* NULL: the client has no state. */
struct client_state *client_state_find(const struct client *client);

/* Makes one where there is none. NULL: out of memory. */
MUST_CHECK struct client_state *client_state_get(struct client_states *states,
                                                 struct client *client);

/* Ends it: the client is as it was when it connected. */
void client_state_forget(struct client *client);

#endif
