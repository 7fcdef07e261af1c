/* SPDX-License-Identifier: MIT
 *
 * Two of our connections that meet on a loop under TLS. Each end
 * sends what its test gave it, keeps what came, and closes when the other one has ended.
 */
#ifndef TESTS_UNIT_NET_TLS_STAGE_H
#define TESTS_UNIT_NET_TLS_STAGE_H

#include "relay/base/error.h"
#include "relay/net/conn.h"
#include "relay/net/listener.h"
#include "sockets.h"
#include "tls_files.h"

enum { ERROR_LENGTH = 400, SMALL_BUFFER = 4096 };

/* ---- ends ---- */

struct stage;

struct end {
    struct stage *stage;
    struct conn *conn;
    unsigned ups;
    unsigned downs;
    bool has_ended; /* told CONN_END */
    bool has_failed;
    char error[ERROR_LENGTH];
    bool reads; /* from UP on */
    uint8_t *got;
    size_t got_length;
    size_t got_capacity;
    void (*on_writable)(struct end *end); /* NULL: wants no WRITABLE */
};

typedef bool stage_fn(struct stage *stage);

struct stage {
    struct loop *loop;
    struct listener *listener;
    struct tls_context *server_tls;
    struct tls_context *client_tls;
    int64_t handshake_ms;
    int buffer_bytes; /* of accepted sockets; 0: the system's */
    struct end server;
    struct end client;
    stage_fn *is_done;
};

static inline void note_error(struct end *end)
{
    snprintf(end->error, sizeof end->error, "%s", conn_error(end->conn));
}

static inline void take(struct end *end)
{
    for (;;) {
        if (end->got_capacity - end->got_length < 65536) {
            end->got_capacity = end->got_capacity * 2 + 65536;
            end->got = realloc(end->got, end->got_capacity);
            assert_non_null(end->got);
        }
        size_t received;
        enum conn_io io = conn_receive(end->conn, end->got + end->got_length, 65536, &received);
        end->got_length += received;
        if (io == CONN_OK)
            continue;
        if (io == CONN_AGAIN)
            return;
        end->has_ended = io == CONN_END;
        end->has_failed = io == CONN_FAILED;
        note_error(end);
        conn_close(&end->conn);
        return;
    }
}

static inline void on_end_event(struct conn *conn, enum conn_event event, void *arg)
{
    struct end *end = arg;
    assert_ptr_equal(conn, end->conn);
    switch (event) {
    case CONN_EVENT_UP:
        end->ups++;
        conn_want(conn, end->reads, end->on_writable != NULL);
        return;
    case CONN_EVENT_DOWN:
        end->downs++;
        end->has_failed = true;
        note_error(end);
        conn_close(&end->conn);
        return;
    case CONN_EVENT_READABLE:
        take(end);
        return;
    case CONN_EVENT_WRITABLE:
        end->on_writable(end);
        return;
    }
}

static inline void on_stage_accept(int fd, void *arg)
{
    struct stage *stage = arg;
    assert_null(stage->server.conn);
    if (stage->buffer_bytes > 0)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &stage->buffer_bytes, sizeof(int)),
                         0);
    const struct conn_options options = {.tls = stage->server_tls,
                                         .handshake_ms = stage->handshake_ms};
    stage->server.conn = conn_accept(stage->loop, fd, &options, on_end_event, &stage->server);
    assert_non_null(stage->server.conn);
}

static inline void look(void *arg)
{
    struct stage *stage = arg;
    if (stage->is_done != NULL && stage->is_done(stage))
        loop_stop(stage->loop);
}

static inline void run_until(struct stage *stage, stage_fn *is_done, const char *what)
{
    stage->is_done = is_done;
    if (!is_done(stage))
        run(stage->loop, what);
    stage->is_done = NULL;
}

static inline void begin_plain(struct stage *stage)
{
    *stage = (struct stage){.loop = new_loop(), .handshake_ms = CONNECT_TIMEOUT_MS};
    stage->server = (struct end){.stage = stage, .reads = true};
    stage->client = stage->server;
    struct error error;
    stage->listener = listener_open(stage->loop, "127.0.0.1", 0, on_stage_accept, stage, &error);
    assert_non_null(stage->listener);
    loop_at_turn_end(stage->loop, look, stage);
}

static inline void begin_stage(struct stage *stage, const struct tls_options *server,
                               const struct tls_options *client)
{
    begin_plain(stage);
    stage->server_tls = context_of(TLS_SERVER, server);
    stage->client_tls = context_of(TLS_CLIENT, client);
}

static inline void forget(struct end *end)
{
    conn_close(&end->conn);
    free(end->got);
    *end = (struct end){.stage = end->stage, .reads = true};
}

static inline void end_stage(struct stage *stage)
{
    forget(&stage->server);
    forget(&stage->client);
    listener_close(&stage->listener);
    loop_free(&stage->loop);
    tls_context_release(&stage->server_tls);
    tls_context_release(&stage->client_tls);
}

/* ---- what they do ---- */

static inline void begin_client(struct stage *stage)
{
    const struct conn_options options = {.tls = stage->client_tls};
    stage->client.conn = conn_connect(stage->loop, "127.0.0.1", listener_port(stage->listener),
                                      &options, on_end_event, &stage->client);
    assert_non_null(stage->client.conn);
}

static inline bool both_are_up(struct stage *stage)
{
    if (stage->server.has_failed || stage->client.has_failed)
        fail_msg("server: %s; client: %s", stage->server.error, stage->client.error);
    return stage->server.ups == 1 && stage->client.ups == 1;
}

static inline void meet(struct stage *stage)
{
    begin_client(stage);
    run_until(stage, both_are_up, "UP at both ends");
}

static inline bool both_are_gone(struct stage *stage)
{
    return stage->server.conn == NULL && stage->client.conn == NULL &&
           (stage->server.has_failed || stage->server.has_ended) &&
           (stage->client.has_failed || stage->client.has_ended);
}

/* Fills the connection: what it holds back is in the transport now. */
static inline size_t fill(struct conn *conn)
{
    static const char zeros[65536];
    size_t total = 0;
    size_t sent;
    while (conn_send(conn, bytes_at(zeros, sizeof zeros), false, &sent) == CONN_OK)
        total += sent;
    return total;
}

static inline bool server_has_failed(struct stage *stage)
{
    return stage->server.downs == 1;
}

static inline bool server_has_ended(struct stage *stage)
{
    return stage->server.has_ended || stage->server.has_failed;
}

#endif
