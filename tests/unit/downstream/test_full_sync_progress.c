/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/full_sync_progress.h"

#include "fake_clock.h"
#include "relay/base/clock.h"
#include "relay/downstream/peer_status.h"
#include "test.h"

enum { REPLICAS = 10 };

static struct replica_stats_list list;
static struct replica_stats replicas[REPLICAS];
static int64_t logged_ms;

static int set_up(void **state)
{
    (void)state;
    TAILQ_INIT(&list);
    memset(replicas, 0, sizeof(replicas));
    logged_ms = 0;
    for (unsigned i = 0; i < REPLICAS; i++) {
        replicas[i].id = i + 1;
        replicas[i].worker = (struct worker *)&list; /* any */
        REPLICA_STATS_SET(&replicas[i], state, (int)REPLICA_LOADING);
        TAILQ_INSERT_TAIL(&list, &replicas[i], entry);
    }
    return 0;
}

#define PROGRESS_TEST(name) TEST_SETUP(name, set_up, NULL)

static void pass_second(void)
{
    fake_clock_advance(1000);
    full_sync_progress_tick(&list, &logged_ms);
}

PROGRESS_TEST(a_replica_that_continues_has_none)
{
    pass_second();
    assert_false(full_sync_progress_view(&replicas[0]).is_active);
}

PROGRESS_TEST(it_is_over_when_the_rdb_is_through)
{
    full_sync_progress_begin(&replicas[0], 1000, false);
    REPLICA_STATS_SET(&replicas[0], rdb_sent, 100);
    pass_second();
    struct progress_view view = full_sync_progress_view(&replicas[0]);
    assert_true(view.is_active);
    assert_int_equal(view.bytes, 100);
    assert_int_equal(view.total, 1000);
    assert_int_equal(view.rate, 100);
    assert_int_equal(view.left_ms, 9000);
    REPLICA_STATS_SET(&replicas[0], state, (int)REPLICA_STREAMING);
    assert_false(full_sync_progress_view(&replicas[0]).is_active);
}

/* Attached, and not taken by its worker yet. */
PROGRESS_TEST(it_begins_before_the_worker_does)
{
    full_sync_progress_begin(&replicas[0], 1000, false);
    REPLICA_STATS_SET(&replicas[0], state, (int)REPLICA_WAITING);
    assert_true(full_sync_progress_view(&replicas[0]).is_active);
    replicas[0].worker = NULL;
    assert_false(full_sync_progress_view(&replicas[0]).is_active);
}

PROGRESS_TEST(an_estimate_gives_way_to_the_length)
{
    full_sync_progress_begin(&replicas[0], 0, true);
    REPLICA_STATS_SET(&replicas[0], rdb_sent, 100);
    assert_int_equal(full_sync_progress_view(&replicas[0]).total, 0);
    REPLICA_STATS_SET(&replicas[0], rdb_estimate, 300);
    assert_int_equal(full_sync_progress_view(&replicas[0]).total, 300);
    assert_true(full_sync_progress_view(&replicas[0]).is_estimate);
    REPLICA_STATS_SET(&replicas[0], rdb_length, 200);
    pass_second();
    assert_int_equal(full_sync_progress_view(&replicas[0]).total, 200);
    assert_false(full_sync_progress_view(&replicas[0]).is_estimate);
}

/* A relay that goes on where its transfer broke. */
PROGRESS_TEST(what_it_had_before_is_no_part_of_the_rate)
{
    replicas[0].rdb_begin = 500;
    full_sync_progress_begin(&replicas[0], 1000, false);
    REPLICA_STATS_SET(&replicas[0], rdb_sent, 550);
    pass_second();
    struct progress_view view = full_sync_progress_view(&replicas[0]);
    assert_int_equal(view.bytes, 550);
    assert_int_equal(view.rate, 50);
    assert_int_equal(view.left_ms, 9000);
}

PROGRESS_TEST(the_log_is_not_flooded)
{
    for (unsigned i = 0; i < REPLICAS; i++)
        full_sync_progress_begin(&replicas[i], 1000000, false);
    unsigned turns = 0;
    for (int second = 0; second < 60; second++) {
        int64_t before_ms = logged_ms;
        pass_second();
        turns += logged_ms != before_ms;
    }
    assert_in_range(turns, 5, 7);
}
