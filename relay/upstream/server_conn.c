/* SPDX-License-Identifier: MIT */
#include "server_conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/net/conn_push.h"
#include "relay/resp/writer.h"

enum { KEEPALIVE_S = 10 }; /* a vanished host is noticed after twice that */

bool server_conn_init(struct server_conn *server_conn)
{
    memset(server_conn, 0, sizeof(*server_conn));
    handshake_init(&server_conn->handshake);
    text_init(&server_conn->out, SERVER_CONN_OUT_MAX);
    server_conn->buffer = malloc(SERVER_CONN_BUFFER);
    return server_conn->buffer != NULL;
}

void server_conn_fini(struct server_conn *server_conn)
{
    server_conn_close(server_conn);
    handshake_fini(&server_conn->handshake);
    text_fini(&server_conn->out);
    free(server_conn->buffer);
    server_conn->buffer = NULL;
}

struct conn_options server_conn_conn_options(const struct server_conn *server_conn,
                                             const struct primary_address *to)
{
    struct conn_options options = {
        .keepalive_s = KEEPALIVE_S,
        .unanswered_ms = SERVER_CONN_UNANSWERED_MS,
    };
    route_apply(server_conn->route, to, &options);
    if (server_conn->congestion != NULL)
        snprintf(options.congestion, sizeof(options.congestion), "%s", server_conn->congestion);
    return options;
}

/* A new connection begins with nothing of the one before: neither a command that was not sent
 * nor bytes that were not taken. */
void server_conn_adopt(struct server_conn *server_conn, struct conn *conn)
{
    CHECK(server_conn->conn == NULL);
    text_clear(&server_conn->out);
    server_conn->pending = bytes_at(NULL, 0);
    server_conn->is_paused = false;
    server_conn->last_io_ms = clock_ms();
    server_conn->conn = conn;
}

bool server_conn_open(struct server_conn *server_conn, struct loop *loop,
                      const struct primary_address *to, conn_event_fn *fn, void *arg)
{
    const struct conn_options options = server_conn_conn_options(server_conn, to);
    server_conn_adopt(server_conn, conn_connect(loop, to->host, to->port, &options, fn, arg));
    return server_conn->conn != NULL;
}

void server_conn_close(struct server_conn *server_conn)
{
    if (server_conn->conn == NULL)
        return;
    conn_traffic_add(&server_conn->closed, conn_traffic(server_conn->conn));
    server_conn->pending = bytes_at(NULL, 0);
    conn_close(&server_conn->conn);
}

void server_conn_start_handshake(struct server_conn *server_conn,
                                 const struct handshake_terms *terms)
{
    server_conn->last_io_ms = clock_ms();
    handshake_start(&server_conn->handshake, terms, &server_conn->out);
}

void server_conn_set_credentials(struct server_conn *server_conn, const char *user,
                                 const char *password)
{
    server_conn->handshake.terms.user = user;
    server_conn->handshake.terms.password = password;
}

static void server_conn_want(struct server_conn *server_conn)
{
    conn_want(server_conn->conn, !server_conn->is_paused, server_conn->out.length > 0);
}

void server_conn_pause(struct server_conn *server_conn, bool rest)
{
    server_conn->is_paused = rest;
    server_conn_want(server_conn);
}

void server_conn_flush(struct server_conn *server_conn)
{
    (void)conn_push_text(server_conn->conn, &server_conn->out);
    server_conn_want(server_conn);
}

/* FACK claims that the bytes are fsynced; servers that do not know it ignore what is behind the
 * offset (docs/protocol.md 3.4). No reply comes, so nothing is waited for. */
void server_conn_acknowledge(struct server_conn *server_conn, uint64_t offset, bool is_durable)
{
    if (server_conn->out.length == 0) {
        char number[24];
        snprintf(number, sizeof(number), "%" PRIu64, offset);
        const char *command = renames_word(server_conn->handshake.terms.renames, "REPLCONF");
        const char *const words[] = {command, "ACK", number, "FACK", number};
        struct writer writer = {&server_conn->out, 2};
        write_command(&writer, words, is_durable ? LENGTH_OF(words) : 3);
    }
    server_conn_flush(server_conn);
}

void server_conn_say_alive(struct server_conn *server_conn)
{
    if (server_conn->out.length == 0)
        text_append_string(&server_conn->out, "\n");
    server_conn_flush(server_conn);
}

/* One read a turn: whoever reads until nothing is left keeps thread 0 from everybody else. */
bool server_conn_receive(struct server_conn *server_conn, struct text *why)
{
    CHECK(server_conn->pending.length == 0);
    size_t received;
    switch (conn_receive(server_conn->conn, server_conn->buffer, SERVER_CONN_BUFFER, &received)) {
    case CONN_OK:
        server_conn->last_io_ms = clock_ms();
        server_conn->pending = bytes_at(server_conn->buffer, received);
        return true;
    case CONN_AGAIN:
        return true;
    case CONN_END:
        text_format(why, "the primary closed the connection");
        return false;
    case CONN_FAILED:
    case CONN_UNREADABLE:
        text_format(why, "%s", conn_error(server_conn->conn));
        return false;
    }
    UNREACHABLE("an io without a case");
}

struct conn_traffic server_conn_traffic(const struct server_conn *server_conn)
{
    struct conn_traffic sum = server_conn->closed;
    conn_traffic_add(&sum, conn_traffic(server_conn->conn));
    return sum;
}

/* Stops behind the answer that ends the handshake: what came behind it is the RDB or the stream,
 * and stays in `pending` for whoever takes over. */
enum server_conn_result server_conn_shake_hands(struct server_conn *server_conn, struct text *why)
{
    struct handshake *handshake = &server_conn->handshake;
    if (!server_conn_receive(server_conn, why)) {
        text_format(why, " after %s", handshake_step(handshake));
        return SERVER_CONN_BROKEN;
    }
    while (server_conn->pending.length > 0) {
        switch (handshake_feed(handshake, &server_conn->pending, &server_conn->out)) {
        case HANDSHAKE_MORE:
            break;
        case HANDSHAKE_DONE:
            return SERVER_CONN_DONE;
        case HANDSHAKE_PASSED:
            text_format(why, "%s", handshake->error);
            return SERVER_CONN_PASSED;
        case HANDSHAKE_FAILED:
            text_format(why, "%s", handshake->error);
            return SERVER_CONN_FAILED;
        }
    }
    return SERVER_CONN_MORE;
}

uint64_t server_conn_received(const struct server_conn *server_conn)
{
    return server_conn_traffic(server_conn).received_bytes;
}
