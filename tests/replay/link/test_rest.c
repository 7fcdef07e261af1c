/* SPDX-License-Identifier: MIT
 *
 * An RDB that breaks on its way from another relay, and the rest of it; from a server, which has none.
 */
#include <inttypes.h>

#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "relay/base/crc64.h"
#include "relay/resp/payload.h"
#include "relay/store/rdb_parts.h"
#include "test.h"

enum { BODY = 1000, WIRE_MAX = 4096, PART = 600 };

#define FULLRESYNC "+FULLRESYNC " STAGE_ID " 4711\r\n"

static struct text rdb;

static int open_relay(void **state)
{
    int result = stage_open(state);
    stage.server = "redis_version:7.0.15\r\npsync_relay_version:0.1.0\r\n";
    text_init(&rdb, WIRE_MAX);
    temp_store_rdb(&rdb, BODY);
    return result;
}

static int close_relay(void **state)
{
    text_fini(&rdb);
    return stage_close(state);
}

#define REST_TEST(name) TEST_SETUP(name, open_relay, close_relay)

static void say_header(struct conn *primary)
{
    struct text header;
    text_init(&header, WIRE_MAX);
    payload_format_length(&header, rdb.length);
    stage_say_bytes(primary, text_bytes(&header));
    text_fini(&header);
}

static void say_piece(struct conn *primary, size_t from, size_t until)
{
    stage_say_bytes(primary, bytes_skip(bytes_first(text_bytes(&rdb), until), from));
}

static void fail_connection(struct conn *primary)
{
    fake_conn_fail(primary, "Connection reset by peer");
    fake_conn_run(primary);
}

/* So much of it has come, and the connection is gone. */
static void break_at(struct conn *primary, size_t from, size_t until)
{
    say_header(primary);
    say_piece(primary, from, until);
    fail_connection(primary);
    stage_expect_state(LINK_RETRYING);
}

static const char *asks_for_rest(size_t bytes)
{
    static char words[200];
    snprintf(words, sizeof(words), "REPLCONF rdb-resume " STAGE_ID ":4711:%zu:%zu:%016" PRIx64,
             rdb.length, bytes, crc64(0, text_bytes(&rdb).data, bytes));
    return words;
}

/* The handshake of one who has a part; its PSYNC has been sent. */
static struct conn *greet_for_rest(size_t bytes)
{
    struct conn *primary = stage_greet(asks_for_rest(bytes));
    stage_say(primary, "+OK\r\n");
    stage_expect(primary, "PSYNC ? -1");
    return primary;
}

static void say_resume(struct conn *primary, size_t bytes)
{
    char reply[120];
    snprintf(reply, sizeof(reply), "+FULLRESYNC " STAGE_ID " 4711 resume %zu\r\n", bytes);
    stage_say(primary, reply);
}

static void expect_whole(void)
{
    stage_expect_state(LINK_STREAMING);
    struct snapshot *snapshot = history_snapshot(store_current(stage.temp.store));
    assert_int_equal(snapshot_received(snapshot), rdb.length);
    assert_true(snapshot_is_verified(snapshot));
}

REST_TEST(it_goes_on_where_it_broke_as_often_as_it_breaks)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    break_at(primary, 0, 100);
    for (size_t at = 100; at + 50 < rdb.length; at += 50) {
        primary = greet_for_rest(at);
        say_resume(primary, at);
        stage_expect_state(LINK_LOADING);
        break_at(primary, at, at + 50);
    }
    struct rdb_part part;
    assert_int_equal(store_part(stage.temp.store, &part), STORE_PART_READY);
    primary = greet_for_rest((size_t)part.bytes);
    say_resume(primary, (size_t)part.bytes);
    say_header(primary);
    say_piece(primary, (size_t)part.bytes, rdb.length);
    expect_whole();
    stage_say(primary, SET_K);
    stage_expect_held(STAGE_ID, STAGE_X, SET_K);
}

/* An RDB of unknown length is held back by the mark's length; the relay above knows its length by now. */
REST_TEST(a_mark_before_and_a_length_behind)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    stage_say(primary, "$EOF:" STAGE_MARK "\r\n");
    say_piece(primary, 0, PART + PAYLOAD_MARK_LENGTH);
    fail_connection(primary);
    char words[200];
    snprintf(words, sizeof(words), "REPLCONF rdb-resume " STAGE_ID ":4711:0:%d:%016" PRIx64, PART,
             crc64(0, text_bytes(&rdb).data, PART));
    primary = stage_greet(words);
    stage_say(primary, "+OK\r\n");
    stage_expect(primary, "PSYNC ? -1");
    say_resume(primary, PART);
    say_header(primary);
    say_piece(primary, PART, rdb.length);
    expect_whole();
}

/* All of it had come but the end mark, whose last byte is missing: so is one that may be of the RDB. */
REST_TEST(only_the_end_mark_is_missing)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    stage_say(primary, "$EOF:" STAGE_MARK "\r\n");
    say_piece(primary, 0, rdb.length);
    stage_say_bytes(primary, bytes_first(bytes_of(STAGE_MARK), PAYLOAD_MARK_LENGTH - 1));
    fail_connection(primary);
    struct rdb_part part;
    assert_int_equal(store_part(stage.temp.store, &part), STORE_PART_READY);
    assert_int_equal(part.bytes, rdb.length - 1);
    char words[200];
    snprintf(words, sizeof(words), "REPLCONF rdb-resume " STAGE_ID ":4711:0:%zu:%016" PRIx64,
             rdb.length - 1, part.crc);
    primary = stage_greet(words);
    stage_say(primary, "+OK\r\n");
    stage_expect(primary, "PSYNC ? -1");
    say_resume(primary, rdb.length - 1);
    say_header(primary);
    say_piece(primary, rdb.length - 1, rdb.length);
    expect_whole();
}

REST_TEST(the_relay_begins_anew)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    break_at(primary, 0, PART);
    primary = greet_for_rest(PART);
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 99\r\n");
    stage_expect_state(LINK_LOADING);
    struct rdb_part part;
    assert_int_equal(store_part(stage.temp.store, &part), STORE_PART_NONE);
    say_header(primary);
    say_piece(primary, 0, rdb.length);
    expect_whole();
    assert_string_equal(history_identity(store_current(stage.temp.store))->replid.hex,
                        STAGE_OTHER_ID);
}

/* Each byte was good, and the whole is not: of that nothing is kept. */
REST_TEST(what_is_no_rdb_in_the_end_is_fetched_anew)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    break_at(primary, 0, PART);
    primary = greet_for_rest(PART);
    say_resume(primary, PART);
    say_header(primary);
    say_piece(primary, PART, rdb.length - 1);
    stage_say(primary, "x");
    stage_expect_state(LINK_RETRYING);
    struct rdb_part part;
    assert_int_equal(store_part(stage.temp.store, &part), STORE_PART_NONE);
    stage_second();
    primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    say_header(primary);
    say_piece(primary, 0, rdb.length);
    expect_whole();
}

/* A header that is shorter than what is here: it is another RDB after all. */
REST_TEST(a_rest_that_is_less_than_nothing)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    break_at(primary, 0, PART);
    primary = greet_for_rest(PART);
    say_resume(primary, PART);
    stage_say(primary, "$599\r\n");
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("rdb: ");
    struct rdb_part part;
    assert_int_equal(store_part(stage.temp.store, &part), STORE_PART_NONE);
}

/* A break that brings something is no failure: the next attempt comes at once, and not later each time. */
REST_TEST(a_break_on_the_way_is_no_failure)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    break_at(primary, 0, 100);
    for (size_t at = 100; at < 1000; at += 100) {
        assert_in_range((uint64_t)fake_loop_next_timer_ms(stage.loop), 0, 100);
        primary = greet_for_rest(at);
        say_resume(primary, at);
        break_at(primary, at, at + 100);
    }
}

REST_TEST(a_restart_goes_on)
{
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    say_header(primary);
    say_piece(primary, 0, PART);
    link_close(&stage.link);
    temp_store_reopen(&stage.temp);
    struct rdb_part part;
    while (store_part(stage.temp.store, &part) == STORE_PART_UNPROVEN)
        (void)store_publish(stage.temp.store);
    assert_int_equal(store_part(stage.temp.store, &part), STORE_PART_READY);
    stage_start();
    primary = greet_for_rest(PART);
    say_resume(primary, PART);
    say_header(primary);
    say_piece(primary, PART, rdb.length);
    expect_whole();
}

/* Another history was about to come, and the one before goes on after all: that RDB is of no use. */
REST_TEST(the_history_before_goes_on_after_all)
{
    temp_store_fill(&stage.temp, STAGE_OTHER_ID, 50);
    stage_start();
    struct conn *primary = stage_greet("PSYNC " STAGE_OTHER_ID " 51");
    stage_say(primary, FULLRESYNC);
    break_at(primary, 0, PART);
    primary = stage_greet(asks_for_rest(PART));
    stage_say(primary, "+OK\r\n");
    stage_expect(primary, "PSYNC " STAGE_OTHER_ID " 51");
    stage_say(primary, "+CONTINUE " STAGE_OTHER_ID "\r\n");
    stage_expect_state(LINK_STREAMING);
    struct rdb_part part;
    assert_int_equal(store_part(stage.temp.store, &part), STORE_PART_NONE);
}

/* A server: the words are those of a replica, and nothing is kept. */
REST_TEST(a_server_has_no_rest)
{
    stage.server = "redis_version:7.0.15\r\n";
    stage_start();
    struct conn *primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    break_at(primary, 0, PART);
    struct rdb_part part;
    assert_int_equal(store_part(stage.temp.store, &part), STORE_PART_NONE);
    primary = stage_greet("PSYNC ? -1");
    stage_say(primary, FULLRESYNC);
    say_header(primary);
    say_piece(primary, 0, rdb.length);
    expect_whole();
}
