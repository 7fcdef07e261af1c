/* SPDX-License-Identifier: MIT */
#include "relay/net/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "loop_private.h"
#include "relay/base/error.h"
#include "relay/base/log.h"

enum {
    BACKLOG = 511,         /* what servers of this protocol ask for; the kernel cuts it */
    ACCEPTS_PER_TURN = 64, /* a flood of clients waits for those that are served */
    REST_MS = 100,
};

struct listener {
    struct loop *loop;
    int fd;
    struct event *event;
    struct timer *rest;
    bool is_exhausted; /* said so, and not recovered yet */
    bool is_paused;
    listener_fn *fn; /* NULL: closed in a callback */
    void *arg;
};

/* Without the event: as long as a client waits in the kernel's queue the descriptor is ready,
 * and the loop would turn without a rest. */
static void begin_pause(struct listener *listener)
{
    if (!listener->is_exhausted)
        log_warn("net: listener cannot accept, tries again every %d ms", REST_MS);
    listener->is_exhausted = true;
    (void)event_del(listener->event);
    timer_arm(listener->rest, REST_MS);
}

static void on_rested(void *arg)
{
    struct listener *listener = arg;
    if (!listener->is_paused && event_add(listener->event, NULL) == -1)
        timer_arm(listener->rest, REST_MS);
}

static void note_recovery(struct listener *listener)
{
    if (!listener->is_exhausted)
        return;
    listener->is_exhausted = false;
    log_info("net: listener accepts again");
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct listener *listener = arg;
    for (int i = 0; i < ACCEPTS_PER_TURN && listener->fn != NULL && !listener->is_paused; i++) {
        int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted != -1) {
            note_recovery(listener);
            listener->fn(accepted, listener->arg);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (error_kind_of(errno) == ERROR_EXHAUSTED) {
            begin_pause(listener);
            return;
        }
        /* What is left concerns one client that has gone meanwhile (accept(2)): on to the next. */
    }
}

static bool listener_parse(const char *text, uint16_t port, struct address *out)
{
    if (strcmp(text, "*") == 0)
        text = "0.0.0.0";
    else if (strcmp(text, "::*") == 0)
        text = "::";
    return address_parse(text, port, out);
}

/* A restart finds connections of the process before in TIME_WAIT, which must not keep the port
 * from it. With V6ONLY "*" and "::*" can stand side by side. */
static bool bind_socket(int fd, const struct address *address)
{
    const int on = 1;
    bool is_v6 = address->storage.ss_family == AF_INET6;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           (!is_v6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
           bind(fd, (const struct sockaddr *)&address->storage, address->length) == 0 &&
           listen(fd, BACKLOG) == 0;
}

static bool listener_make_events(struct listener *listener)
{
    listener->rest = timer_new(listener->loop, on_rested, listener);
    listener->event = event_new(loop_base(listener->loop), listener->fd, EV_READ | EV_PERSIST,
                                on_acceptable, listener);
    return listener->rest != NULL && listener->event != NULL &&
           event_add(listener->event, NULL) == 0;
}

static bool listener_set_error(struct error *error, int number, const char *address, uint16_t port)
{
    return error_set_system(error, number, "bind %s port %u", address, (unsigned)port);
}

int listener_try(const char *address, uint16_t port, struct error *error)
{
    struct address parsed;
    if (!listener_parse(address, port, &parsed)) {
        error_set(error, ERROR_INVALID, "bind %s port %u: not a numeric address", address,
                  (unsigned)port);
        return -1;
    }
    int fd = socket(parsed.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd != -1 && bind_socket(fd, &parsed))
        return fd;
    listener_set_error(error, errno, address, port);
    if (fd != -1)
        close(fd);
    return -1;
}

bool listener_next_address(const char **list, struct listener_address *address)
{
    *list += strspn(*list, " \t");
    size_t length = strcspn(*list, " \t");
    address->may_miss = **list == '-';
    snprintf(address->text, sizeof address->text, "%.*s", (int)(length - address->may_miss),
             *list + address->may_miss);
    *list += length;
    return length > 0;
}

struct listener *listener_open(struct loop *loop, const char *address, uint16_t port,
                               listener_fn *fn, void *arg, struct error *error)
{
    CHECK(fn != NULL);
    int fd = listener_try(address, port, error);
    if (fd == -1)
        return NULL;
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        listener_set_error(error, ENOMEM, address, port);
        close(fd);
        return NULL;
    }
    *listener = (struct listener){.loop = loop, .fd = fd, .fn = fn, .arg = arg};
    if (!listener_make_events(listener)) {
        listener_set_error(error, ENOMEM, address, port);
        listener_close(&listener);
    }
    return listener;
}

uint16_t listener_port(const struct listener *listener)
{
    struct address address = {.length = sizeof address.storage};
    CHECK(getsockname(listener->fd, (struct sockaddr *)&address.storage, &address.length) == 0);
    return address_port(&address);
}

void listener_pause(struct listener *listener, bool is_paused)
{
    if (listener->is_paused == is_paused)
        return;
    listener->is_paused = is_paused;
    if (is_paused)
        (void)event_del(listener->event);
    else
        timer_arm(listener->rest, 0);
}

static void listener_free_later(void *arg)
{
    free(arg);
}

void listener_close(struct listener **where)
{
    struct listener *listener = *where;
    *where = NULL;
    if (listener == NULL)
        return;
    if (listener->event != NULL)
        event_free(listener->event);
    timer_free(&listener->rest);
    if (listener->fd != -1)
        close(listener->fd);
    /* on_acceptable may be above us on the stack, and looks at this. */
    listener->fn = NULL;
    loop_defer(listener->loop, listener_free_later, listener);
}
