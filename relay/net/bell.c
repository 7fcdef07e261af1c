/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop_private.h"

struct bell {
    atomic_bool rung; /* rung and not yet heard: further rings need no system call */
    int fd;           /* an eventfd: what wakes the loop */
    struct event *event;
    loop_fn *fn;
    void *arg;
};

/* The descriptor is emptied before the mark is cleared. The other way round a ring between the two
 * would be swallowed with its mark left standing, and the bell would be dumb for ever. */
static void on_rung(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct bell *bell = arg;
    uint64_t count;
    CHECK(read(fd, &count, sizeof count) == sizeof count || errno == EAGAIN || errno == EINTR);
    /* acquire: reads from every ring that found the mark set, so that what was written before it
     * is seen by fn. release: not needed here, but an exchange continues their release sequence. */
    (void)atomic_exchange_explicit(&bell->rung, false, memory_order_acq_rel);
    bell->fn(bell->arg); /* last: it may free the bell */
}

void bell_ring(struct bell *bell)
{
    /* release: pairs with the acquire in on_rung, also when the mark was set by somebody else.
     * acquire: the write below must not move up before it. */
    if (atomic_exchange_explicit(&bell->rung, true, memory_order_acq_rel))
        return;
    const uint64_t one = 1;
    ssize_t written;
    do
        written = write(bell->fd, &one, sizeof one);
    while (written == -1 && errno == EINTR);
    CHECK(written == sizeof one);
}

struct bell *bell_new(struct loop *loop, loop_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct bell *bell = calloc(1, sizeof *bell);
    if (bell == NULL)
        return NULL;
    bell->fn = fn;
    bell->arg = arg;
    atomic_init(&bell->rung, false);
    bell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (bell->fd != -1)
        bell->event = event_new(loop_base(loop), bell->fd, EV_READ | EV_PERSIST, on_rung, bell);
    if (bell->event == NULL || event_add(bell->event, NULL) == -1)
        bell_free(&bell);
    return bell;
}

void bell_free(struct bell **where)
{
    struct bell *bell = *where;
    *where = NULL;
    if (bell == NULL)
        return;
    if (bell->event != NULL)
        event_free(bell->event);
    if (bell->fd != -1)
        close(bell->fd);
    free(bell);
}
