/* SPDX-License-Identifier: MIT */
#include "network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event_loop.h"
#include "relay/base/check.h"
#include "sim.h"

enum {
    DELAY_US_LEAST = 30,
    DELAY_US_MOST = 600,
    SYN_AGAIN_US = SIM_S,
    SEGMENT_AGAIN_US = 200 * SIM_MS,
    GIVE_UP_S = 900, /* what Linux takes to give up a segment that nobody acknowledges */
    PROBES_MAX = 3,
};

enum segment_kind { SEGMENT_DATA, SEGMENT_END, SEGMENT_RESET, SEGMENT_ACCEPTED };

struct segment {
    struct segment *next;
    enum segment_kind kind;
    int64_t arrival_us;
    size_t length;
    uint8_t data[];
};

struct path {
    int64_t cut_until_us;
    int64_t slow_until_us;
    int64_t slow_most_us;
};

static struct path paths[HOSTS_MAX][HOSTS_MAX];
static int64_t isolated_until_us[HOSTS_MAX];
static struct socket *sockets; /* all that ever were: a run has some thousands */
static unsigned socket_numbers;

/* ---- paths ---- */

static struct path *path_between(unsigned a, unsigned b)
{
    CHECK(a < HOSTS_MAX && b < HOSTS_MAX);
    return a < b ? &paths[a][b] : &paths[b][a];
}

void network_cut(unsigned a, unsigned b, int64_t until_us)
{
    path_between(a, b)->cut_until_us = until_us;
}

void network_slow(unsigned a, unsigned b, int64_t most_us, int64_t until_us)
{
    path_between(a, b)->slow_most_us = most_us;
    path_between(a, b)->slow_until_us = until_us;
}

void network_isolate(unsigned host, int64_t until_us)
{
    isolated_until_us[host] = until_us;
}

void network_heal(void)
{
    memset(paths, 0, sizeof paths);
    memset(isolated_until_us, 0, sizeof isolated_until_us);
}

bool network_is_cut(unsigned a, unsigned b)
{
    int64_t now_us = sim_now_us();
    return a != b && (path_between(a, b)->cut_until_us > now_us || isolated_until_us[a] > now_us ||
                      isolated_until_us[b] > now_us);
}

static int64_t draw_delay_us(unsigned a, unsigned b)
{
    const struct path *path = path_between(a, b);
    if (path->slow_until_us > sim_now_us())
        return random_between(DELAY_US_MOST, path->slow_most_us);
    return random_between(DELAY_US_LEAST, DELAY_US_MOST);
}

/* ---- who listens ---- */

static struct {
    unsigned from;
    unsigned to;
    overhear_fn *fn;
    void *arg;
} overhearer;

void network_overhear(unsigned from, unsigned to, overhear_fn *fn, void *arg)
{
    overhearer.from = from;
    overhearer.to = to;
    overhearer.fn = fn;
    overhearer.arg = arg;
}

/* ---- who is told ---- */

static void call_model(void *arg)
{
    struct socket *socket = arg;
    socket->is_poke_set = false;
    if (socket->fn != NULL && !socket->is_closed)
        socket->fn(socket, socket->arg);
}

static void poke(struct socket *socket)
{
    if (socket->is_closed)
        return;
    if (socket->process != NULL) {
        event_loops_poke(socket->process);
    } else if (!socket->is_poke_set) {
        socket->is_poke_set = true;
        alarm_in(1, call_model, socket);
    }
}

/* ---- segments ---- */

static void drop_segments(struct socket *to)
{
    while (to->segments != NULL) {
        struct segment *segment = to->segments;
        to->segments = segment->next;
        free(segment);
    }
    to->last_segment = &to->segments;
    to->underway = 0;
    to->stuck_since_us = 0;
}

static void die(struct socket *socket, int error)
{
    if (socket->state == SOCKET_DEAD)
        return;
    socket->state = SOCKET_DEAD;
    socket->error = error;
    drop_segments(socket);
    poke(socket);
}

static void pump(void *arg);

static void set_pump(struct socket *to, int64_t when_us)
{
    if (to->is_pump_set)
        return;
    to->is_pump_set = true;
    alarm_at(when_us, pump, to);
}

static void send_segment(struct socket *to, enum segment_kind kind, const void *data, size_t length)
{
    struct segment *segment = malloc(sizeof *segment + length);
    CHECK(segment != NULL);
    int64_t arrival_us = sim_now_us() + draw_delay_us(to->host, to->peer_host);
    if (arrival_us < to->last_arrival_us)
        arrival_us = to->last_arrival_us;
    to->last_arrival_us = arrival_us;
    *segment = (struct segment){.kind = kind, .arrival_us = arrival_us, .length = length};
    if (length > 0)
        memcpy(segment->data, data, length);
    *to->last_segment = segment;
    to->last_segment = &segment->next;
    to->underway += length;
    set_pump(to, to->segments->arrival_us);
}

static void take_data(struct socket *to, const struct segment *segment)
{
    to->underway -= segment->length;
    if (to->is_closed || to->state == SOCKET_DEAD) {
        if (to->peer->state != SOCKET_DEAD)
            send_segment(to->peer, SEGMENT_RESET, NULL, 0);
        return;
    }
    if (to->inbox == NULL) {
        to->inbox = malloc(SOCKET_WINDOW);
        CHECK(to->inbox != NULL);
    }
    CHECK(to->inbox_length + segment->length <= SOCKET_WINDOW);
    memcpy(to->inbox + to->inbox_length, segment->data, segment->length);
    to->inbox_length += segment->length;
    poke(to);
}

static void deliver(struct socket *to, const struct segment *segment)
{
    switch (segment->kind) {
    case SEGMENT_DATA:
        take_data(to, segment);
        break;
    case SEGMENT_END:
        to->has_end = true;
        poke(to);
        break;
    case SEGMENT_RESET:
        die(to, ECONNRESET);
        break;
    case SEGMENT_ACCEPTED:
        if (to->state == SOCKET_CONNECTING)
            to->state = SOCKET_UP;
        poke(to);
        break;
    }
}

/* The path is cut: it is sent again later, as long as the sender has the patience. */
static void retry_segment(struct socket *to)
{
    int64_t now_us = sim_now_us();
    struct socket *from = to->peer;
    bool is_suspended = from->process != NULL && process_is_suspended(from->process);
    if (to->stuck_since_us == 0 || is_suspended)
        to->stuck_since_us = now_us;
    int64_t patience_us =
        from->user_timeout_us > 0 ? from->user_timeout_us : (int64_t)GIVE_UP_S * SIM_S;
    if (now_us - to->stuck_since_us > patience_us) {
        drop_segments(to);
        die(from, ETIMEDOUT);
        return;
    }
    set_pump(to, now_us + SEGMENT_AGAIN_US);
}

static void pump(void *arg)
{
    struct socket *to = arg;
    to->is_pump_set = false;
    while (to->segments != NULL && to->segments->arrival_us <= sim_now_us()) {
        if (network_is_cut(to->host, to->peer_host)) {
            retry_segment(to);
            return;
        }
        to->stuck_since_us = 0;
        struct segment *segment = to->segments;
        to->segments = segment->next;
        if (to->segments == NULL)
            to->last_segment = &to->segments;
        deliver(to, segment);
        free(segment);
    }
    if (to->segments != NULL)
        set_pump(to, to->segments->arrival_us);
}

/* ---- opening ---- */

struct socket *socket_make(struct process *process, unsigned host)
{
    struct socket *socket = calloc(1, sizeof *socket);
    CHECK(socket != NULL);
    socket->number = ++socket_numbers;
    socket->process = process;
    socket->host = host;
    socket->last_segment = &socket->segments;
    socket->next = sockets;
    sockets = socket;
    return socket;
}

static struct socket *find_listener(unsigned host, uint16_t port)
{
    for (struct socket *socket = sockets; socket != NULL; socket = socket->next) {
        if (socket->state == SOCKET_LISTENS && !socket->is_closed && socket->host == host &&
            socket->port == port)
            return socket;
    }
    return NULL;
}

int socket_bind(struct socket *socket, uint16_t port)
{
    if (find_listener(socket->host, port) != NULL) {
        errno = EADDRINUSE;
        return -1;
    }
    socket->port = port;
    return 0;
}

struct socket *socket_listen(unsigned host, uint16_t port, socket_fn *fn, void *arg)
{
    struct socket *socket = socket_make(NULL, host);
    socket->port = port;
    socket->state = SOCKET_LISTENS;
    socket_own(socket, fn, arg);
    return socket;
}

void socket_own(struct socket *socket, socket_fn *fn, void *arg)
{
    socket->fn = fn;
    socket->arg = arg;
}

static void accept_from(struct socket *listener, struct socket *from)
{
    struct socket *made = socket_make(listener->process, listener->host);
    made->state = SOCKET_UP;
    made->port = listener->port;
    made->peer_host = from->host;
    made->peer_port = from->port;
    made->peer = from;
    from->peer = made;
    send_segment(from, SEGMENT_ACCEPTED, NULL, 0);
    if (listener->process == NULL) {
        listener->fn(made, listener->arg);
        return;
    }
    listener->pending[listener->pending_count++] = made;
    poke(listener);
}

static void arrive(void *arg)
{
    struct socket *from = arg;
    if (from->is_closed || from->state != SOCKET_CONNECTING)
        return;
    struct socket *listener = find_listener(from->peer_host, from->peer_port);
    bool is_heard = !network_is_cut(from->host, from->peer_host);
    if (is_heard && listener == NULL)
        die(from, ECONNREFUSED);
    else if (is_heard && listener->pending_count < PENDING_MAX)
        accept_from(listener, from);
    else
        alarm_in(SYN_AGAIN_US, arrive, from);
}

int socket_connect(struct socket *socket, unsigned to, uint16_t port)
{
    socket->state = SOCKET_CONNECTING;
    if (socket->port == 0)
        socket->port = (uint16_t)(30000 + socket->number % 30000);
    socket->peer_host = to;
    socket->peer_port = port;
    alarm_in(draw_delay_us(socket->host, to), arrive, socket);
    errno = EINPROGRESS;
    return -1;
}

struct socket *socket_dial(unsigned host, unsigned to, uint16_t port, socket_fn *fn, void *arg)
{
    struct socket *socket = socket_make(NULL, host);
    socket_own(socket, fn, arg);
    (void)socket_connect(socket, to, port);
    return socket;
}

/* ---- data ---- */

size_t socket_room(const struct socket *socket)
{
    if (socket->peer == NULL)
        return 0;
    size_t taken = socket->peer->inbox_length + socket->peer->underway;
    return taken < SOCKET_WINDOW ? SOCKET_WINDOW - taken : 0;
}

bool socket_is_readable(const struct socket *socket)
{
    if (socket->state == SOCKET_LISTENS)
        return socket->pending_count > 0;
    return socket->inbox_length > 0 || socket->has_end || socket->state == SOCKET_DEAD;
}

bool socket_is_writable(const struct socket *socket)
{
    /* As Linux has it, not before a third of the buffer is free. */
    return socket->state == SOCKET_DEAD ||
           (socket->state == SOCKET_UP && socket_room(socket) >= SOCKET_WINDOW / 3);
}

static ssize_t fail_dead(struct socket *socket, int error_after)
{
    errno = socket->error != 0 ? socket->error : error_after;
    socket->error = 0;
    return errno == 0 ? 0 : -1;
}

ssize_t socket_send(struct socket *socket, const void *from, size_t length)
{
    if (socket->state == SOCKET_DEAD || socket->has_sent_end)
        return fail_dead(socket, EPIPE);
    size_t room = socket->state == SOCKET_UP ? socket_room(socket) : 0;
    if (room == 0) {
        errno = EAGAIN;
        return -1;
    }
    size_t count = length < room ? length : room;
    if (random_is_one_in(16))
        count = 1 + (size_t)random_below(count);
    if (overhearer.fn != NULL && socket->host == overhearer.from &&
        socket->peer_host == overhearer.to)
        overhearer.fn(from, count, overhearer.arg);
    const uint8_t *at = from;
    for (size_t left = count; left > 0;) {
        size_t piece = left > 1 && random_is_one_in(4) ? 1 + (size_t)random_below(left) : left;
        send_segment(socket->peer, SEGMENT_DATA, at, piece);
        at += piece;
        left -= piece;
    }
    return (ssize_t)count;
}

ssize_t socket_receive(struct socket *socket, void *into, size_t length)
{
    if (socket->inbox_length == 0) {
        if (socket->state == SOCKET_DEAD)
            return fail_dead(socket, 0);
        if (socket->has_end)
            return 0;
        errno = EAGAIN;
        return -1;
    }
    size_t count = length < socket->inbox_length ? length : socket->inbox_length;
    memcpy(into, socket->inbox, count);
    memmove(socket->inbox, socket->inbox + count, socket->inbox_length - count);
    bool was_full = socket_room(socket->peer) < SOCKET_WINDOW / 3;
    socket->inbox_length -= count;
    if (was_full)
        poke(socket->peer);
    return (ssize_t)count;
}

/* ---- ends ---- */

void socket_shut(struct socket *socket)
{
    if (socket->state != SOCKET_UP || socket->has_sent_end)
        return;
    socket->has_sent_end = true;
    send_segment(socket->peer, SEGMENT_END, NULL, 0);
}

void socket_close(struct socket *socket)
{
    if (socket->is_closed)
        return;
    if (socket->state == SOCKET_UP && socket->inbox_length > 0)
        send_segment(socket->peer, SEGMENT_RESET, NULL, 0);
    else
        socket_shut(socket);
    for (size_t i = 0; i < socket->pending_count; i++) {
        struct socket *pending = socket->pending[i];
        if (pending->state == SOCKET_UP)
            send_segment(pending->peer, SEGMENT_RESET, NULL, 0);
        pending->is_closed = true;
    }
    socket_vanish(socket);
}

void socket_vanish(struct socket *socket)
{
    for (size_t i = 0; i < socket->pending_count; i++)
        socket->pending[i]->is_closed = true;
    socket->is_closed = true;
    socket->inbox_length = 0;
    free(socket->inbox);
    socket->inbox = NULL;
}

void socket_reset(struct socket *socket)
{
    if (socket->peer == NULL)
        return;
    struct socket *peer = socket->peer;
    die(socket, ECONNRESET);
    die(peer, ECONNRESET);
}

void sockets_end_host(unsigned host, bool is_power_loss)
{
    for (struct socket *socket = sockets; socket != NULL; socket = socket->next) {
        if (socket->host != host || socket->process != NULL)
            continue;
        if (is_power_loss)
            socket_vanish(socket);
        else
            socket_close(socket);
    }
}

struct socket *network_draw_connection(void)
{
    struct socket *chosen = NULL;
    uint64_t seen = 0;
    for (struct socket *socket = sockets; socket != NULL; socket = socket->next) {
        if (socket->process != NULL && socket->state == SOCKET_UP && !socket->is_closed &&
            random_is_one_in(++seen))
            chosen = socket;
    }
    return chosen;
}
