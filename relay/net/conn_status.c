/* SPDX-License-Identifier: MIT
 *
 * What is known of a connection. */
#include "conn_private.h"

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
    return channel_has(&conn->channel, LAYER_TLS);
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
