/* SPDX-License-Identifier: MIT */
#include "name_query.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/thread.h"
#include "relay/net/loop.h"

struct name_query {
    char host[ADDRESS_HOST_MAX];
    resolve_fn *resolve;
    struct name_waiter *waiters;
    bool is_answered;
    int64_t answered_ms;
    struct addresses found;
    char error[NAME_QUERY_ERROR_MAX];
};

/* One table a process: what hangs in the C library is the process's, whichever loop asked. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct name_query *queries[NAME_QUERIES_MAX];

static void name_query_take_lock(void)
{
    CHECK(pthread_mutex_lock(&lock) == 0);
}

static void give_lock(void)
{
    CHECK(pthread_mutex_unlock(&lock) == 0);
}

/* ------------------------------------------------------------------ the C library */

/* Fills `found` from the list, families taking turns: the n-th address of the first one's family, then
 * the n-th of the other. */
static void take_interlaced(const struct addrinfo *list, struct addresses *found)
{
    const struct addrinfo *next[2] = {list, list};
    const int first_family = list->ai_family;
    bool more = true;
    while (more && found->count < LOOKUP_ADDRESSES_MAX) {
        more = false;
        for (int other = 0; other < 2 && found->count < LOOKUP_ADDRESSES_MAX; other++) {
            const struct addrinfo *at = next[other];
            while (at != NULL && (at->ai_family != first_family) != (other == 1))
                at = at->ai_next;
            if (at != NULL && address_take(at->ai_addr, at->ai_addrlen, &found->list[found->count]))
                found->count++;
            more = more || at != NULL;
            next[other] = at != NULL ? at->ai_next : NULL;
        }
    }
}

void resolve_by_system(const char *host, struct addresses *found, char error[NAME_QUERY_ERROR_MAX])
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct addrinfo *list = NULL;
    int code = getaddrinfo(host, NULL, &hints, &list);
    int system_error = errno;
    found->count = 0;
    if (code == 0 && list != NULL)
        take_interlaced(list, found);
    if (list != NULL)
        freeaddrinfo(list);
    if (found->count == 0)
        snprintf(error, NAME_QUERY_ERROR_MAX, "%s",
                 code == EAI_SYSTEM ? strerror(system_error)
                                    : gai_strerror(code == 0 ? EAI_NONAME : code));
}

/* ------------------------------------------------------------------ the table; with the lock held */

static void free_query(struct name_query *query)
{
    for (size_t i = 0; i < NAME_QUERIES_MAX; i++) {
        if (queries[i] == query)
            queries[i] = NULL;
    }
    free(query);
}

/* A failure that nobody has heard is not kept: the next attempt asks anew. */
static bool is_of_use(const struct name_query *query)
{
    return query->waiters != NULL || !query->is_answered ||
           (query->found.count > 0 && clock_ms() - query->answered_ms <= NAME_QUERY_KEPT_MS);
}

static void drop_stale_queries(void)
{
    for (size_t i = 0; i < NAME_QUERIES_MAX; i++) {
        if (queries[i] != NULL && !is_of_use(queries[i]))
            free_query(queries[i]);
    }
}

static struct name_query *find_query(const char *host, resolve_fn *resolve)
{
    for (size_t i = 0; i < NAME_QUERIES_MAX; i++) {
        if (queries[i] != NULL && queries[i]->resolve == resolve &&
            strcmp(queries[i]->host, host) == 0)
            return queries[i];
    }
    return NULL;
}

/* An empty place; where there is none, that of an answer that nobody waits for. NULL: all are asking. */
static struct name_query **name_query_find_place(void)
{
    struct name_query **found = NULL;
    for (size_t i = 0; i < NAME_QUERIES_MAX; i++) {
        if (queries[i] == NULL)
            return &queries[i];
        if (queries[i]->is_answered && queries[i]->waiters == NULL)
            found = &queries[i];
    }
    if (found != NULL)
        free_query(*found);
    return found;
}

/* ------------------------------------------------------------------ a question's thread */

static void *run_query(void *arg)
{
    struct name_query *query = arg;
    thread_set_name("resolver");
    struct addresses found = {0};
    char error[NAME_QUERY_ERROR_MAX] = "";
    query->resolve(query->host, &found, error); /* neither changes while it runs */
    name_query_take_lock();
    query->found = found;
    memcpy(query->error, error, sizeof error);
    query->answered_ms = clock_ms();
    query->is_answered = true;
    /* With the lock: a waiter that leaves frees its notifier afterwards, on another thread. */
    for (struct name_waiter *waiter = query->waiters; waiter != NULL; waiter = waiter->next)
        notifier_wake(waiter->notifier);
    drop_stale_queries(); /* this one, if it failed and nobody waits */
    give_lock();
    return NULL;
}

/* Detached: it ends when the C library lets it, which at the process's end nobody waits for. */
static bool start_query_thread(struct name_query *query)
{
    pthread_t thread;
    return thread_start(&thread, run_query, query) && pthread_detach(thread) == 0;
}

static struct name_query *start_query(const char *host, resolve_fn *resolve,
                                      char error[NAME_QUERY_ERROR_MAX])
{
    struct name_query **place = name_query_find_place();
    if (place == NULL) {
        snprintf(error, NAME_QUERY_ERROR_MAX, "%d other names are still being looked up",
                 NAME_QUERIES_MAX);
        return NULL;
    }
    struct name_query *query = calloc(1, sizeof *query);
    bool good = query != NULL;
    if (good) {
        snprintf(query->host, sizeof query->host, "%s", host);
        query->resolve = resolve;
        /* In the table before the thread runs: the answer may come before thread_start returns. */
        *place = query;
        good = start_query_thread(query);
    }
    if (good)
        return query;
    if (query != NULL)
        free_query(query);
    snprintf(error, NAME_QUERY_ERROR_MAX, "out of memory or threads");
    return NULL;
}

/* ------------------------------------------------------------------ who waits */

bool name_query_ask(struct name_waiter *waiter, const char *host, resolve_fn *resolve,
                    struct notifier *notifier, char error[NAME_QUERY_ERROR_MAX])
{
    CHECK(waiter->query == NULL);
    CHECK(strlen(host) < ADDRESS_HOST_MAX);
    name_query_take_lock();
    drop_stale_queries();
    struct name_query *query = find_query(host, resolve);
    if (query == NULL)
        query = start_query(host, resolve, error);
    if (query != NULL) {
        *waiter =
            (struct name_waiter){.next = query->waiters, .query = query, .notifier = notifier};
        query->waiters = waiter;
        if (query->is_answered)
            notifier_wake(notifier);
    }
    give_lock();
    return query != NULL;
}

/* An answer goes with the last who has taken it. */
static void leave(struct name_waiter *waiter, bool has_taken)
{
    struct name_query *query = waiter->query;
    struct name_waiter **link = &query->waiters;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    *waiter = (struct name_waiter){0};
    if (query->waiters == NULL && query->is_answered && (has_taken || !is_of_use(query)))
        free_query(query);
}

bool name_query_take(struct name_waiter *waiter, struct addresses *found,
                     char error[NAME_QUERY_ERROR_MAX])
{
    CHECK(waiter->query != NULL);
    name_query_take_lock();
    bool is_answered = waiter->query->is_answered;
    if (is_answered) {
        *found = waiter->query->found;
        memcpy(error, waiter->query->error, NAME_QUERY_ERROR_MAX);
        leave(waiter, true);
    }
    give_lock();
    return is_answered;
}

void name_query_leave(struct name_waiter *waiter)
{
    if (waiter->query == NULL)
        return;
    name_query_take_lock();
    leave(waiter, false);
    give_lock();
}
