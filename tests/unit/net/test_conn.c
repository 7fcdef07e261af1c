/* SPDX-License-Identifier: MIT */
#include "relay/net/conn.h"

#include <netinet/tcp.h>
#include <sys/mman.h>

#include "echo_worker.h"
#include "sockets.h"

/* An owner: it keeps what came and does what its test asks for. */
struct owner {
    struct loop *loop;
    struct conn *conn;
    unsigned ups;
    unsigned downs;
    unsigned readables;
    unsigned writables;
    char got[64];
    size_t got_length;
    size_t read_most;      /* bytes a READABLE; 0: all */
    size_t stop_at_length; /* stops the loop when so much has come; 0: never */
    enum conn_io last_io;
    bool closes_when_readable;
    bool stops_on_up;
    bool stops_on_end;
};

static const struct conn_options options = {.keepalive_s = 300};

static void read_some(struct owner *owner)
{
    size_t most = owner->read_most != 0 ? owner->read_most : sizeof owner->got;
    size_t received = 0;
    do {
        size_t room = sizeof owner->got - owner->got_length;
        owner->last_io = conn_receive(owner->conn, owner->got + owner->got_length,
                                      room < most ? room : most, &received);
        owner->got_length += received;
    } while (owner->last_io == CONN_OK && owner->read_most == 0);
    if (owner->stop_at_length != 0 && owner->got_length >= owner->stop_at_length)
        loop_stop(owner->loop);
    if (owner->last_io == CONN_END && owner->stops_on_end)
        loop_stop(owner->loop);
}

static void on_readable(struct owner *owner)
{
    owner->readables++;
    if (!owner->closes_when_readable) {
        read_some(owner);
        return;
    }
    conn_close(&owner->conn);
    loop_stop(owner->loop);
}

static void on_event(struct conn *conn, enum conn_event event, void *arg)
{
    struct owner *owner = arg;
    assert_ptr_equal(conn, owner->conn);
    switch (event) {
    case CONN_EVENT_UP:
        owner->ups++;
        if (owner->stops_on_up)
            loop_stop(owner->loop);
        return;
    case CONN_EVENT_DOWN:
        owner->downs++;
        loop_stop(owner->loop);
        return;
    case CONN_EVENT_READABLE:
        on_readable(owner);
        return;
    case CONN_EVENT_WRITABLE:
        owner->writables++;
        loop_stop(owner->loop);
        return;
    }
}

static void begin(struct owner *owner)
{
    *owner = (struct owner){.loop = new_loop(), .stops_on_up = true};
}

static void end(struct owner *owner)
{
    conn_close(&owner->conn);
    assert_null(owner->conn);
    loop_free(&owner->loop);
}

/* A connection that is up; returns the peer's end. */
static int begin_up(struct owner *owner)
{
    begin(owner);
    int ours;
    int theirs;
    tcp_pair(&ours, &theirs);
    owner->conn = conn_accept(owner->loop, ours, &options, on_event, owner);
    assert_non_null(owner->conn);
    assert_int_equal(owner->ups, 0); /* never from inside a call */
    run(owner->loop, "UP");
    assert_int_equal(owner->ups, 1);
    return theirs;
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

/* ---- coming up ---- */

TEST(connects_and_knows_both_ends)
{
    struct owner owner;
    begin(&owner);
    int listening = listening_socket(1);
    uint16_t port = port_of(listening);
    owner.conn = conn_connect(owner.loop, "127.0.0.1", port, &options, on_event, &owner);
    assert_non_null(owner.conn);
    char peer[32];
    snprintf(peer, sizeof peer, "127.0.0.1:%u", port);
    assert_string_equal(conn_peer(owner.conn), peer);
    assert_string_equal(conn_peer_address(owner.conn), "");
    assert_int_equal(conn_peer_port(owner.conn), 0);

    run(owner.loop, "UP");
    assert_int_equal(owner.ups, 1);
    assert_int_equal(owner.downs, 0);
    assert_string_equal(conn_peer(owner.conn), peer);
    assert_string_equal(conn_peer_address(owner.conn), "127.0.0.1");
    assert_int_equal(conn_peer_port(owner.conn), port);
    assert_string_equal(conn_error(owner.conn), "");

    struct sockaddr_in ours;
    socklen_t length = sizeof ours;
    int theirs = accept(listening, (struct sockaddr *)&ours, &length);
    char local[64];
    snprintf(local, sizeof local, "127.0.0.1:%u", ntohs(ours.sin_port));
    assert_string_equal(conn_local(owner.conn), local);
    close(theirs);
    close(listening);
    end(&owner);
}

TEST(an_accepted_one_gets_its_options)
{
    struct owner owner;
    begin(&owner);
    int ours;
    int theirs;
    tcp_pair(&ours, &theirs);
    owner.conn = conn_accept(owner.loop, ours, &options, on_event, &owner);
    assert_non_null(owner.conn);
    assert_int_equal(fcntl(ours, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(option_of(ours, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_of(ours, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(ours, IPPROTO_TCP, TCP_KEEPIDLE), 300);
    close(theirs);
    end(&owner);
}

TEST(a_refused_connection_goes_down_once_with_the_reason)
{
    struct owner owner;
    begin(&owner);
    int unheard = bound_socket(SOCK_STREAM, "127.0.0.1", 0); /* bound, but does not listen */
    owner.conn =
        conn_connect(owner.loop, "127.0.0.1", port_of(unheard), &options, on_event, &owner);
    assert_non_null(owner.conn);
    assert_int_equal(owner.downs, 0);
    run(owner.loop, "DOWN");
    run_for(owner.loop, 20);
    assert_int_equal(owner.ups, 0);
    assert_int_equal(owner.downs, 1);
    assert_string_equal(conn_error(owner.conn), "Connection refused");
    close(unheard);
    end(&owner);
}

/* A name that no resolver sends out, so that the test needs no network; more is in test_resolver. */
TEST(an_impossible_name_goes_down_with_the_reason)
{
    struct owner owner;
    begin(&owner);
    char name[300];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    owner.conn = conn_connect(owner.loop, name, 1, &options, on_event, &owner);
    assert_non_null(owner.conn);
    run(owner.loop, "DOWN");
    assert_int_equal(owner.downs, 1);
    assert_non_null(strstr(conn_error(owner.conn), "xxx: Name or service not known"));
    end(&owner);
}

TEST(one_that_is_closed_while_opening_tells_nothing)
{
    struct owner owner;
    begin(&owner);
    int clients[2];
    int full = full_socket("127.0.0.1", 0, clients);

    /* Before the first turn, and while the connect is under way. */
    owner.conn = conn_connect(owner.loop, "127.0.0.1", port_of(full), &options, on_event, &owner);
    assert_non_null(owner.conn);
    conn_close(&owner.conn);
    owner.conn = conn_connect(owner.loop, "127.0.0.1", port_of(full), &options, on_event, &owner);
    assert_non_null(owner.conn);
    run_for(owner.loop, 20);
    conn_close(&owner.conn);
    run_for(owner.loop, 20);
    assert_int_equal(owner.ups, 0);
    assert_int_equal(owner.downs, 0);
    close(full);
    close(clients[0]);
    close(clients[1]);
    end(&owner);
}

/* ---- bytes ---- */

TEST(receives_what_there_is_then_again_then_the_end)
{
    struct owner owner;
    int peer = begin_up(&owner);
    send_whole(peer, "hello", 5);
    run_for(owner.loop, 20);
    assert_int_equal(owner.readables, 0); /* nothing was wanted */

    owner.stop_at_length = 5;
    conn_want(owner.conn, true, false);
    run(owner.loop, "five bytes");
    assert_views_equal(bytes_at(owner.got, owner.got_length), bytes_of("hello"));
    assert_int_equal(owner.last_io, CONN_AGAIN);
    assert_int_equal(conn_received_total(owner.conn), 5);

    owner.stop_at_length = 0;
    owner.stops_on_end = true;
    close(peer);
    run(owner.loop, "the end");
    assert_int_equal(owner.last_io, CONN_END);
    unsigned readables = owner.readables;
    run_for(owner.loop, 20);
    assert_int_equal(owner.readables, readables); /* the end is no reason to turn in circles */
    size_t received;
    char byte;
    assert_int_equal(conn_receive(owner.conn, &byte, 1, &received), CONN_END);
    assert_int_equal(owner.downs, 0);
    end(&owner);
}

TEST(what_is_left_comes_again_in_the_next_turn)
{
    struct owner owner;
    int peer = begin_up(&owner);
    owner.read_most = 2;
    owner.stop_at_length = 5;
    send_whole(peer, "12345", 5);
    conn_want(owner.conn, true, false);
    run(owner.loop, "five bytes by twos");
    assert_views_equal(bytes_at(owner.got, owner.got_length), bytes_of("12345"));
    assert_int_equal(owner.readables, 3);
    struct conn_traffic traffic = conn_traffic(owner.conn);
    assert_int_equal(traffic.received_bytes, 5);
    assert_int_equal(traffic.reads, 3);
    assert_int_equal(traffic.writes, 0);
    close(peer);
    end(&owner);
}

static size_t fill(struct conn *conn)
{
    static const char zeros[65536];
    size_t total = 0;
    size_t sent;
    while (conn_send(conn, bytes_at(zeros, sizeof zeros), false, &sent) == CONN_OK)
        total += sent;
    assert_int_equal(sent, 0);
    return total;
}

TEST(a_full_connection_says_again_and_tells_when_there_is_room)
{
    struct owner owner;
    int peer = begin_up(&owner);
    size_t filled = fill(owner.conn);
    assert_true(filled > 0);
    assert_int_equal(conn_sent_total(owner.conn), filled);
    conn_want(owner.conn, false, true);
    run_for(owner.loop, 20);
    assert_int_equal(owner.writables, 0);

    static char sink[65536];
    for (size_t left = filled; left > 0;) {
        ssize_t got = recv(peer, sink, sizeof sink < left ? sizeof sink : left, 0);
        assert_true(got > 0);
        left -= (size_t)got;
    }
    run(owner.loop, "WRITABLE");
    assert_int_equal(owner.writables, 1);
    conn_want(owner.conn, false, false);
    run_for(owner.loop, 20);
    assert_int_equal(owner.writables, 1);
    close(peer);
    end(&owner);
}

TEST(sends_with_more_to_follow)
{
    struct owner owner;
    int peer = begin_up(&owner);
    size_t sent;
    assert_int_equal(conn_send(owner.conn, bytes_of("half"), true, &sent), CONN_OK);
    assert_int_equal(sent, 4);
    assert_int_equal(conn_send(owner.conn, bytes_of("whole"), false, &sent), CONN_OK);
    assert_int_equal(sent, 5);
    char got[10] = {0};
    assert_int_equal(recv(peer, got, 9, MSG_WAITALL), 9);
    assert_string_equal(got, "halfwhole");
    close(peer);
    end(&owner);
}

TEST(sends_a_part_of_a_file)
{
    struct owner owner;
    int peer = begin_up(&owner);
    int file = make_file("0123456789", NULL);
    size_t sent;
    assert_true(conn_moves_files(owner.conn));
    assert_int_equal(conn_send_file(owner.conn, file, 3, 4, &sent), CONN_OK);
    assert_int_equal(sent, 4);
    char got[5] = {0};
    assert_int_equal(recv(peer, got, 4, MSG_WAITALL), 4);
    assert_string_equal(got, "3456");
    assert_int_equal(conn_sent_total(owner.conn), 4);

    /* A file that is shorter than was promised: what is there goes, then the file is to blame. */
    assert_int_equal(conn_send_file(owner.conn, file, 8, 5, &sent), CONN_OK);
    assert_int_equal(sent, 2);
    assert_int_equal(conn_send_file(owner.conn, file, 10, 3, &sent), CONN_UNREADABLE);
    assert_int_equal(sent, 0);
    assert_int_equal(conn_send_file(owner.conn, -1, 0, 3, &sent), CONN_UNREADABLE);
    assert_int_equal(conn_send_file(owner.conn, file, 0, 1, &sent), CONN_OK);
    assert_int_equal(owner.downs, 0);
    close(file);
    close(peer);
    end(&owner);
}

TEST(sends_from_beyond_4_gb)
{
    struct owner owner;
    int peer = begin_up(&owner);
    int file = make_file("", NULL);
    const uint64_t position = (UINT64_C(5) << 30) + 7; /* all before it is a hole */
    assert_int_equal(pwrite(file, "beyond", 6, (off_t)position), 6);
    size_t sent;
    assert_int_equal(conn_send_file(owner.conn, file, position, 6, &sent), CONN_OK);
    assert_int_equal(sent, 6);
    char got[7] = {0};
    assert_int_equal(recv(peer, got, 6, MSG_WAITALL), 6);
    assert_string_equal(got, "beyond");
    assert_int_equal(conn_send_file(owner.conn, file, position + 6, 6, &sent), CONN_UNREADABLE);
    close(file);
    close(peer);
    end(&owner);
}

/* A page that the disk cannot read is as one that has gone from the file: a signal for who reads it, and an
 * error for who has it sent. */
TEST(sends_no_byte_of_a_mapping_that_cannot_be_read)
{
    struct owner owner;
    int peer = begin_up(&owner);
    int file = make_file("", NULL);
    assert_int_equal(ftruncate(file, 8192), 0);
    uint8_t *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, file, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(ftruncate(file, 4096), 0);
    size_t sent;
    assert_int_equal(conn_send(owner.conn, bytes_at(map + 4000, 96), false, &sent), CONN_OK);
    assert_int_equal(sent, 96);
    assert_int_equal(conn_send(owner.conn, bytes_at(map + 4096, 904), false, &sent),
                     CONN_UNREADABLE);
    assert_int_equal(sent, 0);
    assert_int_equal(conn_send(owner.conn, bytes_of("on"), false, &sent), CONN_OK);
    munmap(map, 8192);
    close(file);
    close(peer);
    end(&owner);
}

/* ---- ends ---- */

static void reset(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

TEST(a_reset_fails_the_receive_and_then_tells_down)
{
    struct owner owner;
    int peer = begin_up(&owner);
    conn_want(owner.conn, true, false);
    reset(peer);
    run(owner.loop, "DOWN");
    assert_int_equal(owner.last_io, CONN_FAILED);
    assert_int_equal(owner.downs, 1);
    assert_string_equal(conn_error(owner.conn), "Connection reset by peer");
    size_t sent;
    assert_int_equal(conn_send(owner.conn, bytes_of("x"), false, &sent), CONN_FAILED);
    run_for(owner.loop, 20);
    assert_int_equal(owner.downs, 1);
    end(&owner);
}

/* By send and by sendfile, of which only the first can be told to raise no signal. */
TEST(sending_to_a_peer_that_has_gone_is_an_error_and_no_signal)
{
    int file = make_file("0123456789", NULL);
    for (int by_file = 0; by_file < 2; by_file++) {
        struct owner owner;
        int peer = begin_up(&owner);
        close(peer);
        size_t sent;
        enum conn_io io = CONN_OK;
        for (int i = 0; i < 1000 && io == CONN_OK; i++)
            io = by_file ? conn_send_file(owner.conn, file, 0, 10, &sent)
                         : conn_send(owner.conn, bytes_of("0123456789"), false, &sent);
        assert_int_equal(io, CONN_FAILED);
        assert_true(strlen(conn_error(owner.conn)) > 0);
        end(&owner);
    }
    close(file);
}

TEST(one_may_be_closed_in_its_own_callback)
{
    struct owner owner;
    int peer = begin_up(&owner);
    owner.closes_when_readable = true;
    send_whole(peer, "x", 1);
    conn_want(owner.conn, true, true); /* both are ready: the second must not come any more */
    owner.writables = 0;
    run(owner.loop, "READABLE");
    if (owner.readables == 0) /* WRITABLE was first */
        run(owner.loop, "READABLE");
    unsigned writables = owner.writables;
    assert_null(owner.conn);
    run_for(owner.loop, 20);
    assert_int_equal(owner.readables, 1);
    assert_int_equal(owner.writables, writables);
    close(peer);
    end(&owner);
}

struct drainer {
    int fd;
    size_t expected;
    size_t got;
    struct notifier *notifier;
};

static void *send_then_read_slowly(void *arg)
{
    struct drainer *drainer = arg;
    static char buffer[65536];
    ssize_t got;
    while ((got = recv(drainer->fd, buffer, sizeof buffer, 0)) > 0) {
        drainer->got += (size_t)got;
        send_whole(drainer->fd, "ack", 3); /* keeps sending what the other side will not read */
    }
    close(drainer->fd);
    notifier_wake(drainer->notifier);
    return NULL;
}

TEST(draining_delivers_the_last_bytes_to_a_peer_whose_bytes_were_not_read)
{
    struct owner owner;
    struct drainer drainer = {.fd = begin_up(&owner)};
    static const char unread[100000];
    send_whole(drainer.fd, unread, sizeof unread);
    drainer.expected = fill(owner.conn);
    drainer.notifier = notifier_new(owner.loop, stop, owner.loop);
    assert_non_null(drainer.notifier);

    conn_drain(&owner.conn, CONNECT_TIMEOUT_MS);
    assert_null(owner.conn);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_then_read_slowly, &drainer), 0);
    run(owner.loop, "the peer's end");
    pthread_join(thread, NULL);
    assert_int_equal(drainer.got, drainer.expected);
    notifier_free(&drainer.notifier);
    end(&owner);
}

static int watched_fd;
static struct timer *watcher;

static void stop_when_closed(void *arg)
{
    if (fcntl(watched_fd, F_GETFD) == -1)
        loop_stop(arg);
    else
        timer_arm(watcher, 2);
}

TEST(draining_ends_at_its_deadline)
{
    struct owner owner;
    begin(&owner);
    int theirs;
    tcp_pair(&watched_fd, &theirs);
    owner.conn = conn_accept(owner.loop, watched_fd, &options, on_event, &owner);
    assert_non_null(owner.conn);
    run(owner.loop, "UP");

    int64_t begun_ms = clock_ms();
    assert_int_equal(conn_draining_count(), 0);
    conn_drain(&owner.conn, 40);
    assert_int_equal(conn_draining_count(), 1);
    watcher = timer_new(owner.loop, stop_when_closed, owner.loop);
    assert_non_null(watcher);
    timer_arm(watcher, 0);
    run(owner.loop, "the deadline");
    assert_int_equal(conn_draining_count(), 0);
    assert_in_range(clock_ms() - begun_ms, 40, CONNECT_TIMEOUT_MS);
    char byte;
    assert_int_equal(recv(theirs, &byte, 1, 0), 0);
    timer_free(&watcher);
    close(theirs);
    end(&owner);
}

TEST(a_loop_that_is_freed_closes_what_drains)
{
    struct owner owner;
    int peer = begin_up(&owner);
    conn_drain(&owner.conn, CONNECT_TIMEOUT_MS);
    loop_free(&owner.loop);
    char byte;
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
    close(peer);
}

/* ---- from thread to thread ---- */

static struct echo_worker *posts_to;
static struct parcel parcel;

/* Gives the connection away from inside its callback, as a handshake does that ends in PSYNC. */
static void give_away(struct conn *conn, enum conn_event event, void *arg)
{
    struct owner *owner = arg;
    if (event != CONN_EVENT_READABLE)
        return;
    owner->conn = NULL;
    conn_detach(conn);
    parcel.conn = conn;
    mailbox_post(posts_to->mailbox, &parcel.message);
    loop_stop(owner->loop);
}

TEST(one_goes_to_another_thread_with_its_unread_bytes)
{
    struct echo_worker worker;
    begin_echo_worker(&worker);
    posts_to = &worker;

    struct owner owner;
    begin(&owner);
    int ours;
    int peer;
    tcp_pair(&ours, &peer);
    owner.conn = conn_accept(owner.loop, ours, &options, give_away, &owner);
    assert_non_null(owner.conn);
    conn_want(owner.conn, true, false);
    send_whole(peer, "before ", 7);
    run(owner.loop, "READABLE");
    send_whole(peer, "after", 5);
    char got[13] = {0};
    assert_int_equal(recv(peer, got, 12, MSG_WAITALL), 12);
    assert_string_equal(got, "before after");
    close(peer);
    end_echo_worker(&worker);
    end(&owner);
}

TEST(an_attached_one_begins_with_nothing_wanted)
{
    struct owner owner;
    int peer = begin_up(&owner);
    conn_want(owner.conn, true, true);
    conn_detach(owner.conn);
    send_whole(peer, "x", 1);
    assert_true(conn_attach(owner.conn, owner.loop, on_event, &owner));
    size_t sent;
    assert_int_equal(conn_send(owner.conn, bytes_of("y"), false, &sent), CONN_OK);
    run_for(owner.loop, 20);
    assert_int_equal(owner.readables, 0);
    assert_int_equal(owner.writables, 0);
    owner.stop_at_length = 1;
    conn_want(owner.conn, true, false);
    run(owner.loop, "READABLE");
    assert_int_equal(owner.got_length, 1);
    close(peer);
    end(&owner);
}

TEST(a_detached_one_may_be_closed)
{
    struct owner owner;
    int peer = begin_up(&owner);
    conn_detach(owner.conn);
    conn_close(&owner.conn);
    char byte;
    assert_int_equal(recv(peer, &byte, 1, 0), 0);
    close(peer);
    end(&owner);
}
