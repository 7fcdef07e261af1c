/* SPDX-License-Identifier: MIT */
#include "event_loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/time.h>

#include "calls.h"
#include "file.h"
#include "relay/base/check.h"
#include "sim.h"

enum { ACTIVE_MAX = 256 };

struct event {
    struct event_base *base;
    struct event *next;
    struct event **link;
    int fd; /* or a signal */
    short what;
    event_callback_fn fn;
    void *arg;
    bool is_added;
    bool is_active; /* in this turn */
    short found;
    int64_t due_us; /* SIM_NEVER: no timeout */
};

struct event_base {
    struct event_base *next;
    struct process *process;
    struct event *events;
    struct event *active[ACTIVE_MAX];
    size_t active_count;
};

static struct event_base *bases;

void event_loops_poke(struct process *process)
{
    for (struct event_base *base = bases; base != NULL; base = base->next) {
        if (base->process == process)
            fiber_wake_all(base);
    }
}

void event_loops_delay(struct process *process, int64_t by_us)
{
    for (struct event_base *base = bases; base != NULL; base = base->next) {
        for (struct event *event = base->events; event != NULL; event = event->next) {
            if (base->process == process && event->due_us != SIM_NEVER)
                event->due_us += by_us;
        }
    }
}

void event_loops_forget(struct process *process)
{
    struct event_base **link = &bases;
    while (*link != NULL) {
        if ((*link)->process == process)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
}

/* ---- what the relay sets and does not ask ---- */

struct event_config *sim_event_config_new(void)
{
    return calloc(1, 1);
}

void sim_event_config_free(struct event_config *config)
{
    free(config);
}

int sim_event_config_set_flag(struct event_config *config, int flag)
{
    (void)config;
    (void)flag;
    return 0;
}

void sim_event_set_fatal_callback(event_fatal_cb fn)
{
    (void)fn;
}

void sim_event_set_log_callback(event_log_cb fn)
{
    (void)fn;
}

/* ---- bases and events ---- */

struct event_base *sim_event_base_new_with_config(const struct event_config *config)
{
    (void)config;
    struct event_base *base = calloc(1, sizeof *base);
    CHECK(base != NULL);
    base->process = process_self();
    base->next = bases;
    bases = base;
    return base;
}

void sim_event_base_free(struct event_base *base)
{
    struct event_base **link = &bases;
    while (*link != base)
        link = &(*link)->next;
    *link = base->next;
    free(base);
}

struct event *sim_event_new(struct event_base *base, evutil_socket_t fd, short what,
                            event_callback_fn fn, void *arg)
{
    struct event *event = calloc(1, sizeof *event);
    CHECK(event != NULL);
    *event = (struct event){.base = base, .fd = fd, .what = what, .fn = fn, .arg = arg};
    event->due_us = SIM_NEVER;
    event->next = base->events;
    event->link = &base->events;
    if (event->next != NULL)
        event->next->link = &event->next;
    base->events = event;
    return event;
}

int sim_event_add(struct event *event, const struct timeval *timeout)
{
    event->is_added = true;
    if (timeout != NULL)
        event->due_us = sim_now_us() + (int64_t)timeout->tv_sec * SIM_S + timeout->tv_usec;
    return 0;
}

int sim_event_del(struct event *event)
{
    event->is_added = false;
    event->is_active = false;
    event->due_us = SIM_NEVER;
    return 0;
}

void sim_event_free(struct event *event)
{
    sim_event_del(event);
    *event->link = event->next;
    if (event->next != NULL)
        event->next->link = event->link;
    for (size_t i = 0; i < event->base->active_count; i++) {
        if (event->base->active[i] == event)
            event->base->active[i] = NULL;
    }
    free(event);
}

/* ---- a turn ---- */

static short look_at_event(struct event *event)
{
    short found = 0;
    if ((event->what & EV_SIGNAL) != 0) {
        uint64_t bit = 1ULL << event->fd;
        if ((event->base->process->signals & bit) != 0)
            found |= EV_SIGNAL;
        event->base->process->signals &= ~bit;
    } else if (event->fd >= 0) {
        const struct file *file = event->base->process->files[event->fd];
        if (file != NULL && (event->what & EV_READ) != 0 && file_is_readable(file))
            found |= EV_READ;
        if (file != NULL && (event->what & EV_WRITE) != 0 && file_is_writable(file))
            found |= EV_WRITE;
    }
    if (event->due_us <= sim_now_us())
        found |= EV_TIMEOUT;
    return found;
}

/* What is ready, in an order that is drawn; *due_us: when the next timeout is. */
static void find_active(struct event_base *base, int64_t *due_us)
{
    base->active_count = 0;
    for (struct event *event = base->events; event != NULL; event = event->next) {
        if (!event->is_added)
            continue;
        event->found = look_at_event(event);
        if (event->found == 0) {
            if (event->due_us < *due_us)
                *due_us = event->due_us;
            continue;
        }
        if (base->active_count == ACTIVE_MAX)
            break;
        event->is_active = true;
        size_t at = (size_t)random_below(base->active_count + 1);
        base->active[base->active_count++] = base->active[at];
        base->active[at] = event;
    }
}

static void run_event(struct event *event)
{
    event->is_active = false;
    if ((event->what & EV_PERSIST) == 0) {
        event->is_added = false;
        event->due_us = SIM_NEVER;
    }
    event->fn(event->fd, event->found, event->arg);
}

int sim_event_base_loop(struct event_base *base, int flags)
{
    sim_call("epoll_wait");
    for (;;) {
        int64_t due_us = SIM_NEVER;
        find_active(base, &due_us);
        if (base->active_count > 0 || (flags & EVLOOP_NONBLOCK) != 0)
            break;
        fiber_wait(base, due_us);
    }
    for (size_t i = 0; i < base->active_count; i++) {
        struct event *event = base->active[i];
        if (event != NULL && event->is_active)
            run_event(event);
    }
    base->active_count = 0;
    return 0;
}
