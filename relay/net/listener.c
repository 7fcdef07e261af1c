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

static bool is_exhaustion(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
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
        if (is_exhaustion(errno)) {
            begin_pause(listener);
            return;
        }
        /* What is left concerns one client that has gone meanwhile (accept(2)): on to the next. */
    }
}

static bool parse(const char *text, uint16_t port, struct address *out)
{
    if (strcmp(text, "*") == 0)
        text = "0.0.0.0";
    else if (strcmp(text, "::*") == 0)
        text = "::";
    return address_parse(text, port, out);
}

/* -1: errno. */
static int open_socket(const struct address *address)
{
    const int on = 1;
    int family = address->storage.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)&address->storage, address->length) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool make_events(struct listener *listener)
{
    listener->rest = timer_new(listener->loop, on_rested, listener);
    listener->event = event_new(loop_base(listener->loop), listener->fd, EV_READ | EV_PERSIST,
                                on_acceptable, listener);
    return listener->rest != NULL && listener->event != NULL &&
           event_add(listener->event, NULL) == 0;
}

static bool parse_or_say(const char *address, uint16_t port, struct address *out,
                         struct text *error)
{
    if (parse(address, port, out))
        return true;
    text_format(error, "bind %s port %u: not a numeric address", address, (unsigned)port);
    return false;
}

static void say(const char *address, uint16_t port, struct text *error)
{
    text_format(error, "bind %s port %u: %s", address, (unsigned)port, strerror(errno));
}

int listener_try(const char *address, uint16_t port, bool *is_taken, struct text *error)
{
    struct address parsed;
    *is_taken = false;
    if (!parse_or_say(address, port, &parsed, error))
        return -1;
    int fd = open_socket(&parsed);
    if (fd != -1)
        return fd;
    *is_taken = errno == EADDRINUSE;
    say(address, port, error);
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
                               listener_fn *fn, void *arg, struct text *error)
{
    CHECK(fn != NULL);
    struct address parsed;
    if (!parse_or_say(address, port, &parsed, error))
        return NULL;
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener != NULL) {
        listener->loop = loop;
        listener->fn = fn;
        listener->arg = arg;
        listener->fd = open_socket(&parsed);
    }
    if (listener == NULL || listener->fd == -1 || !make_events(listener)) {
        say(address, port, error);
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

static void free_later(void *arg)
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
    listener->fn = NULL;
    loop_defer(listener->loop, free_later, listener);
}
