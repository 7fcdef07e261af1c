/* SPDX-License-Identifier: MIT
 *
 * A disk that does not answer: every fsync, and whatever frees a large file, hangs until the test says
 * otherwise, however long that may be. Stream, readers and snapshots go on meanwhile, and thread 0 does
 * nothing of that kind itself; were it to wait for the syncer or the reclaimer, the test would hang as well.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "depot_fixture.h"
#include "fault.h"
#include "relay/store/rdb_parts.h"

static void start(enum store_fsync mode)
{
    depot_init(&depot);
    depot.options.fsync = mode;
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 1000);
    depot_stream(&depot, 500, 0);
    store_tick(depot.store);
    fault_hold_disk();
}

static void end(void)
{
    assert_int_equal(fault_own_fsyncs(), 0);
    assert_int_equal(fault_own_frees(), 0);
    fault_release_disk();
    depot_fini(&depot);
}

/* A replica on a thread of its own: reads all there is up to `until`. */
struct reader {
    struct cursor cursor;
    uint64_t until;
    bool is_true;
};

static void *read_on(void *arg)
{
    struct reader *reader = arg;
    reader->is_true = true;
    while (reader->cursor.offset < reader->until && reader->is_true) {
        struct bytes view;
        if (cursor_peek(&reader->cursor, &view) != CURSOR_BYTES) {
            usleep(100);
            continue;
        }
        reader->is_true = stream_compare(view, reader->cursor.offset, 0) == view.length;
        cursor_advance(&reader->cursor, view.length);
    }
    return NULL;
}

/* An fsync that had begun before the disk was held may be the last of its round, and come to its end:
 * seconds go on passing, and the next round hangs. */
static void wait_until_syncer_hangs(void)
{
    for (int i = 0; i < 50000 && fault_waiting_fsyncs() == 0; i++) {
        store_tick(depot.store);
        usleep(100);
    }
    assert_true(fault_waiting_fsyncs() > 0);
}

/* Segments fill, seconds pass, and a replica on another thread has it all. */
static void expect_flow(bool syncer_hangs)
{
    struct reader reader = {.until = backlog_end(depot_backlog(&depot)) + 40 * 1000};
    assert_true(backlog_attach(depot_backlog(&depot), &reader.cursor, 1000));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_on, &reader), 0);
    for (int i = 0; i < 40; i++) {
        depot_stream(&depot, 1000, 0);
        store_tick(depot.store);
    }
    pthread_join(thread, NULL);
    assert_true(reader.is_true);
    cursor_detach(&reader.cursor);
    if (syncer_hangs)
        wait_until_syncer_hangs();
}

static void expect_refresh(void)
{
    struct history *history = store_current(depot.store);
    uint64_t x = backlog_end(history_backlog(history));
    struct snapshot *snapshot = history_begin_snapshot(history, x, &depot.why);
    assert_non_null(snapshot);
    depot_receive(&depot, snapshot, 0);
    assert_true(depot_complete(&depot, history));
    depot_assert_snapshot(history_usable_snapshot(history), 0);
    store_tick(depot.store);
}

TEST(everysec_delays_nobody)
{
    start(STORE_FSYNC_EVERYSEC);
    uint64_t durable = history_durable(store_current(depot.store));
    expect_flow(true);
    expect_refresh();
    expect_flow(true);
    assert_true(history_durable(store_current(depot.store)) <= durable + 500);
    end();
}

/* The stream comes until there is no more room for it. */
static void fill_window(void)
{
    for (int i = 0; i < 100; i++) {
        if (depot_append(&depot, DEPOT_SEGMENT / 2, 0) != BACKLOG_SPACE)
            return;
        (void)store_publish(depot.store);
    }
    fail_msg("the window never held the stream up");
}

/* A window that is so small that the stream is through it before the disk has anything of that: a power failure would find
 * nothing at all, not even what has been durable long since. */
TEST(the_window_does_not_leave_behind_all_that_is_durable)
{
    static const enum store_fsync modes[] = {STORE_FSYNC_EVERYSEC, STORE_FSYNC_ALWAYS};
    for (size_t i = 0; i < LENGTH_OF(modes); i++) {
        depot_init(&depot);
        depot.options.fsync = modes[i];
        depot.options.window_bytes = 2 * DEPOT_SEGMENT;
        depot.options.window_bytes_max = 3 * DEPOT_SEGMENT;
        depot_open(&depot);
        struct history *history = depot_resync(&depot, 'a', 1000);
        depot_stream(&depot, 500, 0);
        for (int n = 0; n < 100000 && history_durable(history) < 1500; n++) {
            store_tick(depot.store);
            usleep(100);
        }
        assert_int_equal(history_durable(history), 1500);
        depot_await_synced(&depot);
        fault_hold_disk();
        fill_window();
        struct backlog *backlog = history_backlog(history);
        assert_int_equal(backlog_first(backlog), 1000);
        depot_assert_window(&depot, 1000, UINT64_MAX, backlog_published(backlog));
        store_tick(depot.store); /* nor by trimming, nor for an RDB */
        assert_false(history_shorten(history, UINT64_MAX) && history_shorten(history, UINT64_MAX));
        assert_int_equal(backlog_first(backlog), 1000);
        assert_int_equal(fault_own_fsyncs(), 0);
        fault_release_disk();
        uint64_t end = backlog_end(backlog) + 6 * DEPOT_SEGMENT;
        for (int n = 0; n < 100000 && backlog_end(backlog) < end; n++) {
            (void)depot_append(&depot, 500, 0);
            (void)store_publish(depot.store); /* which asks the syncer, as it is due */
            usleep(20);
        }
        assert_true(backlog_end(backlog) >= end);
        assert_true(backlog_first(backlog) > 1500);
        depot_fini(&depot);
    }
}

/* A disk that cannot make anything durable holds nothing up: the operator knows, and there is nothing to wait for. */
TEST(the_window_goes_on_where_an_fsync_has_failed)
{
    depot_init(&depot);
    depot.options.fsync = STORE_FSYNC_EVERYSEC;
    depot.options.window_bytes = 2 * DEPOT_SEGMENT;
    depot.options.window_bytes_max = 3 * DEPOT_SEGMENT;
    depot_open(&depot);
    struct history *history = depot_resync(&depot, 'a', 1000);
    depot_stream(&depot, 500, 0);
    for (int n = 0; n < 100000 && history_durable(history) < 1500; n++) {
        store_tick(depot.store);
        usleep(100);
    }
    depot_await_synced(&depot);
    struct store_status before;
    struct store_status status;
    store_status(depot.store, &before);
    depot_stream(&depot, 500, 0);
    char path[PLACE_PATH_MAX];
    /* The name of the copy is taken by a directory: it cannot be replaced. */
    place_path(&depot.place, "data/history-1/identity.kept", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    for (int n = 0; n < 100; n++) {
        depot_stream(&depot, DEPOT_SEGMENT / 2, 0);
        store_tick(depot.store);
        depot_await_synced(&depot);
    }
    store_status(depot.store, &status);
    assert_true(status.fsync_failures > before.fsync_failures);
    assert_true(backlog_first(history_backlog(history)) > 1500);
    assert_int_equal(rmdir(path), 0);
    depot_fini(&depot);
}

TEST(no_delays_nobody)
{
    start(STORE_FSYNC_NO);
    expect_flow(false);
    expect_refresh();
    expect_flow(false);
    assert_int_equal(fault_waiting_fsyncs(), 0);
    end();
}

/* The stream goes on; only what is acknowledged as durable waits. */
TEST(always_delays_what_is_durable_alone)
{
    start(STORE_FSYNC_ALWAYS);
    expect_flow(true);
    expect_refresh();
    end();
}

/* The old history stays on the disk until the new one would survive a power failure. */
TEST(a_new_history_is_served_before_it_is_durable)
{
    start(STORE_FSYNC_EVERYSEC);
    depot_stream(&depot, 3000, 0);
    store_tick(depot.store);
    wait_until_syncer_hangs();
    struct history *history = depot_resync(&depot, 'b', 70);
    assert_int_equal(history_number(history), 2);
    for (int i = 0; i < 20; i++) {
        depot_stream(&depot, 1000, 0);
        store_tick(depot.store);
    }
    depot_assert_window(&depot, 70, UINT64_MAX, 20070);
    assert_true(place_has(&depot.place, "data/history-1/identity"));
    assert_int_equal(fault_own_fsyncs(), 0);
    fault_release_disk();
    for (int i = 0; i < 5000 && place_has(&depot.place, "data/history-1"); i++) {
        usleep(1000);
        store_tick(depot.store);
    }
    assert_true(depot_loses(&depot, "data/history-1"));
    assert_int_equal(history_durable(history), 20070);
    end();
}

static bool has_snapshot(uint64_t offset)
{
    char name[80];
    snprintf(name, sizeof(name), "data/history-1/snapshot/%llu.rdb", (unsigned long long)offset);
    return place_has(&depot.place, name);
}

static bool loses_snapshot(uint64_t offset)
{
    char name[80];
    snprintf(name, sizeof(name), "data/history-1/snapshot/%llu.rdb", (unsigned long long)offset);
    return depot_loses(&depot, name);
}

/* So does an old snapshot; of several, the one that was safe, and the newest. */
TEST(a_snapshot_is_served_before_it_is_durable)
{
    start(STORE_FSYNC_EVERYSEC);
    struct history *history = store_current(depot.store);
    expect_refresh();
    for (int i = 0; i < 3; i++) {
        depot_stream(&depot, 1000, 0);
        store_tick(depot.store);
        expect_refresh();
    }
    assert_int_equal(snapshot_offset(history_snapshot(history)), 4500);
    assert_true(has_snapshot(1000));
    assert_true(loses_snapshot(1500));
    assert_true(loses_snapshot(2500));
    assert_true(has_snapshot(4500));
    assert_int_equal(fault_own_fsyncs(), 0);
    fault_release_disk();
    for (int i = 0; i < 5000 && has_snapshot(1000); i++) {
        usleep(1000);
        store_tick(depot.store);
    }
    assert_true(loses_snapshot(1000));
    assert_true(loses_snapshot(3500));
    assert_true(has_snapshot(4500));
    end();
}

static struct history *begin_kept_rdb(struct rdb rdb, size_t bytes)
{
    struct replid id = depot_id('b');
    struct history *history = store_begin_history(depot.store, &id, 70, &depot.why);
    assert_non_null(history);
    struct snapshot *snapshot = history_arriving_snapshot(history);
    store_track_part(depot.store, history);
    snapshot_expect(snapshot, rdb.length);
    if (!snapshot_write(snapshot, bytes_first(rdb_bytes(&rdb), bytes), &depot.why) ||
        !depot_settle_writes(&depot, snapshot))
        fail_msg("%s", text_string(&depot.why));
    return history;
}

/* Its fsync hangs, and so does what frees the one before it; that one breaks, goes on, is given up. */
TEST(an_rdb_that_is_kept_delays_nobody)
{
    struct rdb rdb = rdb_make(30000, 0);
    struct rdb_part part;
    start(STORE_FSYNC_EVERYSEC);
    for (size_t bytes = 5000; bytes <= 15000; bytes += 5000) {
        (void)begin_kept_rdb(rdb, bytes);
        store_tick(depot.store);
        assert_true(store_keep_part(depot.store));
        store_abandon(depot.store);
        assert_int_equal(store_part(depot.store, &part), STORE_PART_READY);
        assert_int_equal(part.bytes, bytes);
    }
    struct replid id = depot_id('b');
    struct history *history = store_begin_history(depot.store, &id, 70, &depot.why);
    assert_true(store_resume_part(depot.store, history, &part, &depot.why));
    assert_false(store_keep_part(depot.store)); /* nothing more has come */
    store_abandon(depot.store);
    store_drop_part(depot.store);
    assert_int_equal(store_part(depot.store, &part), STORE_PART_NONE);
    wait_until_syncer_hangs();
    rdb_free(&rdb);
    end();
}

/* More of them than are kept for that: the oldest go. */
TEST(a_history_a_second_while_the_disk_hangs)
{
    start(STORE_FSYNC_EVERYSEC);
    for (unsigned i = 0; i < 4; i++) {
        (void)depot_resync(&depot, (char)('b' + i), 70);
        depot_stream(&depot, 100, 0);
        store_tick(depot.store);
    }
    depot_assert_window(&depot, 70, UINT64_MAX, 170);
    end();
}

/* ---- what is claimed, and what is on the disk by then ---- */

struct claimed {
    _Atomic uint64_t offset; /* the first that was claimed; 0: none yet */
    atomic_bool has_file[8]; /* of `needed`, at that time */
};

static struct claimed claimed;

static const char *const needed[] = {"",
                                     "data",
                                     "data/history-1",
                                     "data/history-1/backlog",
                                     "data/history-1/backlog/1000.seg",
                                     "data/history-1/snapshot",
                                     "data/history-1/snapshot/1000.rdb",
                                     "data/history-1/identity.kept"};

/* On the syncer's thread, before it does anything more. */
static void note_claim(void *arg)
{
    const struct history *history = arg;
    if (atomic_load(&claimed.offset) != 0 || history_durable(history) == 0)
        return;
    for (size_t i = 0; i < LENGTH_OF(needed); i++) {
        char path[PLACE_PATH_MAX];
        atomic_store(&claimed.has_file[i],
                     fault_was_synced(place_path(&depot.place, needed[i], path)));
    }
    atomic_store(&claimed.offset, history_durable(history));
}

/* A write of a new history is durable when all that leads to it is: the RDB before it, the names, and the
 * directories up to the data directory, which is new, too. */
TEST(a_new_history_is_durable_with_all_that_leads_to_it)
{
    static const enum store_fsync modes[] = {STORE_FSYNC_EVERYSEC, STORE_FSYNC_ALWAYS};
    for (size_t i = 0; i < LENGTH_OF(modes); i++) {
        char path[PLACE_PATH_MAX];
        claimed = (struct claimed){.offset = 0};
        fault_begin(&(struct fault){.nth = 0});
        depot_init(&depot);
        depot.options.fsync = modes[i];
        depot_open(&depot);
        assert_true(fault_was_synced(place_path(&depot.place, "", path)));
        fault_begin(&(struct fault){.nth = 0}); /* as if we had been killed in between */
        struct history *history = depot_resync(&depot, 'a', 1000);
        store_on_durable(depot.store, note_claim, history);
        depot_stream(&depot, 100, 0);
        for (int k = 0; k < 50000 && atomic_load(&claimed.offset) == 0; k++) {
            store_publish(depot.store);
            store_tick(depot.store);
            usleep(100);
        }
        assert_true(atomic_load(&claimed.offset) >= 1000);
        for (size_t k = 0; k < LENGTH_OF(needed); k++) {
            if (!atomic_load(&claimed.has_file[k]))
                fail_msg("durable was claimed before \"%s\" was", needed[k]);
        }
        store_on_durable(depot.store, NULL, NULL);
        depot_fini(&depot);
    }
}

/* The end goes, for readers and for a kill at once; for good when the disk has it. Only then another id may
 * come. */
TEST(a_rewind_delays_nobody)
{
    start(STORE_FSYNC_EVERYSEC);
    depot_stream(&depot, 3 * DEPOT_SEGMENT, 0);
    store_tick(depot.store);
    struct history *history = store_current(depot.store);
    uint64_t cut = 1000 + DEPOT_SEGMENT + 100;
    assert_true(depot_rewind(&depot, history, cut));
    assert_int_equal(history_cut(history), HISTORY_CUT_PENDING);
    depot_assert_window(&depot, 1000, UINT64_MAX, cut);
    depot_stream(&depot, 2 * DEPOT_SEGMENT, 1); /* under the id that it has */
    assert_true(depot_rewind(&depot, history, cut));
    assert_int_equal(history_cut(history), HISTORY_CUT_PENDING);
    assert_true(history_durable(history) <= cut);
    assert_int_equal(fault_own_fsyncs(), 0);
    fault_release_disk();
    assert_true(depot_await_cut(history));
    fault_hold_disk();
    struct replid b = depot_id('b');
    assert_true(depot_rename(&depot, history, &b));
    depot_stream(&depot, 100, 1);
    depot_assert_window(&depot, 1000, cut, cut + 100);
    end();
}

/* What the syncer was at when the end was cut off says nothing of what comes in its place. */
TEST(nothing_that_was_cut_off_is_claimed)
{
    start(STORE_FSYNC_EVERYSEC);
    depot_stream(&depot, 2000, 0);
    wait_until_syncer_hangs();
    store_tick(depot.store);
    struct history *history = store_current(depot.store);
    uint64_t cut = 1600;
    assert_true(depot_rewind(&depot, history, cut));
    assert_int_equal(fault_own_fsyncs(), 0);
    fault_release_disk();
    assert_true(depot_await_cut(history));
    assert_true(history_durable(history) <= cut);
    for (int i = 0; i < 50000 && history_durable(history) < cut; i++) {
        store_tick(depot.store);
        usleep(100);
    }
    assert_int_equal(history_durable(history), cut);
    fault_hold_disk();
    end();
}

TEST(a_note_delays_nobody)
{
    start(STORE_FSYNC_EVERYSEC);
    assert_true(store_keep_note(depot.store, STORE_NOTE_PRIMARY, bytes_of("a note"), &depot.why));
    for (int i = 0; i < 50000 && store_note_is_pending(depot.store, STORE_NOTE_PRIMARY); i++)
        usleep(100);
    assert_int_equal(place_length(&depot.place, "data/" STORE_NOTE_PRIMARY), 6);
    end();
}

/* A smaller window, a newer RDB, one that failed, another history; and a reader that lets go last. */
TEST(what_frees_large_files_delays_nobody)
{
    start(STORE_FSYNC_NO);
    struct cursor cursor;
    assert_true(backlog_attach(depot_backlog(&depot), &cursor, 1000));
    struct snapshot *snapshot = history_snapshot(store_current(depot.store));
    snapshot_retain(snapshot);
    depot_stream(&depot, 20 * DEPOT_SEGMENT, 0);
    cursor_detach(&cursor);
    depot.options.window_bytes = 2 * DEPOT_SEGMENT;
    store_change(depot.store, &depot.options);
    store_tick(depot.store);
    assert_true(backlog_segment_count(depot_backlog(&depot)) < 5);
    expect_refresh();
    snapshot_release(&snapshot);
    struct history *history = store_current(depot.store);
    assert_non_null(history_begin_snapshot(history, 1000, &depot.why));
    history_fail_snapshot(history);
    (void)depot_resync(&depot, 'b', 70);
    struct store_status status;
    store_status(depot.store, &status);
    assert_true(status.is_freeing);
    assert_true(status.freeing_bytes > 15 * DEPOT_SEGMENT);
    assert_int_equal(fault_own_frees(), 0);
    fault_release_disk();
    (void)depot_await_freed(&depot);
    store_status(depot.store, &status);
    assert_int_equal(status.freeing_bytes, 0);
    assert_true(depot_loses(&depot, "data/history-1"));
    end();
}
