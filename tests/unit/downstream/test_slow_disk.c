/* SPDX-License-Identifier: MIT
 *
 * A worker of the real kind, with replicas on real sockets over a real store, and a disk that does not
 * answer: those that need it wait, however long, and the one that is up to date is sent all that is new.
 * Were the worker to wait for the disk, the test would hang.
 */
#include <inttypes.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../relay/downstream/attach.h"
#include "../../../relay/downstream/replica.h"
#include "../../../relay/downstream/worker.h"
#include "../store/depot.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "stuck_page_cache.h"

enum { X = 1000, COLD = 5, TIMEOUT_MS = 60 * 1000, SEEN_MAX = 64 * 1024 };

struct peer {
    int fd;
    struct replica_stats stats;
    uint64_t offset; /* of the next byte of the stream */
};

static struct depot depot;
static struct loop *loop; /* thread 0's */
static struct mailbox *home;
static struct notifier *notifier;
static struct worker *worker;
static unsigned gone;

static void on_home(struct message *message, void *arg)
{
    (void)message;
    (void)arg;
    gone++;
}

static void on_notified(void *arg)
{
    (void)arg;
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    gone = 0;
    depot_init(&depot);
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', X);
    depot_stream(&depot, 3000, 0);
    loop = loop_new(&(struct error){0});
    home = mailbox_new(loop, on_home, NULL);
    notifier = notifier_new(loop, on_notified, NULL);
    worker = worker_start(home, notifier, &(struct error){0});
    assert_non_null(worker);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    worker_stop(&worker);
    mailbox_free(&home);
    notifier_free(&notifier);
    loop_free(&loop);
    depot_fini(&depot);
    return 0;
}

#define SLOW_DISK_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void on_conn(struct conn *conn, enum conn_event event, void *arg)
{
    (void)conn;
    if (event == CONN_EVENT_UP)
        loop_stop(arg);
}

/* A replica that has the stream up to `offset`. */
static void come(struct peer *peer, uint64_t id, uint64_t offset)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    const struct conn_options options = {.keepalive_s = 0};
    struct conn *conn = conn_accept(loop, pair[0], &options, on_conn, loop);
    assert_non_null(conn);
    loop_run(loop); /* until it is up */
    *peer = (struct peer){.fd = pair[1], .stats = {.id = id, .acknowledges = true}};
    peer->offset = offset;
    struct psync_request request = {.has_replid = true, .offset = offset, .replid = depot_id('a')};
    struct text owed;
    text_init(&owed, 100);
    struct replica *replica = replica_new(&peer->stats, &owed, TIMEOUT_MS, &request);
    assert_non_null(replica);
    replica->conn = conn;
    assert_true(backlog_attach(depot_backlog(&depot), &replica->feed.cursor, offset));
    replica->feed.has_stream = true;
    conn_detach(conn);
    worker_take(worker, replica, "continue");
}

/* Waits for what it has not got yet; every byte is the right one. */
static void receive_until(struct peer *peer, uint64_t end)
{
    static uint8_t bytes[SEEN_MAX];
    while (peer->offset < end) {
        ssize_t got = read(peer->fd, bytes, sizeof(bytes));
        assert_true(got > 0);
        assert_stream(bytes_at(bytes, (size_t)got), peer->offset, 0);
        peer->offset += (uint64_t)got;
    }
    assert_int_equal(peer->offset, end);
}

/* It has nothing to send, and has looked: its acknowledgement is read in a later turn. */
static void wait_until_at_end(struct peer *peer)
{
    char ack[60];
    int length = snprintf(ack, sizeof(ack), "REPLCONF ACK %" PRIu64 "\r\n", peer->offset);
    assert_int_equal(write(peer->fd, ack, (size_t)length), length);
    while (REPLICA_STATS_GET(&peer->stats, acknowledged) != peer->offset)
        usleep(100);
}

static bool has_something(const struct peer *peer)
{
    uint8_t byte;
    return recv(peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static uint64_t publish(size_t length)
{
    depot_stream(&depot, length, 0);
    worker_wake(worker);
    return backlog_published(depot_backlog(&depot));
}

SLOW_DISK_TEST(a_disk_that_does_not_answer_stops_nobody_who_is_up_to_date)
{
    static struct peer cold[COLD]; /* their replica stats come home after this */
    static struct peer fresh;
    come(&fresh, COLD + 1, backlog_published(depot_backlog(&depot)));
    wait_until_at_end(&fresh);
    stuck_disk_hold();
    for (unsigned i = 0; i < COLD; i++)
        come(&cold[i], i + 1, X + i);
    stuck_disk_await(2); /* all readers; the others are queued */
    uint64_t end = 0;
    for (int i = 0; i < 200; i++) {
        end = publish(100);
        receive_until(&fresh, end);
    }
    for (unsigned i = 0; i < COLD; i++)
        assert_false(has_something(&cold[i]));
    stuck_disk_release();
    for (unsigned i = 0; i < COLD; i++)
        receive_until(&cold[i], end);
    assert_true(stuck_disk_reads() >= COLD);
    for (int i = 0; i < 20; i++) {
        end = publish(100);
        for (unsigned k = 0; k < COLD; k++)
            receive_until(&cold[k], end);
    }
    worker_stop(&worker);
    for (unsigned i = 0; i < COLD; i++)
        close(cold[i].fd);
    close(fresh.fd);
}

/* Those who wait may go, and the worker may end, while their bytes are being read. */
SLOW_DISK_TEST(who_leaves_while_the_disk_is_stuck_leaves_nothing_behind)
{
    static struct peer cold[COLD]; /* their replica stats come home after this */
    stuck_disk_hold();
    for (unsigned i = 0; i < COLD; i++)
        come(&cold[i], i + 1, X);
    stuck_disk_await(2);
    for (unsigned i = 0; i < COLD; i++) {
        worker_close(worker, i + 1, CLOSE_KILLED);
        uint8_t byte;
        assert_int_equal(read(cold[i].fd, &byte, 1), 0);
        close(cold[i].fd);
    }
    stuck_disk_release();
}
