/* SPDX-License-Identifier: MIT */
#include "client_state.h"

#include <stdlib.h>

#include "request.h"

struct client_state *client_state_find(const struct client *client)
{
    return client_kept(client);
}

static void on_gone(void *thing)
{
    struct client_state *client_state = thing;
    struct commands *commands = client_state->commands;
    topics_leave(&commands->topics, &client_state->subscriber);
    transaction_fini(&client_state->transaction);
    waiter_forget(commands, &client_state->waiter);
    login_forget(commands, &client_state->login);
    TAILQ_REMOVE(&commands->client_states, client_state, entry);
    free(client_state);
}

struct client_state *client_state_get(struct commands *commands, struct client *client)
{
    struct client_state *client_state = client_state_find(client);
    if (client_state != NULL)
        return client_state;
    client_state = calloc(1, sizeof(*client_state));
    if (client_state == NULL)
        return NULL;
    client_state->commands = commands;
    client_state->waiter.client = client;
    subscriber_init(&client_state->subscriber, client);
    transaction_init(&client_state->transaction);
    TAILQ_INSERT_TAIL(&commands->client_states, client_state, entry);
    client_keep(client, client_state, on_gone);
    return client_state;
}

void client_state_forget(struct client *client)
{
    struct client_state *client_state = client_state_find(client);
    if (client_state == NULL)
        return;
    client_keep(client, NULL, NULL);
    on_gone(client_state);
}

void client_states_close(struct commands *commands)
{
    struct client_state *next;
    for (struct client_state *client_state = TAILQ_FIRST(&commands->client_states);
         client_state != NULL; client_state = next) {
        next = TAILQ_NEXT(client_state, entry);
        client_state_forget(client_state->waiter.client);
    }
}
