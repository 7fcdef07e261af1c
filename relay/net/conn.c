/* SPDX-License-Identifier: MIT */
#include "relay/net/conn.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn_private.h"
#include "dialer.h"
#include "relay/base/log.h"
#include "transport_websocket.h"

#define TO(state) (1u << CONN_STATE_##state)

static const struct state_row {
    const char *name;
    unsigned next; /* where it may go */
} states[] = {
    [CONN_STATE_OPENING] = {"opening", TO(SECURING) | TO(BROKEN) | TO(CLOSED)},
    [CONN_STATE_SECURING] = {"securing", TO(UP) | TO(BROKEN) | TO(CLOSED)},
    [CONN_STATE_UP] = {"up", TO(BROKEN) | TO(DRAINING) | TO(CLOSED)},
    [CONN_STATE_BROKEN] = {"broken", TO(CLOSED)},
    [CONN_STATE_DRAINING] = {"draining", TO(CLOSED)},
    [CONN_STATE_CLOSED] = {"closed", 0},
};

void conn_enter(struct conn *conn, enum conn_state state)
{
    CHECK((states[conn->state].next & 1u << state) != 0);
    log_debug("net: conn peer=%s state=%s->%s", conn->peer_text, states[conn->state].name,
              states[state].name);
    conn_count_draining(conn->state, state);
    conn->state = state;
}

static bool is_working(const struct conn *conn)
{
    CHECK(conn->state == CONN_STATE_UP || conn->state == CONN_STATE_BROKEN);
    CHECK(conn->loop != NULL);
    return conn->state == CONN_STATE_UP;
}

void conn_tell(struct conn *conn, enum conn_event event)
{
    conn->fn(conn, event, conn->arg);
}

/* ---- what the descriptor is watched for ---- */

static bool watch(struct event *event, bool on)
{
    return (on ? event_add(event, NULL) : event_del(event)) == 0;
}

bool conn_listen_for(struct conn *conn, unsigned waits)
{
    /* Only what changes is told to libevent: most calls come after a receive or a send that
     * changes nothing. */
    unsigned changed = waits ^ conn->listening;
    conn->listening = waits;
    if ((changed & WAITS_READ) != 0 && !watch(conn->on_read, (waits & WAITS_READ) != 0))
        return false;
    return (changed & WAITS_WRITE) == 0 || watch(conn->on_write, (waits & WAITS_WRITE) != 0);
}

void conn_break_off(struct conn *conn)
{
    conn_enter(conn, CONN_STATE_BROKEN);
    chore_leave(conn->loop, &conn->chore);
    if (conn->on_read != NULL)
        (void)conn_listen_for(conn, 0);
    timer_arm(conn->timer, 0);
}

void conn_fail(struct conn *conn, const char *why)
{
    (void)channel_fail(&conn->channel, why);
    conn_break_off(conn);
}

void conn_listen_or_fail(struct conn *conn, unsigned waits)
{
    if (!conn_listen_for(conn, waits))
        conn_fail(conn, "cannot watch the socket: out of memory");
}

void conn_listen_for_wants(struct conn *conn)
{
    /* An end is told again and again by a descriptor that is listened to. What is unsent is sent
     * whether or not the owner has more: it counts as sent. */
    bool reads = conn->wants_read && !conn->has_ended;
    bool writes = conn->wants_write || channel_has_unsent(&conn->channel);
    conn_listen_or_fail(conn, (reads ? conn->channel.receive_waits : 0) |
                                  (writes ? conn->channel.send_waits : 0));
    /* Bytes that a layer holds make no descriptor ready: the timer stands in for it, in the next
     * turn. */
    if (conn->state == CONN_STATE_UP && reads && channel_has_pending(&conn->channel))
        timer_arm(conn->timer, 0);
}

/* ---- events ---- */

/* What the layers have taken and not sent goes before what the owner has. False: not all of it
 * has gone, or the connection is broken. */
static bool conn_flush(struct conn *conn)
{
    enum conn_io io = channel_flush(&conn->channel);
    if (io == CONN_FAILED)
        conn_break_off(conn);
    else
        conn_listen_for_wants(conn);
    return io == CONN_OK && conn->state == CONN_STATE_UP;
}

/* One event a call, since nothing may be touched after it. */
static void tell_ready(struct conn *conn, unsigned ready)
{
    bool may_send = (conn->channel.send_waits & ready) != 0;
    if (may_send && channel_has_unsent(&conn->channel))
        may_send = conn_flush(conn);
    if (conn->state != CONN_STATE_UP)
        return;
    if (conn->wants_read && (conn->channel.receive_waits & ready) != 0)
        conn_tell(conn, CONN_EVENT_READABLE);
    else if (conn->wants_write && may_send)
        conn_tell(conn, CONN_EVENT_WRITABLE);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *conn = arg;
    switch (conn->state) {
    case CONN_STATE_SECURING:
        conn_secure_in_line(conn);
        return;
    case CONN_STATE_UP:
        tell_ready(conn, (what & EV_READ) != 0 ? WAITS_READ : WAITS_WRITE);
        return;
    case CONN_STATE_DRAINING:
        conn_drain_on(conn);
        return;
    case CONN_STATE_OPENING:
    case CONN_STATE_BROKEN:
    case CONN_STATE_CLOSED:
        UNREACHABLE("the descriptor is not watched in this state");
    }
}

static void conn_on_timer(void *arg)
{
    struct conn *conn = arg;
    switch (conn->state) {
    case CONN_STATE_SECURING:
        conn_secure_in_time(conn);
        return;
    case CONN_STATE_UP: /* a layer holds bytes */
        conn_listen_for_wants(conn);
        if (conn->state == CONN_STATE_UP && conn->wants_read && channel_has_pending(&conn->channel))
            conn_tell(conn, CONN_EVENT_READABLE);
        return;
    case CONN_STATE_BROKEN:
        conn_tell(conn, CONN_EVENT_DOWN);
        return;
    case CONN_STATE_DRAINING: /* the deadline */
        conn_close_now(conn);
        return;
    case CONN_STATE_OPENING:
    case CONN_STATE_CLOSED:
        UNREACHABLE("no timer is armed in this state");
    }
}

/* Under a WebSocket an ingress may count the time in which nothing comes. */
static void conn_on_ping_timer(void *arg)
{
    struct conn *conn = arg;
    if (conn->state != CONN_STATE_UP)
        return;
    transport_websocket_keep_alive(&conn->channel);
    timer_arm(conn->ping_timer, WEBSOCKET_PING_MS);
    conn_listen_for_wants(conn);
}

void conn_start_pings(struct conn *conn)
{
    if (conn->ping_timer != NULL)
        timer_arm(conn->ping_timer, WEBSOCKET_PING_MS);
}

bool conn_watch(struct conn *conn)
{
    struct event_base *base = loop_base(conn->loop);
    int fd = conn->channel.fd;
    if (conn->timer == NULL)
        conn->timer = timer_new(conn->loop, conn_on_timer, conn);
    bool is_websocket = channel_has(&conn->channel, LAYER_WEBSOCKET);
    if (is_websocket && conn->ping_timer == NULL)
        conn->ping_timer = timer_new(conn->loop, conn_on_ping_timer, conn);
    if (conn->timer == NULL || (is_websocket && conn->ping_timer == NULL))
        return false;
    if (fd == -1)
        return true;
    conn->on_read = event_new(base, fd, EV_READ | EV_PERSIST, on_ready, conn);
    conn->on_write = event_new(base, fd, EV_WRITE | EV_PERSIST, on_ready, conn);
    return conn->on_read != NULL && conn->on_write != NULL;
}

void conn_unwatch(struct conn *conn)
{
    if (conn->on_read != NULL)
        event_free(conn->on_read);
    if (conn->on_write != NULL)
        event_free(conn->on_write);
    conn->on_read = conn->on_write = NULL;
    conn->listening = 0;
    timer_free(&conn->timer);
    timer_free(&conn->ping_timer);
}

/* ---- bytes ---- */

/* What a layer waits for may change with each call. */
static void conn_settle(struct conn *conn, enum conn_io io)
{
    conn->has_ended = conn->has_ended || io == CONN_END;
    if (io == CONN_FAILED)
        conn_break_off(conn);
    else
        conn_listen_for_wants(conn);
}

enum conn_io conn_receive(struct conn *conn, void *into, size_t capacity, size_t *received)
{
    CHECK(capacity > 0);
    *received = 0;
    if (!is_working(conn))
        return CONN_FAILED;
    if (conn->has_ended)
        return CONN_END;
    enum conn_io io = channel_receive(&conn->channel, into, capacity, received);
    CHECK(*received <= capacity);
    conn->traffic.received_bytes += *received;
    conn->traffic.reads += *received > 0;
    conn_settle(conn, io);
    return io;
}

static void conn_note_sent(struct conn *conn, size_t sent)
{
    conn->traffic.sent_bytes += sent;
    conn->traffic.writes += sent > 0;
}

enum conn_io conn_send(struct conn *conn, struct bytes view, bool more, size_t *sent)
{
    CHECK(view.length > 0);
    *sent = 0;
    if (!is_working(conn))
        return CONN_FAILED;
    enum conn_io io = channel_send(&conn->channel, view, more, sent);
    CHECK(*sent <= view.length);
    conn_note_sent(conn, *sent);
    conn_settle(conn, io);
    return io;
}

enum conn_io conn_send_file(struct conn *conn, int file, uint64_t position, size_t length,
                            size_t *sent)
{
    CHECK(length > 0);
    CHECK(position <= (uint64_t)INT64_MAX - length);
    *sent = 0;
    if (!is_working(conn))
        return CONN_FAILED;
    enum conn_io io = channel_send_file(&conn->channel, file, position, length, sent);
    CHECK(*sent <= length);
    conn_note_sent(conn, *sent);
    conn_settle(conn, io);
    return io;
}

bool conn_moves_files(const struct conn *conn)
{
    return channel_moves_files(&conn->channel);
}

void conn_want(struct conn *conn, bool read, bool write)
{
    CHECK(conn->loop != NULL);
    conn->wants_read = read;
    conn->wants_write = write;
    if (conn->state == CONN_STATE_UP)
        conn_listen_for_wants(conn);
}

/* ---- moving and ending ---- */

void conn_detach(struct conn *conn)
{
    (void)is_working(conn);
    /* The events belong to the loop of this thread and cannot be carried over; bytes that a
     * layer holds can. */
    conn_unwatch(conn);
    conn->loop = NULL;
    conn->wants_read = conn->wants_write = false;
}

bool conn_attach(struct conn *conn, struct loop *loop, conn_event_fn *fn, void *arg)
{
    CHECK(conn->loop == NULL);
    CHECK(fn != NULL);
    conn->loop = loop;
    conn->fn = fn;
    conn->arg = arg;
    if (!conn_watch(conn)) {
        conn_unwatch(conn);
        conn->loop = NULL;
        return false;
    }
    if (conn->state == CONN_STATE_BROKEN)
        timer_arm(conn->timer, 0);
    else
        conn_listen_for_wants(conn); /* a layer may have something to send */
    conn_start_pings(conn);
    return true;
}

static void conn_free_later(void *arg)
{
    free(arg);
}

void conn_close_now(struct conn *conn)
{
    /* From here to the end of the turn only the memory is left: a callback further up the stack
     * may still look at it, and finds it closed. */
    conn_enter(conn, CONN_STATE_CLOSED);
    orphan_leave(&conn->orphan);
    if (conn->loop != NULL)
        chore_leave(conn->loop, &conn->chore);
    dialer_free(&conn->dialer);
    conn_unwatch(conn);
    channel_fini(&conn->channel);
    if (conn->channel.fd != -1)
        close(conn->channel.fd);
    conn->channel.fd = -1;
    if (conn->loop == NULL)
        free(conn); /* detached: nobody runs on it */
    else
        loop_defer(conn->loop, conn_free_later, conn);
}

void conn_close(struct conn **where)
{
    struct conn *conn = *where;
    *where = NULL;
    if (conn != NULL)
        conn_close_now(conn);
}
