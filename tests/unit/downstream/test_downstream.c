/* SPDX-License-Identifier: MIT
 *
 * The whole room on real sockets and threads, over a real store: several replicas read on threads of
 * their own while thread 0 appends a few bytes a turn. A wake-up that is lost shows as a read that
 * times out; a race shows under ThreadSanitizer.
 */
#include "relay/downstream/downstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/crc64.h"
#include "relay/base/log.h"
#include "relay/downstream/known.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"
#include "test.h"

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

enum {
    X = 1000,
    RDB_LENGTH = 300 * 1000,
    STREAM_LENGTH = 600 * 1000,
    APPEND_MAX = 200,
    PEERS = 6,
    SILENCE_S = 20, /* more than any read has to wait */
};

struct stage {
    char directory[64];
    struct loop *loop;
    struct timer *timer;
    struct store *store;
    struct downstream *downstream;
    uint64_t appended;
    uint64_t seed;
    atomic_uint finished; /* peers */
    unsigned peers;
    uint16_t port;
    unsigned told; /* that acknowledgements have come */
};

static struct stage stage;

/* Every byte of the stream tells its place. */
static uint8_t stream_byte(uint64_t offset)
{
    return (uint8_t)(offset * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static uint8_t *make_rdb(void)
{
    uint8_t *rdb = malloc(RDB_LENGTH);
    memset(rdb, 'r', RDB_LENGTH);
    memcpy(rdb, "REDIS0011", 9);
    rdb[RDB_LENGTH - 9] = 0xff;
    uint64_t crc = crc64(0, rdb, RDB_LENGTH - 8);
    for (int i = 0; i < 8; i++)
        rdb[RDB_LENGTH - 8 + i] = (uint8_t)(crc >> 8 * i);
    return rdb;
}

/* ---- thread 0 ---- */

static void on_command(struct client *client, const struct command *command, void *arg)
{
    (void)arg;
    if (bytes_is(command->argument[0], "psync"))
        (void)client_psync(client, command);
    else if (bytes_is(command->argument[0], "sync"))
        client_sync(client);
    else if (bytes_is(command->argument[0], "replconf"))
        client_replconf(client, command);
    else
        write_simple(client_writer(client), "PONG");
}

static void on_snapshot_wanted(uint64_t from, void *arg)
{
    (void)from;
    (void)arg;
}

static void on_version(uint32_t version, void *arg)
{
    (void)version;
    (void)arg;
}

static bool is_upstream_streaming(void *arg)
{
    (void)arg;
    return true;
}

static void on_acknowledged(void *arg)
{
    (void)arg;
    stage.told++;
}

static void on_turn_end(void *arg)
{
    (void)arg;
    if (store_publish(stage.store))
        downstream_wake(stage.downstream);
}

static void append_some(struct history *history)
{
    if (history_make_ready(history) != BACKLOG_SPACE)
        return;
    history_set_boundary(history, X + stage.appended); /* also of what was owed */
    if (stage.appended == STREAM_LENGTH)
        return;
    uint8_t data[APPEND_MAX];
    size_t length = 1 + (size_t)test_random_below(&stage.seed, sizeof(data));
    if (length > STREAM_LENGTH - stage.appended)
        length = (size_t)(STREAM_LENGTH - stage.appended);
    for (size_t i = 0; i < length; i++)
        data[i] = stream_byte(X + stage.appended + i);
    stage.appended += length;
    if (history_append(history, bytes_at(data, length)) == BACKLOG_SPACE)
        history_set_boundary(history, X + stage.appended);
}

static void on_timer(void *arg)
{
    (void)arg;
    append_some(store_current(stage.store));
    if (atomic_load(&stage.finished) == stage.peers)
        loop_stop(stage.loop);
    /* Now and then everybody gets to sleep. */
    timer_arm(stage.timer, test_random_below(&stage.seed, 100) == 0 ? 1 : 0);
}

static void open_store(void)
{
    snprintf(stage.directory, sizeof(stage.directory), "/tmp/test_downstream.XXXXXX");
    assert_non_null(mkdtemp(stage.directory));
    const struct store_options options = {
        .data_dir = stage.directory,
        .window_bytes = 2 * STREAM_LENGTH,
        .window_bytes_max = 4 * STREAM_LENGTH,
        .segment_bytes = 64 * 1024,
        .fsync = STORE_FSYNC_NO,
    };
    struct text why;
    text_init(&why, 1000);
    stage.store = store_open(&options, &why);
    if (stage.store == NULL)
        fail_msg("store_open: %s", text_string(&why));
    struct replid replid;
    assert_true(replid_parse(bytes_of(ID), &replid));
    struct history *history = store_begin_history(stage.store, &replid, X, &why);
    assert_non_null(history);
    struct snapshot *snapshot = history_arriving_snapshot(history);
    uint8_t *rdb = make_rdb();
    snapshot_expect(snapshot, RDB_LENGTH);
    assert_true(snapshot_write(snapshot, bytes_at(rdb, RDB_LENGTH), &why));
    free(rdb);
    while (snapshot_owes(snapshot)) {
        (void)store_publish(stage.store);
        assert_true(snapshot_write_owed(snapshot, &why));
    }
    enum disk_step step;
    do
        step = store_promote(stage.store, &why);
    while (step == DISK_STEP_PENDING);
    if (step != DISK_STEP_DONE)
        fail_msg("store_promote: %s", text_string(&why));
    text_fini(&why);
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    stage = (struct stage){.seed = 4711};
    open_store();
    stage.loop = loop_new(&(struct error){0});
    stage.timer = timer_new(stage.loop, on_timer, NULL);
    const struct downstream_options options = {
        .bind = "127.0.0.1 -::1",
        .threads = 2,
        .clients_max = 10,
        .replica_timeout_ms = 60 * 1000,
    };
    const struct downstream_callbacks callbacks = {
        .on_command = on_command,
        .on_snapshot_wanted = on_snapshot_wanted,
        .on_version = on_version,
        .on_unreadable = on_version,
        .is_upstream_streaming = is_upstream_streaming,
        .on_acknowledged = on_acknowledged,
    };
    struct text why;
    text_init(&why, 1000);
    stage.downstream = downstream_open(stage.loop, stage.store, &options, &callbacks, &why);
    if (stage.downstream == NULL)
        fail_msg("downstream_open: %s", text_string(&why));
    text_fini(&why);
    stage.port = downstream_port(stage.downstream);
    loop_at_turn_end(stage.loop, on_turn_end, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    downstream_close(&stage.downstream);
    timer_free(&stage.timer);
    loop_free(&stage.loop);
    store_close(&stage.store);
    char command[100];
    snprintf(command, sizeof(command), "rm -r '%s'", stage.directory);
    assert_int_equal(system(command), 0);
    return 0;
}

#define DOWNSTREAM_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void run(unsigned peers)
{
    stage.peers = peers;
    timer_arm(stage.timer, 0);
    loop_run(stage.loop);
}

/* ---- the peers ---- */

struct peer {
    pthread_t thread;
    const char *hello; /* what it says */
    bool reads_slowly;
    bool reads_rdb;
    uint64_t from;       /* offset at which its stream begins */
    const char *trouble; /* NULL: none */
    char line[200];      /* the first line of the answer */
};

static int dial(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(stage.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval silence = {.tv_sec = SILENCE_S};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) == 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static bool read_byte(int fd, char *byte)
{
    return read(fd, byte, 1) == 1;
}

static bool read_line(int fd, char *line, size_t capacity)
{
    size_t length = 0;
    char byte;
    while (read_byte(fd, &byte)) {
        if (byte == '\n' && length == 0)
            continue; /* a sign of life */
        if (byte == '\n') {
            line[length - 1] = '\0';
            return true;
        }
        if (length + 1 == capacity)
            return false;
        line[length++] = byte;
    }
    return false;
}

static const char *read_rdb(int fd)
{
    static _Thread_local uint8_t rdb[RDB_LENGTH];
    char line[100];
    if (!read_line(fd, line, sizeof(line)) || strcmp(line, "$300000") != 0)
        return "no header";
    for (size_t length = 0; length < RDB_LENGTH;) {
        ssize_t got = read(fd, rdb + length, RDB_LENGTH - length);
        if (got <= 0)
            return "the RDB ends early";
        length += (size_t)got;
    }
    return crc64(0, rdb, RDB_LENGTH) == 0 ? NULL : "the RDB is wrong";
}

static const char *read_stream(const struct peer *peer, int fd)
{
    uint8_t bytes[7000];
    for (uint64_t offset = peer->from; offset < X + STREAM_LENGTH;) {
        size_t most = peer->reads_slowly ? 500 : sizeof(bytes);
        ssize_t got = read(fd, bytes, most);
        if (got == -1)
            return "nothing came for too long";
        if (got == 0)
            return "it was closed";
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] != stream_byte(offset++))
                return "a wrong byte";
        }
        if (peer->reads_slowly)
            usleep(100);
        if (offset % 7 == 0 && write(fd, "\n", 1) != 1)
            return "cannot write";
    }
    return NULL;
}

static const char *talk(struct peer *peer, int fd)
{
    size_t length = strlen(peer->hello);
    if (write(fd, peer->hello, length) != (ssize_t)length)
        return "cannot write";
    if (strncmp(peer->hello, "SYNC", 4) != 0 && !read_line(fd, peer->line, sizeof(peer->line)))
        return "no answer";
    const char *trouble = peer->reads_rdb ? read_rdb(fd) : NULL;
    return trouble != NULL ? trouble : read_stream(peer, fd);
}

static void *be_peer(void *arg)
{
    struct peer *peer = arg;
    int fd = dial();
    peer->trouble = talk(peer, fd);
    close(fd);
    atomic_fetch_add(&stage.finished, 1);
    return NULL;
}

DOWNSTREAM_TEST(all_get_all_of_it)
{
    struct peer peers[PEERS] = {
        {.hello = "SYNC\r\n", .reads_rdb = true, .from = X},
        {.hello = "PSYNC ? -1\r\n", .reads_rdb = true, .from = X},
        {.hello = "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n",
         .reads_rdb = true,
         .from = X,
         .reads_slowly = true},
        {.hello = "PSYNC " ID " 1001\r\n", .from = X},
        {.hello = "PSYNC " ID " 50001\r\n", .from = 50000}, /* ahead of us: held */
        {.hello = "PSYNC " ID " 1001\r\n", .from = X, .reads_slowly = true},
    };
    for (size_t i = 0; i < PEERS; i++)
        assert_int_equal(pthread_create(&peers[i].thread, NULL, be_peer, &peers[i]), 0);
    run(PEERS);
    for (size_t i = 0; i < PEERS; i++) {
        assert_int_equal(pthread_join(peers[i].thread, NULL), 0);
        if (peers[i].trouble != NULL)
            fail_msg("peer %zu: %s", i, peers[i].trouble);
    }
    assert_string_equal(peers[1].line, "+FULLRESYNC " ID " 1000");
    assert_string_equal(peers[3].line, "+CONTINUE"); /* it has not said psync2 */
    struct downstream_counts counts;
    downstream_counts(stage.downstream, &counts);
    assert_int_equal(counts.connections_received, PEERS);
    assert_int_equal(counts.commands, PEERS);
    assert_int_equal(counts.sync_full, 3);
    assert_int_equal(counts.sync_partial_ok, 3);
    assert_int_equal(counts.sync_partial_err, 0);
    assert_int_equal(counts.clients, 0);
}

/* ---- wake-ups ---- */

/* Thread 0 appends one byte when the peer has the one before. A wake-up that is lost is made good by
 * the worker's tick, so it shows as a round that takes until then. */
enum { ROUNDS = 3000, SLOW_MS = 300, SLOW_ROUNDS_MAX = 5 };

struct volley {
    atomic_uint returned; /* rounds that the peer has seen */
    unsigned served;
    int64_t served_ms;
    unsigned slow;
};

static void serve(struct volley *volley)
{
    struct history *history = store_current(stage.store);
    assert_int_equal(history_make_ready(history), BACKLOG_SPACE);
    assert_int_equal(history_append(history, bytes_of("x")), BACKLOG_SPACE);
    volley->served++;
    volley->served_ms = clock_ms();
}

static void on_volley_timer(void *arg)
{
    struct volley *volley = arg;
    timer_arm(stage.timer, 0);
    if (atomic_load(&volley->returned) < volley->served)
        return;
    if (volley->served > 0 && clock_ms() - volley->served_ms >= SLOW_MS)
        volley->slow++;
    if (volley->served == ROUNDS || volley->slow > SLOW_ROUNDS_MAX)
        loop_stop(stage.loop);
    else
        serve(volley);
}

static void *return_all(void *arg)
{
    struct volley *volley = arg;
    char line[100];
    int fd = dial();
    CHECK(write(fd, "PSYNC " ID " 1001\r\n", 53) == 53);
    CHECK(read_line(fd, line, sizeof(line)));
    char byte;
    while (atomic_load(&volley->returned) < ROUNDS && read_byte(fd, &byte))
        atomic_fetch_add(&volley->returned, 1);
    close(fd);
    return NULL;
}

DOWNSTREAM_TEST(no_wake_up_is_lost)
{
    struct volley volley = {.served = 0};
    timer_free(&stage.timer);
    stage.timer = timer_new(stage.loop, on_volley_timer, &volley);
    timer_arm(stage.timer, 0);
    pthread_t peer;
    assert_int_equal(pthread_create(&peer, NULL, return_all, &volley), 0);
    loop_run(stage.loop);
    assert_int_equal(pthread_join(peer, NULL), 0);
    assert_in_range(volley.slow, 0, SLOW_ROUNDS_MAX);
    assert_int_equal(volley.returned, ROUNDS);
}

/* ---- closing ---- */

struct listed {
    unsigned online;
    unsigned served; /* everything that there is */
    uint64_t id;
};

static void list(const struct peer_status *status, void *arg)
{
    struct listed *listed = arg;
    assert_string_equal(status->address, "127.0.0.1");
    if (!status->is_online)
        return;
    listed->online++;
    listed->served += status->sent_offset == X + stage.appended;
    listed->id = status->id;
}

/* Two replicas that are caught up; waits until both are online. */
static void on_close_timer(void *arg)
{
    struct listed listed = {.online = 0};
    downstream_each_replica(stage.downstream, list, &listed);
    unsigned *step = arg;
    if (*step == 0 && listed.online == 2) {
        assert_true(downstream_kill(stage.downstream, listed.id));
        assert_false(downstream_kill(stage.downstream, 4711));
        *step = 1;
    } else if (*step == 1 && listed.online == 1) {
        downstream_close_replicas(stage.downstream, CLOSE_REPLACED,
                                  history_number(store_current(stage.store))); /* spares it */
        downstream_close_replicas(stage.downstream, CLOSE_RENAMED, 0);
        *step = 2;
    } else if (*step == 2 && listed.online == 0) {
        loop_stop(stage.loop);
        return;
    }
    timer_arm(stage.timer, 1);
}

DOWNSTREAM_TEST(replicas_can_be_closed)
{
    unsigned step = 0;
    timer_free(&stage.timer);
    stage.timer = timer_new(stage.loop, on_close_timer, &step);
    int fds[2] = {dial(), dial()};
    for (int i = 0; i < 2; i++)
        assert_int_equal(write(fds[i], "PSYNC " ID " 1001\r\n", 53), 53);
    timer_arm(stage.timer, 0);
    loop_run(stage.loop);
    for (int i = 0; i < 2; i++) {
        char line[100];
        assert_int_equal(read(fds[i], line, sizeof(line)), 11); /* "+CONTINUE\r\n" */
        assert_int_equal(read(fds[i], line, sizeof(line)), 0);
        close(fds[i]);
    }
    struct downstream_counts counts;
    downstream_counts(stage.downstream, &counts);
    assert_int_equal(counts.closed[CLOSE_KILLED], 1);
    assert_int_equal(counts.closed[CLOSE_REPLACED], 0);
    assert_int_equal(counts.closed[CLOSE_RENAMED], 1);
    assert_int_equal(counts.replicas, 0);
    assert_int_equal(counts.sent_bytes, 22);
    assert_int_equal(counts.received_bytes, 106);
}

/* ---- acknowledgements ---- */

struct watched {
    unsigned step;
    unsigned rounds;
    int fds[2];
    int64_t asked_ms;
};

static void acknowledge(int fd, uint64_t offset)
{
    char line[100];
    int length = snprintf(line, sizeof(line), "REPLCONF ACK %u\r\n", (unsigned)offset);
    assert_int_equal(write(fd, line, (size_t)length), length);
}

/* The door is the only one who says that it is worth looking, but while nobody watches. */
static void on_watch_timer(void *arg)
{
    enum { WATCHED_ROUNDS = 500 };
    struct watched *watched = arg;
    uint64_t offset;
    struct listed listed = {.online = 0};
    downstream_each_replica(stage.downstream, list, &listed);
    timer_arm(stage.timer, 0);
    uint64_t all = X + stage.appended;
    if (watched->step == 0 && listed.online == 2) {
        append_some(store_current(stage.store));
        watched->step = 1;
    } else if (watched->step == 1 && listed.served == 2) {
        assert_int_equal(downstream_count_acknowledged(stage.downstream, X), 2);
        assert_int_equal(downstream_count_acknowledged(stage.downstream, X + 1), 0);
        acknowledge(watched->fds[0], all);
        watched->step = 2;
    } else if (watched->step == 2 && downstream_count_acknowledged(stage.downstream, all) == 1) {
        assert_int_equal(stage.told, 0); /* nobody watched */
        downstream_watch_acknowledged(stage.downstream, true);
        acknowledge(watched->fds[1], all);
        watched->step = 3;
    } else if (watched->step == 3 && stage.told > 0) {
        stage.told = 0;
        if (downstream_count_acknowledged(stage.downstream, all) < 2)
            return; /* the turn of the first one ended only now */
        /* There is a history, and so there may have been others before us. */
        assert_false(downstream_acknowledged(stage.downstream, 0, &offset) && watched->rounds == 0);
        (void)known_forget(downstream_known(stage.downstream),
                           &(struct known_who){.is_anybody = true});
        assert_true(downstream_acknowledged(stage.downstream, 0, &offset));
        assert_int_equal(offset, all);
        assert_false(downstream_acknowledged(stage.downstream, 3, &offset));
        assert_true(downstream_has_replica(stage.downstream, "127.0.0.1", 0));
        assert_false(downstream_has_replica(stage.downstream, "127.0.0.1", 1));
        if (++watched->rounds == WATCHED_ROUNDS) {
            close(watched->fds[0]); /* that somebody has gone is told, too */
            watched->step = 4;
        } else {
            acknowledge(watched->fds[watched->rounds % 2], all);
        }
    } else if (watched->step == 4 && stage.told > 0 && listed.online == 1) {
        assert_int_equal(downstream_count_acknowledged(stage.downstream, all), 1);
        downstream_watch_acknowledged(stage.downstream, false);
        loop_stop(stage.loop);
    }
    assert_true(clock_ms() - watched->asked_ms < SILENCE_S * 1000);
}

DOWNSTREAM_TEST(acknowledgements_are_told_to_who_watches)
{
    struct watched watched = {.fds = {dial(), dial()}, .asked_ms = clock_ms()};
    timer_free(&stage.timer);
    stage.timer = timer_new(stage.loop, on_watch_timer, &watched);
    for (int i = 0; i < 2; i++)
        assert_int_equal(write(watched.fds[i], "PSYNC " ID " 1001\r\n", 53), 53);
    timer_arm(stage.timer, 0);
    loop_run(stage.loop);
    close(watched.fds[1]);
}

/* ---- opening ---- */

static void expect_refused(const char *bind, uint16_t port, const char *expected)
{
    const struct downstream_options options = {
        .bind = bind, .port = port, .threads = 1, .clients_max = 1, .replica_timeout_ms = 1000};
    const struct downstream_callbacks callbacks = {.on_command = on_command};
    struct text why;
    text_init(&why, 1000);
    assert_null(downstream_open(stage.loop, stage.store, &options, &callbacks, &why));
    if (strstr(text_string(&why), expected) == NULL)
        fail_msg("got \"%s\", expected \"%s\" in it", text_string(&why), expected);
    text_fini(&why);
}

DOWNSTREAM_TEST(an_address_that_cannot_be_had_is_named)
{
    expect_refused("127.0.0.1", stage.port, "Address already in use");
    expect_refused("nonsense", 0, "nonsense");
    expect_refused("  ", 0, "no address");
    log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
    expect_refused("-192.0.2.1", 0, "no address"); /* it may be missing, but then there is none */
}

DOWNSTREAM_TEST(too_many_clients_are_told)
{
    int fds[11];
    for (int i = 0; i < 11; i++)
        fds[i] = dial();
    assert_int_equal(write(fds[9], "PING\r\n", 6), 6);
    timer_arm(stage.timer, 100); /* nobody is waited for: it stops the loop */
    loop_run(stage.loop);
    char line[100];
    assert_int_equal(read(fds[9], line, sizeof(line)), 7);
    assert_int_equal(read(fds[10], line, sizeof(line)), 36);
    assert_memory_equal(line, "-ERR max number of clients reached\r\n", 36);
    for (int i = 0; i < 11; i++)
        close(fds[i]);
    struct downstream_counts counts;
    downstream_counts(stage.downstream, &counts);
    assert_int_equal(counts.connections_rejected, 1);
    assert_int_equal(counts.closed[CLOSE_REJECTED], 1);
    assert_int_equal(counts.clients, 10);
}
