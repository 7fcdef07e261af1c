/* SPDX-License-Identifier: MIT */
#include "client_state.h"

#include <stdlib.h>

#include "relay/downstream/client.h"

void client_states_init(struct client_states *states, struct pubsub *pubsub,
                        struct waiters *waiters, struct logins *logins, struct rewrites *rewrites)
{
    *states = (struct client_states){
        .pubsub = pubsub, .waiters = waiters, .logins = logins, .rewrites = rewrites};
    TAILQ_INIT(&states->list);
}

struct client_state *client_state_find(const struct client *client)
{
    return client_kept(client);
}

static void client_state_end(void *thing)
{
    struct client_state *state = thing;
    struct client_states *states = state->states;
    pubsub_leave(states->pubsub, &state->subscriber);
    transaction_fini(&state->transaction);
    waiters_forget(states->waiters, &state->waiter);
    logins_forget(states->logins, &state->login);
    rewrites_forget(states->rewrites, &state->rewrite);
    TAILQ_REMOVE(&states->list, state, entry);
    free(state);
}

struct client_state *client_state_get(struct client_states *states, struct client *client)
{
    struct client_state *state = client_state_find(client);
    if (state != NULL)
        return state;
    state = calloc(1, sizeof(*state));
    if (state == NULL)
        return NULL;
    state->states = states;
    state->client = client;
    subscriber_init(&state->subscriber, client);
    transaction_init(&state->transaction);
    TAILQ_INSERT_TAIL(&states->list, state, entry);
    client_keep(client, state, client_state_end);
    return state;
}

void client_state_forget(struct client *client)
{
    struct client_state *state = client_state_find(client);
    if (state == NULL)
        return;
    client_keep(client, NULL, NULL);
    client_state_end(state);
}

void client_states_close(struct client_states *states)
{
    struct client_state *next;
    for (struct client_state *state = TAILQ_FIRST(&states->list); state != NULL; state = next) {
        next = TAILQ_NEXT(state, entry);
        client_state_forget(state->client);
    }
}
