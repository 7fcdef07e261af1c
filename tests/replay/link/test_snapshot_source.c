/* SPDX-License-Identifier: MIT
 *
 * Newer snapshots that a replica gives in place of the primary.
 */
#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "refresh_stage.h"
#include "relay/net/loop.h"
#include "test.h"

static struct history *history(void)
{
    return store_current(stage.temp.store);
}

static void set_replicas(size_t count)
{
    stage.snapshot_replica_count = count;
    for (size_t i = 0; i < count; i++) {
        struct primary_address *at = &stage.snapshot_replica[i].address;
        snprintf(at->host, sizeof(at->host), "replica%zu.test", i);
        at->port = (uint16_t)(7100 + i);
    }
}

/* The window has left the snapshot behind; replicas may be asked for another. */
static void stream_with_replicas(size_t count)
{
    stage.temp.options.window_bytes = TEMP_SEGMENT_BYTES;
    temp_store_reopen(&stage.temp);
    stage.options.snapshot_source.kind = SNAPSHOT_SOURCE_REPLICAS;
    stage.options.snapshot_source_user = "relay";
    stage.options.snapshot_source_password = "pw";
    set_replicas(count);
    struct conn *primary = stage_stream();
    say_sets(primary);
    assert_null(history_usable_snapshot(history()));
    fake_conn_forget_sent(primary);
}

static struct conn *connect_to(const char *host, uint16_t port)
{
    struct conn *second = stage_connect();
    assert_string_equal(fake_conn_host(second), host);
    assert_int_equal(fake_conn_port(second), port);
    return second;
}

static void introduce(struct conn *second, const char *link, uint64_t offset)
{
    char said[512];
    snprintf(said, sizeof(said),
             "role:slave\r\nmaster_host:relay.test\r\nmaster_port:6380\r\nmaster_link_status:%s\r\n"
             "slave_read_only:1\r\nmaster_replid:" STAGE_ID "\r\nmaster_repl_offset:%llu\r\n",
             link, (unsigned long long)offset);
    stage_expect(second, "PING");
    stage_say(second, "-NOAUTH Authentication required.\r\n");
    stage_expect(second, "AUTH relay pw");
    stage_say(second, "+OK\r\n");
    stage_expect(second, "INFO server");
    stage_say_bulk(second, "redis_version:7.0.15\r\n");
    stage_expect(second, "INFO replication");
    stage_say_bulk(second, said);
}

static void expect_failed(struct conn *second, const char *why)
{
    assert_true(fake_conn_is_closed(second));
    assert_null(history_arriving_snapshot(history()));
    assert_null(history_usable_snapshot(history()));
    if (strstr(stage_status().refresh_error, why) == NULL)
        fail_msg("expected \"%s\", got \"%s\"", why, stage_status().refresh_error);
    stage_expect_state(LINK_STREAMING);
}

LINK_TEST(a_replica_gives_it)
{
    stream_with_replicas(2);
    link_refresh(stage.link);
    struct conn *second = connect_to("replica0.test", 7100);
    uint64_t x = stage_boundary();
    introduce(second, "up", x);
    ask_for_rdb(second);
    say_fullresync(second, STAGE_ID, x);
    stage_say_rdb(second, STAGE_RDB_BODY);
    assert_true(fake_conn_is_closed(second));
    assert_int_equal(snapshot_offset(history_usable_snapshot(history())), x);
    assert_true(stage_status().last_refreshes[0].is_from_replica);
    assert_int_equal(stage_status().refresh_fallbacks, 0);
    assert_null(link_refresh_now(stage.link));
    (void)connect_to("replica1.test", 7101); /* they are asked in turn */
}

LINK_TEST(one_that_cannot_is_passed_over_and_the_primary_is_asked_after_two)
{
    stream_with_replicas(2);
    link_refresh(stage.link);
    struct conn *second = connect_to("replica0.test", 7100);
    introduce(second, "down", stage_boundary());
    expect_failed(second, "its link is down");
    stage_seconds(2);
    link_refresh(stage.link);
    second = connect_to("replica1.test", 7101);
    fake_conn_end(second);
    fake_conn_run(second);
    assert_true(fake_conn_is_closed(second));
    stage_seconds(4);
    link_refresh(stage.link);
    (void)connect_to("primary.test", 6379);
    assert_int_equal(stage_status().refresh_fallbacks, 1);
}

/* Nothing that it says is trusted: not the id, and not an offset that we do not have. */
LINK_TEST(what_it_answers_is_looked_at)
{
    stream_with_replicas(2);
    link_refresh(stage.link);
    struct conn *second = connect_to("replica0.test", 7100);
    introduce(second, "up", stage_boundary());
    ask_for_rdb(second);
    say_fullresync(second, STAGE_OTHER_ID, stage_boundary());
    expect_failed(second, "the replica's history is another by now");
    stage_seconds(2);
    link_refresh(stage.link);
    second = connect_to("replica1.test", 7101);
    introduce(second, "up", stage_boundary());
    ask_for_rdb(second);
    say_fullresync(second, STAGE_ID, history_end(history()) + 1);
    expect_failed(second, "which we do not have");
}

LINK_TEST(without_a_replica_the_primary_is_asked_for_one_who_waits)
{
    stage.options.snapshot_always_ready = true;
    stream_with_replicas(0);
    stage_seconds(3);
    assert_false(stage_has_new());
    assert_true(stage_status().refresh_lacks_source);
    assert_int_equal(stage_status().refresh_fallbacks, 0);
    link_refresh(stage.link);
    (void)connect_to("primary.test", 6379);
    assert_int_equal(stage_status().refresh_fallbacks, 1);
    assert_false(stage_status().refresh_lacks_source);
}

/* The credentials of the primary are none of its business. */
LINK_TEST(a_change_of_the_password_of_the_primary_changes_nothing_for_it)
{
    stream_with_replicas(1);
    link_refresh(stage.link);
    struct conn *second = connect_to("replica0.test", 7100);
    link_set_credentials(stage.link, "someone", "else");
    introduce(second, "up", stage_boundary());
    ask_for_rdb(second);
}
