/* SPDX-License-Identifier: MIT */
#include "link_stage.h"

#include "fake_conn.h"
#include "fake_loop.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/resp/payload.h"
#include "relay/resp/writer.h"
#include "test.h"

#include <unistd.h>

enum { TEXT_MAX = 1 << 20, WORDS_MAX = 16, AWAIT_MS = 20000 };

struct stage stage;

/* ---- opened and closed ---- */

static void on_turn_end(void *arg)
{
    (void)arg;
    (void)store_publish(stage.temp.store);
    if (stage.link != NULL)
        link_turn_end(stage.link);
}

static bool acknowledged(unsigned rank, uint64_t *offset, void *arg)
{
    (void)arg;
    size_t position = rank > 0 ? rank - 1 : stage.replica_count - 1;
    if (position >= stage.replica_count)
        return false;
    *offset = stage.replicas[position];
    return true;
}

static bool is_own_replica(const char *address, uint16_t port, void *arg)
{
    (void)arg;
    return stage.own_replica_port == port && strcmp(address, stage.own_replica) == 0;
}

static size_t snapshot_replicas(struct snapshot_replica *out, size_t max, void *arg)
{
    (void)arg;
    assert_true(stage.snapshot_replica_count <= max);
    memcpy(out, stage.snapshot_replica,
           stage.snapshot_replica_count * sizeof(stage.snapshot_replica[0]));
    return stage.snapshot_replica_count;
}

static void on_lost(void *arg)
{
    (void)arg;
    stage.lost++;
    if (stage.told_when_lost != NULL)
        link_follow(stage.link, stage.told_when_lost);
}

static void on_news(enum link_news news, void *arg)
{
    (void)arg;
    stage.news[news]++;
}

int stage_open(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    memset(&stage, 0, sizeof(stage));
    temp_store_open(&stage.temp);
    stage.loop = loop_new(&(struct error){0});
    loop_at_turn_end(stage.loop, on_turn_end, NULL);
    stage.options = (struct link_options){
        .primary = {.count = 1, .at = {{.host = "primary.test", .port = 6379}}},
        .announce_port = 6380,
        .timeout_ms = STAGE_TIMEOUT_MS,
    };
    stage.server = "redis_version:7.0.15\r\n";
    stage.replication = "role:master\r\n";
    stage.own_replica = "";
    stage.stats = "total_commands_processed:1\r\n";
    stage.limits = "-NOPERM\r\n";
    return 0;
}

int stage_close(void **state)
{
    (void)state;
    link_close(&stage.link);
    fake_loop_turn(stage.loop);
    for (size_t i = 0; i < fake_conn_count(); i++)
        assert_true(fake_conn_is_closed(fake_conn_nth(i)));
    fake_conn_reset();
    loop_free(&stage.loop);
    temp_store_close(&stage.temp);
    return 0;
}

void stage_start(void)
{
    const struct link_callbacks callbacks = {
        .on_news = on_news,
        .acknowledged = acknowledged,
        .is_own_replica = is_own_replica,
        .snapshot_replicas = snapshot_replicas,
        .on_lost = on_lost,
    };
    stage.link = link_open(stage.loop, stage.temp.store, &stage.options, &callbacks);
    assert_non_null(stage.link);
}

/* ---- connections ---- */

bool stage_has_new(void)
{
    return fake_conn_count() > stage.connections;
}

struct conn *stage_await(void)
{
    fake_loop_pass(stage.loop, 0);
    for (int64_t waited = 0; !stage_has_new(); waited++) {
        assert_true(waited < AWAIT_MS);
        fake_loop_pass(stage.loop, 1);
    }
    assert_int_equal(fake_conn_count(), stage.connections + 1);
    stage.connections++;
    return fake_conn_newest();
}

struct conn *stage_connect(void)
{
    struct conn *primary = stage_await();
    fake_conn_up(primary);
    return primary;
}

void stage_introduce(struct conn *primary)
{
    stage_expect(primary, "PING");
    stage_say(primary, "+PONG\r\n");
    if (stage.options.password != NULL) {
        char words[128];
        snprintf(words, sizeof(words), "AUTH %s", stage.options.password);
        stage_expect(primary, words);
        stage_say(primary, "+OK\r\n");
    }
    stage_expect(primary, "INFO server");
    stage_say_bulk(primary, stage.server);
    stage_expect(primary, "INFO replication");
    stage_say_bulk(primary, stage.replication);
}

/* After a full sync that the primary has ended it is asked why. */
static void answer_limits(struct conn *primary)
{
    static const char info_stats[] = "*2\r\n$4\r\nINFO\r\n$5\r\nstats\r\n";
    if (!bytes_equal(fake_conn_sent(primary), LITERAL(info_stats)))
        return;
    fake_conn_forget_sent(primary);
    stage_say_bulk(primary, stage.stats);
    stage_expect(primary, "INFO memory");
    stage_say_bulk(primary, "used_memory:1\r\n");
    stage_expect(primary, "CONFIG GET client-output-buffer-limit");
    stage_say(primary, stage.limits);
}

void stage_ask(struct conn *primary, const char *psync)
{
    answer_limits(primary);
    stage_expect(primary, "REPLCONF listening-port 6380");
    stage_say(primary, "+OK\r\n");
    stage_expect(primary,
                 stage.is_offered_channel
                     ? "REPLCONF capa eof capa psync2 capa rdb-channel-repl capa dual-channel"
                     : "REPLCONF capa eof capa psync2");
    stage_say(primary, "+OK\r\n");
    if (strstr(stage.server, "psync_relay_version:") != NULL) {
        stage_expect(primary, "REPLCONF capa psync-relay");
        stage_say(primary, "+OK\r\n");
    }
    stage_expect(primary, "REPLCONF version 7.2.0");
    stage_say(primary, "-ERR Unrecognized REPLCONF option: version\r\n");
    stage_expect(primary, psync);
}

struct conn *stage_greet(const char *psync)
{
    struct conn *primary = stage_connect();
    stage_introduce(primary);
    stage_ask(primary, psync);
    return primary;
}

struct conn *stage_stream(void)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
    stage_expect(primary, NULL);
    return primary;
}

/* ---- bytes ---- */

/* The disk is no part of the play. */
static void await_disk(void)
{
    for (int i = 0; stage.link != NULL && stage_status().state == LINK_REWINDING; i++) {
        assert_true(i < AWAIT_MS);
        usleep(1000);
        fake_loop_pass(stage.loop, 0);
    }
}

void stage_say_bytes(struct conn *primary, struct bytes bytes)
{
    fake_conn_feed(primary, bytes);
    fake_conn_run(primary);
    await_disk();
}

void stage_say(struct conn *primary, const char *string)
{
    stage_say_bytes(primary, bytes_of(string));
}

void stage_say_bulk(struct conn *primary, const char *content)
{
    struct text wire;
    text_init(&wire, TEXT_MAX);
    text_format(&wire, "$%zu\r\n%s\r\n", strlen(content), content);
    stage_say_bytes(primary, text_bytes(&wire));
    text_fini(&wire);
}

void stage_say_rdb(struct conn *primary, size_t body_length)
{
    struct text rdb;
    struct text wire;
    text_init(&rdb, TEXT_MAX);
    text_init(&wire, TEXT_MAX);
    temp_store_rdb(&rdb, body_length);
    payload_format_length(&wire, rdb.length);
    text_append(&wire, text_bytes(&rdb));
    stage_say_bytes(primary, text_bytes(&wire));
    text_fini(&wire);
    text_fini(&rdb);
}

void stage_say_marked_rdb(struct conn *primary, size_t body_length)
{
    struct text wire;
    text_init(&wire, TEXT_MAX);
    payload_format_mark(&wire, STAGE_MARK);
    temp_store_rdb(&wire, body_length);
    text_append_string(&wire, STAGE_MARK);
    stage_say_bytes(primary, text_bytes(&wire));
    text_fini(&wire);
}

void stage_expect(struct conn *primary, const char *words)
{
    struct text command;
    text_init(&command, TEXT_MAX);
    if (words != NULL) {
        char copy[256];
        const char *parts[WORDS_MAX];
        size_t count = 0;
        snprintf(copy, sizeof(copy), "%s", words);
        for (char *word = copy; *word != '\0'; count++) {
            size_t length = strcspn(word, " ");
            assert_in_range(count, 0, WORDS_MAX - 1);
            parts[count] = word;
            bool is_last = word[length] == '\0';
            word[length] = '\0';
            word += length + (is_last ? 0 : 1);
        }
        struct writer writer = {&command, 2};
        write_command(&writer, parts, count);
    }
    assert_views_equal(fake_conn_sent(primary), text_bytes(&command));
    fake_conn_forget_sent(primary);
    text_fini(&command);
}

/* ---- time ---- */

void stage_second(void)
{
    fake_loop_pass(stage.loop, 1000);
    link_tick(stage.link);
    store_tick(stage.temp.store);
    fake_loop_turn(stage.loop);
}

void stage_seconds(unsigned count)
{
    while (count-- > 0)
        stage_second();
}

/* ---- what has become of it ---- */

struct link_status stage_status(void)
{
    struct link_status status;
    link_status(stage.link, &status);
    return status;
}

void stage_expect_state(enum link_state expected)
{
    struct link_status status = stage_status();
    if (status.state != expected)
        fail_msg("the link is %s (last error: %s), expected state %d", status.state_name,
                 status.last_error, (int)expected);
}

void stage_expect_error(const char *beginning)
{
    struct link_status status = stage_status();
    if (!bytes_starts(bytes_of(status.last_error), beginning))
        fail_msg("last error is \"%s\", expected \"%s...\"", status.last_error, beginning);
}

void stage_expect_held(const char *replid, uint64_t first, const char *bytes)
{
    struct text held;
    struct history *history = store_current(stage.temp.store);
    assert_non_null(history);
    assert_string_equal(history_identity(history)->replid.hex, replid);
    text_init(&held, TEXT_MAX);
    temp_store_read(&stage.temp, first, &held);
    assert_views_equal(text_bytes(&held), bytes_of(bytes));
    assert_int_equal(history_end(history), first + held.length);
    text_fini(&held);
}

uint64_t stage_boundary(void)
{
    return history_boundary(store_current(stage.temp.store));
}
