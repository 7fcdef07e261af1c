/* SPDX-License-Identifier: MIT */
#include "relay/store/history.h"

#include "depot_fixture.h"

static struct history *history;

static int set_up(void **state)
{
    (void)state;
    depot_init(&depot);
    depot.options.window_bytes = 4 * DEPOT_SEGMENT;
    depot_open(&depot);
    history = depot_resync(&depot, 'a', 1000);
    return 0;
}

#define DEPOT_TEST(name) TEST_SETUP(name, set_up, depot_tear_down)

static void reopen(void)
{
    store_close(&depot.store);
    depot_open(&depot);
    history = store_current(depot.store);
    assert_non_null(history);
}

static void rewind_to(uint64_t offset)
{
    if (!depot_rewind(&depot, history, offset))
        fail_msg("%s", text_string(&depot.why));
}

static void rename_to(char digit)
{
    assert_true(depot_await_cut(history));
    struct replid id = depot_id(digit);
    if (!depot_rename(&depot, history, &id))
        fail_msg("%s", text_string(&depot.why));
}

/* A refresh: another snapshot, taken at `offset`. */
static void refresh(uint64_t offset, unsigned branch)
{
    struct snapshot *snapshot = history_begin_snapshot(history, offset, &depot.why);
    assert_non_null(snapshot);
    depot_receive(&depot, snapshot, branch);
    if (!depot_complete(&depot, history))
        fail_msg("%s", text_string(&depot.why));
    depot_await_named(&depot, history);
    (void)store_publish(depot.store); /* the one before it goes */
}

static enum continuity may_continue(char digit, uint64_t offset)
{
    struct replid id = depot_id(digit);
    return history_may_continue(history, &id, offset);
}

DEPOT_TEST(a_refresh_takes_the_place_of_the_snapshot)
{
    depot_stream(&depot, 5000, 0);
    struct snapshot *old = history_snapshot(history);
    snapshot_retain(old);
    struct snapshot *arriving = history_begin_snapshot(history, 6000, &depot.why);
    assert_ptr_equal(history_usable_snapshot(history), old); /* a complete one is preferred */
    assert_ptr_equal(history_arriving_snapshot(history), arriving);
    depot_receive(&depot, arriving, 1);
    assert_true(depot_complete(&depot, history));
    depot_assert_snapshot(history_usable_snapshot(history), 1);
    assert_true(depot_loses(&depot, "data/history-1/snapshot/1000.rdb"));
    depot_assert_snapshot(old, 0);
    snapshot_release(&old);
    refresh(6000, 2); /* the same X again */
    depot_assert_snapshot(history_snapshot(history), 2);
    reopen();
    depot_assert_snapshot(history_usable_snapshot(history), 2);
    assert_int_equal(snapshot_offset(history_snapshot(history)), 6000);
}

DEPOT_TEST(a_refresh_ahead_of_the_stream_waits_its_turn)
{
    depot_stream(&depot, 5000, 0);
    refresh(6500, 1);
    assert_int_equal(snapshot_offset(history_snapshot(history)), 6500);
    depot_assert_snapshot(history_usable_snapshot(history), 0);
    assert_false(store_snapshot_is_due(depot.store));
    depot_stream(&depot, 499, 0);
    depot_assert_snapshot(history_usable_snapshot(history), 0);
    depot_stream(&depot, 1, 0);
    depot_assert_snapshot(history_usable_snapshot(history), 1);
    assert_true(depot_loses(&depot, "data/history-1/snapshot/1000.rdb"));
    reopen();
    depot_assert_snapshot(history_usable_snapshot(history), 1);
}

DEPOT_TEST(a_refresh_ahead_is_not_there_for_the_next_start)
{
    depot_stream(&depot, 5000, 0);
    refresh(6500, 1);
    refresh(6400, 2); /* in its place */
    assert_true(depot_loses(&depot, "data/history-1/snapshot/6500.rdb"));
    reopen();
    depot_assert_snapshot(history_usable_snapshot(history), 0);
    assert_true(depot_loses(&depot, "data/history-1/snapshot/6400.rdb"));
}

DEPOT_TEST(a_refresh_that_fails_leaves_the_snapshot)
{
    for (int how = 0; how < 3; how++) {
        struct snapshot *snapshot = history_begin_snapshot(history, 1000, &depot.why);
        snapshot_retain(snapshot);
        assert_true(snapshot_write(snapshot, bytes_of("REDIS0011 and no more"), &depot.why));
        if (how == 0)
            history_fail_snapshot(history);
        else if (how == 1)
            assert_false(depot_complete(&depot, history));
        else
            assert_non_null(history_begin_snapshot(history, 1000, &depot.why));
        assert_int_equal(snapshot_state(snapshot), SNAPSHOT_FAILED);
        snapshot_release(&snapshot);
        history_fail_snapshot(history);
        depot_assert_snapshot(history_usable_snapshot(history), 0);
        text_clear(&depot.why);
    }
    reopen();
    depot_assert_snapshot(history_usable_snapshot(history), 0);
}

DEPOT_TEST(a_snapshot_that_the_window_has_left_is_not_usable)
{
    depot_stream(&depot, 4 * DEPOT_SEGMENT, 0);
    assert_non_null(history_usable_snapshot(history));
    depot_stream(&depot, 4 * DEPOT_SEGMENT, 0);
    assert_true(backlog_first(history_backlog(history)) > 1000);
    assert_null(history_usable_snapshot(history));
    assert_non_null(history_snapshot(history));
    struct snapshot *arriving =
        history_begin_snapshot(history, backlog_end(history_backlog(history)), &depot.why);
    assert_ptr_equal(history_usable_snapshot(history), arriving);
}

DEPOT_TEST(a_new_id_keeps_the_old_one_up_to_the_joint)
{
    depot_stream(&depot, 5000, 0);
    rename_to('b');
    assert_int_equal(may_continue('a', 6000), CONTINUITY_YES);
    depot_stream(&depot, 100, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(may_continue('b', 6100), CONTINUITY_YES);
        assert_int_equal(may_continue('b', 6101), CONTINUITY_AHEAD);
        assert_int_equal(may_continue('a', 6000), CONTINUITY_YES);
        assert_int_equal(may_continue('a', 6001), CONTINUITY_STRANGE);
        assert_int_equal(may_continue('a', 999), CONTINUITY_GONE);
        assert_int_equal(may_continue('c', 1000), CONTINUITY_STRANGE);
        reopen();
    }
}

/* What a reader says of the disk costs what is there, and no more. */
DEPOT_TEST(a_segment_that_cannot_be_read_is_given_up)
{
    depot_stream(&depot, 2 * DEPOT_SEGMENT + 500, 0);
    struct cursor first;
    struct cursor bad;
    struct cursor last;
    struct backlog *backlog = history_backlog(history);
    assert_true(backlog_attach(backlog, &first, 1000));
    assert_true(backlog_attach(backlog, &bad, 1000 + DEPOT_SEGMENT + 7));
    assert_true(backlog_attach(backlog, &last, 1000 + 2 * DEPOT_SEGMENT));
    cursor_note_unreadable(&bad);
    store_tick(depot.store);
    assert_int_equal(backlog_first(backlog), 1000 + 2 * DEPOT_SEGMENT);
    struct bytes view;
    assert_int_equal(cursor_peek(&first, &view), CURSOR_UNREADABLE);
    assert_int_equal(cursor_peek(&bad, &view), CURSOR_UNREADABLE);
    assert_int_equal(stream_read(&last, 0), CURSOR_AT_END);
    cursor_detach(&first);
    cursor_detach(&bad);
    cursor_note_unreadable(&last); /* the newest: the stream goes on behind it */
    store_tick(depot.store);
    (void)stream_await_segment(backlog);
    store_tick(depot.store);
    assert_int_equal(backlog_first(backlog), 1500 + 2 * DEPOT_SEGMENT);
    cursor_detach(&last);
    depot_stream(&depot, 100, 0);
    reopen();
    depot_assert_window(&depot, 1500 + 2 * DEPOT_SEGMENT, UINT64_MAX, 1600 + 2 * DEPOT_SEGMENT);
}

DEPOT_TEST(a_snapshot_that_cannot_be_read_is_given_up)
{
    snapshot_note_unreadable(history_snapshot(history));
    store_tick(depot.store);
    assert_null(history_snapshot(history));
    assert_true(store_snapshot_is_due(depot.store));
    assert_true(depot_loses(&depot, "data/history-1/snapshot/1000.rdb"));
    refresh(1000, 1);
    depot_assert_snapshot(history_usable_snapshot(history), 1);
    store_tick(depot.store);
    depot_assert_snapshot(history_usable_snapshot(history), 1);
}

/* The primary died with what it had beyond our end: that is nobody's any more. */
DEPOT_TEST(a_new_id_drops_what_was_taken_beyond_its_beginning)
{
    depot_stream(&depot, 5000, 0);
    refresh(6500, 1);
    rename_to('b');
    depot_stream(&depot, 1000, 1);
    depot_assert_snapshot(history_usable_snapshot(history), 0);
    assert_true(depot_loses(&depot, "data/history-1/snapshot/6500.rdb"));
    struct snapshot *arriving = history_begin_snapshot(history, 7001, &depot.why);
    snapshot_retain(arriving);
    rename_to('c');
    assert_int_equal(snapshot_state(arriving), SNAPSHOT_FAILED);
    snapshot_release(&arriving);
    assert_non_null(history_begin_snapshot(history, 7000, &depot.why));
    rename_to('d');
    assert_non_null(history_arriving_snapshot(history));
    reopen();
    depot_assert_snapshot(history_usable_snapshot(history), 0);
}

/* The window had left the one before it, so that it is all there is. */
DEPOT_TEST(a_new_id_drops_the_only_snapshot_if_it_is_beyond)
{
    depot_stream(&depot, 8 * DEPOT_SEGMENT, 0);
    uint64_t end = backlog_end(history_backlog(history));
    refresh(end + 1, 1);
    reopen();
    assert_int_equal(snapshot_offset(history_snapshot(history)), end + 1);
    rename_to('b');
    for (int i = 0; i < 2; i++) {
        assert_null(history_snapshot(history));
        assert_true(store_snapshot_is_due(depot.store));
        reopen();
        depot_stream(&depot, 100, 1);
        assert_null(history_usable_snapshot(history));
    }
}

DEPOT_TEST(a_rename_that_cannot_be_written_has_not_happened)
{
    char path[PLACE_PATH_MAX];
    place_path(&depot.place, "data/history-1/identity.new", path);
    assert_int_equal(mkdir(path, 0700), 0); /* in the way of the new identity */
    struct replid b = depot_id('b');
    assert_false(depot_rename(&depot, history, &b));
    assert_string_equal(text_string(&depot.why), "identity.new: cannot create: Is a directory");
    assert_string_equal(history_identity(history)->replid.hex, depot_id('a').hex);
    assert_int_equal(history_identity(history)->earlier_count, 0);
    assert_int_equal(rmdir(path), 0);
    text_clear(&depot.why);
    rename_to('b');
}

DEPOT_TEST(a_fail_over_to_one_that_has_less)
{
    depot_stream(&depot, 7000, 0);
    rewind_to(6500);
    rename_to('b');
    depot_stream(&depot, 300, 1);
    for (int i = 0; i < 2; i++) {
        depot_assert_window(&depot, 1000, 6500, 6800);
        assert_int_equal(history_boundary(history), 6800);
        assert_int_equal(may_continue('a', 6500), CONTINUITY_YES);
        assert_int_equal(may_continue('a', 6501), CONTINUITY_STRANGE);
        assert_int_equal(may_continue('b', 6800), CONTINUITY_YES);
        depot_assert_snapshot(history_usable_snapshot(history), 0);
        reopen();
    }
}

/* What was read before a rewind or a rename is common up to there, at once and whatever comes after. */
DEPOT_TEST(readers_of_another_branch_are_told_apart)
{
    const struct branches *branches = history_branches(history);
    assert_int_equal(branches->current, 0);
    depot_stream(&depot, 7000, 0);
    rewind_to(6500);
    assert_int_equal(branches_common_end(branches, 0), 6500);
    rename_to('b');
    uint64_t renamed = branches->current;
    depot_stream(&depot, 3000, 1);
    assert_int_equal(branches_common_end(branches, 0), 6500);
    assert_int_equal(branches_common_end(branches, renamed), UINT64_MAX);
    rename_to('c');
    assert_int_equal(branches_common_end(branches, renamed), 9500);
    assert_int_equal(history_branches(depot_resync(&depot, 'd', 50))->current, 0);
}

DEPOT_TEST(snapshots_beyond_a_rewind_go)
{
    static const struct {
        uint64_t offset;
        bool complete;
        bool arriving;
    } rows[] = {{6000, true, true},
                {5500, true, true},
                {5499, true, false},
                {5000, true, false},
                {4999, false, false}};
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if (i > 0)
            history = depot_resync(&depot, 'a', 1000);
        depot_stream(&depot, 5000, 0);
        refresh(5000, 1);
        struct snapshot *arriving = history_begin_snapshot(history, 5500, &depot.why);
        snapshot_retain(arriving);
        depot.had_news = false;
        rewind_to(rows[i].offset);
        assert_true(depot.had_news || store_publish(depot.store));
        assert_int_equal(history_snapshot(history) != NULL, rows[i].complete);
        assert_int_equal(history_arriving_snapshot(history) != NULL, rows[i].arriving);
        assert_int_equal(snapshot_state(arriving),
                         rows[i].arriving ? SNAPSHOT_ARRIVING : SNAPSHOT_FAILED);
        snapshot_release(&arriving);
        reopen();
        assert_int_equal(history_snapshot(history) != NULL, rows[i].complete);
        depot_assert_window(&depot, 1000, UINT64_MAX, rows[i].offset);
    }
}

/* It is served as far as it was to be cut, and takes no byte; on the disk it is what it was. */
DEPOT_TEST(a_rewind_that_cannot_be_written_has_not_happened_on_the_disk)
{
    depot_stream(&depot, 5000, 0);
    refresh(5000, 1);
    char path[PLACE_PATH_MAX];
    place_path(&depot.place, "data/history-1/identity.new", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(depot_rewind(&depot, history, 2000));
    assert_int_equal(history_cut(history), HISTORY_CUT_FAILED);
    assert_false(history_is_settling(history));
    assert_true(history_usable_snapshot(history) == NULL ||
                snapshot_offset(history_usable_snapshot(history)) == 1000);
    depot_assert_window(&depot, 1000, UINT64_MAX, 2000);
    assert_int_equal(history_make_ready(history), BACKLOG_NO_SPACE);
    assert_int_equal(rmdir(path), 0);
    text_clear(&depot.why);
    reopen();
    depot_assert_window(&depot, 1000, UINT64_MAX, 6000);
    depot_assert_snapshot(history_usable_snapshot(history), 1);
}

DEPOT_TEST(everything_may_be_rewound)
{
    depot_stream(&depot, 5000, 0);
    rewind_to(1000);
    depot_assert_window(&depot, 1000, 1000, 1000);
    depot_stream(&depot, 50, 1);
    reopen();
    depot_assert_window(&depot, 1000, 1000, 1050);
}

DEPOT_TEST(before_its_snapshot_is_there_a_history_is_not_found)
{
    struct replid b = depot_id('b');
    struct history *arriving = store_begin_history(depot.store, &b, 0, &depot.why);
    depot_await_made(&depot, history_arriving_snapshot(arriving));
    assert_int_equal(stream_append(history_backlog(arriving), 3 * DEPOT_SEGMENT, 0), BACKLOG_SPACE);
    assert_true(depot_loses(&depot, "data/history-2/identity"));
    depot_receive(&depot, history_arriving_snapshot(arriving), 0);
    assert_true(depot_promote(&depot));
    assert_true(place_has(&depot.place, "data/history-2/identity"));
    reopen();
    depot_assert_window(&depot, 0, UINT64_MAX, 3 * DEPOT_SEGMENT);
}
