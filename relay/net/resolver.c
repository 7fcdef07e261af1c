/* SPDX-License-Identifier: MIT */
#include "resolver.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/net/loop.h"

struct lookup {
    struct notifier *notifier; /* rung when there is an answer; NULL: nobody was asked */
    struct timer
        *timer; /* tells what is known already; while a name is asked for, its time limit */
    struct name_waiter waiter;
    struct addresses found;
    uint16_t port;
    char error[LOOKUP_ERROR_MAX];
    char host[ADDRESS_HOST_MAX];
    lookup_fn *fn;
    void *arg;
};

static void resolver_set_error(struct lookup *lookup, const char *why)
{
    snprintf(lookup->error, sizeof lookup->error, "%s: %s", lookup->host, why);
}

static void free_lookup(struct lookup *lookup)
{
    name_query_leave(&lookup->waiter); /* before its notifier goes */
    notifier_free(&lookup->notifier);
    timer_free(&lookup->timer);
    free(lookup);
}

static void resolver_tell(struct lookup *lookup)
{
    lookup->fn(&lookup->found, lookup->error, lookup->arg);
    free_lookup(lookup);
}

static void resolver_on_answer(void *arg)
{
    struct lookup *lookup = arg;
    char error[NAME_QUERY_ERROR_MAX] = "";
    if (!name_query_take(&lookup->waiter, &lookup->found, error))
        return;
    for (size_t i = 0; i < lookup->found.count; i++)
        address_set_port(&lookup->found.list[i], lookup->port);
    if (lookup->found.count == 0)
        resolver_set_error(lookup, error);
    resolver_tell(lookup);
}

/* The limit, or a moment of no delay for what was known at once. What the C library was asked
 * goes on, and its answer is there for the next attempt (name_query.h). */
static void resolver_on_timer(void *arg)
{
    struct lookup *lookup = arg;
    if (lookup->waiter.query != NULL)
        resolver_set_error(lookup, "no answer from the name servers");
    resolver_tell(lookup);
}

/* What can be told already is told by a timer of no delay: never from inside lookup_start. */
static void resolver_begin(struct lookup *lookup, resolve_fn *resolve, bool is_too_long)
{
    int64_t delay_ms = 0;
    char error[NAME_QUERY_ERROR_MAX] = "";
    if (address_parse(lookup->host, lookup->port, &lookup->found.list[0]))
        lookup->found.count = 1;
    else if (is_too_long || lookup->host[0] == '\0')
        resolver_set_error(lookup, gai_strerror(EAI_NONAME));
    else if (name_query_ask(&lookup->waiter, lookup->host, resolve, lookup->notifier, error))
        delay_ms = LOOKUP_MS_MAX;
    else
        resolver_set_error(lookup, error);
    timer_arm(lookup->timer, delay_ms);
}

struct lookup *lookup_start(struct loop *loop, resolve_fn *resolve, const char *host, uint16_t port,
                            lookup_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    lookup->timer = timer_new(loop, resolver_on_timer, lookup);
    lookup->notifier = notifier_new(loop, resolver_on_answer, lookup);
    if (lookup->timer == NULL || lookup->notifier == NULL) {
        free_lookup(lookup);
        return NULL;
    }
    lookup->port = port;
    lookup->fn = fn;
    lookup->arg = arg;
    int length = snprintf(lookup->host, sizeof lookup->host, "%s", host);
    resolver_begin(lookup, resolve, length < 0 || (size_t)length >= sizeof lookup->host);
    return lookup;
}

void lookup_cancel(struct lookup **where)
{
    struct lookup *lookup = *where;
    *where = NULL;
    if (lookup != NULL)
        free_lookup(lookup);
}
