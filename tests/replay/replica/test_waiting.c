/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/waiting.h"

#include "../../../relay/downstream/full_sync_limits.h"

#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "fake_readahead.h"
#include "fake_store.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/downstream/options.h"
#include "test.h"

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER_ID "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum { X = 100, TIMEOUT_MS = 60 * 1000, REPLICAS_MAX = 8 };

struct stage {
    struct loop *loop;
    struct waiting waiting;
    struct downstream_callbacks callbacks;
    struct full_sync_limits limits;
    bool is_upstream_streaming;
    bool is_history_old;
    unsigned snapshots_wanted;
    unsigned versions;   /* told */
    unsigned unreadable; /* told */
    uint32_t version;    /* of the last of both */
    struct replica_stats replica_stats_list[REPLICAS_MAX];
    struct conn *peers[REPLICAS_MAX];
    unsigned count;
    struct replica *attached[REPLICAS_MAX];
    unsigned attached_count;
    const char *cause;
};

static struct stage stage;

static void on_snapshot_wanted(uint64_t from, void *arg)
{
    (void)from;
    assert_ptr_equal(arg, &stage);
    stage.snapshots_wanted++;
}

static void on_version(uint32_t version, void *arg)
{
    assert_ptr_equal(arg, &stage);
    stage.versions++;
    stage.version = version;
}

static void on_unreadable(uint32_t version, void *arg)
{
    assert_ptr_equal(arg, &stage);
    stage.unreadable++;
    stage.version = version;
}

static bool is_upstream_streaming(void *arg)
{
    assert_ptr_equal(arg, &stage);
    return stage.is_upstream_streaming;
}

static bool is_history_old(void *arg)
{
    assert_ptr_equal(arg, &stage);
    return stage.is_history_old;
}

static void on_attached(struct replica *replica, const char *cause, void *arg)
{
    assert_ptr_equal(arg, &stage);
    stage.attached[stage.attached_count++] = replica;
    stage.cause = cause;
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    stage = (struct stage){.loop = loop_new(&(struct error){0})};
    stage.callbacks = (struct downstream_callbacks){.on_snapshot_wanted = on_snapshot_wanted,
                                                    .on_version = on_version,
                                                    .on_unreadable = on_unreadable,
                                                    .is_upstream_streaming = is_upstream_streaming,
                                                    .is_history_old = is_history_old,
                                                    .arg = &stage};
    waiting_init(&stage.waiting, &fake_store, &stage.callbacks, TIMEOUT_MS, &stage.limits,
                 on_attached, &stage);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    waiting_close_all(&stage.waiting, CLOSE_SHUTDOWN);
    for (unsigned i = 0; i < stage.attached_count; i++)
        replica_close(stage.attached[i], CLOSE_SHUTDOWN);
    loop_free(&stage.loop);
    fake_conn_reset();
    fake_store_reset();
    return 0;
}

#define WAITING_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void on_gone(struct replica *replica, struct replica_stats *stats, void *arg)
{
    (void)stats;
    (void)arg;
    bool was_attached = false;
    for (unsigned i = 0; i < stage.attached_count; i++)
        was_attached = was_attached || stage.attached[i] == replica;
    if (!was_attached)
        waiting_remove(&stage.waiting, replica);
    loop_defer(stage.loop, replica_free, replica);
}

static void ignore(struct conn *conn, enum conn_event event, void *arg)
{
    (void)conn;
    (void)event;
    (void)arg;
}

static struct replica_stats *ask_with(const struct replica_terms *terms, uint64_t offset)
{
    const struct conn_options options = {.keepalive_s = 0};
    unsigned number = stage.count++;
    struct replica_stats *stats = &stage.replica_stats_list[number];
    stage.peers[number] = conn_accept(stage.loop, 3, &options, ignore, NULL);
    fake_conn_up(stage.peers[number]);
    *stats = (struct replica_stats){.id = number + 1, .acknowledges = true};
    stats->terms = *terms;
    snprintf(stats->address, sizeof(stats->address), "10.0.0.1");
    struct psync_request request = {.has_replid = offset > 0, .offset = offset};
    assert_true(replid_parse(bytes_of(ID), &request.replid));
    struct text owed;
    text_init(&owed, 1024);
    struct replica *replica = replica_new(stats, &owed, TIMEOUT_MS, &request);
    assert_non_null(replica);
    replica->on_gone = on_gone;
    waiting_add(&stage.waiting, replica);
    replica_begin(replica, stage.peers[number], bytes_at(NULL, 0));
    waiting_ask(&stage.waiting);
    return stats;
}

/* A replica that listens on `port` asks to continue at `offset`, or (0) for a full sync. */
static struct replica_stats *ask(uint16_t port, uint64_t offset)
{
    const struct replica_terms terms = {
        .capa_eof = true, .capa_psync2 = true, .listening_port = port};
    return ask_with(&terms, offset);
}

static void pass_seconds(unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        fake_clock_advance(1000);
        waiting_tick(&stage.waiting);
    }
}

static struct snapshot *have_snapshot(void)
{
    struct snapshot *snapshot = fake_snapshot_new(X, LITERAL("RDB"));
    fake_snapshot_set_state(snapshot, SNAPSHOT_COMPLETE);
    fake_history_set_snapshots(fake_store.current, snapshot, NULL);
    return snapshot;
}

/* The comparison is asked for until it is done. Full syncs that came to nothing before do not count. */
WAITING_TEST(a_relay_with_a_part_waits_until_it_is_compared)
{
    struct replica_terms terms = {
        .capa_eof = true, .capa_psync2 = true, .listening_port = 1, .is_relay = true};
    terms.has_part = true;
    terms.part = (struct rdb_part){.offset = X, .length = 1000, .bytes = 100};
    assert_true(replid_parse(bytes_of(ID), &terms.part.replid));
    fake_store.current = fake_history_new(1, ID, X);
    fake_store.part = terms.part;
    fake_store.part_match = PART_UNREAD;
    fake_store.part_history = fake_store.current;
    fake_store.part_snapshot = have_snapshot();
    ask_with(&terms, 0);
    assert_int_equal(fake_store.compared, 1);
    assert_int_equal(fake_store.last_compared.bytes, 100);
    pass_seconds(2);
    assert_int_equal(fake_store.compared, 3);
    assert_int_equal(stage.attached_count, 0);
    assert_int_equal(stage.snapshots_wanted, 0);
    fake_store.part_match = PART_MATCHES;
    waiting_ask(&stage.waiting);
    assert_int_equal(stage.attached_count, 1);
    assert_string_equal(stage.cause, "full-sync-resumed");
    assert_int_equal(stage.waiting.sync_full, 1);
    assert_int_equal(stage.waiting.sync_full_resumed, 1);
    for (unsigned i = 0; i < 3; i++) { /* a bad network */
        stage.replica_stats_list[stage.count - 1].reason = CLOSE_FAILED;
        ask_with(&terms, 0);
        assert_int_equal(stage.attached_count, 2 + i);
    }
    assert_int_equal(stage.waiting.sync_full_unacknowledged, 0);
}

WAITING_TEST(with_no_history_all_wait_and_nothing_is_asked_for)
{
    ask(1, 0);
    ask(2, 50);
    pass_seconds(100);
    assert_int_equal(stage.waiting.count, 2);
    assert_int_equal(stage.snapshots_wanted, 0);
    assert_int_equal(fake_conn_sent(stage.peers[0]).length, 100); /* '\n' a second */
}

WAITING_TEST(a_snapshot_is_asked_for_once_in_a_while_for_all)
{
    fake_store.current = fake_history_new(1, ID, X);
    ask(1, 0);
    ask(2, 0);
    ask(3, 0);
    waiting_ask(&stage.waiting);
    waiting_ask(&stage.waiting);
    assert_int_equal(stage.snapshots_wanted, 1);
    pass_seconds(4);
    assert_int_equal(stage.snapshots_wanted, 1);
    pass_seconds(1);
    assert_int_equal(stage.snapshots_wanted, 2); /* the first fetch may have failed */
    have_snapshot();
    waiting_ask(&stage.waiting);
    assert_int_equal(stage.attached_count, 3);
    assert_int_equal(stage.waiting.count, 0);
    assert_int_equal(stage.waiting.sync_full, 3);
    assert_string_equal(stage.cause, "full-sync");
    pass_seconds(10);
    assert_int_equal(stage.snapshots_wanted, 2);
}

WAITING_TEST(a_full_sync_waits_for_the_history_that_arrives)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    fake_store.arriving = fake_history_new(2, OTHER_ID, X);
    stage.is_history_old = true;
    ask(1, 0);
    pass_seconds(10 * TIMEOUT_MS / 1000);
    assert_int_equal(stage.waiting.count, 1);
    ask(2, X); /* who can continue does */
    assert_string_equal(stage.cause, "continue");

    /* The transfer breaks off: for repl-timeout it may come again, and does. */
    struct history *arriving = fake_store.arriving;
    fake_store.arriving = NULL;
    pass_seconds(TIMEOUT_MS / 1000 - 1);
    fake_store.arriving = arriving;
    pass_seconds(1);
    fake_store.arriving = NULL;
    pass_seconds(TIMEOUT_MS / 1000 - 1);
    assert_int_equal(stage.waiting.count, 1);
    assert_int_equal(stage.snapshots_wanted, 0);
    pass_seconds(1);
    assert_int_equal(stage.waiting.count, 0);
    assert_string_equal(stage.cause, "full-sync");
}

WAITING_TEST(a_full_sync_of_the_old_history_where_the_operator_wants_it)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    fake_store.arriving = fake_history_new(2, OTHER_ID, X);
    stage.is_history_old = true;
    stage.waiting.serves_old_history = true;
    ask(1, 0);
    assert_int_equal(stage.attached_count, 1);
    assert_string_equal(stage.cause, "full-sync");
}

WAITING_TEST(who_can_continue_does_at_once)
{
    fake_store.current = fake_history_new(7, ID, X);
    fake_history_append(fake_store.current, LITERAL("0123456789"));
    struct replica_stats *stats = ask(1, X + 3);
    assert_int_equal(stage.attached_count, 1);
    assert_string_equal(stage.cause, "continue");
    assert_int_equal(stats->history_number, 7);
    assert_false(stats->full_sync);
    assert_int_equal(REPLICA_STATS_GET(stats, acknowledged), X + 3);
    assert_int_equal(REPLICA_STATS_GET(stats, sent_offset), X + 3);
    assert_int_equal(stage.waiting.sync_partial_ok, 1);
    assert_int_equal(stage.waiting.sync_partial_err, 0);
}

WAITING_TEST(a_partial_sync_that_becomes_a_full_one_is_counted)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    struct replica_stats *stats = ask(1, X - 1);
    assert_int_equal(stage.attached_count, 1);
    assert_true(stats->full_sync);
    assert_int_equal(REPLICA_STATS_GET(stats, acknowledged), 0);
    assert_int_equal(stage.waiting.sync_full, 1);
    assert_int_equal(stage.waiting.sync_partial_err, 1);
}

WAITING_TEST(one_that_is_ahead_is_held_until_we_have_caught_up)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    ask(1, X + 5);
    pass_seconds(10);
    assert_int_equal(stage.waiting.count, 1);
    fake_history_append(fake_store.current, LITERAL("0123"));
    waiting_ask(&stage.waiting);
    assert_int_equal(stage.waiting.count, 1);
    fake_history_append(fake_store.current, LITERAL("4"));
    waiting_ask(&stage.waiting);
    assert_int_equal(stage.attached_count, 1);
    assert_string_equal(stage.cause, "continue");
}

WAITING_TEST(a_hold_lasts_while_upstream_is_down)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    ask(1, X + 5);
    pass_seconds(10 * TIMEOUT_MS / 1000);
    assert_int_equal(stage.waiting.count, 1);
    stage.is_upstream_streaming = true;
    pass_seconds(TIMEOUT_MS / 2000);
    stage.is_upstream_streaming = false;
    pass_seconds(1);
    stage.is_upstream_streaming = true;
    pass_seconds(TIMEOUT_MS / 1000 + 1); /* the first second notices it */
    assert_int_equal(stage.waiting.count, 1);
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 1);
    assert_string_equal(stage.cause, "full-sync");
}

WAITING_TEST(a_hold_begins_with_the_one_who_is_held)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    stage.is_upstream_streaming = true;
    pass_seconds(10 * TIMEOUT_MS / 1000);
    ask(1, X + 5);
    pass_seconds(TIMEOUT_MS / 1000);
    assert_int_equal(stage.waiting.count, 1);
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 1);
}

static struct worker *const some_worker = (struct worker *)&stage; /* nobody looks into it */

static void go_at_once(struct replica_stats *stats, enum close_reason reason)
{
    stats->worker = some_worker;
    stats->reason = reason;
    stats->rdb_sent_ms = clock_ms();
    fake_clock_advance(100);
    waiting_note_gone(&stage.waiting, stats);
}

static void have_served(const char *rdb)
{
    struct snapshot *snapshot = fake_snapshot_new(X, bytes_of(rdb));
    fake_snapshot_set_state(snapshot, SNAPSHOT_COMPLETE);
    fake_history_set_snapshots(fake_store.current, snapshot, NULL);
}

static struct replica_stats *ask_as(const char *version)
{
    struct replica_stats *stats = ask(1, 0);
    snprintf(stats->terms.version, sizeof(stats->terms.version), "%s", version);
    return stats;
}

/* One comes, waits for as long as it must, and fails, over and over. */
static void fail_often(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        struct replica_stats *stats = ask(1, 0);
        pass_seconds(4);
        assert_int_equal(stage.waiting.count, 0);
        go_at_once(stats, CLOSE_ENDED);
        replica_close(stage.attached[stage.attached_count - 1], CLOSE_SHUTDOWN);
        stage.attached_count--;
        stage.count--; /* its place is used again */
    }
}

WAITING_TEST(one_that_comes_back_right_after_full_syncs_waits)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    go_at_once(ask(1, 0), CLOSE_ENDED);
    go_at_once(ask(1, 0), CLOSE_FAILED); /* once may be chance */
    assert_int_equal(stage.attached_count, 2);
    ask(1, 0);
    ask(2, 0); /* another one does not wait */
    assert_int_equal(stage.attached_count, 3);
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 4);
    go_at_once(&stage.replica_stats_list[2], CLOSE_ENDED);
    struct replica_stats *stats = ask(1, 0);
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 4);
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 5);
    assert_int_equal(stage.waiting.sync_full_unacknowledged, 3);
    REPLICA_STATS_SET(stats, has_acknowledged, true);
    go_at_once(stats, CLOSE_ENDED); /* that was a good one */
    ask(1, 0);
    assert_int_equal(stage.attached_count, 6);
    assert_int_equal(stage.waiting.sync_full_unacknowledged, 3);
}

/* Both say the same of themselves. */
WAITING_TEST(a_second_one_behind_the_same_address_does_not_wait)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    fail_often(3);
    ask(1, 0);
    assert_int_equal(stage.waiting.count, 1);
    ask(1, 0);
    assert_int_equal(stage.attached_count, 1);
    assert_int_equal(stage.waiting.count, 1);
}

/* The one that waits had come between the failing one's leaving and its return. */
WAITING_TEST(one_that_waits_for_another_is_let_go_when_that_fails_again)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    fail_often(9);
    struct replica_stats *healthy = ask(1, 0);
    assert_int_equal(stage.waiting.count, 1);
    assert_int_equal(healthy->failures, 9);
    struct replica_stats *failing = ask(1, 0);
    assert_int_equal(stage.attached_count, 1);
    go_at_once(failing, CLOSE_ENDED);
    waiting_ask(&stage.waiting);
    assert_int_equal(stage.attached_count, 2);
    failing = ask(1, 0);
    assert_int_equal(failing->failures, 10);
    assert_int_equal(stage.waiting.count, 1);
}

WAITING_TEST(one_that_leaves_while_it_waits_keeps_its_count)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    fail_often(3);
    struct replica_stats *stats = ask(1, 0);
    assert_int_equal(stats->failures, 3);
    waiting_close(&stage.waiting, stats->id, CLOSE_KILLED);
    waiting_note_gone(&stage.waiting, stats);
    assert_int_equal(ask(1, 0)->failures, 3);
    assert_int_equal(stage.waiting.sync_full_unacknowledged, 3);
}

/* A replica that reads from the socket leaves before it has all; a bad network does later. */
WAITING_TEST(one_that_leaves_at_the_head_of_the_rdb_has_failed)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    struct replica_stats *stats = ask(1, 0);
    stats->worker = some_worker;
    stats->reason = CLOSE_FAILED;
    waiting_note_gone(&stage.waiting, stats);
    assert_int_equal(stage.waiting.sync_full_unacknowledged, 1);
    stats = ask(1, 0);
    assert_int_equal(stats->failures, 1);
    stats->worker = some_worker;
    stats->reason = CLOSE_FAILED;
    pass_seconds(6);
    waiting_note_gone(&stage.waiting, stats);
    assert_int_equal(stage.waiting.sync_full_unacknowledged, 1);
    assert_int_equal(ask(1, 0)->failures, 1);
}

WAITING_TEST(one_that_has_said_that_it_cannot_read_the_rdb_waits_at_first)
{
    fake_store.current = fake_history_new(1, ID, X);
    ask_as("8.1.0");
    ask_as("9.0.0");
    have_served("VALKEY080 and so on");
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 1);
    assert_int_equal(stage.replica_stats_list[0].reading, RDB_UNREADABLE);
    assert_int_equal(stage.replica_stats_list[1].reading, RDB_READABLE);
    pass_seconds(4);
    assert_int_equal(stage.attached_count, 1);
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 2);
}

WAITING_TEST(it_waits_for_a_refresh_that_it_may_be_able_to_read)
{
    fake_store.current = fake_history_new(1, ID, X);
    ask_as("8.1.0");
    have_served("VALKEY080 and so on");
    pass_seconds(3);
    assert_int_equal(stage.unreadable, 3); /* it is asked for, and again for as long as it waits */
    assert_int_equal(stage.version, SERVER_VERSION(8, 1, 0));
    struct snapshot *old = history_usable_snapshot(fake_store.current);
    struct snapshot *arriving = fake_snapshot_new(X, LITERAL("REDIS0011 and so on"));
    fake_history_set_snapshots(fake_store.current, old, arriving);
    pass_seconds(30);
    assert_int_equal(stage.attached_count, 0);
    fake_snapshot_set_state(arriving, SNAPSHOT_COMPLETE);
    fake_history_set_snapshots(fake_store.current, arriving, NULL);
    waiting_ask(&stage.waiting);
    assert_int_equal(stage.attached_count, 1);
    assert_int_equal(stage.replica_stats_list[0].reading, RDB_READABLE);
}

/* A Redis, or an older server: it is served all the same, and comes back if it cannot read that. */
WAITING_TEST(one_without_a_version_is_taken_for_one_that_cannot_read_valkeys_own)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_served("VALKEY080 and so on");
    ask(1, 0);
    assert_int_equal(stage.attached_count, 1);
    assert_int_equal(stage.unreadable, 1);
    assert_int_equal(stage.version, 0);
    have_served("REDIS0011 and so on");
    ask(2, 0);
    assert_int_equal(stage.attached_count, 2);
    assert_int_equal(stage.unreadable, 1);
}

WAITING_TEST(versions_of_servers_are_told)
{
    ask(1, 0);
    assert_int_equal(stage.versions, 1);
    assert_int_equal(stage.version, 0);
    ask(0, 0); /* a tool: it listens nowhere */
    assert_int_equal(stage.versions, 1);
}

WAITING_TEST(one_that_we_have_closed_does_not)
{
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    for (int i = 0; i < 3; i++)
        go_at_once(ask(1, 0), CLOSE_REPLACED);
    assert_int_equal(stage.attached_count, 3);
}

/* ---- how many at a time ---- */

/* Its full sync has begun, with as many others as may. */
static struct replica *attached_of(const struct replica_stats *stats)
{
    for (unsigned i = 0; i < stage.attached_count; i++) {
        if (stage.attached[i]->stats == stats)
            return stage.attached[i];
    }
    fail_msg("replica %u is not attached", (unsigned)stats->id);
    return NULL;
}

static void leave(const struct replica_stats *stats)
{
    replica_close(attached_of(stats), CLOSE_ENDED);
    waiting_ask(&stage.waiting);
}

WAITING_TEST(full_syncs_beyond_the_limit_are_held_in_order_of_arrival)
{
    stage.limits.places_max = 2;
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    struct replica_stats *stats[5];
    for (uint16_t i = 0; i < 5; i++)
        stats[i] = ask((uint16_t)(i + 1), 0);
    assert_int_equal(stage.attached_count, 2);
    assert_int_equal(waiting_count_held(&stage.waiting), 3);
    assert_false(stats[1]->is_held);
    assert_true(stats[2]->is_held);
    fake_conn_forget_sent(stage.peers[2]);
    pass_seconds(3 * TIMEOUT_MS / 1000);
    assert_int_equal(stage.waiting.count, 3);
    assert_int_equal(fake_conn_sent(stage.peers[2]).length, 3 * TIMEOUT_MS / 1000); /* newlines */

    leave(stats[1]);
    assert_int_equal(stage.attached_count, 3);
    assert_ptr_equal(stage.attached[2]->stats, stats[2]);
    assert_false(stats[2]->is_held);
    leave(stats[0]);
    assert_ptr_equal(stage.attached[3]->stats, stats[3]);
    assert_int_equal(waiting_count_held(&stage.waiting), 1);
}

WAITING_TEST(one_that_leaves_while_it_is_held_holds_up_nobody)
{
    stage.limits.places_max = 1;
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    struct replica_stats *first = ask(1, 0);
    ask(2, 0);
    struct replica_stats *third = ask(3, 0);
    assert_int_equal(waiting_count_held(&stage.waiting), 2);
    assert_true(waiting_close(&stage.waiting, 2, CLOSE_ENDED));
    assert_int_equal(waiting_count_held(&stage.waiting), 1);
    assert_int_equal(stage.attached_count, 1);
    leave(first);
    assert_ptr_equal(stage.attached[1]->stats, third);
    assert_int_equal(full_sync_limits_taken(&stage.limits), 1);
}

WAITING_TEST(a_partial_resync_needs_no_place)
{
    stage.limits.places_max = 1;
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    ask(1, 0);
    ask(2, 0);
    ask(3, X);
    assert_string_equal(stage.cause, "continue");
    assert_int_equal(stage.waiting.count, 1);
}

WAITING_TEST(a_limit_that_is_raised_or_taken_away_lets_them_begin)
{
    stage.limits.places_max = 1;
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    for (uint16_t i = 1; i <= 5; i++)
        ask(i, 0);
    stage.limits.places_max = 2;
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 2);
    stage.limits.places_max = 1; /* ends none */
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 2);
    stage.limits.places_max = 0;
    pass_seconds(1);
    assert_int_equal(stage.attached_count, 5);
    assert_int_equal(waiting_count_held(&stage.waiting), 0);
    assert_int_equal(full_sync_limits_taken(&stage.limits), 5);
}

/* The RDB that it could have had is gone: it waits for another, and is not held. */
WAITING_TEST(one_that_is_held_may_come_to_need_another_rdb)
{
    stage.limits.places_max = 1;
    fake_store.current = fake_history_new(1, ID, X);
    have_snapshot();
    ask(1, 0);
    struct replica_stats *second = ask(2, 0);
    assert_true(second->is_held);
    fake_history_set_snapshots(fake_store.current, NULL, NULL);
    waiting_ask(&stage.waiting);
    assert_false(second->is_held);
    assert_int_equal(stage.snapshots_wanted, 1);
}

WAITING_TEST(one_of_several_can_be_closed)
{
    ask(1, 0);
    ask(2, 0);
    ask(3, 0);
    assert_true(waiting_close(&stage.waiting, 2, CLOSE_KILLED));
    assert_false(waiting_close(&stage.waiting, 2, CLOSE_KILLED));
    assert_int_equal(stage.waiting.count, 2);
    assert_true(fake_conn_is_closed(stage.peers[1]));
    assert_int_equal(stage.replica_stats_list[1].reason, CLOSE_KILLED);
}
