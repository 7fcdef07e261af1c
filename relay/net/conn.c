/* SPDX-License-Identifier: MIT */
#include "relay/net/conn.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "dialer.h"
#include "loop_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "socket.h"
#include "tls_private.h"
#include "transport.h"

/* How much of what nobody wants is thrown away in one turn. */
enum { DISCARD_CHUNK = 16 * 1024, DISCARDS_PER_TURN = 16 };

/* The drawing in the header, with the moment between a failure and the owner's conn_close. */
enum conn_state {
    CONN_STATE_OPENING,
    CONN_STATE_SECURING,
    CONN_STATE_UP,
    CONN_STATE_BROKEN,
    CONN_STATE_DRAINING,
    CONN_STATE_CLOSED,
};

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

struct conn {
    enum conn_state state;
    struct loop *loop;      /* NULL: detached */
    struct dialer *dialer;  /* while opening */
    struct channel channel; /* its fd is -1 while opening */
    struct event *on_read;  /* NULL: no descriptor, or detached */
    struct event *on_write;
    unsigned listening;  /* which of the two are added: WAITS_READ, WAITS_WRITE */
    struct timer *timer; /* what it is for depends on the state: see on_timer */
    int64_t accepted_ms;
    bool is_client;  /* ours, under TLS */
    bool wants_read; /* conn_want's */
    bool wants_write;
    bool has_ended;    /* the peer sends no more; to wait for it would be to turn in circles */
    conn_event_fn *fn; /* not called after conn_close and conn_drain */
    void *arg;
    struct conn_options options;
    struct orphan orphan; /* while draining */
    struct chore chore;   /* while securing: a step of the handshake that is due */
    struct socket_end peer;
    struct conn_traffic traffic;
    char peer_text[ADDRESS_PEER_MAX];
    char local_text[ADDRESS_PEER_MAX];
};

/* Relaxed: a number to go by, and nothing else depends on it. */
static atomic_uint draining_count;

unsigned conn_draining_count(void)
{
    return atomic_load_explicit(&draining_count, memory_order_relaxed);
}

static void count_draining(enum conn_state before, enum conn_state after)
{
    if (after == CONN_STATE_DRAINING)
        atomic_fetch_add_explicit(&draining_count, 1, memory_order_relaxed);
    else if (before == CONN_STATE_DRAINING)
        atomic_fetch_sub_explicit(&draining_count, 1, memory_order_relaxed);
}

/* The only assignment to conn->state. */
static void conn_enter(struct conn *conn, enum conn_state state)
{
    CHECK((states[conn->state].next & 1u << state) != 0);
    log_debug("net: conn peer=%s state=%s->%s", conn->peer_text, states[conn->state].name,
              states[state].name);
    count_draining(conn->state, state);
    conn->state = state;
}

static bool is_working(const struct conn *conn)
{
    CHECK(conn->state == CONN_STATE_UP || conn->state == CONN_STATE_BROKEN);
    CHECK(conn->loop != NULL);
    return conn->state == CONN_STATE_UP;
}

/* The last thing that a callback does: the owner may have closed the connection meanwhile, or given
 * it to another thread. */
static void conn_tell(struct conn *conn, enum conn_event event)
{
    conn->fn(conn, event, conn->arg);
}

/* ---- what the descriptor is watched for ---- */

static bool watch(struct event *event, bool on)
{
    return (on ? event_add(event, NULL) : event_del(event)) == 0;
}

/* False: the kernel has no room to watch it. */
static bool listen_for(struct conn *conn, unsigned waits)
{
    unsigned changed = waits ^ conn->listening;
    conn->listening = waits;
    if ((changed & WAITS_READ) != 0 && !watch(conn->on_read, (waits & WAITS_READ) != 0))
        return false;
    return (changed & WAITS_WRITE) == 0 || watch(conn->on_write, (waits & WAITS_WRITE) != 0);
}

/* The owner hears of it in the next turn, whether or not it has looked at what a call returned. */
static void break_off(struct conn *conn)
{
    conn_enter(conn, CONN_STATE_BROKEN);
    chore_leave(conn->loop, &conn->chore);
    if (conn->on_read != NULL)
        (void)listen_for(conn, 0);
    timer_arm(conn->timer, 0);
}

static void conn_fail(struct conn *conn, const char *why)
{
    snprintf(conn->channel.error, sizeof conn->channel.error, "%s", why);
    break_off(conn);
}

static void listen_or_fail(struct conn *conn, unsigned waits)
{
    if (!listen_for(conn, waits))
        conn_fail(conn, "cannot watch the socket: out of memory");
}

static bool has_pending(const struct conn *conn)
{
    return conn->channel.transport->has_pending(&conn->channel);
}

static bool has_unsent(const struct conn *conn)
{
    return conn->channel.transport->has_unsent(&conn->channel);
}

static void listen_for_wants(struct conn *conn)
{
    bool reads = conn->wants_read && !conn->has_ended;
    bool writes = conn->wants_write || has_unsent(conn);
    listen_or_fail(conn, (reads ? conn->channel.receive_waits : 0) |
                             (writes ? conn->channel.send_waits : 0));
    if (conn->state == CONN_STATE_UP && reads && has_pending(conn))
        timer_arm(conn->timer, 0);
}

/* ---- events ---- */

static void secure(struct conn *conn)
{
    switch (conn->channel.transport->handshake(&conn->channel)) {
    case CONN_AGAIN:
        listen_or_fail(conn, conn->channel.receive_waits);
        return;
    case CONN_END:
    case CONN_FAILED:
    case CONN_UNREADABLE:
        break_off(conn);
        return;
    case CONN_OK:
        break;
    }
    timer_disarm(conn->timer);
    conn_enter(conn, CONN_STATE_UP);
    listen_for_wants(conn);
    if (conn->state == CONN_STATE_UP)
        conn_tell(conn, CONN_EVENT_UP);
}

static void secure_at_last(void *arg)
{
    secure(arg);
}

/* Clients may come in thousands at once, and each one's handshake takes the thread a good part of a
 * millisecond: they stand in line. Our own to a server passes them. */
static void secure_in_line(struct conn *conn)
{
    if (!conn->is_client) {
        secure(conn);
        return;
    }
    if (chore_is_queued(&conn->chore))
        return;
    (void)listen_for(conn, 0);
    loop_put_off(conn->loop, CHORE_HANDSHAKE, &conn->chore, secure_at_last, conn);
}

/* The first turn after conn_accept, and the deadline of the handshake. */
static void secure_in_time(struct conn *conn)
{
    int64_t limit_ms = conn->options.handshake_ms;
    int64_t left_ms = conn->accepted_ms + limit_ms - clock_ms();
    if (limit_ms > 0 && left_ms <= 0) {
        char why[80];
        snprintf(why, sizeof why, "the TLS handshake was not done within %" PRId64 " ms", limit_ms);
        conn_fail(conn, why);
        return;
    }
    if (limit_ms > 0)
        timer_arm(conn->timer, left_ms);
    secure_in_line(conn);
}

/* What the transport has taken and not sent goes before what the owner has. False: not all of it
 * has gone, or the connection is broken. */
static bool flush(struct conn *conn)
{
    enum conn_io io = conn->channel.transport->flush(&conn->channel);
    if (io == CONN_FAILED)
        break_off(conn);
    else
        listen_for_wants(conn);
    return io == CONN_OK && conn->state == CONN_STATE_UP;
}

/* One event a call, since nothing may be touched after it. */
static void tell_ready(struct conn *conn, unsigned ready)
{
    bool may_send = (conn->channel.send_waits & ready) != 0;
    if (may_send && has_unsent(conn))
        may_send = flush(conn);
    if (conn->state != CONN_STATE_UP)
        return;
    if (conn->wants_read && (conn->channel.receive_waits & ready) != 0)
        conn_tell(conn, CONN_EVENT_READABLE);
    else if (conn->wants_write && may_send)
        conn_tell(conn, CONN_EVENT_WRITABLE);
}

static void conn_free_later(void *arg)
{
    free(arg);
}

/* Everything but the memory. */
static void unwatch(struct conn *conn)
{
    if (conn->on_read != NULL)
        event_free(conn->on_read);
    if (conn->on_write != NULL)
        event_free(conn->on_write);
    conn->on_read = conn->on_write = NULL;
    conn->listening = 0;
    timer_free(&conn->timer);
}

static void close_now(struct conn *conn)
{
    conn_enter(conn, CONN_STATE_CLOSED);
    orphan_leave(&conn->orphan);
    if (conn->loop != NULL)
        chore_leave(conn->loop, &conn->chore);
    dialer_free(&conn->dialer);
    unwatch(conn);
    conn->channel.transport->fini(&conn->channel);
    if (conn->channel.fd != -1)
        close(conn->channel.fd);
    conn->channel.fd = -1;
    if (conn->loop == NULL)
        free(conn); /* detached: nobody runs on it */
    else
        loop_defer(conn->loop, conn_free_later, conn);
}

/* Until all is sent and the peer has ended, too. */
static void keep_draining(struct conn *conn)
{
    unsigned waits =
        (conn->has_ended ? 0 : WAITS_READ) | (has_unsent(conn) ? conn->channel.send_waits : 0);
    if (waits == 0 || !listen_for(conn, waits))
        close_now(conn);
}

static void discard(struct conn *conn)
{
    char chunk[DISCARD_CHUNK];
    size_t received;
    for (int i = 0; i < DISCARDS_PER_TURN; i++) {
        switch (conn->channel.transport->receive(&conn->channel, chunk, sizeof chunk, &received)) {
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
            close_now(conn);
            return;
        }
    }
    keep_draining(conn);
}

/* Also while something is unsent what comes is read: the peer may wait for that before it reads. */
static void drain_on(struct conn *conn)
{
    if (conn->channel.transport->flush(&conn->channel) == CONN_FAILED)
        close_now(conn);
    else if (conn->has_ended)
        keep_draining(conn);
    else
        discard(conn);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *conn = arg;
    switch (conn->state) {
    case CONN_STATE_SECURING:
        secure_in_line(conn);
        return;
    case CONN_STATE_UP:
        tell_ready(conn, (what & EV_READ) != 0 ? WAITS_READ : WAITS_WRITE);
        return;
    case CONN_STATE_DRAINING:
        drain_on(conn);
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
        secure_in_time(conn);
        return;
    case CONN_STATE_UP: /* the transport holds bytes */
        listen_for_wants(conn);
        if (conn->state == CONN_STATE_UP && conn->wants_read && has_pending(conn))
            conn_tell(conn, CONN_EVENT_READABLE);
        return;
    case CONN_STATE_BROKEN:
        conn_tell(conn, CONN_EVENT_DOWN);
        return;
    case CONN_STATE_DRAINING: /* the deadline */
        close_now(conn);
        return;
    case CONN_STATE_OPENING:
    case CONN_STATE_CLOSED:
        UNREACHABLE("no timer is armed in this state");
    }
}

/* ---- birth ---- */

static void free_newborn(struct conn *conn)
{
    unwatch(conn);
    dialer_free(&conn->dialer);
    conn->channel.transport->fini(&conn->channel);
    free(conn);
}

/* `host` is NULL for a connection that was accepted. */
static struct conn *new_conn(struct loop *loop, const char *host,
                             const struct conn_options *options, conn_event_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    conn->loop = loop;
    conn->channel.fd = -1;
    conn->channel.transport = &transport_plain;
    conn->channel.accepts_plain = options->accepts_plain;
    conn->options = *options;
    conn->fn = fn;
    conn->arg = arg;
    conn->timer = timer_new(loop, conn_on_timer, conn);
    if (conn->timer == NULL ||
        (options->tls != NULL && !tls_begin(&conn->channel, options->tls, host))) {
        free_newborn(conn);
        return NULL;
    }
    conn->options.tls = NULL; /* the channel has it, counted */
    return conn;
}

static bool conn_make_events(struct conn *conn)
{
    struct event_base *base = loop_base(conn->loop);
    int fd = conn->channel.fd;
    conn->on_read = event_new(base, fd, EV_READ | EV_PERSIST, on_ready, conn);
    conn->on_write = event_new(base, fd, EV_WRITE | EV_PERSIST, on_ready, conn);
    return conn->on_read != NULL && conn->on_write != NULL;
}

/* From here on the descriptor is the connection's. */
static bool take_fd(struct conn *conn, int fd)
{
    conn->channel.fd = fd;
    socket_tune(fd, conn->options.keepalive_s);
    if (conn->options.unanswered_ms > 0)
        socket_limit_unanswered(fd, conn->options.unanswered_ms);
    socket_look_up_peer(fd, &conn->peer);
    struct socket_end local = {.port = 0};
    socket_look_up_local(fd, &local);
    if (conn->peer.address[0] != '\0')
        address_format_peer(conn->peer.address, conn->peer.port, conn->peer_text);
    if (local.address[0] != '\0')
        address_format_peer(local.address, local.port, conn->local_text);
    if (!conn_make_events(conn))
        return false;
    conn_enter(conn, CONN_STATE_SECURING);
    return true;
}

static void on_dialed(int fd, const char *error, void *arg)
{
    struct conn *conn = arg;
    if (fd == -1)
        conn_fail(conn, error);
    dialer_free(&conn->dialer); /* and `error` with it */
    if (fd == -1)
        return;
    if (!take_fd(conn, fd))
        conn_fail(conn, strerror(ENOMEM));
    else
        secure(conn);
}

struct conn *conn_connect(struct loop *loop, const char *host, uint16_t port,
                          const struct conn_options *options, conn_event_fn *fn, void *arg)
{
    struct conn *conn = new_conn(loop, host, options, fn, arg);
    if (conn == NULL)
        return NULL;
    address_format_peer(host, port, conn->peer_text);
    struct dialer_options dialing = dialer_defaults;
    if (options->connect_ms_max > 0 && options->connect_ms_max < dialing.limit_ms)
        dialing.limit_ms = options->connect_ms_max;
    conn->dialer = dialer_new(loop, &dialing, host, port, on_dialed, conn);
    if (conn->dialer == NULL) {
        free_newborn(conn);
        return NULL;
    }
    return conn;
}

struct conn *conn_accept(struct loop *loop, int fd, const struct conn_options *options,
                         conn_event_fn *fn, void *arg)
{
    struct conn *conn = new_conn(loop, NULL, options, fn, arg);
    if (conn == NULL || !take_fd(conn, fd)) {
        if (conn != NULL)
            free_newborn(conn);
        close(fd);
        return NULL;
    }
    conn->accepted_ms = clock_ms();
    conn->is_client = conn->channel.transport == &transport_tls;
    timer_arm(conn->timer, 0);
    return conn;
}

/* ---- bytes ---- */

/* What a transport waits for may change with each call. */
static void conn_settle(struct conn *conn, enum conn_io io)
{
    conn->has_ended = conn->has_ended || io == CONN_END;
    if (io == CONN_FAILED)
        break_off(conn);
    else
        listen_for_wants(conn);
}

enum conn_io conn_receive(struct conn *conn, void *into, size_t capacity, size_t *received)
{
    CHECK(capacity > 0);
    *received = 0;
    if (!is_working(conn))
        return CONN_FAILED;
    if (conn->has_ended)
        return CONN_END;
    enum conn_io io = conn->channel.transport->receive(&conn->channel, into, capacity, received);
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
    enum conn_io io = conn->channel.transport->send(&conn->channel, view, more, sent);
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
    enum conn_io io =
        conn->channel.transport->send_file(&conn->channel, file, position, length, sent);
    CHECK(*sent <= length);
    conn_note_sent(conn, *sent);
    conn_settle(conn, io);
    return io;
}

bool conn_moves_files(const struct conn *conn)
{
    return conn->channel.transport->moves_files(&conn->channel);
}

void conn_want(struct conn *conn, bool read, bool write)
{
    CHECK(conn->loop != NULL);
    conn->wants_read = read;
    conn->wants_write = write;
    if (conn->state == CONN_STATE_UP)
        listen_for_wants(conn);
}

/* ---- what is known of it ---- */

const char *conn_error(const struct conn *conn)
{
    return conn->channel.error;
}

const char *conn_peer(const struct conn *conn)
{
    return conn->peer_text;
}

const char *conn_peer_address(const struct conn *conn)
{
    return conn->peer.address;
}

uint16_t conn_peer_port(const struct conn *conn)
{
    return conn->peer.port;
}

const char *conn_local(const struct conn *conn)
{
    return conn->local_text;
}

void conn_keep_alive(struct conn *conn, int keepalive_s)
{
    CHECK(keepalive_s > 0);
    if (conn->channel.fd != -1)
        socket_keep_alive(conn->channel.fd, keepalive_s);
}

bool conn_is_tls(const struct conn *conn)
{
    return conn->channel.transport == &transport_tls;
}

bool conn_has_unsent(const struct conn *conn)
{
    return has_unsent(conn);
}

bool conn_is_unanswered(const struct conn *conn)
{
    return conn->channel.fd != -1 && socket_is_unanswered(conn->channel.fd);
}

uint64_t conn_received_total(const struct conn *conn)
{
    return conn->traffic.received_bytes;
}

uint64_t conn_sent_total(const struct conn *conn)
{
    return conn->traffic.sent_bytes;
}

struct conn_traffic conn_traffic(const struct conn *conn)
{
    return conn != NULL ? conn->traffic : (struct conn_traffic){.reads = 0};
}

/* ---- moving and ending ---- */

void conn_detach(struct conn *conn)
{
    (void)is_working(conn);
    unwatch(conn);
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
    conn->timer = timer_new(loop, conn_on_timer, conn);
    if (conn->timer == NULL || !conn_make_events(conn)) {
        unwatch(conn);
        conn->loop = NULL;
        return false;
    }
    if (conn->state == CONN_STATE_BROKEN)
        timer_arm(conn->timer, 0);
    else
        listen_for_wants(conn); /* the transport may have something to send */
    return true;
}

void conn_close(struct conn **where)
{
    struct conn *conn = *where;
    *where = NULL;
    if (conn != NULL)
        close_now(conn);
}

static void hurry(void *arg)
{
    close_now(arg);
}

void conn_drain(struct conn **where, int64_t limit_ms)
{
    CHECK(limit_ms >= 0);
    struct conn *conn = *where;
    *where = NULL;
    if (conn == NULL)
        return;
    if (conn->state != CONN_STATE_UP || conn->loop == NULL) {
        close_now(conn); /* nothing is under way */
        return;
    }
    conn->channel.transport->finish(&conn->channel);
    conn_enter(conn, CONN_STATE_DRAINING);
    loop_adopt(conn->loop, &conn->orphan, hurry, conn);
    timer_arm(conn->timer, limit_ms);
    /* Where the peer has ended nothing can come that would reset it. */
    keep_draining(conn);
}
