/* SPDX-License-Identifier: MIT */
#include "relay/net/conn.h"

#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "dialer.h"
#include "loop_private.h"
#include "relay/base/log.h"
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

struct end {
    char address[ADDRESS_TEXT_MAX];
    uint16_t port;
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
    bool wants_read;     /* conn_want's */
    bool wants_write;
    bool has_ended;    /* the peer sends no more; to wait for it would be to turn in circles */
    conn_event_fn *fn; /* not called after conn_close and conn_drain */
    void *arg;
    struct conn_options options;
    struct orphan orphan; /* while draining */
    struct end peer;
    uint64_t received_total;
    uint64_t sent_total;
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
static void tell(struct conn *conn, enum conn_event event)
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
    if (conn->on_read != NULL)
        (void)listen_for(conn, 0);
    timer_arm(conn->timer, 0);
}

static void fail(struct conn *conn, const char *why)
{
    snprintf(conn->channel.error, sizeof conn->channel.error, "%s", why);
    break_off(conn);
}

static void listen_or_fail(struct conn *conn, unsigned waits)
{
    if (!listen_for(conn, waits))
        fail(conn, "cannot watch the socket: out of memory");
}

static bool has_pending(const struct conn *conn)
{
    return conn->channel.transport->has_pending(&conn->channel);
}

static void listen_for_wants(struct conn *conn)
{
    bool reads = conn->wants_read && !conn->has_ended;
    listen_or_fail(conn, (reads ? conn->channel.receive_waits : 0) |
                             (conn->wants_write ? conn->channel.send_waits : 0));
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
        break_off(conn);
        return;
    case CONN_OK:
        break;
    }
    conn_enter(conn, CONN_STATE_UP);
    listen_for_wants(conn);
    if (conn->state == CONN_STATE_UP)
        tell(conn, CONN_EVENT_UP);
}

/* One event a call, since nothing may be touched after it. */
static void tell_ready(struct conn *conn, unsigned ready)
{
    if (conn->wants_read && (conn->channel.receive_waits & ready) != 0)
        tell(conn, CONN_EVENT_READABLE);
    else if (conn->wants_write && (conn->channel.send_waits & ready) != 0)
        tell(conn, CONN_EVENT_WRITABLE);
}

static void free_later(void *arg)
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
    dialer_free(&conn->dialer);
    unwatch(conn);
    conn->channel.transport->fini(&conn->channel);
    if (conn->channel.fd != -1)
        close(conn->channel.fd);
    conn->channel.fd = -1;
    if (conn->loop == NULL)
        free(conn); /* detached: nobody runs on it */
    else
        loop_defer(conn->loop, free_later, conn);
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
            return;
        case CONN_END:
        case CONN_FAILED:
            close_now(conn);
            return;
        }
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *conn = arg;
    switch (conn->state) {
    case CONN_STATE_SECURING:
        secure(conn);
        return;
    case CONN_STATE_UP:
        tell_ready(conn, (what & EV_READ) != 0 ? WAITS_READ : WAITS_WRITE);
        return;
    case CONN_STATE_DRAINING:
        discard(conn);
        return;
    case CONN_STATE_OPENING:
    case CONN_STATE_BROKEN:
    case CONN_STATE_CLOSED:
        UNREACHABLE("the descriptor is not watched in this state");
    }
}

static void on_timer(void *arg)
{
    struct conn *conn = arg;
    switch (conn->state) {
    case CONN_STATE_SECURING: /* the first turn after conn_accept */
        secure(conn);
        return;
    case CONN_STATE_UP: /* the transport holds bytes */
        listen_for_wants(conn);
        if (conn->state == CONN_STATE_UP && conn->wants_read && has_pending(conn))
            tell(conn, CONN_EVENT_READABLE);
        return;
    case CONN_STATE_BROKEN:
        tell(conn, CONN_EVENT_DOWN);
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
    free(conn);
}

static struct conn *new_conn(struct loop *loop, const struct conn_options *options,
                             conn_event_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    conn->loop = loop;
    conn->channel.fd = -1;
    conn->channel.transport = &transport_plain;
    conn->options = *options;
    conn->fn = fn;
    conn->arg = arg;
    conn->timer = timer_new(loop, on_timer, conn);
    if (conn->timer == NULL) {
        free(conn);
        return NULL;
    }
    return conn;
}

static bool make_events(struct conn *conn)
{
    struct event_base *base = loop_base(conn->loop);
    int fd = conn->channel.fd;
    conn->on_read = event_new(base, fd, EV_READ | EV_PERSIST, on_ready, conn);
    conn->on_write = event_new(base, fd, EV_WRITE | EV_PERSIST, on_ready, conn);
    return conn->on_read != NULL && conn->on_write != NULL;
}

static void set_option(int fd, int level, int name, int value)
{
    /* Not every socket knows them (a test's is no TCP), and none of them is worth a refusal. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

static void tune(int fd, const struct conn_options *options)
{
    int flags = fcntl(fd, F_GETFL);
    CHECK(flags != -1);
    CHECK(fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1);
    CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) != -1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options->keepalive_s <= 0)
        return;
    /* Three probes in one more period, as servers of this protocol do it. */
    int interval_s = options->keepalive_s / 3;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, options->keepalive_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s > 0 ? interval_s : 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

typedef int name_fn(int fd, struct sockaddr *address, socklen_t *length);

/* Left empty where the peer has gone already. */
static void look_up_end(int fd, name_fn *name, struct end *end)
{
    struct address address = {.length = sizeof address.storage};
    if (name(fd, (struct sockaddr *)&address.storage, &address.length) == -1)
        return;
    address_format(&address, end->address);
    end->port = address_port(&address);
}

/* From here on the descriptor is the connection's. */
static bool take_fd(struct conn *conn, int fd)
{
    conn->channel.fd = fd;
    tune(fd, &conn->options);
    look_up_end(fd, getpeername, &conn->peer);
    struct end local = {.port = 0};
    look_up_end(fd, getsockname, &local);
    if (conn->peer.address[0] != '\0')
        address_format_peer(conn->peer.address, conn->peer.port, conn->peer_text);
    if (local.address[0] != '\0')
        address_format_peer(local.address, local.port, conn->local_text);
    if (!make_events(conn))
        return false;
    conn_enter(conn, CONN_STATE_SECURING);
    return true;
}

static void on_dialed(int fd, const char *error, void *arg)
{
    struct conn *conn = arg;
    if (fd == -1)
        fail(conn, error);
    dialer_free(&conn->dialer); /* and `error` with it */
    if (fd == -1)
        return;
    if (!take_fd(conn, fd))
        fail(conn, strerror(ENOMEM));
    else
        secure(conn);
}

struct conn *conn_connect(struct loop *loop, const char *host, uint16_t port,
                          const struct conn_options *options, conn_event_fn *fn, void *arg)
{
    struct conn *conn = new_conn(loop, options, fn, arg);
    if (conn == NULL)
        return NULL;
    address_format_peer(host, port, conn->peer_text);
    conn->dialer = dialer_new(loop, &dialer_defaults, host, port, on_dialed, conn);
    if (conn->dialer == NULL) {
        free_newborn(conn);
        return NULL;
    }
    return conn;
}

struct conn *conn_accept(struct loop *loop, int fd, const struct conn_options *options,
                         conn_event_fn *fn, void *arg)
{
    struct conn *conn = new_conn(loop, options, fn, arg);
    if (conn == NULL || !take_fd(conn, fd)) {
        if (conn != NULL)
            free_newborn(conn);
        close(fd);
        return NULL;
    }
    timer_arm(conn->timer, 0);
    return conn;
}

/* ---- bytes ---- */

/* What a transport waits for may change with each call. */
static void settle(struct conn *conn, enum conn_io io)
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
    conn->received_total += *received;
    settle(conn, io);
    return io;
}

enum conn_io conn_send(struct conn *conn, struct bytes view, bool more, size_t *sent)
{
    CHECK(view.length > 0);
    *sent = 0;
    if (!is_working(conn))
        return CONN_FAILED;
    enum conn_io io = conn->channel.transport->send(&conn->channel, view, more, sent);
    CHECK(*sent <= view.length);
    conn->sent_total += *sent;
    settle(conn, io);
    return io;
}

enum conn_io conn_send_file(struct conn *conn, int file, uint64_t position, size_t length,
                            size_t *sent)
{
    CHECK(length > 0);
    CHECK(position <= INT64_MAX - length);
    *sent = 0;
    if (!is_working(conn))
        return CONN_FAILED;
    enum conn_io io =
        conn->channel.transport->send_file(&conn->channel, file, position, length, sent);
    CHECK(*sent <= length);
    conn->sent_total += *sent;
    settle(conn, io);
    return io;
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

uint64_t conn_received_total(const struct conn *conn)
{
    return conn->received_total;
}

uint64_t conn_sent_total(const struct conn *conn)
{
    return conn->sent_total;
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
    conn->timer = timer_new(loop, on_timer, conn);
    if (conn->timer == NULL || !make_events(conn)) {
        unwatch(conn);
        conn->loop = NULL;
        return false;
    }
    if (conn->state == CONN_STATE_BROKEN)
        timer_arm(conn->timer, 0);
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
    if (conn->state != CONN_STATE_UP || conn->loop == NULL || conn->has_ended) {
        close_now(conn); /* nothing is under way, or nothing can come that would reset it */
        return;
    }
    conn->channel.transport->finish(&conn->channel);
    conn_enter(conn, CONN_STATE_DRAINING);
    loop_adopt(conn->loop, &conn->orphan, hurry, conn);
    timer_arm(conn->timer, limit_ms);
    if (!listen_for(conn, WAITS_READ))
        close_now(conn);
}
