/* SPDX-License-Identifier: MIT
 *
 * How a connection begins. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn_private.h"
#include "dialer.h"
#include "relay/base/clock.h"
#include "transport_proxy.h"
#include "transport_socket.h"
#include "transport_tls.h"
#include "transport_websocket.h"

/* ---- the handshake ---- */

/* A trusted proxy has told who the client is. */
static void take_forwarded(struct conn *conn)
{
    const char *forwarded = transport_websocket_forwarded(&conn->channel);
    if (forwarded[0] == '\0')
        return;
    snprintf(conn->peer.address, sizeof conn->peer.address, "%s", forwarded);
    conn->peer.port = 0;
    address_format_peer(conn->peer.address, 0, conn->peer_text);
}

static void secure(struct conn *conn)
{
    switch (channel_handshake(&conn->channel)) {
    case CONN_AGAIN:
        conn_listen_or_fail(conn, channel_handshake_waits(&conn->channel));
        return;
    case CONN_END:
    case CONN_FAILED:
    case CONN_UNREADABLE:
        conn_break_off(conn);
        return;
    case CONN_OK:
        break;
    }
    timer_disarm(conn->timer);
    conn_enter(conn, CONN_STATE_UP);
    take_forwarded(conn);
    conn_start_pings(conn);
    conn_listen_for_wants(conn);
    if (conn->state == CONN_STATE_UP)
        conn_tell(conn, CONN_EVENT_UP);
}

static void conn_secure_at_last(void *arg)
{
    secure(arg);
}

/* Clients may come in thousands at once, and each one's handshake takes the thread a good part of a
 * millisecond: they stand in line. Our own to a server passes them. */
void conn_secure_in_line(struct conn *conn)
{
    if (!conn->is_client) {
        secure(conn);
        return;
    }
    if (chore_is_queued(&conn->chore))
        return;
    (void)conn_listen_for(conn, 0);
    loop_put_off(conn->loop, CHORE_HANDSHAKE, &conn->chore, conn_secure_at_last, conn);
}

void conn_secure_in_time(struct conn *conn)
{
    int64_t limit_ms = conn->options.handshake_ms;
    int64_t left_ms = conn->accepted_ms + limit_ms - clock_ms();
    if (limit_ms > 0 && left_ms <= 0) {
        char why[80];
        snprintf(why, sizeof why, "the %s handshake was not done within %" PRId64 " ms",
                 channel_raising(&conn->channel), limit_ms);
        conn_fail(conn, why);
        return;
    }
    if (limit_ms > 0)
        timer_arm(conn->timer, left_ms);
    conn_secure_in_line(conn);
}

/* ---- connecting and accepting ---- */

static void free_newborn(struct conn *conn)
{
    conn_unwatch(conn);
    dialer_free(&conn->dialer);
    channel_fini(&conn->channel);
    free(conn);
}

/* Where a connection leads to. */
struct target {
    const char *host; /* NULL: it was accepted */
    uint16_t port;
    const struct proxy *proxy; /* NULL: none on the way */
};

/* The layers that the options ask for, from the socket up. False: out of memory. */
static bool add_layers(struct channel *channel, const struct conn_options *options,
                       const struct target *target)
{
    channel_init(channel, &transport_socket);
    if (target->proxy != NULL &&
        !transport_proxy_begin(channel, target->proxy, target->host, target->port))
        return false;
    if (options->tls != NULL &&
        !transport_tls_begin(channel, options->tls, target->host, options->accepts_plain))
        return false;
    if (options->websocket_path != NULL)
        return transport_websocket_connect(channel, target->host, target->port,
                                           options->websocket_path);
    return options->websocket_rules == NULL ||
           transport_websocket_accept(channel, options->websocket_rules);
}

static struct conn *conn_new(struct loop *loop, const struct target *target,
                             const struct conn_options *options, conn_event_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return NULL;
    conn->loop = loop;
    conn->options = *options;
    conn->fn = fn;
    conn->arg = arg;
    if (!add_layers(&conn->channel, options, target) || !conn_watch(conn)) {
        free_newborn(conn);
        return NULL;
    }
    conn->options.tls = NULL; /* its layer has it, counted */
    conn->options.proxy = conn->options.websocket_path = NULL;
    return conn;
}

/* From here on the descriptor is the connection's. */
static bool take_fd(struct conn *conn, int fd)
{
    conn->channel.fd = fd;
    socket_tune(fd, conn->options.keepalive_s);
    if (conn->options.unanswered_ms > 0)
        socket_limit_unanswered(fd, conn->options.unanswered_ms);
    if (conn->options.congestion[0] != '\0')
        (void)socket_set_congestion(fd, conn->options.congestion);
    socket_look_up_peer(fd, &conn->peer);
    struct socket_end local = {.port = 0};
    socket_look_up_local(fd, &local);
    if (conn->peer.address[0] != '\0' && !channel_has(&conn->channel, LAYER_PROXY))
        address_format_peer(conn->peer.address, conn->peer.port, conn->peer_text);
    if (local.address[0] != '\0')
        address_format_peer(local.address, local.port, conn->local_text);
    if (!conn_watch(conn))
        return false;
    conn_enter(conn, CONN_STATE_SECURING);
    return true;
}

static void conn_fail_to_dial(struct conn *conn, const char *error)
{
    char why[CHANNEL_ERROR_MAX];
    snprintf(why, sizeof why, "%s%s",
             channel_has(&conn->channel, LAYER_PROXY) ? "cannot reach the proxy: " : "", error);
    conn_fail(conn, why);
}

/* No turn between: a name that was resolved and a server that has answered are not kept waiting
 * behind clients' handshakes. */
static void on_dialed(int fd, const char *error, void *arg)
{
    struct conn *conn = arg;
    if (fd == -1)
        conn_fail_to_dial(conn, error);
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
    struct proxy proxy;
    struct target target = {.host = host, .port = port};
    if (string_is_given(options->proxy)) {
        CHECK(proxy_parse(options->proxy, &proxy)); /* the settings have looked at it */
        target.proxy = &proxy;
    }
    struct conn *conn = conn_new(loop, &target, options, fn, arg);
    if (conn == NULL)
        return NULL;
    address_format_peer(host, port, conn->peer_text);
    struct dialer_options dialing = dialer_defaults;
    if (options->connect_ms_max > 0 && options->connect_ms_max < dialing.limit_ms)
        dialing.limit_ms = options->connect_ms_max;
    bool has_proxy = target.proxy != NULL;
    conn->dialer = dialer_new(loop, &dialing, has_proxy ? proxy.host : host,
                              has_proxy ? proxy.port : port, on_dialed, conn);
    if (conn->dialer == NULL) {
        free_newborn(conn);
        return NULL;
    }
    return conn;
}

struct conn *conn_accept(struct loop *loop, int fd, const struct conn_options *options,
                         conn_event_fn *fn, void *arg)
{
    struct conn *conn = conn_new(loop, &(struct target){.host = NULL}, options, fn, arg);
    if (conn == NULL || !take_fd(conn, fd)) {
        if (conn != NULL)
            free_newborn(conn);
        close(fd);
        return NULL;
    }
    /* UP is not told from inside this call, not even without TLS: the owner has not got its
     * pointer yet. */
    conn->accepted_ms = clock_ms();
    conn->is_client =
        channel_has(&conn->channel, LAYER_TLS) || channel_has(&conn->channel, LAYER_WEBSOCKET);
    timer_arm(conn->timer, 0);
    return conn;
}
