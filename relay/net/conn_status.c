/* SPDX-License-Identifier: MIT
 *
 * What is known of a connection. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_private.h"
#include "socket.h"

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

void conn_limit_unsent(struct conn *conn)
{
    if (conn->channel.fd != -1)
        socket_limit_unsent(conn->channel.fd, CONN_UNSENT_MAX);
}

void conn_set_congestion(struct conn *conn, const char *name)
{
    if (conn->channel.fd != -1)
        (void)socket_set_congestion(conn->channel.fd, name);
}

bool conn_may_have_congestion(const char *name, struct error *error)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return error_set_system(error, errno, "cannot make a socket");
    bool may = socket_set_congestion(fd, name);
    int number = errno;
    close(fd);
    if (may)
        return true;
    if (number == EPERM)
        return error_set(error, ERROR_DENIED,
                         "\"%s\" is not allowed for this user: add it to the sysctl "
                         "net.ipv4.tcp_allowed_congestion_control",
                         name);
    return error_set(error, ERROR_INVALID,
                     "the kernel has no \"%s\": load its module (modprobe tcp_%s), or use one that "
                     "the sysctl net.ipv4.tcp_available_congestion_control lists",
                     name, name);
}

bool conn_is_tls(const struct conn *conn)
{
    return channel_has(&conn->channel, LAYER_TLS);
}

const char *conn_carrier(const struct conn *conn)
{
    bool is_tls = conn_is_tls(conn);
    if (channel_has(&conn->channel, LAYER_WEBSOCKET))
        return is_tls ? "wss" : "ws";
    return is_tls ? "tls" : "tcp";
}

bool conn_has_unsent(const struct conn *conn)
{
    return channel_has_unsent(&conn->channel);
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
