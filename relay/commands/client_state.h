/* SPDX-License-Identifier: MIT
 *
 * What the component keeps of a client that does more than ask and get an answer: its subscriptions, its
 * transaction, the answer that it waits for. Most clients have none of it, and no client state.
 *
 * Owner: struct commands; gone when the client goes. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_CLIENT_STATE_H
#define RELAY_COMMANDS_CLIENT_STATE_H

#include "login.h"
#include "relay/base/check.h"
#include "relay/base/queue.h"
#include "topics.h"
#include "transaction.h"
#include "waiter.h"

struct commands;
struct client;

struct client_state {
    TAILQ_ENTRY(client_state) entry;
    struct commands *commands;
    struct subscriber subscriber;
    struct transaction transaction;
    struct waiter waiter;
    struct login login;
};

TAILQ_HEAD(client_states, client_state);

/* NULL: the client has no client state. */
struct client_state *client_state_find(const struct client *client);

/* Makes one where there is none. NULL: out of memory. */
MUST_CHECK struct client_state *client_state_get(struct commands *commands, struct client *client);

/* The client is as it was when it came. */
void client_state_forget(struct client *client);

/* Forgets all of them. */
void client_states_close(struct commands *commands);

#endif
