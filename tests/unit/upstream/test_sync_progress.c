/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/sync_progress.h"

#include "fake_clock.h"
#include "fake_store.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "test.h"

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

enum { X = 100, LENGTH = 1000, DATASET = 5000 };

static struct progress_meter progress;
static struct snapshot *snapshot;
static char rdb[LENGTH + 1];

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    memset(rdb, 'R', LENGTH);
    memset(&progress, 0, sizeof(progress));
    snapshot = fake_snapshot_new(X, bytes_of(rdb));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_store_reset();
    return 0;
}

#define PROGRESS_TEST(name) TEST_SETUP(name, set_up, tear_down)

/* A second later so many bytes have come. */
static struct progress_view pass_second(struct snapshot *arriving, uint64_t received)
{
    fake_clock_advance(1000);
    fake_snapshot_set_readable(snapshot, received);
    sync_progress_tick(&progress, arriving, &fake_store, DATASET, "full sync");
    return sync_progress_view(&progress, arriving);
}

PROGRESS_TEST(begins_with_the_first_byte)
{
    assert_false(pass_second(NULL, 0).is_active);
    assert_false(pass_second(snapshot, 0).is_active);
    assert_true(pass_second(snapshot, 1).is_active);
    assert_false(pass_second(NULL, 1).is_active);
}

PROGRESS_TEST(a_length_that_is_told_is_none_to_guess)
{
    fake_snapshot_announce_length(snapshot);
    pass_second(snapshot, 100);
    struct progress_view view = pass_second(snapshot, 200);
    assert_int_equal(view.total, LENGTH);
    assert_false(view.is_estimate);
    assert_int_equal(view.rate, 100);
    assert_int_equal(view.left_ms, 8000);
    assert_int_equal(snapshot_estimate(snapshot), 0);
}

PROGRESS_TEST(without_one_the_data_set_is_the_estimate)
{
    struct progress_view view = pass_second(snapshot, 100);
    assert_int_equal(view.total, DATASET);
    assert_true(view.is_estimate);
    assert_int_equal(snapshot_estimate(snapshot), DATASET);
}

PROGRESS_TEST(or_the_rdb_before)
{
    struct snapshot *before = fake_snapshot_new(X, LITERAL("it was of 20 bytes.."));
    fake_snapshot_set_state(before, SNAPSHOT_COMPLETE);
    fake_store.current = fake_history_new(1, ID, X);
    fake_history_set_snapshots(fake_store.current, before, NULL);
    struct progress_view view = pass_second(snapshot, 5);
    assert_int_equal(view.total, 20);
    assert_true(view.is_estimate);
    /* It is larger than that one. */
    view = pass_second(snapshot, 21);
    assert_int_equal(view.total, 0);
    assert_true(view.percent < 0);
}

PROGRESS_TEST(another_rdb_begins_anew)
{
    pass_second(snapshot, 500);
    struct progress_view view = pass_second(snapshot, 10);
    assert_int_equal(view.bytes, 10);
    assert_int_equal(view.taken_ms, 0);
}
