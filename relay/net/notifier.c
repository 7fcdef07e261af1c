/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop_private.h"

struct notifier {
    atomic_bool rung; /* rung and not yet heard: further rings need no system call */
    int fd;           /* an eventfd: what wakes the loop */
    struct event *event;
    loop_fn *fn;
    void *arg;
};

/* The descriptor is emptied before the mark is cleared. The other way round a ring between the two
 * would be swallowed with its mark left standing, and the notifier would be dumb for ever. */
static void on_rung(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct notifier *notifier = arg;
    uint64_t count;
    CHECK(read(fd, &count, sizeof count) == sizeof count || errno == EAGAIN || errno == EINTR);
    /* acquire: reads from every ring that found the mark set, so that what was written before it
     * is seen by fn. release: not needed here, but an exchange continues their release sequence. */
    (void)atomic_exchange_explicit(&notifier->rung, false, memory_order_acq_rel);
    notifier->fn(notifier->arg); /* last: it may free the notifier */
}

void notifier_wake(struct notifier *notifier)
{
    /* release: pairs with the acquire in on_rung, also when the mark was set by somebody else.
     * acquire: the write below must not move up before it. */
    if (atomic_exchange_explicit(&notifier->rung, true, memory_order_acq_rel))
        return;
    const uint64_t one = 1;
    ssize_t written;
    do
        written = write(notifier->fd, &one, sizeof one);
    while (written == -1 && errno == EINTR);
    CHECK(written == sizeof one);
}

struct notifier *notifier_new(struct loop *loop, loop_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct notifier *notifier = calloc(1, sizeof *notifier);
    if (notifier == NULL)
        return NULL;
    notifier->fn = fn;
    notifier->arg = arg;
    atomic_init(&notifier->rung, false);
    notifier->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (notifier->fd != -1)
        notifier->event =
            event_new(loop_base(loop), notifier->fd, EV_READ | EV_PERSIST, on_rung, notifier);
    if (notifier->event == NULL || event_add(notifier->event, NULL) == -1)
        notifier_free(&notifier);
    return notifier;
}

void notifier_free(struct notifier **where)
{
    struct notifier *notifier = *where;
    *where = NULL;
    if (notifier == NULL)
        return;
    if (notifier->event != NULL)
        event_free(notifier->event);
    if (notifier->fd != -1)
        close(notifier->fd);
    free(notifier);
}
