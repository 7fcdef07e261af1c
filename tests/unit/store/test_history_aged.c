/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/history_private.h"

#include "depot_fixture.h"

#define AGED_TEST(name) TEST_SETUP(name, depot_set_up, depot_tear_down)

static void need(uint64_t from, uint64_t due)
{
    history_set_need(store_current(depot.store), &(struct history_need){.from = from, .due = due});
    store_tick(depot.store);
}

static void expect_aged(uint64_t offset, uint64_t expected)
{
    const struct snapshot *found = history_aged_snapshot(store_current(depot.store), offset);
    assert_non_null(found);
    assert_int_equal(snapshot_offset(found), expected);
}

/* Snapshots at 0, and at each 10000; what of them is there. */
static void begin(void)
{
    depot.options.keeps_aged = true;
    depot.options.window_bytes = 16 * 1024;
    depot.options.window_bytes_max = 1024 * 1024;
    depot_open(&depot);
    depot_resync(&depot, 'a', 0);
    for (uint64_t offset = 10000; offset <= 40000; offset += 10000) {
        depot_stream(&depot, 10000, 0);
        depot_refresh(offset);
    }
}

AGED_TEST(all_is_kept_until_the_need_is_known)
{
    (void)state;
    begin();
    store_tick(depot.store);
    struct history *history = store_current(depot.store);
    assert_int_equal(history_first(history), 0);
    for (uint64_t offset = 0; offset <= 40000; offset += 10000) {
        assert_true(depot_has_rdb(offset));
        expect_aged(offset, offset);
        expect_aged(offset + 9999, offset);
    }
}

AGED_TEST(the_base_and_the_one_that_follows_are_kept)
{
    (void)state;
    begin();
    need(12000, 12000);
    struct history *history = store_current(depot.store);
    assert_false(depot_has_rdb(0));
    assert_true(depot_has_rdb(10000));
    assert_true(depot_has_rdb(20000));
    assert_false(depot_has_rdb(30000));
    assert_true(depot_has_rdb(40000));
    /* The stream from the base on. */
    assert_true(history_first(history) <= 10000);
    assert_true(history_first(history) > 0);
    expect_aged(12000, 10000);
    expect_aged(25000, 20000);
    expect_aged(50000, 40000);
    assert_null(history_aged_snapshot(history, 9999));

    need(20000, 20000);
    assert_false(depot_has_rdb(10000));
    assert_true(depot_has_rdb(20000));
    assert_true(history_first(history) > 10000);
    assert_true(history_first(history) <= 20000);

    /* The next one is the one that is served; with that nothing more is kept. */
    need(41000, 41000);
    assert_false(depot_has_rdb(20000));
    assert_true(depot_has_rdb(40000));
    expect_aged(41000, 40000);
}

AGED_TEST(the_first_waits_until_it_is_old_enough)
{
    (void)state;
    depot.options.keeps_aged = true;
    depot.options.window_bytes = 16 * 1024;
    depot.options.window_bytes_max = 1024 * 1024;
    depot_open(&depot);
    depot_resync(&depot, 'a', 500);
    for (unsigned i = 0; i < 10; i++) {
        depot_stream(&depot, 10000, 0);
        need(0, 0);
        assert_null(history_aged_snapshot(store_current(depot.store), 0));
    }
    depot_refresh(100000);
    need(0, 499);
    assert_true(depot_has_rdb(500));
    assert_int_equal(history_first(store_current(depot.store)), 500);
    need(500, 500);
    expect_aged(500, 500);
}

/* As for readers: the largest backlog is the bound. */
AGED_TEST(the_bound_holds)
{
    (void)state;
    depot.options.keeps_aged = true;
    depot.options.window_bytes = 16 * 1024;
    depot.options.window_bytes_max = 64 * 1024;
    depot_open(&depot);
    depot_resync(&depot, 'a', 0);
    for (unsigned i = 0; i < 30; i++)
        depot_stream(&depot, 10000, 0);
    need(0, 0);
    struct history *history = store_current(depot.store);
    assert_true(history_first(history) > 0);
    assert_true(history_end(history) - history_first(history) <= 64 * 1024);
    assert_true(history_end(history) - history_first(history) > 32 * 1024);
    assert_null(history_aged_snapshot(history, 300000));
}

AGED_TEST(without_the_setting_there_is_no_need)
{
    (void)state;
    begin();
    depot.options.keeps_aged = false;
    store_change(depot.store, &depot.options);
    need(0, 0);
    assert_true(depot_has_rdb(10000)); /* as it was opened: the ports need a restart */
    store_close(&depot.store);
    depot_open(&depot);
    need(0, 0);
    assert_false(depot_has_rdb(10000));
    assert_true(depot_has_rdb(40000));
    assert_true(history_first(store_current(depot.store)) > 0);
}
