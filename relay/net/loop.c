/* SPDX-License-Identifier: MIT */
#include "relay/net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "connect_timeout.h"
#include "loop_private.h"
#include "relay/base/bounds.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"

enum { DESCRIPTORS_OF_A_LOOP = 6 }; /* what libevent takes for one, and one to spare */

struct deferred {
    loop_fn *fn;
    void *arg;
};

struct signal_watch {
    struct signal_watch *next;
    struct event *event;
    loop_fn *fn;
    void *arg;
};

struct chores {
    struct chore *first;
    struct chore **last; /* where the next one goes */
};

struct loop {
    struct event_base *base;
    bool stopping;
    loop_fn *at_turn_end; /* NULL: none */
    void *at_turn_end_arg;
    struct deferred *deferred; /* kept from turn to turn: no allocation in a settled process */
    size_t deferred_count;
    size_t deferred_capacity;
    struct signal_watch *signals;
    struct connect_timeout connect_timeout;
    struct orphan *orphans;
    struct chores chores[CHORE_KINDS];
};

/* What libevent said last, for the moment when it ends the process. */
static _Thread_local char complaint[256] = "libevent cannot go on";

/* What libevent has to say belongs in our log, not raw on stderr. */
static void log_libevent(int severity, const char *message)
{
    if (severity == EVENT_LOG_DEBUG || severity == EVENT_LOG_MSG)
        log_debug("net: libevent: %s", message);
    else
        log_warnx("net: libevent: %s", message);
    if (severity == EVENT_LOG_ERR)
        snprintf(complaint, sizeof complaint, "libevent cannot go on: %s", message);
}

static void die_of_libevent(int code)
{
    (void)code;
    UNREACHABLE(complaint);
}

/* send(2) can be told not to raise SIGPIPE, sendfile(2) cannot. A file that may not grow any more (ulimit -f)
 * is an error of the write. */
static void prepare_process(void)
{
    event_set_log_callback(log_libevent);
    event_set_fatal_callback(die_of_libevent);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
}

/* NOLOCK: other threads reach a loop by its notifier only, which are descriptors. */
static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    struct event_base *base = NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* libevent ends the process where a loop lacks a descriptor, so we look first. */
static bool has_descriptors(struct error *error)
{
    int taken[DESCRIPTORS_OF_A_LOOP];
    int count = 0;
    while (count < DESCRIPTORS_OF_A_LOOP &&
           (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) != -1)
        count++;
    bool has = count == DESCRIPTORS_OF_A_LOOP ||
               error_set_system(error, errno, "cannot make an event loop");
    while (count > 0)
        close(taken[--count]);
    return has;
}

struct loop *loop_new(struct error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK(pthread_once(&once, prepare_process) == 0);

    if (!has_descriptors(error))
        return NULL;
    struct loop *loop = calloc(1, sizeof *loop);
    struct event_base *base = loop != NULL ? new_base() : NULL;
    if (base == NULL) {
        (void)error_set(error, ERROR_EXHAUSTED, "cannot make an event loop: out of memory");
        free(loop);
        return NULL;
    }
    for (size_t i = 0; i < CHORE_KINDS; i++)
        loop->chores[i].last = &loop->chores[i].first;
    loop->base = base;
    return loop;
}

struct event_base *loop_base(struct loop *loop)
{
    CHECK(loop != NULL);
    return loop->base;
}

struct connect_timeout *loop_patience(struct loop *loop)
{
    return &loop->connect_timeout;
}

/* What is deferred meanwhile is run as well: a freed object may put aside its parts. */
static void run_deferred(struct loop *loop)
{
    for (size_t i = 0; i < loop->deferred_count; i++) {
        struct deferred deferred = loop->deferred[i];
        deferred.fn(deferred.arg);
    }
    loop->deferred_count = 0;
}

void loop_put_off(struct loop *loop, enum chore_kind kind, struct chore *chore, loop_fn *fn,
                  void *arg)
{
    CHECK(chore->link == NULL);
    struct chores *chores = &loop->chores[kind];
    *chore = (struct chore){.link = chores->last, .kind = kind, .fn = fn, .arg = arg};
    *chores->last = chore;
    chores->last = &chore->next;
}

/* From anywhere in the queue: an owner may end, or be moved to another thread, before its chore
 * is due. */
void chore_leave(struct loop *loop, struct chore *chore)
{
    if (chore->link == NULL)
        return;
    *chore->link = chore->next;
    if (chore->next != NULL)
        chore->next->link = chore->link;
    else
        loop->chores[chore->kind].last = chore->link;
    chore->link = NULL;
}

static bool has_chores(const struct loop *loop)
{
    for (size_t i = 0; i < CHORE_KINDS; i++) {
        if (loop->chores[i].first != NULL)
            return true;
    }
    return false;
}

static void run_hook(struct loop *loop)
{
    if (loop->at_turn_end != NULL)
        loop->at_turn_end(loop->at_turn_end_arg);
}

/* The last one of a turn may go on beyond the time. */
static void run_chores(struct loop *loop, struct chores *chores)
{
    int64_t until_us = clock_us() + TURN_CHORES_US_MAX;
    do {
        struct chore *chore = chores->first;
        chore_leave(loop, chore);
        chore->fn(chore->arg);
    } while (chores->first != NULL && clock_us() < until_us);
}

/* Events first. Then the hook, which publishes what came and wakes those who read it: no chore
 * of a client delays the stream. Then chores, within their time, and the hook again for what
 * they have done. What was deferred goes last, since any callback of this turn may still hold
 * it. With chores left the next turn does not wait for events. */
static void turn(struct loop *loop)
{
    int wait = has_chores(loop) ? EVLOOP_NONBLOCK : 0;
    CHECK(event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | wait) != -1);
    run_hook(loop); /* the stream does not wait for chores */
    if (has_chores(loop)) {
        for (size_t i = 0; i < CHORE_KINDS; i++) {
            if (loop->chores[i].first != NULL)
                run_chores(loop, &loop->chores[i]);
        }
        run_hook(loop);
    }
    run_deferred(loop);
}

void loop_run(struct loop *loop)
{
    while (!loop->stopping)
        turn(loop);
    loop->stopping = false;
}

/* The turn that runs is finished, with its hook: what this turn has received is published before
 * the loop ends. */
void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

void loop_at_turn_end(struct loop *loop, loop_fn *fn, void *arg)
{
    loop->at_turn_end = fn;
    loop->at_turn_end_arg = arg;
}

void loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    if (loop->deferred_count == loop->deferred_capacity) {
        size_t capacity = loop->deferred_capacity == 0 ? 16 : loop->deferred_capacity * 2;
        struct deferred *grown = realloc(loop->deferred, capacity * sizeof *grown);
        /* A few bytes to be able to free memory: without them the process is at its end. */
        CHECK(grown != NULL);
        loop->deferred = grown;
        loop->deferred_capacity = capacity;
    }
    loop->deferred[loop->deferred_count++] = (struct deferred){fn, arg};
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    (void)signo;
    (void)what;
    struct signal_watch *watch = arg;
    watch->fn(watch->arg);
}

bool loop_on_signal(struct loop *loop, int signo, loop_fn *fn, void *arg)
{
    struct signal_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return false;
    watch->fn = fn;
    watch->arg = arg;
    watch->event = evsignal_new(loop->base, signo, on_signal, watch);
    if (watch->event == NULL || evsignal_add(watch->event, NULL) == -1) {
        if (watch->event != NULL)
            event_free(watch->event);
        free(watch);
        return false;
    }
    watch->next = loop->signals;
    loop->signals = watch;
    return true;
}

static void free_signals(struct loop *loop)
{
    while (loop->signals != NULL) {
        struct signal_watch *watch = loop->signals;
        loop->signals = watch->next;
        event_free(watch->event);
        free(watch);
    }
}

void loop_adopt(struct loop *loop, struct orphan *orphan, loop_fn *hurry, void *arg)
{
    CHECK(orphan->link == NULL);
    orphan->hurry = hurry;
    orphan->arg = arg;
    orphan->next = loop->orphans;
    if (orphan->next != NULL)
        orphan->next->link = &orphan->next;
    orphan->link = &loop->orphans;
    loop->orphans = orphan;
}

void orphan_leave(struct orphan *orphan)
{
    if (orphan->link == NULL)
        return;
    *orphan->link = orphan->next;
    if (orphan->next != NULL)
        orphan->next->link = orphan->link;
    orphan->link = NULL;
}

/* One that has `hurry` takes itself off the list, so the next one is read before. The rest leave by
 * themselves within a few turns: nothing of them waits for a timer. */
static void end_orphans(struct loop *loop)
{
    struct orphan *next;
    for (struct orphan *orphan = loop->orphans; orphan != NULL; orphan = next) {
        next = orphan->next;
        if (orphan->hurry != NULL)
            orphan->hurry(orphan->arg);
    }
    while (loop->orphans != NULL)
        CHECK(event_base_loop(loop->base, EVLOOP_ONCE) != -1);
}

void loop_free(struct loop **where)
{
    struct loop *loop = *where;
    *where = NULL;
    if (loop == NULL)
        return;
    /* Whoever has a chore in the queue has forgotten to end before its loop. */
    CHECK(!has_chores(loop));
    end_orphans(loop);
    run_deferred(loop);
    free_signals(loop);
    event_base_free(loop->base);
    free(loop->deferred);
    free(loop);
}
