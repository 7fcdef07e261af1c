/* SPDX-License-Identifier: MIT
 *
 * What is acknowledged belongs to a branch of the history: over real sockets and threads, with a history that
 * loses its end while replicas go on acknowledging.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/downstream/downstream.h"
#include "relay/net/loop.h"
#include "temp_store.h"
#include "test.h"

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HELLO "PSYNC " ID " 1001\r\n"

enum { X = 1000, CONNECT_TIMEOUT_MS = 20 * 1000 };

static struct temp_store temp;
static struct loop *loop;
static struct timer *timer;
static struct downstream *downstream;
static int peer;
static unsigned step;
static int64_t began_ms;

static void on_command(struct client *client, const struct command *command, void *arg)
{
    (void)arg;
    assert_true(client_psync(client, command));
}

static bool is_upstream_streaming(void *arg)
{
    (void)arg;
    return true;
}

static void on_turn_end(void *arg)
{
    (void)arg;
    if (store_publish(temp.store))
        downstream_wake(downstream);
}

static void dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(downstream_port(downstream)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    peer = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(peer, HELLO, strlen(HELLO)), strlen(HELLO));
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    step = 0;
    began_ms = clock_ms();
    temp_store_open(&temp);
    temp_store_fill(&temp, ID, X);
    loop = loop_new(&(struct error){0});
    const struct downstream_options options = {
        .bind = "127.0.0.1", .threads = 2, .clients_max = 10, .replica_timeout_ms = 60 * 1000};
    const struct downstream_callbacks callbacks = {.on_command = on_command,
                                                   .is_upstream_streaming = is_upstream_streaming};
    struct text why;
    text_init(&why, 1000);
    downstream = downstream_open(loop, temp.store, &options, &callbacks, &why);
    if (downstream == NULL)
        fail_msg("downstream_open: %s", text_string(&why));
    text_fini(&why);
    loop_at_turn_end(loop, on_turn_end, NULL);
    dial();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(peer);
    downstream_close(&downstream);
    timer_free(&timer);
    loop_free(&loop);
    temp_store_close(&temp);
    return 0;
}

#define BRANCH_TEST(name) TEST_SETUP(name, set_up, tear_down)

/* ---- what happens ---- */

static void append(size_t length)
{
    struct history *history = store_current(temp.store);
    static uint8_t data[1000];
    assert_true(length <= sizeof(data));
    memset(data, 'x', length);
    assert_int_equal(history_make_ready(history), BACKLOG_SPACE);
    assert_int_equal(history_append(history, bytes_at(data, length)), BACKLOG_SPACE);
    history_set_boundary(history, history_end(history));
}

static void cut(uint64_t offset)
{
    struct text why;
    text_init(&why, 300);
    if (!history_rewind(store_current(temp.store), offset, &why))
        fail_msg("%s", text_string(&why));
    text_fini(&why);
}

static void acknowledge(uint64_t offset)
{
    char line[100];
    int length = snprintf(line, sizeof(line), "REPLCONF ACK %u\r\n", (unsigned)offset);
    assert_int_equal(write(peer, line, (size_t)length), length);
}

/* ---- what is seen ---- */

static uint64_t acknowledged(void)
{
    uint64_t offset;
    return downstream_acknowledged(downstream, 1, &offset) ? offset : 0;
}

static struct downstream_counts counts_now(void)
{
    struct downstream_counts counts;
    downstream_counts(downstream, &counts);
    return counts;
}

static void note_sent(const struct peer_status *status, void *arg)
{
    if (status->is_online)
        *(uint64_t *)arg = status->sent_offset;
}

static bool has_all(void)
{
    uint64_t sent = 0;
    downstream_each_replica(downstream, note_sent, &sent);
    return sent == history_end(store_current(temp.store));
}

/* Once it has been sent all; looked at once, since that may come true at any moment. */
static bool acknowledge_all(uint64_t offset)
{
    bool has = has_all();
    if (has)
        acknowledge(offset);
    return has;
}

/* ---- one who stands at the cut, and then beyond one ---- */

/* True: this step is over. */
static bool take_step(void)
{
    switch (step) {
    case 0:
        append(100);
        return true;
    case 1:
        return acknowledge_all(X + 100);
    case 2:
        if (acknowledged() < X + 100)
            return false;
        cut(X + 100);
        append(50);
        return true;
    case 3:
        return acknowledge_all(X + 150);
    case 4:
        if (counts_now().received_bytes < strlen(HELLO) + 2 * strlen("REPLCONF ACK 1100\r\n"))
            return false;
        assert_int_equal(acknowledged(), X + 100); /* its worker has not been asked yet */
        assert_int_equal(downstream_count_acknowledged(downstream, X + 101), 0);
        downstream_rewound(downstream);
        return true;
    case 5:
        if (acknowledged() < X + 150)
            return false;
        cut(X + 120);
        assert_int_equal(acknowledged(), X + 120); /* at once */
        append(200);
        assert_int_equal(acknowledged(), X + 120);
        downstream_rewound(downstream);
        return true;
    default:
        assert_true(acknowledged() <= X + 120);
        if (counts_now().replicas == 0)
            loop_stop(loop);
        return false;
    }
}

static void on_timer(void *arg)
{
    (void)arg;
    step += take_step();
    timer_arm(timer, 0);
    assert_true(clock_ms() - began_ms < CONNECT_TIMEOUT_MS);
}

/* The first goes on, and counts beyond the cut once its worker has said so; the second counts up to the cut,
 * and closes. */
BRANCH_TEST(what_is_acknowledged_belongs_to_a_branch)
{
    timer = timer_new(loop, on_timer, NULL);
    timer_arm(timer, 0);
    loop_run(loop);
    assert_int_equal(counts_now().closed[CLOSE_REWOUND], 1);
}

/* ---- another history ---- */

/* A worker may not have closed the replica for a long time: it counts from the call on no more. */
static void on_replaced_timer(void *arg)
{
    (void)arg;
    timer_arm(timer, 0);
    assert_true(clock_ms() - began_ms < CONNECT_TIMEOUT_MS);
    if (step == 0 && counts_now().replicas == 1 && has_all()) {
        append(100);
        step = 1;
    } else if (step == 1 && has_all()) {
        acknowledge(X + 100);
        step = 2;
    } else if (step == 2 && acknowledged() == X + 100) {
        assert_int_equal(downstream_count_acknowledged(downstream, 0), 1);
        temp_store_fill(&temp, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 10);
        assert_int_equal(downstream_count_acknowledged(downstream, 0), 0);
        assert_int_equal(acknowledged(), 0);
        loop_stop(loop);
    }
}

BRANCH_TEST(another_history_counts_nobody)
{
    timer = timer_new(loop, on_replaced_timer, NULL);
    timer_arm(timer, 0);
    loop_run(loop);
    assert_int_equal(step, 2);
}
