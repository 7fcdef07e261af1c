/* SPDX-License-Identifier: MIT */
#include "dialer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connect_timeout.h"
#include "loop_private.h"
#include "relay/base/clock.h"
#include "relay/base/error.h"
#include "resolver.h"

const struct dialer_options dialer_defaults = {
    .resolve = resolve_by_system,
    .stagger_ms = 250,
    .first_ms = 1500, /* a lost packet is sent again after a second */
    .limit_ms = 12 * 1000,
};

/* At one address. */
struct attempt {
    struct dialer *dialer;
    const struct address *to;
    int fd;                     /* -1: not under way */
    struct event *on_connected; /* NULL: not under way */
    int64_t until_ms;
};

struct dialer {
    struct loop *loop;
    struct dialer_options options;
    struct lookup *lookup; /* NULL: done */
    struct addresses found;
    struct attempt attempts[LOOKUP_ADDRESSES_MAX]; /* one for each address */
    size_t next;                                   /* the one that begins next */
    int64_t next_ms;                               /* and when */
    struct timer *timer;                           /* for that, and for the limits */
    char error[LOOKUP_ERROR_MAX];                  /* of the attempt that ended last */
    dialer_fn *fn;
    void *arg;
};

static bool is_under_way(const struct attempt *attempt)
{
    return attempt->on_connected != NULL;
}

static void end_attempt(struct attempt *attempt)
{
    if (attempt->on_connected != NULL)
        event_free(attempt->on_connected);
    attempt->on_connected = NULL;
    if (attempt->fd != -1)
        close(attempt->fd);
    attempt->fd = -1;
}

static void end_all(struct dialer *dialer)
{
    timer_disarm(dialer->timer);
    for (size_t i = 0; i < dialer->next; i++)
        end_attempt(&dialer->attempts[i]);
}

/* With several addresses the reason says whose it is. */
static void fail_attempt(struct attempt *attempt, const struct error *error)
{
    struct dialer *dialer = attempt->dialer;
    end_attempt(attempt);
    char text[ADDRESS_TEXT_MAX];
    address_format(attempt->to, text);
    bool is_one_of_many = dialer->found.count > 1;
    snprintf(dialer->error, sizeof dialer->error, "%s%s%s", is_one_of_many ? text : "",
             is_one_of_many ? ": " : "", error_reason(error));
}

static void dialer_go_on(struct dialer *dialer);

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct attempt *attempt = arg;
    struct dialer *dialer = attempt->dialer;
    int number = 0; /* of the connect */
    socklen_t length = sizeof number;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length) == -1)
        number = errno;
    /* Also a refusal shows that the address can be reached in time. */
    if (number != ETIMEDOUT)
        connect_timeout_note_answer(loop_patience(dialer->loop), attempt->to);
    if (number != 0) {
        struct error error;
        (void)error_set_system(&error, number, "cannot connect");
        fail_attempt(attempt, &error);
        dialer->next_ms = clock_ms(); /* no reason to wait */
        dialer_go_on(dialer);
        return;
    }
    attempt->fd = -1; /* given away */
    /* The others are given up, also one that would have connected in a moment: a server sees a
     * connection that says nothing and goes. */
    end_all(dialer);
    dialer->fn(fd, "", dialer->arg); /* last: it may free the dialer */
}

/* What connects at once is told like the rest, by an event. */
static bool begin_attempt(struct dialer *dialer, struct attempt *attempt, struct error *error)
{
    const struct address *to = attempt->to;
    const struct dialer_options *options = &dialer->options;
    attempt->until_ms = clock_ms() + connect_timeout_ms(loop_patience(dialer->loop), to,
                                                        options->first_ms, options->limit_ms);
    attempt->fd = socket(to->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd == -1)
        return error_set_system(error, errno, "cannot make a socket");
    if (connect(attempt->fd, (const struct sockaddr *)&to->storage, to->length) == -1 &&
        errno != EINPROGRESS)
        return error_set_system(error, errno, "cannot connect");
    attempt->on_connected =
        event_new(loop_base(dialer->loop), attempt->fd, EV_WRITE, on_connected, attempt);
    if (attempt->on_connected != NULL && event_add(attempt->on_connected, NULL) == 0)
        return true;
    return error_set(error, ERROR_EXHAUSTED, "out of memory");
}

/* The next address has its attempt, where it is time for it. */
static void begin_next(struct dialer *dialer, int64_t now_ms)
{
    while (dialer->next < dialer->found.count && dialer->next_ms <= now_ms) {
        struct attempt *attempt = &dialer->attempts[dialer->next];
        *attempt =
            (struct attempt){.dialer = dialer, .to = &dialer->found.list[dialer->next], .fd = -1};
        struct error error;
        dialer->next++;
        if (begin_attempt(dialer, attempt, &error))
            dialer->next_ms = now_ms + dialer->options.stagger_ms;
        else
            fail_attempt(attempt, &error);
    }
}

/* When there is something to be done next. INT64_MAX: never, all have failed. */
static int64_t next_moment(const struct dialer *dialer)
{
    int64_t moment_ms = dialer->next < dialer->found.count ? dialer->next_ms : INT64_MAX;
    for (size_t i = 0; i < dialer->next; i++) {
        const struct attempt *attempt = &dialer->attempts[i];
        if (is_under_way(attempt) && attempt->until_ms < moment_ms)
            moment_ms = attempt->until_ms;
    }
    return moment_ms;
}

/* Begins what is due, and waits for what comes next. Where nothing can come any more, all have
 * failed, and the reason of the last is told. */
static void dialer_go_on(struct dialer *dialer)
{
    int64_t now_ms = clock_ms();
    begin_next(dialer, now_ms);
    int64_t moment_ms = next_moment(dialer);
    if (moment_ms != INT64_MAX)
        timer_arm(dialer->timer, moment_ms > now_ms ? moment_ms - now_ms : 0);
    else
        dialer->fn(-1, dialer->error, dialer->arg); /* last: it may free the dialer */
}

static void dialer_on_timer(void *arg)
{
    struct dialer *dialer = arg;
    int64_t now_ms = clock_ms();
    for (size_t i = 0; i < dialer->next; i++) {
        struct attempt *attempt = &dialer->attempts[i];
        if (!is_under_way(attempt) || attempt->until_ms > now_ms)
            continue;
        connect_timeout_note_silence(loop_patience(dialer->loop), attempt->to);
        struct error error;
        (void)error_set_system(&error, ETIMEDOUT, "cannot connect");
        fail_attempt(attempt, &error);
        dialer->next_ms = now_ms;
    }
    dialer_go_on(dialer);
}

static void on_found(const struct addresses *found, const char *error, void *arg)
{
    struct dialer *dialer = arg;
    dialer->lookup = NULL;
    dialer->found = *found;
    snprintf(dialer->error, sizeof dialer->error, "%s", error);
    dialer->next_ms = clock_ms();
    dialer_go_on(dialer);
}

struct dialer *dialer_new(struct loop *loop, const struct dialer_options *options, const char *host,
                          uint16_t port, dialer_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct dialer *dialer = calloc(1, sizeof *dialer);
    if (dialer == NULL)
        return NULL;
    dialer->loop = loop;
    dialer->options = *options;
    dialer->fn = fn;
    dialer->arg = arg;
    dialer->timer = timer_new(loop, dialer_on_timer, dialer);
    if (dialer->timer != NULL)
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
    if (dialer->timer != NULL)
        end_all(dialer);
    timer_free(&dialer->timer);
    free(dialer);
}
