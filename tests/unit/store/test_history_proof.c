/* SPDX-License-Identifier: MIT
 *
 * What a start serves before all is proven, what it serves when it is, and what a clean stop spares. Results are
 * taken with a turn (store_publish), so that before the first one the state is that of the start.
 */
#include <sys/wait.h>

#include "../../../relay/store/clean_mark.h"
#include "depot_fixture.h"

#define HISTORY "data/history-1/"

enum { FIRST = 1000, X = 9000, END = 1000 + 6 * DEPOT_SEGMENT + 500, LARGE = 8 * 1024 * 1024 };

static int set_up(void **state)
{
    (void)state;
    depot_init(&depot);
    depot.options.fsync = STORE_FSYNC_EVERYSEC;
    return 0;
}

#define DEPOT_TEST(name) TEST_SETUP(name, set_up, depot_tear_down)

static struct history *history(void)
{
    return store_current(depot.store);
}

static enum continuity may_continue(uint64_t offset)
{
    struct replid id = depot_id('a');
    return history_may_continue(history(), &id, offset);
}

static void refresh(uint64_t x)
{
    struct snapshot *snapshot = history_begin_snapshot(history(), x, &depot.why);
    assert_non_null(snapshot);
    depot_receive(&depot, snapshot, 0);
    assert_true(depot_complete(&depot, history()));
}

/* An RDB at X in a window of some segments. */
static void fill(void)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', FIRST);
    depot_stream(&depot, X - FIRST, 0);
    refresh(X);
    depot_stream(&depot, END - X, 0);
    for (int i = 0; i < 1000 && place_has(&depot.place, HISTORY "snapshot/1000.rdb"); i++) {
        store_tick(depot.store); /* the one before it stays until it is safe */
        depot_await_synced(&depot);
        (void)depot_await_freed(&depot);
    }
}

/* The process is killed: nothing is closed. */
static void fill_and_die(void (*fill_it)(void))
{
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        fill_it();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void start(void)
{
    text_clear(&depot.why);
    depot.store = store_open(&depot.options, &depot.why);
    if (depot.store == NULL)
        fail_msg("%s", text_string(&depot.why));
    assert_non_null(history());
}

static struct store_status status_now(void)
{
    struct store_status status;
    store_status(depot.store, &status);
    return status;
}

static uint64_t first(void)
{
    return backlog_first(depot_backlog(&depot));
}

/* ---- after a kill ---- */

DEPOT_TEST(a_start_waits_for_the_end_alone)
{
    fill_and_die(fill);
    start();
    assert_true(first() > END - DEPOT_SEGMENT);
    depot_assert_window(&depot, first(), UINT64_MAX, END);
    assert_int_equal(history_boundary(history()), END);
    assert_null(history_usable_snapshot(history()));
    assert_true(history_is_proving_snapshot(history()));
    assert_false(store_snapshot_is_due(depot.store)); /* no fork for what only has to be read */
    assert_int_equal(may_continue(END), CONTINUITY_YES);
    assert_int_equal(may_continue(FIRST), CONTINUITY_UNPROVEN);
    assert_int_equal(may_continue(FIRST - 1), CONTINUITY_GONE);
    struct store_status status = status_now();
    assert_true(status.is_proving);
    assert_int_equal(status.served_use, SNAPSHOT_USE_UNPROVEN);
    assert_int_equal(status.unproven_first, FIRST);
    assert_int_equal(status.proof_bytes, first() - FIRST + DEPOT_RDB);
    assert_true(status.proof_bytes_left <= status.proof_bytes);
    depot_stream(&depot, 100, 0); /* it goes on meanwhile */
    depot_await_proven(&depot);
    depot_assert_window(&depot, FIRST, UINT64_MAX, END + 100);
    depot_assert_snapshot(history_usable_snapshot(history()), 0);
    assert_int_equal(snapshot_offset(history_usable_snapshot(history())), X);
    assert_int_equal(may_continue(FIRST), CONTINUITY_YES);
    status = status_now();
    assert_int_equal(status.proof_bytes_left, 0);
    assert_int_equal(status.unproven_first, FIRST);
    assert_int_equal(status.served_use, SNAPSHOT_USE_NOW);
}

/* The window grows from its end to its beginning, and the RDB comes when the window has come to its X. */
DEPOT_TEST(the_newest_is_proven_first)
{
    fill_and_die(fill);
    start();
    uint64_t before = first();
    bool had_snapshot = false;
    for (int i = 0; i < 200000 && status_now().is_proving; i++) {
        usleep(50);
        (void)store_publish(depot.store);
        assert_true(first() <= before);
        before = first();
        bool has_snapshot = history_usable_snapshot(history()) != NULL;
        assert_true(has_snapshot || !had_snapshot);
        if (has_snapshot && !had_snapshot)
            assert_in_range(first(), X - DEPOT_SEGMENT, X);
        had_snapshot = has_snapshot;
    }
    assert_true(had_snapshot);
    assert_int_equal(first(), FIRST);
}

DEPOT_TEST(the_window_begins_behind_what_cannot_be_proven)
{
    fill_and_die(fill);
    place_flip(&depot.place, HISTORY "backlog/5096.seg", 7);
    start();
    depot_await_proven(&depot);
    assert_int_equal(first(), FIRST + 2 * DEPOT_SEGMENT);
    depot_assert_window(&depot, first(), UINT64_MAX, END);
    assert_int_equal(may_continue(FIRST), CONTINUITY_GONE);
    (void)depot_await_freed(&depot);
    assert_true(depot_loses(&depot, HISTORY "backlog/1000.seg"));
    assert_true(depot_loses(&depot, HISTORY "backlog/5096.seg"));
    assert_null(history_usable_snapshot(history())); /* its X is in front */
    assert_true(store_snapshot_is_due(depot.store));
}

DEPOT_TEST(an_rdb_that_cannot_be_proven_is_not_served)
{
    fill_and_die(fill);
    place_flip(&depot.place, HISTORY "snapshot/9000.rdb", 1000);
    start();
    assert_true(history_is_proving_snapshot(history()));
    depot_await_proven(&depot);
    assert_null(history_usable_snapshot(history()));
    assert_true(store_snapshot_is_due(depot.store));
    (void)depot_await_freed(&depot);
    assert_true(depot_loses(&depot, HISTORY "snapshot/9000.rdb"));
    depot_assert_window(&depot, FIRST, UINT64_MAX, END);
}

/* ---- what happens meanwhile ---- */

DEPOT_TEST(a_smaller_window_gives_up_what_is_not_proven_first)
{
    fill_and_die(fill);
    start();
    depot.options.window_bytes = 2 * DEPOT_SEGMENT;
    store_change(depot.store, &depot.options);
    store_tick(depot.store);
    assert_int_equal(status_now().unproven_first, FIRST + 4 * DEPOT_SEGMENT);
    depot_await_proven(&depot);
    depot_assert_window(&depot, FIRST + 4 * DEPOT_SEGMENT, UINT64_MAX, END);
}

DEPOT_TEST(a_newer_rdb_takes_the_place_of_one_that_is_being_proven)
{
    fill_and_die(fill);
    start();
    refresh(END);
    assert_int_equal(snapshot_offset(history_usable_snapshot(history())), END);
    depot_await_proven(&depot);
    assert_int_equal(snapshot_offset(history_usable_snapshot(history())), END);
    (void)depot_await_freed(&depot);
    assert_true(depot_loses(&depot, HISTORY "snapshot/9000.rdb"));
    depot_assert_snapshot(history_usable_snapshot(history()), 0);
}

DEPOT_TEST(a_cut_drops_one_that_is_beyond_it)
{
    fill_and_die(fill);
    start();
    for (int i = 0; i < 200000 && first() > X - 100; i++) {
        usleep(50);
        (void)store_publish(depot.store);
    }
    assert_true(depot_rewind(&depot, history(), X - 100));
    assert_true(depot_await_cut(history()));
    depot_await_proven(&depot);
    assert_null(history_usable_snapshot(history()));
    depot_assert_window(&depot, FIRST, UINT64_MAX, X - 100);
}

DEPOT_TEST(another_history_and_the_end_abandon_what_is_under_way)
{
    fill_and_die(fill);
    start();
    (void)depot_resync(&depot, 'b', 70);
    assert_false(status_now().is_proving);
    depot_stream(&depot, 10 * DEPOT_SEGMENT, 0);
    store_close(&depot.store);
    start();
    store_close(&depot.store); /* at once */
    start();
    depot_await_proven(&depot);
    depot_assert_window(&depot, 70, UINT64_MAX, 70 + 10 * DEPOT_SEGMENT);
}

/* ---- a large segment ---- */

static void fill_large(void)
{
    depot.options.segment_bytes = LARGE;
    depot.options.window_bytes = 2 * LARGE;
    depot.options.window_bytes_max = 4 * (uint64_t)LARGE;
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', FIRST);
    for (int i = 0; i < 50; i++)
        depot_stream(&depot, 100 * 1000, 0);
}

static void start_large(void)
{
    depot.options.segment_bytes = LARGE;
    depot.options.window_bytes = 2 * LARGE;
    depot.options.window_bytes_max = 4 * (uint64_t)LARGE;
    start();
}

DEPOT_TEST(of_a_large_segment_a_start_reads_its_end_alone)
{
    const uint64_t end = FIRST + 50 * 100 * 1000;
    fill_and_die(fill_large);
    start_large();
    assert_in_range(first(), end - 2500 * 1000, end - 1);
    depot_assert_window(&depot, first(), UINT64_MAX, end);
    /* A cut in it rests on what is proven. */
    assert_true(depot_rewind(&depot, history(), end - 50));
    depot_stream(&depot, 100, 1);
    depot_await_proven(&depot);
    depot_assert_window(&depot, FIRST, end - 50, end + 50);
    store_close(&depot.store);
    start_large();
    depot_await_proven(&depot);
    depot_assert_window(&depot, FIRST, end - 50, end + 50);
}

DEPOT_TEST(the_beginning_of_a_large_segment_cannot_be_proven)
{
    const uint64_t end = FIRST + 50 * 100 * 1000;
    fill_and_die(fill_large);
    place_flip(&depot.place, HISTORY "backlog/1000.seg", 5000);
    start_large();
    uint64_t from = first();
    depot_await_proven(&depot);
    assert_int_equal(first(), from);
    depot_stream(&depot, LARGE, 0); /* it ends, and another one begins */
    depot_assert_window(&depot, from, UINT64_MAX, end + LARGE);
    store_close(&depot.store);
    start_large();
    depot_await_proven(&depot);
    assert_true(first() > from); /* what rests on it is not served */
    depot_assert_window(&depot, first(), UINT64_MAX, end + LARGE);
}

/* ---- after a clean stop ---- */

static void set_back_time(const char *name, const struct timespec *time)
{
    const struct timespec times[2] = {*time, *time};
    assert_int_equal(utimensat(depot.place.directory, name, times, 0), 0);
}

static struct timespec time_of(const char *name)
{
    struct stat about;
    assert_int_equal(fstatat(depot.place.directory, name, &about, 0), 0);
    return about.st_mtim;
}

/* Bytes that are altered without a trace are not noticed: so it can be seen that they are not read. */
DEPOT_TEST(a_clean_stop_spares_the_reading)
{
    static const char *const names[] = {HISTORY "backlog/1000.seg", HISTORY "snapshot/9000.rdb"};
    fill();
    store_close(&depot.store);
    assert_true(place_has(&depot.place, HISTORY CLEAN_MARK_NAME));
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        struct timespec before = time_of(names[i]);
        place_flip(&depot.place, names[i], 1000);
        set_back_time(names[i], &before);
    }
    start();
    assert_true(depot_loses(&depot, HISTORY CLEAN_MARK_NAME));
    depot_await_proven(&depot);
    assert_int_equal(first(), FIRST);
    assert_non_null(history_usable_snapshot(history()));
}

DEPOT_TEST(what_was_written_to_since_is_read)
{
    fill();
    store_close(&depot.store);
    place_flip(&depot.place, HISTORY "backlog/1000.seg", 7);
    place_flip(&depot.place, HISTORY "snapshot/9000.rdb", 1000);
    start();
    depot_await_proven(&depot);
    assert_int_equal(first(), FIRST + DEPOT_SEGMENT);
    assert_null(history_usable_snapshot(history()));
}

DEPOT_TEST(a_mark_that_was_altered_tells_nothing)
{
    fill();
    store_close(&depot.store);
    struct timespec before = time_of(HISTORY "backlog/1000.seg");
    place_flip(&depot.place, HISTORY "backlog/1000.seg", 7);
    set_back_time(HISTORY "backlog/1000.seg", &before);
    place_flip(&depot.place, HISTORY CLEAN_MARK_NAME, 30);
    start();
    depot_await_proven(&depot);
    assert_int_equal(first(), FIRST + DEPOT_SEGMENT);
}

DEPOT_TEST(a_kill_leaves_no_mark)
{
    fill();
    store_close(&depot.store);
    fill_and_die(start);
    assert_true(depot_loses(&depot, HISTORY CLEAN_MARK_NAME));
    start();
    depot_await_proven(&depot);
    depot_assert_window(&depot, FIRST, UINT64_MAX, END);
}
