/* SPDX-License-Identifier: MIT */
#include "visitor.h"

#include <stdlib.h>

#include "request.h"

struct visitor *visitor_find(const struct client *client)
{
    return client_kept(client);
}

static void on_gone(void *thing)
{
    struct visitor *visitor = thing;
    struct admin *admin = visitor->admin;
    topics_leave(&admin->topics, &visitor->subscriber);
    transaction_fini(&visitor->transaction);
    waiter_forget(admin, &visitor->waiter);
    login_forget(admin, &visitor->login);
    TAILQ_REMOVE(&admin->visitors, visitor, entry);
    free(visitor);
}

struct visitor *visitor_get(struct admin *admin, struct client *client)
{
    struct visitor *visitor = visitor_find(client);
    if (visitor != NULL)
        return visitor;
    visitor = calloc(1, sizeof(*visitor));
    if (visitor == NULL)
        return NULL;
    visitor->admin = admin;
    visitor->waiter.client = client;
    subscriber_init(&visitor->subscriber, client);
    transaction_init(&visitor->transaction);
    TAILQ_INSERT_TAIL(&admin->visitors, visitor, entry);
    client_keep(client, visitor, on_gone);
    return visitor;
}

void visitor_forget(struct client *client)
{
    struct visitor *visitor = visitor_find(client);
    if (visitor == NULL)
        return;
    client_keep(client, NULL, NULL);
    on_gone(visitor);
}

void visitors_close(struct admin *admin)
{
    struct visitor *next;
    for (struct visitor *visitor = TAILQ_FIRST(&admin->visitors); visitor != NULL; visitor = next) {
        next = TAILQ_NEXT(visitor, entry);
        visitor_forget(visitor->waiter.client);
    }
}
