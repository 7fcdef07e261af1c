/* SPDX-License-Identifier: MIT
 *
 * Peers under TLS that are not as ours are: they come by halves, stop, go, or say what OpenSSL alone
 * would not. */
#include "relay/net/conn.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>

#include "tls_records.h"
#include "tls_stage.h"

/* A client of the library alone: its bytes are ours to cut. */
struct raw {
    SSL *ssl;
    int fd;
};

static void begin_raw(struct raw *raw, SSL_CTX *context, const struct stage *stage)
{
    raw->ssl = SSL_new(context);
    assert_non_null(raw->ssl);
    SSL_set_bio(raw->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(raw->ssl);
    raw->fd = connected_to(listener_port(stage->listener));
    int on = 1; /* what is sent in pieces comes in pieces */
    assert_int_equal(setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    assert_int_equal(SSL_do_handshake(raw->ssl), -1);
}

static size_t bytes_due(const struct raw *raw)
{
    return BIO_ctrl_pending(SSL_get_wbio(raw->ssl));
}

static void send_due(struct raw *raw, size_t length)
{
    char bytes[8192];
    assert_true(length <= sizeof bytes);
    if (length == 0)
        return;
    assert_int_equal(BIO_read(SSL_get_wbio(raw->ssl), bytes, (int)length), length);
    send_whole(raw->fd, bytes, length);
}

static void end_raw(struct raw *raw)
{
    close(raw->fd);
    SSL_free(raw->ssl);
}

/* Takes what the server has sent; the second flight of the client is due then. */
static void take_first_flight(struct raw *raw, struct stage *stage)
{
    char bytes[8192];
    for (int i = 0;
         i < CONNECT_TIMEOUT_MS && SSL_do_handshake(raw->ssl) != 1 && bytes_due(raw) == 0; i++) {
        run_for(stage->loop, 1);
        ssize_t got = recv(raw->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0)
            assert_int_equal(BIO_write(SSL_get_rbio(raw->ssl), bytes, (int)got), got);
    }
    assert_true(bytes_due(raw) > 0);
}

static bool server_is_up(struct stage *stage)
{
    return stage->server.ups == 1;
}

/* The client's second flight is due. */
static void meet_halfway(struct raw *raw, SSL_CTX *context, struct stage *stage)
{
    begin_raw(raw, context, stage);
    send_due(raw, bytes_due(raw));
    take_first_flight(raw, stage);
}

/* The whole handshake. */
static void meet_raw(struct raw *raw, SSL_CTX *context, struct stage *stage)
{
    meet_halfway(raw, context, stage);
    send_due(raw, bytes_due(raw));
    run_until(stage, server_is_up, "UP");
}

static SSL_CTX *raw_context(int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    assert_int_equal(SSL_CTX_set_max_proto_version(context, version), 1);
    return context;
}

static void begin_for_anybody(struct stage *stage, int64_t handshake_ms)
{
    struct tls_options options = server_options();
    options.auth_clients = TLS_AUTH_NO;
    begin_plain(stage);
    stage->server_tls = context_of(TLS_SERVER, &options);
    stage->handshake_ms = handshake_ms;
}

static void end_meeting(struct raw *raw, struct stage *stage, SSL_CTX *context)
{
    end_raw(raw);
    end_stage(stage);
    SSL_CTX_free(context);
}

/* A client that stops, or goes, after so many bytes of its first or second flight. False: that is all
 * of them. */
static bool stop_at(size_t position, bool in_second, bool goes, SSL_CTX *context)
{
    struct stage stage;
    begin_for_anybody(&stage, goes ? CONNECT_TIMEOUT_MS : 15);
    struct raw raw;
    begin_raw(&raw, context, &stage);
    if (in_second) {
        stage.handshake_ms = goes ? CONNECT_TIMEOUT_MS : 150;
        send_due(&raw, bytes_due(&raw));
        take_first_flight(&raw, &stage);
    }
    bool is_part = position < bytes_due(&raw);
    if (is_part) {
        send_due(&raw, position);
        if (goes)
            assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
        run_until(&stage, server_has_failed, "DOWN");
        assert_int_equal(stage.server.ups, 0);
        const char *expected =
            goes ? "the peer closed the connection" : "the TLS handshake was not done within";
        if (strstr(stage.server.error, expected) == NULL)
            fail_msg("after %zu bytes: got \"%s\"", position, stage.server.error);
    }
    end_raw(&raw);
    end_stage(&stage);
    return is_part;
}

TEST(a_client_that_goes_halfway_is_told_apart_at_every_byte)
{
    SSL_CTX *context = raw_context(TLS1_3_VERSION);
    for (int second = 0; second < 2; second++) {
        size_t position = 0;
        while (stop_at(position, second, true, context))
            position++;
        assert_true(position > 30);
    }
    SSL_CTX_free(context);
}

/* Not at every byte, since each takes its time. */
TEST(a_client_that_stops_halfway_is_closed_at_the_deadline)
{
    SSL_CTX *context = raw_context(TLS1_3_VERSION);
    size_t position = 0;
    for (; stop_at(position, false, false, context); position += position < 8 ? 1 : 37)
        ;
    assert_true(position > 100);
    assert_true(stop_at(10, true, false, context));
    SSL_CTX_free(context);
}

/* ---- new keys ---- */

/* Takes what the server has sent; returns how many bytes of data it was. */
static size_t read_raw(struct raw *raw, struct stage *stage)
{
    char bytes[8192];
    size_t total = 0;
    size_t count;
    run_for(stage->loop, 0);
    ssize_t got = recv(raw->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0)
        assert_int_equal(BIO_write(SSL_get_rbio(raw->ssl), bytes, (int)got), got);
    while (SSL_read_ex(raw->ssl, bytes, sizeof bytes, &count) == 1)
        total += count;
    assert_int_equal(SSL_get_error(raw->ssl, 0), SSL_ERROR_WANT_READ);
    return total;
}

/* It asks us for new keys while our socket is full: the answer goes behind what is owed, and is no more
 * than one, however often it asks. */
TEST(new_keys_may_be_asked_for_while_the_socket_is_full)
{
    enum { TIMES = 20 };
    SSL_CTX *context = raw_context(TLS1_3_VERSION);
    struct stage stage;
    begin_for_anybody(&stage, CONNECT_TIMEOUT_MS);
    stage.buffer_bytes = SMALL_BUFFER;
    struct raw raw;
    meet_raw(&raw, context, &stage);
    size_t awaited = fill(stage.server.conn);
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(raw.ssl, "x", 1), 1);
        send_due(&raw, bytes_due(&raw));
        run_for(stage.loop, 0);
    }
    size_t came = 0;
    while (came < awaited || stage.server.got_length < TIMES)
        came += read_raw(&raw, &stage);
    assert_int_equal(came, awaited);
    size_t sent;
    assert_int_equal(conn_send(stage.server.conn, bytes_of("after"), false, &sent), CONN_OK);
    while (came < awaited + 5)
        came += read_raw(&raw, &stage);
    assert_int_equal(came, awaited + 5);
    assert_string_equal(stage.server.error, "");
    end_meeting(&raw, &stage, context);
}

/* ---- messages by halves ---- */

static unsigned writables;

static void answer_once(struct end *end)
{
    size_t sent;
    writables++;
    if (conn_send(end->conn, bytes_of("+PONG"), false, &sent) == CONN_OK)
        conn_want(end->conn, end->reads, false);
}

static bool server_has_four(struct stage *stage)
{
    return stage->server.got_length == 4;
}

static bool server_has_tried(struct stage *stage)
{
    (void)stage;
    return writables > 0;
}

static bool server_has_answered(struct stage *stage)
{
    return conn_sent_total(stage->server.conn) == 5;
}

/* OpenSSL sends nothing while it has half a message: the rest is waited for, and no more than that is done. */
TEST(half_a_message_holds_up_what_is_sent_and_nothing_else)
{
    SSL_CTX *context = raw_context(TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_set_ciphersuites(context, RECORDS_SUITE), 1);
    SSL_CTX_set_keylog_callback(context, records_learn);
    struct stage stage;
    begin_for_anybody(&stage, CONNECT_TIMEOUT_MS);
    struct raw raw;
    meet_raw(&raw, context, &stage);
    struct records records = {.length = 0};
    records_add(&records, SSL3_RT_APPLICATION_DATA, "PING", 4);
    records_add(&records, SSL3_RT_HANDSHAKE, "\x18\0\0\1", 4); /* a KeyUpdate without its byte */
    records_send(&records, raw.fd);
    run_until(&stage, server_has_four, "the command");
    stage.server.on_writable = answer_once;
    writables = 0;
    conn_want(stage.server.conn, true, true);
    run_until(&stage, server_has_tried, "an attempt to answer");
    run_for(stage.loop, 20);
    assert_in_range(writables, 1, 3);
    assert_int_equal(conn_sent_total(stage.server.conn), 0);
    records_add(&records, SSL3_RT_HANDSHAKE, "\0", 1);
    records_send(&records, raw.fd);
    run_until(&stage, server_has_answered, "the answer");
    end_meeting(&raw, &stage, context);
}

static enum conn_io last_received;

static void receive_once_a_turn(struct conn *conn, enum conn_event event, void *arg)
{
    (void)arg;
    char bytes[100];
    size_t received;
    if (event == CONN_EVENT_READABLE)
        last_received = conn_receive(conn, bytes, sizeof bytes, &received);
}

static bool has_been_told_the_end(struct stage *stage)
{
    (void)stage;
    return last_received == CONN_END;
}

/* By close_notify; the peer leaves the connection open. */
TEST(an_end_that_came_with_the_last_bytes_is_told)
{
    SSL_CTX *context = raw_context(TLS1_3_VERSION);
    struct stage stage;
    begin_for_anybody(&stage, CONNECT_TIMEOUT_MS);
    struct raw raw;
    meet_raw(&raw, context, &stage);
    conn_detach(stage.server.conn);
    assert_true(conn_attach(stage.server.conn, stage.loop, receive_once_a_turn, NULL));
    assert_int_equal(SSL_write(raw.ssl, "QUIT", 4), 4);
    assert_int_equal(SSL_shutdown(raw.ssl), 0);
    send_due(&raw, bytes_due(&raw));
    run_for(stage.loop, 5); /* both are there when it is read */
    last_received = CONN_AGAIN;
    conn_want(stage.server.conn, true, false);
    run_until(&stage, has_been_told_the_end, "the end");
    end_meeting(&raw, &stage, context);
}

static void come_bytewise(int version)
{
    SSL_CTX *context = raw_context(version);
    struct stage stage;
    begin_for_anybody(&stage, CONNECT_TIMEOUT_MS);
    struct raw raw;
    begin_raw(&raw, context, &stage);
    while (bytes_due(&raw) > 0) {
        send_due(&raw, 1);
        run_for(stage.loop, 0);
    }
    take_first_flight(&raw, &stage);
    while (bytes_due(&raw) > 0) {
        send_due(&raw, 1);
        run_for(stage.loop, 0);
    }
    while (stage.server.ups == 0) {
        assert_string_equal(stage.server.error, "");
        run_for(stage.loop, 1);
    }
    end_meeting(&raw, &stage, context);
}

TEST(a_handshake_may_come_byte_by_byte)
{
    come_bytewise(TLS1_2_VERSION);
    come_bytewise(TLS1_3_VERSION);
}

TEST(plain_text_on_the_tls_port_is_named_so)
{
    static const char *const texts[] = {"PING\r\n", "*1\r\n$4\r\nPING\r\n",
                                        "GET / HTTP/1.1\r\n\r\n", "\n", "\x80\x2e\x01"};
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        struct stage stage;
        begin_for_anybody(&stage, CONNECT_TIMEOUT_MS);
        int fd = connected_to(listener_port(stage.listener));
        send_whole(fd, texts[i], strlen(texts[i]));
        run_until(&stage, server_has_failed, "DOWN");
        assert_string_equal(stage.server.error,
                            "TLS: plain text, or something else that is not TLS, on the TLS port");
        close(fd);
        end_stage(&stage);
    }
}

TEST(a_record_that_is_none_is_an_error_of_the_handshake)
{
    struct stage stage;
    begin_for_anybody(&stage, CONNECT_TIMEOUT_MS);
    int fd = connected_to(listener_port(stage.listener));
    send_whole(fd, "\x16\x03\x01\x00\x05hello", 10);
    run_until(&stage, server_has_failed, "DOWN");
    assert_memory_equal(stage.server.error, "TLS: ", 5);
    close(fd);
    end_stage(&stage);
}

static bool client_is_down(struct stage *stage)
{
    return stage->client.downs == 1;
}

TEST(a_plain_server_is_named_so)
{
    struct stage stage;
    begin_plain(&stage);
    struct tls_options options = client_options();
    stage.client_tls = context_of(TLS_CLIENT, &options);
    int listening = listening_socket(1);
    const struct conn_options with_tls = {.tls = stage.client_tls};
    stage.client.conn = conn_connect(stage.loop, "127.0.0.1", port_of(listening), &with_tls,
                                     on_end_event, &stage.client);
    assert_non_null(stage.client.conn);
    run_for(stage.loop, 1); /* it connects in a turn */
    int fd = accept(listening, NULL, NULL);
    assert_true(fd != -1);
    send_whole(fd, "-ERR unknown command\r\n", 22);
    run_until(&stage, client_is_down, "DOWN");
    assert_string_equal(stage.client.error, "TLS: what came is not TLS: is it a plain port?");
    close(fd);
    close(listening);
    end_stage(&stage);
}

TEST(a_damaged_record_breaks_the_connection_behind_what_was_good)
{
    SSL_CTX *context = raw_context(TLS1_3_VERSION);
    struct stage stage;
    begin_for_anybody(&stage, CONNECT_TIMEOUT_MS);
    struct raw raw;
    meet_halfway(&raw, context, &stage);
    assert_int_equal(SSL_write(raw.ssl, "good", 4), 4);
    send_due(&raw, bytes_due(&raw));
    send_whole(raw.fd,
               "\x17\x03\x03\x00\x15"
               "broken broken broken.",
               26);
    run_until(&stage, server_has_ended, "the failure");
    assert_true(stage.server.has_failed);
    assert_memory_equal(stage.server.got, "good", 4);
    assert_string_equal(stage.server.error, "TLS: a record was changed on its way");
    end_meeting(&raw, &stage, context);
}

TEST_GROUP(make_certificates, remove_certificates);
