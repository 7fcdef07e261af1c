/* SPDX-License-Identifier: MIT */
#include "dialer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop_private.h"
#include "resolver.h"

const struct dialer_options dialer_defaults = {.resolve = resolve_by_system, .try_ms = 3000};

struct dialer {
    struct loop *loop;
    int64_t try_ms;
    struct lookup *lookup; /* NULL: done */
    struct addresses found;
    size_t next;                /* the address to try when the present one fails */
    int fd;                     /* of the try under way, or -1 */
    struct event *on_connected; /* of the try under way, or NULL */
    struct timer *limit;
    char error[LOOKUP_ERROR_MAX]; /* of the last try */
    dialer_fn *fn;
    void *arg;
};

static void end_try(struct dialer *dialer)
{
    timer_disarm(dialer->limit);
    if (dialer->on_connected != NULL)
        event_free(dialer->on_connected);
    dialer->on_connected = NULL;
    if (dialer->fd != -1)
        close(dialer->fd);
    dialer->fd = -1;
}

/* With several addresses the reason says whose it is. */
static void fail_try(struct dialer *dialer, int error)
{
    end_try(dialer);
    char text[ADDRESS_TEXT_MAX];
    address_format(&dialer->found.list[dialer->next - 1], text);
    bool is_one_of_many = dialer->found.count > 1;
    snprintf(dialer->error, sizeof dialer->error, "%s%s%s", is_one_of_many ? text : "",
             is_one_of_many ? ": " : "", strerror(error));
}

static void try_next(struct dialer *dialer);

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct dialer *dialer = arg;
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
        error = errno;
    if (error != 0) {
        fail_try(dialer, error);
        try_next(dialer);
        return;
    }
    dialer->fd = -1; /* given away */
    end_try(dialer);
    dialer->fn(fd, "", dialer->arg); /* last: it may free the dialer */
}

static void on_limit(void *arg)
{
    struct dialer *dialer = arg;
    fail_try(dialer, ETIMEDOUT);
    try_next(dialer);
}

/* False: errno. What connects at once is told like the rest, by an event. */
static bool begin_try(struct dialer *dialer, const struct address *to)
{
    dialer->fd = socket(to->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dialer->fd == -1)
        return false;
    if (connect(dialer->fd, (const struct sockaddr *)&to->storage, to->length) == -1 &&
        errno != EINPROGRESS)
        return false;
    dialer->on_connected =
        event_new(loop_base(dialer->loop), dialer->fd, EV_WRITE, on_connected, dialer);
    if (dialer->on_connected != NULL && event_add(dialer->on_connected, NULL) == 0)
        return true;
    errno = ENOMEM; /* libevent's own errno is not to be trusted */
    return false;
}

static void try_next(struct dialer *dialer)
{
    while (dialer->next < dialer->found.count) {
        const struct address *to = &dialer->found.list[dialer->next++];
        if (begin_try(dialer, to)) {
            if (dialer->next < dialer->found.count)
                timer_arm(dialer->limit, dialer->try_ms);
            return;
        }
        fail_try(dialer, errno);
    }
    dialer->fn(-1, dialer->error, dialer->arg); /* last: it may free the dialer */
}

static void on_found(const struct addresses *found, const char *error, void *arg)
{
    struct dialer *dialer = arg;
    dialer->lookup = NULL;
    dialer->found = *found;
    snprintf(dialer->error, sizeof dialer->error, "%s", error);
    try_next(dialer);
}

struct dialer *dialer_new(struct loop *loop, const struct dialer_options *options, const char *host,
                          uint16_t port, dialer_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct dialer *dialer = calloc(1, sizeof *dialer);
    if (dialer == NULL)
        return NULL;
    dialer->loop = loop;
    dialer->try_ms = options->try_ms;
    dialer->fd = -1;
    dialer->fn = fn;
    dialer->arg = arg;
    dialer->limit = timer_new(loop, on_limit, dialer);
    if (dialer->limit != NULL)
        dialer->lookup = lookup_start(loop, options->resolve, host, port, on_found, dialer);
    if (dialer->lookup == NULL)
        dialer_free(&dialer);
    return dialer;
}

void dialer_free(struct dialer **where)
{
    struct dialer *dialer = *where;
    *where = NULL;
    if (dialer == NULL)
        return;
    lookup_cancel(&dialer->lookup);
    if (dialer->limit != NULL)
        end_try(dialer);
    timer_free(&dialer->limit);
    free(dialer);
}
