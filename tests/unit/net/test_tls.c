/* SPDX-License-Identifier: MIT
 *
 * The transport: bytes under TLS. Who is accepted, and why not, is in test_tls_context. */
#include "relay/net/conn.h"

#include <openssl/ssl.h>

#include "echo_worker.h"
#include "tls_stage.h"

enum { TRANSFER_BYTES = 6 * 1024 * 1024, PIECE_MAX = 60 * 1000, SMALL_BUFFER = 4096 };

static void begin_good(struct stage *stage, const char *protocol)
{
    struct tls_options server = server_options();
    struct tls_options client = client_options();
    server.protocols = protocol;
    begin_stage(stage, &server, &client);
}

/* ---- large transfers ---- */

/* What an end has been allowed to send. After an AGAIN it offers something else, as it may. */
struct sender {
    uint64_t seed;
    uint8_t *sent;
    size_t length;
    size_t target;
};

static struct sender senders[2]; /* the server's, the client's */

static void begin_sender(struct sender *sender, uint64_t seed, size_t target)
{
    *sender = (struct sender){.seed = seed, .target = target};
    sender->sent = malloc(target);
    assert_non_null(sender->sent);
}

static struct sender *sender_of(struct end *end)
{
    return &senders[end == &end->stage->client ? 1 : 0];
}

static size_t make_piece(struct sender *sender, uint8_t *piece)
{
    size_t left = sender->target - sender->length;
    size_t most = test_random_below(&sender->seed, 4) == 0 ? 3 : PIECE_MAX;
    size_t length = 1 + (size_t)test_random_below(&sender->seed, most);
    if (length > left)
        length = left;
    for (size_t i = 0; i < length; i++)
        piece[i] = (uint8_t)(test_random(&sender->seed) >> 24);
    return length;
}

static void send_pieces(struct end *end)
{
    struct sender *sender = sender_of(end);
    static uint8_t piece[PIECE_MAX];
    while (sender->length < sender->target) {
        size_t length = make_piece(sender, piece);
        size_t sent;
        enum conn_io io = conn_send(end->conn, bytes_at(piece, length), false, &sent);
        memcpy(sender->sent + sender->length, piece, sent);
        sender->length += sent;
        if (io == CONN_AGAIN) {
            conn_want(end->conn, end->reads, true);
            return;
        }
        assert_int_equal(io, CONN_OK);
        assert_true(sent > 0);
    }
    conn_want(end->conn, end->reads, false);
}

static bool all_came(struct stage *stage)
{
    (void)both_are_up(stage);
    return stage->client.got_length >= senders[0].target &&
           stage->server.got_length >= senders[1].target;
}

static void assert_came(const struct end *end, struct sender *sender)
{
    assert_int_equal(end->got_length, sender->length);
    assert_memory_equal(end->got, sender->sent, sender->length);
    free(sender->sent);
    sender->sent = NULL;
}

static void transfer(const char *protocol)
{
    struct stage stage;
    begin_good(&stage, protocol);
    stage.buffer_bytes = SMALL_BUFFER;
    begin_sender(&senders[0], 11, TRANSFER_BYTES);
    begin_sender(&senders[1], 12, TRANSFER_BYTES);
    stage.server.on_writable = stage.client.on_writable = send_pieces;
    begin_client(&stage);
    run_until(&stage, all_came, "all bytes at both ends");
    assert_int_equal(conn_sent_total(stage.server.conn), TRANSFER_BYTES);
    assert_int_equal(conn_received_total(stage.server.conn), TRANSFER_BYTES);
    assert_came(&stage.client, &senders[0]);
    assert_came(&stage.server, &senders[1]);
    end_stage(&stage);
}

TEST(both_send_much_at_once_through_small_buffers)
{
    transfer("TLSv1.2");
    transfer("TLSv1.3");
}

/* ---- files ---- */

static int file;

static void send_the_file(struct end *end)
{
    struct sender *sender = sender_of(end);
    size_t sent;
    enum conn_io io = CONN_OK;
    while (sender->length < sender->target && io == CONN_OK) {
        io =
            conn_send_file(end->conn, file, sender->length, sender->target - sender->length, &sent);
        sender->length += sent;
    }
    assert_true(io == CONN_OK || io == CONN_AGAIN);
    conn_want(end->conn, end->reads, sender->length < sender->target);
}

static bool server_has_failed(struct stage *stage)
{
    return stage->server.downs == 1;
}

TEST(a_file_goes_whole_and_one_that_is_too_short_fails)
{
    struct stage stage;
    begin_good(&stage, NULL);
    stage.buffer_bytes = SMALL_BUFFER;
    begin_sender(&senders[0], 13, TRANSFER_BYTES);
    senders[1] = (struct sender){.target = 0};
    for (size_t i = 0; i < TRANSFER_BYTES; i++)
        senders[0].sent[i] = (uint8_t)(test_random(&senders[0].seed) >> 24);
    file = make_file("", NULL);
    assert_int_equal(pwrite(file, senders[0].sent, TRANSFER_BYTES, 0), TRANSFER_BYTES);
    stage.server.on_writable = send_the_file;
    begin_client(&stage);
    run_until(&stage, all_came, "the file");
    assert_came(&stage.client, &senders[0]);

    size_t sent;
    assert_int_equal(conn_send_file(stage.server.conn, file, TRANSFER_BYTES - 2, 5, &sent),
                     CONN_OK);
    assert_int_equal(sent, 2);
    assert_int_equal(conn_send_file(stage.server.conn, file, TRANSFER_BYTES, 3, &sent),
                     CONN_FAILED);
    assert_string_equal(conn_error(stage.server.conn), "the file is shorter than what is due");
    run_until(&stage, server_has_failed, "DOWN");
    close(file);
    end_stage(&stage);
}

/* ---- the last bytes ---- */

/* Fills the connection: what it holds back is in the transport now. */
static size_t fill(struct conn *conn)
{
    static const char zeros[65536];
    size_t total = 0;
    size_t sent;
    while (conn_send(conn, bytes_at(zeros, sizeof zeros), false, &sent) == CONN_OK)
        total += sent;
    return total;
}

static size_t awaited_length;

static bool client_has_all(struct stage *stage)
{
    return stage->client.got_length == awaited_length;
}

static bool client_has_ended(struct stage *stage)
{
    return stage->client.has_ended || stage->client.has_failed;
}

static void begin_filled(struct stage *stage)
{
    begin_good(stage, NULL);
    stage->buffer_bytes = SMALL_BUFFER;
    stage->client.reads = false;
    meet(stage);
    awaited_length = fill(stage->server.conn);
    assert_true(awaited_length > 0);
}

TEST(what_counts_as_sent_goes_although_the_owner_wants_nothing)
{
    struct stage stage;
    begin_filled(&stage);
    conn_want(stage.server.conn, false, false);
    conn_want(stage.client.conn, true, false);
    run_until(&stage, client_has_all, "all that was sent");
    end_stage(&stage);
}

TEST(what_counts_as_sent_goes_after_the_connection_has_moved)
{
    struct stage stage;
    begin_filled(&stage);
    conn_detach(stage.server.conn);
    conn_want(stage.client.conn, true, false);
    run_for(stage.loop, 20);
    assert_true(stage.client.got_length < awaited_length);
    assert_true(conn_attach(stage.server.conn, stage.loop, on_end_event, &stage.server));
    run_until(&stage, client_has_all, "all that was sent");
    end_stage(&stage);
}

TEST(draining_delivers_all_and_ends_in_order)
{
    struct stage stage;
    begin_filled(&stage);
    size_t sent;
    assert_int_equal(conn_send(stage.client.conn, bytes_of("unread"), false, &sent), CONN_OK);
    conn_drain(&stage.server.conn, PATIENCE_MS);
    conn_want(stage.client.conn, true, false);
    run_until(&stage, client_has_ended, "the end");
    assert_int_equal(stage.client.got_length, awaited_length);
    assert_true(stage.client.has_ended);
    assert_string_equal(stage.client.error, "");
    end_stage(&stage);
}

static bool server_has_ended(struct stage *stage)
{
    return stage->server.has_ended || stage->server.has_failed;
}

TEST(closing_ends_in_order_too)
{
    struct stage stage;
    begin_good(&stage, NULL);
    meet(&stage);
    conn_close(&stage.client.conn);
    run_until(&stage, server_has_ended, "the end");
    assert_true(stage.server.has_ended);
    end_stage(&stage);
}

TEST(what_is_left_in_the_transport_comes_in_the_next_turn)
{
    struct stage stage;
    begin_good(&stage, NULL);
    stage.server.reads = false;
    meet(&stage);
    size_t sent;
    assert_int_equal(conn_send(stage.client.conn, bytes_of("abc"), false, &sent), CONN_OK);
    char byte;
    size_t received = 0;
    while (conn_receive(stage.server.conn, &byte, 1, &received) == CONN_AGAIN)
        run_for(stage.loop, 5);
    assert_int_equal(byte, 'a');
    conn_want(stage.server.conn, true, false); /* the descriptor has nothing to tell any more */
    awaited_length = 2;
    while (stage.server.got_length < 2)
        run_for(stage.loop, 5);
    assert_memory_equal(stage.server.got, "bc", 2);
    end_stage(&stage);
}

/* A client's OpenSSL takes all from the socket that there is, and the socket has nothing to tell then. */
TEST(what_was_read_ahead_comes_in_the_next_turn)
{
    struct stage stage;
    begin_good(&stage, NULL);
    stage.client.reads = false;
    meet(&stage);
    size_t sent;
    assert_int_equal(conn_send(stage.server.conn, bytes_of("ab"), false, &sent), CONN_OK);
    assert_int_equal(conn_send(stage.server.conn, bytes_of("cd"), false, &sent), CONN_OK);
    run_for(stage.loop, 5); /* loopback has delivered both */
    char bytes[2];
    size_t received = 0;
    while (conn_receive(stage.client.conn, bytes, 2, &received) == CONN_AGAIN)
        run_for(stage.loop, 5);
    assert_memory_equal(bytes, "ab", 2);
    conn_want(stage.client.conn, true, false);
    awaited_length = 2;
    run_until(&stage, client_has_all, "what was read ahead");
    assert_memory_equal(stage.client.got, "cd", 2);
    end_stage(&stage);
}

/* ---- refused ---- */

static bool server_has_refused(struct stage *stage)
{
    return stage->server.has_failed && stage->client.ups == 1;
}

/* Under TLS 1.3 the client is up by then, and has something to say: the socket is reset before it reads. */
TEST(a_refusal_is_named_also_by_a_send_that_fails)
{
    struct stage stage;
    struct tls_options server = server_options();
    struct tls_options client = client_options();
    client.cert_file = client.key_file = NULL;
    begin_stage(&stage, &server, &client);
    stage.client.reads = false;
    begin_client(&stage);
    run_until(&stage, server_has_refused, "the refusal");
    size_t sent;
    while (conn_send(stage.client.conn, bytes_of("x"), false, &sent) != CONN_FAILED)
        run_for(stage.loop, 1);
    assert_string_equal(conn_error(stage.client.conn),
                        "TLS: the peer refuses: it wants a certificate of us");
    end_stage(&stage);
}

/* ---- to another thread ---- */

static bool client_has_twelve(struct stage *stage)
{
    return stage->client.got_length == 12;
}

TEST(one_goes_to_another_thread_with_its_session)
{
    struct echo_worker worker;
    begin_echo_worker(&worker);

    struct stage stage;
    begin_good(&stage, NULL);
    meet(&stage);
    size_t sent;
    assert_int_equal(conn_send(stage.client.conn, bytes_of("before "), false, &sent), CONN_OK);
    struct parcel parcel = {.conn = stage.server.conn};
    conn_detach(stage.server.conn);
    stage.server.conn = NULL;
    mailbox_post(worker.mailbox, &parcel.letter);
    assert_int_equal(conn_send(stage.client.conn, bytes_of("after"), false, &sent), CONN_OK);
    run_until(&stage, client_has_twelve, "the echo");
    assert_memory_equal(stage.client.got, "before after", 12);
    /* The context goes while the other thread has a connection of it. */
    tls_context_release(&stage.server_tls);
    conn_close(&stage.client.conn);
    end_echo_worker(&worker);
    end_stage(&stage);
}

/* ---- peers that are not as they should ---- */

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
    for (int i = 0; i < PATIENCE_MS && SSL_do_handshake(raw->ssl) != 1 && bytes_due(raw) == 0;
         i++) {
        run_for(stage->loop, 1);
        ssize_t got = recv(raw->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0)
            assert_int_equal(BIO_write(SSL_get_rbio(raw->ssl), bytes, (int)got), got);
    }
    assert_true(bytes_due(raw) > 0);
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

/* A client that stops, or goes, after so many bytes of its first or second flight. False: that is all
 * of them. */
static bool stop_at(size_t position, bool in_second, bool goes, SSL_CTX *context)
{
    struct stage stage;
    begin_for_anybody(&stage, goes ? PATIENCE_MS : 15);
    struct raw raw;
    begin_raw(&raw, context, &stage);
    if (in_second) {
        stage.handshake_ms = goes ? PATIENCE_MS : 150;
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

static bool server_is_up(struct stage *stage)
{
    return stage->server.ups == 1;
}

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
    begin_for_anybody(&stage, PATIENCE_MS);
    stage.buffer_bytes = SMALL_BUFFER;
    struct raw raw;
    begin_raw(&raw, context, &stage);
    send_due(&raw, bytes_due(&raw));
    take_first_flight(&raw, &stage);
    send_due(&raw, bytes_due(&raw));
    run_until(&stage, server_is_up, "UP");
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
    end_raw(&raw);
    end_stage(&stage);
    SSL_CTX_free(context);
}

static void come_bytewise(int version)
{
    SSL_CTX *context = raw_context(version);
    struct stage stage;
    begin_for_anybody(&stage, PATIENCE_MS);
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
    end_raw(&raw);
    end_stage(&stage);
    SSL_CTX_free(context);
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
        begin_for_anybody(&stage, PATIENCE_MS);
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
    begin_for_anybody(&stage, PATIENCE_MS);
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
    begin_for_anybody(&stage, PATIENCE_MS);
    struct raw raw;
    begin_raw(&raw, context, &stage);
    send_due(&raw, bytes_due(&raw));
    take_first_flight(&raw, &stage);
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
    end_raw(&raw);
    end_stage(&stage);
    SSL_CTX_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_send_much_at_once_through_small_buffers),
        cmocka_unit_test(a_file_goes_whole_and_one_that_is_too_short_fails),
        cmocka_unit_test(what_counts_as_sent_goes_although_the_owner_wants_nothing),
        cmocka_unit_test(what_counts_as_sent_goes_after_the_connection_has_moved),
        cmocka_unit_test(draining_delivers_all_and_ends_in_order),
        cmocka_unit_test(closing_ends_in_order_too),
        cmocka_unit_test(what_is_left_in_the_transport_comes_in_the_next_turn),
        cmocka_unit_test(what_was_read_ahead_comes_in_the_next_turn),
        cmocka_unit_test(a_refusal_is_named_also_by_a_send_that_fails),
        cmocka_unit_test(one_goes_to_another_thread_with_its_session),
        cmocka_unit_test(a_client_that_goes_halfway_is_told_apart_at_every_byte),
        cmocka_unit_test(a_client_that_stops_halfway_is_closed_at_the_deadline),
        cmocka_unit_test(new_keys_may_be_asked_for_while_the_socket_is_full),
        cmocka_unit_test(a_handshake_may_come_byte_by_byte),
        cmocka_unit_test(plain_text_on_the_tls_port_is_named_so),
        cmocka_unit_test(a_record_that_is_none_is_an_error_of_the_handshake),
        cmocka_unit_test(a_plain_server_is_named_so),
        cmocka_unit_test(a_damaged_record_breaks_the_connection_behind_what_was_good),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
