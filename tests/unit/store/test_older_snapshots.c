/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/older_snapshots.h"

#include "../../../relay/store/snapshot_private.h"
#include "depot_fixture.h"

static void make(const struct place *place, uint64_t offset)
{
    char name[SNAPSHOT_NAME_MAX];
    snapshot_name(offset, name);
    int file = openat(place->directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_not_equal(file, -1);
    close(file);
}

static bool is_there(const struct place *place, uint64_t offset)
{
    char name[SNAPSHOT_NAME_MAX];
    snapshot_name(offset, name);
    return faccessat(place->directory, name, F_OK, 0) == 0;
}

/* Those of 10, 20 ... 60 whose bit is set are there, as files and in the list. */
static void assert_left(const struct place *place, const struct older_snapshots *older,
                        unsigned expected)
{
    size_t count = 0;
    for (unsigned i = 0; i < 6; i++) {
        bool is_expected = (expected >> i & 1) != 0;
        count += is_expected;
        assert_int_equal(is_there(place, 10 + 10 * i), is_expected);
        assert_int_equal(older_snapshots_has(older, 10 + 10 * i), is_expected);
    }
    assert_int_equal(older->count, count);
    assert_int_equal(older_snapshots_bytes(older), 100 * count);
    for (size_t i = 1; i < older->count; i++)
        assert_true(older->snapshot[i - 1].offset < older->snapshot[i].offset);
}

static void trim(struct older_snapshots *older, uint64_t first, size_t keep)
{
    older_snapshots_trim(older, first, &(struct older_keep){.keep = keep});
}

static void add(const struct place *place, struct older_snapshots *older, uint64_t offset,
                size_t keep)
{
    make(place, offset);
    older_snapshots_add(older, offset, 100, NULL);
    trim(older, 0, keep);
}

TEST(as_many_are_kept_as_there_may_be)
{
    struct place place;
    place_init(&place);
    struct older_snapshots older = {.directory = place.directory};
    add(&place, &older, 20, 3);
    add(&place, &older, 10, 3);
    add(&place, &older, 30, 3);
    assert_left(&place, &older, 7);
    add(&place, &older, 30, 3);
    assert_left(&place, &older, 7);
    add(&place, &older, 40, 3);
    assert_left(&place, &older, 14);
    trim(&older, 0, 2);
    assert_left(&place, &older, 12);
    add(&place, &older, 50, 1);
    assert_left(&place, &older, 16);
    assert_true(older_snapshots_drop_oldest(&older));
    assert_false(older_snapshots_drop_oldest(&older));
    assert_left(&place, &older, 0);
    place_fini(&place);
}

/* The files go when the cut is written. */
static void cut(struct older_snapshots *older, uint64_t last)
{
    struct removals gathered = {NULL};
    older_snapshots_cut(older, last, &gathered);
    removals_submit(&gathered);
}

TEST(those_that_are_spared_stay_beside_the_newest)
{
    struct place place;
    place_init(&place);
    struct older_snapshots older = {.directory = place.directory};
    for (uint64_t offset = 10; offset <= 60; offset += 10)
        add(&place, &older, offset, OLDER_SNAPSHOTS_MAX);
    const struct older_keep keep = {.keep = 1, .spared_count = 2, .spared = {20, 30}};
    older_snapshots_trim(&older, 0, &keep);
    assert_left(&place, &older, 2 | 4 | 32);
    older_snapshots_trim(&older, 21, &keep);
    assert_left(&place, &older, 4 | 32);
    place_fini(&place);
}

TEST(they_go_with_the_backlog_and_with_a_branch)
{
    struct place place;
    place_init(&place);
    struct older_snapshots older = {.directory = place.directory};
    for (uint64_t offset = 10; offset <= 60; offset += 10)
        add(&place, &older, offset, OLDER_SNAPSHOTS_MAX);
    assert_left(&place, &older, 63);
    cut(&older, 60);
    trim(&older, 10, OLDER_SNAPSHOTS_MAX);
    assert_left(&place, &older, 63);
    trim(&older, 11, OLDER_SNAPSHOTS_MAX);
    assert_left(&place, &older, 62);
    cut(&older, 45);
    assert_left(&place, &older, 14);
    trim(&older, 35, OLDER_SNAPSHOTS_MAX);
    assert_left(&place, &older, 8);
    trim(&older, 0, 0);
    assert_left(&place, &older, 0);
    place_fini(&place);
}

/* ------------------------------------------------------------------ in a store */

/* Refreshed at 5000 and at 9000, with what was replaced kept, and started once more. */
static void keep_two(uint64_t keep)
{
    depot.options.snapshot_keep = keep;
    depot_open(&depot);
    depot_resync(&depot, 'a', 0);
    depot_stream(&depot, 5000, 0);
    depot_refresh(5000);
    depot_stream(&depot, 4000, 0);
    depot_refresh(9000);
    store_close(&depot.store);
    depot_open(&depot);
    assert_true(depot_has_rdb(9000));
}

TEST_SETUP(what_was_replaced_stays_over_a_start, depot_set_up, depot_tear_down)
{
    (void)state;
    keep_two(2);
    assert_true(depot_has_rdb(0));
    assert_true(depot_has_rdb(5000));
    depot.options.snapshot_keep = 1;
    store_change(depot.store, &depot.options);
    store_tick(depot.store);
    assert_false(depot_has_rdb(0));
    assert_true(depot_has_rdb(5000));
    depot.options.snapshot_keep = 0;
    store_change(depot.store, &depot.options);
    store_tick(depot.store);
    assert_false(depot_has_rdb(5000));
    assert_true(depot_has_rdb(9000));
}

TEST_SETUP(without_the_setting_none_stays, depot_set_up, depot_tear_down)
{
    (void)state;
    keep_two(0);
    assert_false(depot_has_rdb(0));
    assert_false(depot_has_rdb(5000));
}

TEST_SETUP(what_is_kept_gives_its_room_to_an_rdb, depot_set_up, depot_tear_down)
{
    (void)state;
    keep_two(2);
    struct history *history = store_current(depot.store);
    uint64_t spare = history_spare_bytes(history);
    assert_true(history_drop_replaced(history));
    assert_int_equal(history_spare_bytes(history), spare - DEPOT_RDB);
    assert_false(depot_has_rdb(0));
    assert_true(history_drop_replaced(history));
    assert_false(depot_has_rdb(5000));
    assert_false(history_drop_replaced(history));
    assert_true(depot_has_rdb(9000));
}

TEST_SETUP(a_rewind_takes_those_of_the_lost_branch, depot_set_up, depot_tear_down)
{
    (void)state;
    keep_two(2);
    struct history *history = store_current(depot.store);
    depot_stream(&depot, 1000, 0);
    assert_true(depot_rewind(&depot, history, 4000));
    assert_true(depot_await_cut(history));
    assert_true(depot_has_rdb(0));
    assert_false(depot_has_rdb(5000));
    assert_false(depot_has_rdb(9000));
}
