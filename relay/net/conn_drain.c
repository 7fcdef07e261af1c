/* SPDX-License-Identifier: MIT
 *
 * A connection that nobody owns any more, whose last bytes shall arrive: a socket that is closed with unread
 * bytes in it is reset by the kernel, and a reset takes back what the peer has not read yet. So what comes is read
 * and thrown away until the peer has ended, too. */
#include <stdatomic.h>

#include "conn_private.h"

/* How much of what nobody wants is thrown away in one turn. */
enum { DISCARD_CHUNK = 16 * 1024, DISCARDS_PER_TURN = 16 };

/* Relaxed: a number to go by, and nothing else depends on it. */
static atomic_uint draining_count;

unsigned conn_draining_count(void)
{
    return atomic_load_explicit(&draining_count, memory_order_relaxed);
}

void conn_count_draining(enum conn_state before, enum conn_state after)
{
    if (after == CONN_STATE_DRAINING)
        atomic_fetch_add_explicit(&draining_count, 1, memory_order_relaxed);
    else if (before == CONN_STATE_DRAINING)
        atomic_fetch_sub_explicit(&draining_count, 1, memory_order_relaxed);
}

/* Until all is sent and the peer has ended, too. */
static void keep_draining(struct conn *conn)
{
    unsigned waits = (conn->has_ended ? 0 : WAITS_READ) |
                     (channel_has_unsent(&conn->channel) ? conn->channel.send_waits : 0);
    if (waits == 0 || !conn_listen_for(conn, waits))
        conn_close_now(conn);
}

static void discard_received(struct conn *conn)
{
    char chunk[DISCARD_CHUNK];
    size_t received;
    for (int i = 0; i < DISCARDS_PER_TURN; i++) {
        switch (channel_receive(&conn->channel, chunk, sizeof chunk, &received)) {
        case CONN_OK:
            break;
        case CONN_AGAIN:
            keep_draining(conn);
            return;
        case CONN_END:
            conn->has_ended = true;
            keep_draining(conn);
            return;
        case CONN_FAILED:
        case CONN_UNREADABLE:
            conn_close_now(conn);
            return;
        }
    }
    keep_draining(conn);
}

/* Also while something is unsent what comes is read: the peer may wait for that before it reads. */
void conn_drain_on(struct conn *conn)
{
    if (channel_flush(&conn->channel) == CONN_FAILED)
        conn_close_now(conn);
    else if (conn->has_ended)
        keep_draining(conn);
    else
        discard_received(conn);
}

static void drain_hurry(void *arg)
{
    conn_close_now(arg);
}

void conn_drain(struct conn **where, int64_t limit_ms)
{
    CHECK(limit_ms >= 0);
    struct conn *conn = *where;
    *where = NULL;
    if (conn == NULL)
        return;
    if (conn->state != CONN_STATE_UP || conn->loop == NULL) {
        conn_close_now(conn); /* nothing is under way */
        return;
    }
    channel_finish(&conn->channel);
    conn_enter(conn, CONN_STATE_DRAINING);
    loop_adopt(conn->loop, &conn->orphan, drain_hurry, conn);
    timer_arm(conn->timer, limit_ms);
    /* Where the peer has ended nothing can come that would reset it. */
    keep_draining(conn);
}
