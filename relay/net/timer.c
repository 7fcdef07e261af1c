/* SPDX-License-Identifier: MIT */
#include <event2/event.h>
#include <stdlib.h>

#include "loop_private.h"
#include "relay/base/clock.h"

/* A timer that is so late tells that its thread stood still. The threads' ticks are due every second, so
 * that no standstill of some seconds passes unseen, and who judges silence does so in a tick. */
enum { STANDSTILL_MS = 2000 };

struct timer {
    struct event *event;
    int64_t due_ms; /* by clock_ms */
    loop_fn *fn;
    void *arg;
};

static void schedule(struct timer *timer, int64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
    CHECK(evtimer_add(timer->event, &delay) == 0);
}

/* libevent counts from the start of the turn and by a coarse clock, so it may be early by some
 * milliseconds. An owner that compares clock_ms with its deadline must not find it ahead. */
static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct timer *timer = arg;
    int64_t rest_ms = timer->due_ms - clock_ms();
    if (rest_ms > 0) {
        schedule(timer, rest_ms);
        return;
    }
    if (-rest_ms > STANDSTILL_MS)
        clock_note_standstill();
    timer->fn(timer->arg); /* last: it may free the timer */
}

struct timer *timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL)
        return NULL;
    timer->fn = fn;
    timer->arg = arg;
    timer->event = evtimer_new(loop_base(loop), on_timeout, timer);
    if (timer->event == NULL) {
        free(timer);
        return NULL;
    }
    return timer;
}

void timer_arm(struct timer *timer, int64_t delay_ms)
{
    CHECK(delay_ms >= 0);
    timer->due_ms = clock_ms() + delay_ms;
    schedule(timer, delay_ms);
}

void timer_disarm(struct timer *timer)
{
    CHECK(evtimer_del(timer->event) == 0);
}

void timer_free(struct timer **where)
{
    struct timer *timer = *where;
    *where = NULL;
    if (timer == NULL)
        return;
    event_free(timer->event);
    free(timer);
}
