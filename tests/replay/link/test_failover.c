/* SPDX-License-Identifier: MIT
 *
 * A replica was promoted that stood behind us when the primary was lost: the link asks it to go on from
 * where it stood, cuts off what is lost, and goes on under the new id.
 */
#include <assert.h>

#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "relay/net/loop.h"
#include "test.h"

#define FROM(first_wanted) "PSYNC " STAGE_ID " " first_wanted
#define NONE "0000000000000000000000000000000000000000"
#define PROMOTED_AT(first_other)                                                                   \
    "role:master\r\nmaster_replid:" STAGE_OTHER_ID "\r\nmaster_replid2:" STAGE_ID                  \
    "\r\nsecond_repl_offset:" first_other "\r\n"
#define RENAMED "+CONTINUE " STAGE_OTHER_ID "\r\n"

enum {
    SET_LENGTH = sizeof(SET_K) - 1,
    S = STAGE_X + SET_LENGTH, /* bytes that all have: one SET of three */
    OURS = STAGE_X + 3 * SET_LENGTH,
};

static_assert(S == 4742, "the literals below say 4743 for the first byte that is lost");
static_assert(OURS == 4804, "and 4805 for the one that we want");

static struct history *history(void)
{
    return store_current(stage.temp.store);
}

static void hang_up(struct conn *primary)
{
    fake_conn_end(primary);
    fake_conn_run(primary);
    stage_expect_state(LINK_RETRYING);
}

/* We have three SETs, the primary is lost, and who was promoted says this of itself. */
static void lose_primary(const char *replication)
{
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K SET_K SET_K);
    hang_up(primary);
    stage.replication = replication;
}

static void expect_parted(uint64_t limit)
{
    stage_expect_state(LINK_STREAMING);
    const struct identity *identity = history_identity(history());
    assert_string_equal(identity->replid.hex, STAGE_OTHER_ID);
    assert_int_equal(identity->earlier_count, 1);
    assert_string_equal(identity->earlier[0].replid.hex, STAGE_ID);
    assert_int_equal(identity->earlier[0].limit, limit);
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 1);
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 1);
    assert_int_equal(stage_status().full_syncs, 1);
    assert_int_equal(stage_status().partial_syncs, 1);
}

LINK_TEST(goes_on_from_where_the_new_primary_stood)
{
    lose_primary(PROMOTED_AT("4743"));
    struct conn *primary = stage_greet(FROM("4743"));
    stage_say(primary, RENAMED);
    expect_parted(S);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, SET_K);
    stage_say(primary, PING_COMMAND);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, SET_K PING_COMMAND);
    assert_int_equal(stage_boundary(), S + strlen(PING_COMMAND));
    stage_second();
    stage_expect(primary, "REPLCONF ACK 4756");
    assert_non_null(history_usable_snapshot(history()));
}

LINK_TEST(reply_and_stream_in_one_read)
{
    lose_primary(PROMOTED_AT("4743"));
    stage_say(stage_greet(FROM("4743")), RENAMED PING_COMMAND GETACK_COMMAND MULTI_COMMAND);
    expect_parted(S);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, SET_K PING_COMMAND GETACK_COMMAND MULTI_COMMAND);
    stage_expect(fake_conn_newest(), "REPLCONF ACK 4793");
}

/* Within a transaction, and within a command of it. */
LINK_TEST(the_beginning_of_a_transaction_is_lost_too)
{
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K SET_K SET_K MULTI_COMMAND SET_K "*3\r\n$3\r\nSE");
    hang_up(primary);
    stage.replication = PROMOTED_AT("4743");
    stage_say(stage_greet(FROM("4743")), RENAMED PING_COMMAND);
    expect_parted(S);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, SET_K PING_COMMAND);
}

LINK_TEST(who_had_nothing_of_the_stream)
{
    lose_primary(PROMOTED_AT("4712"));
    stage_say(stage_greet(FROM("4712")), RENAMED PING_COMMAND);
    expect_parted(STAGE_X);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, PING_COMMAND);
    assert_non_null(history_usable_snapshot(history()));
}

LINK_TEST(who_had_as_much_as_we_or_more)
{
    lose_primary(PROMOTED_AT("9000"));
    stage_say(stage_greet(FROM("4805")), RENAMED PING_COMMAND);
    expect_parted(OURS);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, SET_K SET_K SET_K PING_COMMAND);
}

/* Nothing of ours ends there: it is believed, and the stream is read from there. */
LINK_TEST(a_place_in_the_middle_of_a_command)
{
    lose_primary(PROMOTED_AT("4722"));
    stage_say(stage_greet(FROM("4722")), RENAMED PING_COMMAND);
    expect_parted(STAGE_X + 10);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, "*3\r\n$3\r\nSE" PING_COMMAND);
    assert_int_equal(stage_boundary(), STAGE_X + 10 + strlen(PING_COMMAND));
}

LINK_TEST(readers_are_told_of_the_cut_and_of_the_new_id)
{
    struct cursor before = {0};
    struct cursor beyond = {0};
    struct bytes view;
    lose_primary(PROMOTED_AT("4743"));
    assert_true(history_attach(history(), &before, S));
    assert_true(history_attach(history(), &beyond, S + 1));
    stage_say(stage_greet(FROM("4743")), RENAMED PING_COMMAND);
    assert_int_equal(cursor_peek(&beyond, &view), CURSOR_REWOUND);
    assert_int_equal(cursor_peek(&before, &view), CURSOR_RENAMED);
    cursor_detach(&before); /* its replica comes back, and is told the new id */
    assert_true(history_attach(history(), &before, S));
    assert_int_equal(cursor_peek(&before, &view), CURSOR_BYTES);
    assert_view(view, PING_COMMAND);
    cursor_detach(&before);
    cursor_detach(&beyond);
}

/* Who may go on afterwards: all who have no more than what is common. */
LINK_TEST(who_really_applied_what_is_lost_cannot_continue)
{
    struct replid old_id;
    assert_true(replid_parse(bytes_of(STAGE_ID), &old_id));
    lose_primary(PROMOTED_AT("4743"));
    stage_say(stage_greet(FROM("4743")), RENAMED SET_K SET_K SET_K);
    for (uint64_t offset = STAGE_X; offset <= OURS; offset++)
        assert_int_equal(history_may_continue(history(), &old_id, offset),
                         offset <= S ? CONTINUITY_YES : CONTINUITY_STRANGE);
}

/* ------------------------------------------------------------------ snapshots */

/* A newer one than the stream began with. */
static void add_snapshot(uint64_t offset)
{
    struct text rdb;
    struct text why;
    text_init(&rdb, 4096);
    text_init(&why, 512);
    temp_store_rdb(&rdb, STAGE_RDB_BODY);
    struct snapshot *snapshot = history_begin_snapshot(history(), offset, &why);
    assert_non_null(snapshot);
    assert_true(snapshot_write(snapshot, text_bytes(&rdb), &why));
    assert_int_equal(history_complete_snapshot(history(), &why), DISK_STEP_DONE);
    text_fini(&rdb);
    text_fini(&why);
}

LINK_TEST(a_snapshot_of_what_is_lost_goes)
{
    lose_primary(PROMOTED_AT("4743"));
    add_snapshot(S + 1);
    stage_say(stage_greet(FROM("4743")), RENAMED);
    expect_parted(S);
    assert_null(history_snapshot(history()));
    assert_null(history_usable_snapshot(history()));
}

LINK_TEST(a_snapshot_of_what_is_common_stays)
{
    lose_primary(PROMOTED_AT("4743"));
    add_snapshot(S);
    stage_say(stage_greet(FROM("4743")), RENAMED);
    expect_parted(S);
    assert_int_equal(snapshot_offset(history_usable_snapshot(history())), S);
}

/* ------------------------------------------------------------------ where it cannot go on */

static void say_many_sets(struct conn *primary)
{
    for (int i = 0; i < 400; i++)
        stage_say(primary, SET_K);
}

static const char *from_here(void)
{
    static char words[80];
    snprintf(words, sizeof(words), "PSYNC " STAGE_ID " %llu",
             (unsigned long long)stage_boundary() + 1);
    return words;
}

LINK_TEST(a_place_before_the_window_means_a_full_sync)
{
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    temp_store_reopen(&stage.temp);
    struct conn *primary = stage_stream();
    say_many_sets(primary);
    assert_true(history_first(history()) > S);
    hang_up(primary);
    stage.replication = PROMOTED_AT("4743");
    primary = stage_greet(from_here());
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 4800\r\n");
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_say(primary, PING_COMMAND);
    stage_expect_held(STAGE_OTHER_ID, 4800, PING_COMMAND);
    assert_int_equal(stage.news[LINK_NEWS_REPLACED], 2);
}

/* A reader held the window, and lets go while we wait for the answer. */
LINK_TEST(a_window_that_moves_during_the_handshake)
{
    struct cursor reader = {0};
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    stage.temp.options.window_bytes_max = (uint64_t)TEMP_SEGMENT_BYTES * 16;
    temp_store_reopen(&stage.temp);
    struct conn *primary = stage_stream();
    assert_true(history_attach(history(), &reader, STAGE_X));
    say_many_sets(primary);
    assert_int_equal(history_first(history()), STAGE_X);
    hang_up(primary);
    stage.replication = PROMOTED_AT("4743");
    primary = stage_greet(FROM("4743"));
    cursor_detach(&reader);
    stage_second();
    assert_true(history_first(history()) > S);
    uint64_t boundary = stage_boundary();
    stage_say(primary, RENAMED);
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("store: the window has left offset 4742 behind meanwhile");
    assert_int_equal(stage_boundary(), boundary);
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 0);
    (void)stage_greet(from_here());
}

LINK_TEST(the_disk_refuses_the_cut)
{
    lose_primary(PROMOTED_AT("4743"));
    struct conn *primary = stage_greet(FROM("4743"));
    temp_store_refuse(true);
    stage_say(primary, RENAMED);
    temp_store_refuse(false);
    stage_expect_state(LINK_RETRYING);
    stage_expect_error("store: ");
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 0);
    primary = stage_greet("PSYNC ? -1");
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 4742\r\n");
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_expect_state(LINK_STREAMING);
}

/* Who does not tell is asked for what we want, as ever. */
LINK_TEST(a_server_that_does_not_tell)
{
    static const char *const replies[] = {
        "-NOPERM this user has no permissions to run the 'info' command\r\n",
        "-ERR unknown command 'INFO'\r\n",
        "$0\r\n\r\n",
        "$13\r\nrole:master\r\n\r\n",
    };
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K SET_K SET_K);
    for (size_t i = 0; i < LENGTH_OF(replies); i++) {
        hang_up(primary);
        primary = stage_connect();
        stage_expect(primary, "PING");
        stage_say(primary, "+PONG\r\n");
        stage_expect(primary, "INFO server");
        stage_say_bulk(primary, stage.server);
        stage_expect(primary, "INFO replication");
        stage_say(primary, replies[i]);
        stage_ask(primary, FROM("4805"));
        stage_say(primary, "+CONTINUE\r\n");
        stage_expect_held(STAGE_ID, STAGE_X, SET_K SET_K SET_K);
    }
    assert_int_equal(stage.news[LINK_NEWS_RENAMED], 0);
}

LINK_TEST(an_id_that_is_none_of_ours)
{
    static const char *const others[] = {
        "role:master\r\nmaster_replid:" STAGE_ID "\r\nmaster_replid2:" NONE
        "\r\nsecond_repl_offset:-1\r\n",
        "role:master\r\nmaster_replid:" STAGE_ID "\r\nmaster_replid2:" STAGE_OTHER_ID
        "\r\nsecond_repl_offset:4743\r\n",
        "role:master\r\nmaster_replid:" STAGE_OTHER_ID "\r\nmaster_replid2:" NONE
        "\r\nsecond_repl_offset:-1\r\n",
        "role:master\r\nmaster_replid2:" STAGE_ID "\r\nsecond_repl_offset:4743\r\n",
    };
    struct conn *primary = stage_stream();
    stage_say(primary, SET_K SET_K SET_K);
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        hang_up(primary);
        stage.replication = others[i];
        primary = stage_greet(FROM("4805"));
        stage_say(primary, "+CONTINUE\r\n");
        stage_expect_held(STAGE_ID, STAGE_X, SET_K SET_K SET_K);
    }
}

/* ------------------------------------------------------------------ odd ones, and the same again */

/* What comes behind the cut must not be known under the id of what was cut off, also if the answer does
 * not tell the new one: replicas that applied it would go on with bytes that are others. */
static void check_odd_answer(const char *answer)
{
    struct replid old_id;
    assert_true(replid_parse(bytes_of(STAGE_ID), &old_id));
    lose_primary(PROMOTED_AT("4743"));
    stage_say(stage_greet(FROM("4743")), answer);
    expect_parted(S);
    stage_say(fake_conn_newest(), SET_K SET_K SET_K);
    assert_int_equal(history_may_continue(history(), &old_id, S + 1), CONTINUITY_STRANGE);
}

LINK_TEST(an_answer_without_an_id)
{
    check_odd_answer("+CONTINUE\r\n");
}

LINK_TEST(an_answer_with_the_old_id)
{
    check_odd_answer("+CONTINUE " STAGE_ID "\r\n");
}

/* The snapshot that is being fetched was taken behind the cut. */
LINK_TEST(a_refresh_of_what_is_lost_ends)
{
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    temp_store_reopen(&stage.temp);
    struct conn *primary = stage_stream();
    say_many_sets(primary);
    link_refresh(stage.link);
    struct conn *second = stage_connect();
    stage_introduce(second);
    stage_expect(second, "REPLCONF listening-port 6380");
    stage_say(second, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
    char line[200];
    snprintf(line, sizeof(line), "+FULLRESYNC " STAGE_ID " %llu\r\n$118\r\nREDIS",
             (unsigned long long)stage_boundary());
    stage_say(second, line);
    struct snapshot *arriving = history_arriving_snapshot(history());
    assert_non_null(arriving);
    snapshot_retain(arriving);
    hang_up(primary);
    snprintf(line, sizeof(line), PROMOTED_AT("%llu"), (unsigned long long)stage_boundary());
    stage.replication = line;
    char psync[80];
    snprintf(psync, sizeof(psync), "PSYNC " STAGE_ID " %llu", (unsigned long long)stage_boundary());
    primary = stage_greet(psync);
    stage_say(primary, "+CONTINUE\r\n");
    stage_expect_state(LINK_STREAMING);
    assert_true(fake_conn_is_closed(second));
    assert_int_equal(snapshot_state(arriving), SNAPSHOT_FAILED);
    assert_null(history_arriving_snapshot(history()));
    snapshot_release(&arriving);
}

LINK_TEST(a_restart_in_between)
{
    lose_primary(PROMOTED_AT("4743"));
    link_close(&stage.link);
    temp_store_reopen(&stage.temp);
    stage_start();
    stage_say(stage_greet(FROM("4743")), RENAMED PING_COMMAND);
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, SET_K PING_COMMAND);
    link_close(&stage.link);
    temp_store_reopen(&stage.temp);
    stage_start();
    stage_say(stage_greet("PSYNC " STAGE_OTHER_ID " 4757"), "+CONTINUE " STAGE_OTHER_ID "\r\n");
    stage_expect_held(STAGE_OTHER_ID, STAGE_X, SET_K PING_COMMAND);
}

/* The third primary stood before the place where the second had parted from the first. */
LINK_TEST(two_in_a_row)
{
#define THIRD_ID "77ab0123456789abcdef0123456789abcdef0123"
    lose_primary(PROMOTED_AT("4774"));
    struct conn *primary = stage_greet(FROM("4774"));
    stage_say(primary, RENAMED PING_COMMAND);
    expect_parted(S + SET_LENGTH);
    hang_up(primary);
    stage.replication = "role:master\r\nmaster_replid:" THIRD_ID
                        "\r\nmaster_replid2:" STAGE_OTHER_ID "\r\nsecond_repl_offset:4743\r\n";
    primary = stage_greet("PSYNC " STAGE_OTHER_ID " 4743");
    stage_say(primary, "+CONTINUE " THIRD_ID "\r\n" PING_COMMAND);
    stage_expect_held(THIRD_ID, STAGE_X, SET_K PING_COMMAND);
    const struct identity *identity = history_identity(history());
    assert_int_equal(identity->earlier_count, 2);
    assert_string_equal(identity->earlier[0].replid.hex, STAGE_OTHER_ID);
    assert_int_equal(identity->earlier[0].limit, S);
    assert_string_equal(identity->earlier[1].replid.hex, STAGE_ID);
    assert_int_equal(identity->earlier[1].limit, S);
}
