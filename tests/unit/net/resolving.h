/* SPDX-License-Identifier: MIT
 *
 * Stand-ins for the C library's resolver: one that knows a few names, and one that answers when the test
 * lets it, as a C library does whose name servers are slow.
 */
#ifndef TESTS_UNIT_NET_RESOLVING_H
#define TESTS_UNIT_NET_RESOLVING_H

#include "../../../relay/net/resolver.h"
#include "sockets.h"

static inline void add_address(struct addresses *found, const char *numeric)
{
    assert_true(address_parse(numeric, 0, &found->list[found->count++]));
}

/* "known.test": one address. "both.test": two. Every other: there is no such name. */
static inline void resolve_known(const char *host, struct addresses *found,
                                 char error[NAME_QUERY_ERROR_MAX])
{
    if (strcmp(host, "known.test") == 0) {
        add_address(found, "192.0.2.44");
    } else if (strcmp(host, "both.test") == 0) {
        add_address(found, "192.0.2.5");
        add_address(found, "2001:db8::5");
    } else {
        snprintf(error, NAME_QUERY_ERROR_MAX, "Name or service not known");
    }
}

static pthread_mutex_t slow_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t slow_changed = PTHREAD_COND_INITIALIZER;
static unsigned slow_asked;    /* how often the slow one was asked */
static unsigned slow_answered; /* how many of those have been answered */
static unsigned slow_allowed;  /* it may answer so many */

/* Knows every name that does not begin with "no". */
static inline void resolve_slowly(const char *host, struct addresses *found,
                                  char error[NAME_QUERY_ERROR_MAX])
{
    pthread_mutex_lock(&slow_lock);
    slow_asked++;
    pthread_cond_broadcast(&slow_changed);
    while (slow_allowed == 0)
        pthread_cond_wait(&slow_changed, &slow_lock);
    slow_allowed--;
    slow_answered++;
    pthread_cond_broadcast(&slow_changed);
    pthread_mutex_unlock(&slow_lock);
    if (strncmp(host, "no", 2) == 0)
        snprintf(error, NAME_QUERY_ERROR_MAX, "Temporary failure in name resolution");
    else
        add_address(found, "192.0.2.99");
}

static inline void allow_slow_answers(unsigned count)
{
    pthread_mutex_lock(&slow_lock);
    slow_allowed += count;
    pthread_cond_broadcast(&slow_changed);
    pthread_mutex_unlock(&slow_lock);
}

/* Waits until the slow one has been asked, and has answered, so often. */
static inline void await_slow(unsigned asked, unsigned answered)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += CONNECT_TIMEOUT_MS / 1000;
    pthread_mutex_lock(&slow_lock);
    int error = 0;
    while (error == 0 && (slow_asked < asked || slow_answered < answered))
        error = pthread_cond_timedwait(&slow_changed, &slow_lock, &limit);
    unsigned was_asked = slow_asked;
    unsigned has_answered = slow_answered;
    pthread_mutex_unlock(&slow_lock);
    assert_int_equal(was_asked, asked);
    assert_int_equal(has_answered, answered);
}

static inline void reset_slow(void)
{
    pthread_mutex_lock(&slow_lock);
    slow_asked = slow_answered = slow_allowed = 0;
    pthread_mutex_unlock(&slow_lock);
}

#endif
