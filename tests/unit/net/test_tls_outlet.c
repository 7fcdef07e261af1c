/* SPDX-License-Identifier: MIT
 *
 * Records on their way to a socket that is full, or gone. Under OpenSSL: test_transport_tls. */
#include "../../../relay/net/tls_outlet.h"

#include "sockets.h"

enum { SMALL_BUFFER = 4096, PIECE = 1000 };

static struct error error; /* of the last push that failed */

struct stand {
    struct tls_outlet outlet;
    BIO *bio;
    int peer;
    uint64_t written; /* what was taken; the bytes are told by their place */
    uint64_t seen;    /* what the peer has read of it */
};

static uint8_t byte_at(uint64_t place)
{
    return (uint8_t)(place * 7 + place / 251);
}

static void begin(struct stand *stand)
{
    int size = SMALL_BUFFER;
    *stand = (struct stand){.written = 0};
    tcp_pair(&stand->outlet.fd, &stand->peer);
    assert_int_equal(setsockopt(stand->outlet.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(fcntl(stand->outlet.fd, F_SETFL, O_NONBLOCK), 0);
    stand->bio = tls_outlet_bio(&stand->outlet);
    assert_non_null(stand->bio);
}

static void end(struct stand *stand)
{
    tls_outlet_fini(&stand->outlet);
    assert_null(stand->outlet.owed);
    BIO_free(stand->bio);
    close(stand->outlet.fd);
    close(stand->peer);
}

/* As OpenSSL writes: all of it, or again later. */
static bool write_piece(struct stand *stand, size_t length)
{
    uint8_t piece[TLS_RECORD_MAX];
    assert_true(length <= sizeof piece);
    for (size_t i = 0; i < length; i++)
        piece[i] = byte_at(stand->written + i);
    size_t written;
    bool is_taken = BIO_write_ex(stand->bio, piece, length, &written) == 1;
    assert_int_equal(written, is_taken ? length : 0);
    assert_int_equal(BIO_should_write(stand->bio) != 0, !is_taken);
    stand->written += written;
    return is_taken;
}

static void read_some(struct stand *stand)
{
    uint8_t bytes[4 * TLS_RECORD_MAX];
    ssize_t got = recv(stand->peer, bytes, sizeof bytes, MSG_DONTWAIT);
    for (ssize_t i = 0; i < got; i++)
        assert_int_equal(bytes[i], byte_at(stand->seen++));
}

/* Until the socket is full. */
static void fill(struct stand *stand)
{
    enum tls_outlet_result result;
    do {
        assert_true(write_piece(stand, TLS_RECORD_MAX));
        result = tls_outlet_push(&stand->outlet, &error);
    } while (result == OUTLET_EMPTY);
    assert_int_equal(result, OUTLET_OWES);
    assert_non_null(stand->outlet.owed);
}

/* The peer has read all, and nothing is owed. */
static void let_all_go(struct stand *stand)
{
    while (stand->seen < stand->written) {
        assert_int_not_equal(tls_outlet_push(&stand->outlet, &error), OUTLET_BROKEN);
        read_some(stand);
    }
    assert_null(stand->outlet.owed);
}

TEST(records_leave_in_order_whatever_the_socket_takes)
{
    struct stand stand;
    begin(&stand);
    uint64_t seed = 3;
    for (int i = 0; i < 500; i++) {
        for (uint64_t pieces = test_random_below(&seed, 4); pieces > 0; pieces--)
            (void)write_piece(&stand, 1 + (size_t)test_random_below(&seed, TLS_RECORD_MAX));
        bool owes = tls_outlet_push(&stand.outlet, &error) == OUTLET_OWES;
        assert_int_equal(owes, stand.outlet.owed != NULL);
        read_some(&stand);
    }
    let_all_go(&stand);
    end(&stand);
}

TEST(nothing_is_taken_while_something_is_owed)
{
    struct stand stand;
    begin(&stand);
    fill(&stand);
    assert_false(write_piece(&stand, 1));
    while (stand.outlet.owed != NULL) {
        read_some(&stand);
        assert_int_not_equal(tls_outlet_push(&stand.outlet, &error), OUTLET_BROKEN);
    }
    assert_true(write_piece(&stand, 1));
    let_all_go(&stand);
    end(&stand);
}

TEST(what_a_thread_gathers_has_a_bound)
{
    struct stand stand;
    begin(&stand);
    size_t records = 0;
    while (write_piece(&stand, TLS_RECORD_MAX))
        records++;
    assert_in_range(records, OUTLET_RECORDS_MAX, TLS_UNSENT_MAX / TLS_RECORD_MAX);
    assert_int_equal(tls_outlet_push(&stand.outlet, &error), OUTLET_OWES);
    assert_true(stand.outlet.owed_length < TLS_UNSENT_MAX);
    end(&stand);
}

/* The peer's kernel goes on taking for a while: what was full a moment ago has room again. True: it has none. */
static bool fill_to_the_brim(struct stand *stand)
{
    fill(stand);
    for (int i = 0; i < 100000; i++) {
        if (tls_outlet_room(&stand->outlet) == 1)
            return true;
        while (tls_outlet_push(&stand->outlet, &error) == OUTLET_EMPTY)
            assert_true(write_piece(stand, TLS_RECORD_MAX));
    }
    return false;
}

TEST(room_is_what_the_socket_has)
{
    struct stand stand;
    begin(&stand);
    assert_int_equal(tls_outlet_room(&stand.outlet), 1); /* less than one */
    int size = 64 * (TLS_RECORD_MAX + TLS_RECORD_EXTRA);
    assert_int_equal(setsockopt(stand.outlet.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(tls_outlet_room(&stand.outlet), OUTLET_RECORDS_MAX);
    assert_true(fill_to_the_brim(&stand));
    /* What there is said to be room for is not owed. What was owed before goes first. */
    enum tls_outlet_result result = OUTLET_OWES;
    while (result != OUTLET_EMPTY || tls_outlet_room(&stand.outlet) < 3) {
        read_some(&stand);
        result = tls_outlet_push(&stand.outlet, &error);
        assert_int_not_equal(result, OUTLET_BROKEN);
    }
    for (unsigned room = tls_outlet_room(&stand.outlet); room > 0; room--)
        assert_true(write_piece(&stand, TLS_RECORD_MAX));
    assert_int_equal(tls_outlet_push(&stand.outlet, &error), OUTLET_EMPTY);
    end(&stand);
}

TEST(a_peer_that_is_gone_is_an_error_and_nothing_stays_owed)
{
    struct stand stand;
    begin(&stand);
    fill(&stand);
    const struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(stand.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(stand.peer);
    stand.peer = -1;
    assert_int_equal(tls_outlet_push(&stand.outlet, &error), OUTLET_BROKEN);
    assert_true(error.number == ECONNRESET || error.number == EPIPE);
    assert_null(stand.outlet.owed);
    end(&stand);
}

TEST(what_was_gathered_for_one_that_ends_goes_to_nobody)
{
    struct stand first;
    struct stand second;
    begin(&first);
    begin(&second);
    assert_true(write_piece(&first, PIECE));
    end(&first);
    assert_true(write_piece(&second, 1));
    let_all_go(&second);
    assert_int_equal(second.seen, 1);
    end(&second);
}
