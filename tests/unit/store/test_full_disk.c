/* SPDX-License-Identifier: MIT
 *
 * A disk that is really full: a small tmpfs. Only root may mount one; without that these are skipped.
 */
#include <sys/mount.h>

#include "../../../relay/store/backlog.h"
#include "depot_fixture.h"
#include "fault.h"

enum { DISK = 256 * 1024 };

static struct place mounted;

static bool mount_disk(void)
{
    char options[40];
    snprintf(options, sizeof(options), "size=%d", DISK);
    return mount("tmpfs", mounted.path, "tmpfs", 0, options) == 0;
}

static int set_up(void **state)
{
    (void)state;
    place_init(&mounted);
    depot_init(&depot);
    place_path(&mounted, "data", depot.data_dir);
    depot.options.window_bytes = 10 * DISK;
    depot.options.window_bytes_max = 20 * DISK;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fault_reserve_nothing(false);
    depot_fini(&depot);
    (void)umount(mounted.path);
    place_fini(&mounted);
    return 0;
}

#define DEPOT_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void mount_or_skip(void)
{
    if (mount_disk())
        return;
    print_message("skipped: cannot mount a tmpfs: %s\n", strerror(errno));
    skip();
}

/* Fills what is free, all but `left` bytes. The threads of the store have done their work before: what one of them
 * gave back afterwards would be free again. */
static void fill_disk(size_t left)
{
    char path[PLACE_PATH_MAX];
    if (depot.store != NULL) {
        (void)stream_await_segment(depot_backlog(&depot));
        depot_await_synced(&depot);
        (void)depot_await_freed(&depot);
    }
    int file = open(place_path(&mounted, "ballast", path), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file != -1);
    static const uint8_t block[4096];
    off_t length = 0;
    while (write(file, block, sizeof(block)) == (ssize_t)sizeof(block))
        length += (off_t)sizeof(block);
    assert_int_equal(errno, ENOSPC);
    assert_true((size_t)length >= left);
    assert_int_equal(ftruncate(file, length - (off_t)left), 0);
    close(file);
}

static void free_disk(void)
{
    char path[PLACE_PATH_MAX];
    assert_int_equal(unlink(place_path(&mounted, "ballast", path)), 0);
}

static void start(void)
{
    mount_or_skip();
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 0);
}

static void assert_whole(void)
{
    struct backlog *backlog = depot_backlog(&depot);
    depot_assert_window(&depot, backlog_first(backlog), UINT64_MAX, backlog_end(backlog));
}

DEPOT_TEST(the_window_is_shortened_to_what_the_disk_holds)
{
    start();
    depot_stream(&depot, 4 * DISK, 0);
    struct backlog *backlog = depot_backlog(&depot);
    assert_true(backlog_end(backlog) - backlog_first(backlog) > DISK / 2);
    assert_true(backlog_disk_bytes(backlog) < DISK);
    assert_string_equal(backlog_error(backlog), "");
    assert_whole();
    store_close(&depot.store);
    depot_open(&depot);
    assert_whole();
}

DEPOT_TEST(without_any_room_it_stands_still_and_goes_on_later)
{
    start();
    depot_stream(&depot, 100, 0);
    fill_disk(0);
    struct backlog *backlog = depot_backlog(&depot);
    /* There is one segment, which cannot be given up for the next. */
    assert_int_equal(depot_append(&depot, DEPOT_SEGMENT - 100, 0), BACKLOG_SPACE);
    enum backlog_space room = depot_append(&depot, 1, 0);
    assert_int_equal(room, BACKLOG_NO_SPACE);
    assert_non_null(strstr(backlog_error(backlog), "No space left on device"));
    (void)store_publish(depot.store);
    uint64_t end = backlog_end(backlog);
    assert_whole(); /* what is held is served */
    assert_int_equal(depot_append(&depot, 1, 0), BACKLOG_NO_SPACE);
    free_disk();
    assert_int_equal(depot_append(&depot, 10 * DEPOT_SEGMENT, 0), BACKLOG_SPACE);
    assert_string_equal(backlog_error(backlog), "");
    (void)store_publish(depot.store);
    assert_int_equal(backlog_end(backlog), end + 10 * DEPOT_SEGMENT);
    assert_whole();
}

DEPOT_TEST(a_reader_of_what_was_given_up_does_not_cost_the_rest)
{
    start();
    depot_stream(&depot, 20 * DEPOT_SEGMENT, 0);
    struct backlog *backlog = depot_backlog(&depot);
    struct cursor slow;
    struct cursor quick;
    assert_true(backlog_attach(backlog, &slow, 10));
    assert_true(backlog_attach(backlog, &quick, 19 * DEPOT_SEGMENT));
    (void)depot_await_freed(&depot);
    /* The next segment is made ahead: the one behind it finds no room. */
    (void)stream_await_segment(backlog);
    fill_disk(0);
    depot_stream(&depot, DEPOT_SEGMENT, 0);
    (void)stream_await_segment(backlog);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(stream_make_ready(backlog), BACKLOG_HELD);
        assert_int_equal(backlog_first(backlog), DEPOT_SEGMENT);
    }
    struct bytes view;
    assert_int_equal(cursor_peek(&slow, &view), CURSOR_DISK_FULL);
    cursor_detach(&slow);
    depot_stream(&depot, DEPOT_SEGMENT, 0);
    assert_int_equal(stream_read(&quick, 0), CURSOR_AT_END);
    cursor_detach(&quick);
    assert_whole();
}

DEPOT_TEST(a_start_on_a_full_disk_serves_what_is_there)
{
    for (size_t extra = 0; extra < DEPOT_SEGMENT; extra += 1000) {
        if (extra == 0)
            start();
        else
            (void)depot_resync(&depot, 'a', 0);
        depot_stream(&depot, 3 * DEPOT_SEGMENT + extra, 0);
        store_close(&depot.store);
        fill_disk(0);
        depot_open(&depot);
        assert_whole();
        struct backlog *backlog = depot_backlog(&depot);
        assert_int_equal(backlog_first(backlog), 0);
        assert_int_equal(backlog_end(backlog), 3 * DEPOT_SEGMENT + extra);
        depot_assert_snapshot(history_usable_snapshot(store_current(depot.store)), 0);
        depot_stream(&depot, 3 * DEPOT_SEGMENT, 0); /* the window is shortened for it */
        assert_true(backlog_first(backlog) > 0);
        store_close(&depot.store);
        depot_open(&depot);
        assert_whole();
        free_disk();
    }
}

DEPOT_TEST(a_start_on_a_full_disk_with_an_empty_window)
{
    start();
    store_close(&depot.store);
    fill_disk(0);
    depot_open(&depot);
    depot_assert_window(&depot, 0, UINT64_MAX, 0);
    depot_assert_snapshot(history_usable_snapshot(store_current(depot.store)), 0);
    free_disk();
    depot_stream(&depot, 2 * DEPOT_SEGMENT, 0);
}

DEPOT_TEST(a_rewind_on_a_full_disk)
{
    start();
    depot_stream(&depot, 5 * DEPOT_SEGMENT, 0);
    struct cursor held; /* so that the space of what is cut off does not come back */
    assert_true(backlog_attach(depot_backlog(&depot), &held, 5 * DEPOT_SEGMENT));
    fill_disk(4096); /* the identity has room */
    assert_true(depot_rewind(&depot, store_current(depot.store), 2 * DEPOT_SEGMENT + 100));
    text_clear(&depot.why);
    depot_assert_window(&depot, 0, UINT64_MAX, 2 * DEPOT_SEGMENT + 100);
    struct bytes view;
    assert_int_equal(cursor_peek(&held, &view), CURSOR_REWOUND);
    cursor_detach(&held);
    free_disk();
    depot_stream(&depot, DEPOT_SEGMENT, 1);
    depot_assert_window(&depot, 0, 2 * DEPOT_SEGMENT + 100, 3 * DEPOT_SEGMENT + 100);
    store_close(&depot.store);
    depot_open(&depot);
    depot_assert_window(&depot, 0, 2 * DEPOT_SEGMENT + 100, 3 * DEPOT_SEGMENT + 100);
}

/* As upstream does: it looks until the disk has no room for the cut, and nothing is left to be given up: a reader stands
 * in the oldest segment. */
static struct history *rewind_without_room(struct cursor *reader, uint64_t offset)
{
    struct history *history = store_current(depot.store);
    assert_true(backlog_attach(depot_backlog(&depot), reader, 0));
    fill_disk(0);
    assert_true(history_rewind(history, offset, &depot.why));
    for (int i = 0; i < 100000 && !history_awaits_room(history); i++)
        (void)depot_await_step(&depot, DISK_STEP_PENDING);
    assert_true(history_awaits_room(history));
    return history;
}

DEPOT_TEST(a_rewind_without_room_waits_for_it)
{
    start();
    depot_stream(&depot, 3 * DEPOT_SEGMENT, 0);
    struct cursor reader;
    struct history *history = rewind_without_room(&reader, 2 * DEPOT_SEGMENT + 100);
    assert_true(history_is_settling(history));
    assert_false(history_is_lost(history));
    assert_int_equal(history_cut(history), HISTORY_CUT_PENDING);
    assert_int_equal(history_make_ready(history), BACKLOG_HELD);
    struct store_status status;
    store_status(depot.store, &status);
    assert_non_null(strstr(status.error, "no room to write that the end was cut off: "));
    depot_assert_window(&depot, 0, UINT64_MAX, 2 * DEPOT_SEGMENT + 100);
    assert_int_equal(stream_read(&reader, 0), CURSOR_AT_END);
    free_disk();
    while (history_is_settling(history))
        (void)depot_await_step(&depot, DISK_STEP_PENDING);
    assert_false(history_awaits_room(history));
    assert_true(depot_await_cut(history));
    store_status(depot.store, &status);
    assert_string_equal(status.error, "");
    cursor_detach(&reader);
    depot_stream(&depot, DEPOT_SEGMENT, 1);
    store_close(&depot.store);
    depot_open(&depot);
    depot_assert_window(&depot, 0, 2 * DEPOT_SEGMENT + 100, 3 * DEPOT_SEGMENT + 100);
}

/* The oldest may have been given up for the cut: that depends on what was freed when. */
static void assert_ends_at(uint64_t end)
{
    assert_whole();
    assert_int_equal(backlog_end(depot_backlog(&depot)), end);
}

/* The next start finds what there was before the cut: no file has been touched. */
DEPOT_TEST(a_relay_may_end_while_a_rewind_waits_for_room)
{
    start();
    depot_stream(&depot, 2 * DEPOT_SEGMENT + 1000, 0);
    struct cursor reader;
    (void)rewind_without_room(&reader, 2 * DEPOT_SEGMENT + 100);
    cursor_detach(&reader);
    store_close(&depot.store);
    free_disk();
    depot_open(&depot);
    assert_ends_at(2 * DEPOT_SEGMENT + 1000);
    depot_stream(&depot, DEPOT_SEGMENT, 0);
    assert_ends_at(3 * DEPOT_SEGMENT + 1000);
}

/* Files that have just been freed are waited for before anything is given up. */
DEPOT_TEST(a_relay_may_end_while_a_rewind_waits_for_files_to_be_freed)
{
    start();
    depot_stream(&depot, 2 * DEPOT_SEGMENT + 1000, 0);
    struct history *history = store_current(depot.store);
    struct snapshot *snapshot = history_begin_snapshot(history, 100, &depot.why);
    depot_await_made(&depot, snapshot);
    history_fail_snapshot(history); /* its file is freed */
    assert_true(depot_loses(&depot, "data/history-1/snapshot/100.rdb.part"));
    fill_disk(0);
    assert_true(history_rewind(history, 2 * DEPOT_SEGMENT + 100, &depot.why));
    store_close(&depot.store);
    free_disk();
    depot_open(&depot);
    assert_ends_at(2 * DEPOT_SEGMENT + 1000);
}

DEPOT_TEST(a_history_that_finds_no_space_is_not_begun)
{
    start();
    depot_stream(&depot, 100, 0);
    fill_disk(0);
    struct replid b = depot_id('b');
    struct history *history = store_begin_history(depot.store, &b, 0, &depot.why);
    assert_non_null(history);
    struct snapshot *snapshot = history_arriving_snapshot(history);
    /* It may be told at once, or when the file thread has tried. */
    assert_false(snapshot_write(snapshot, bytes_of("REDIS0011"), &depot.why) &&
                 depot_settle_writes(&depot, snapshot));
    assert_non_null(strstr(text_string(&depot.why), "No space left on device"));
    store_abandon(depot.store);
    text_clear(&depot.why);
    assert_whole();
    depot_assert_snapshot(history_usable_snapshot(store_current(depot.store)), 0);
    free_disk();
    (void)depot_resync(&depot, 'b', 0);
}

/* Of a new history some is made, and then there is no room: the oldest of the current one makes it, and what is not there yet
 * is made again, however much that is. */
DEPOT_TEST(a_history_that_finds_no_space_is_begun_when_there_is_some)
{
    for (size_t left = 0; left <= 5; left++) {
        if (left == 0)
            start();
        else
            (void)depot_resync(&depot, 'a', 0);
        depot_stream(&depot, 12 * DEPOT_SEGMENT, 0);
        fill_disk(left * 4096);
        struct replid b = depot_id('b');
        struct history *history = store_begin_history(depot.store, &b, 500, &depot.why);
        assert_non_null(history);
        struct snapshot *snapshot = history_arriving_snapshot(history);
        depot_await_made(&depot, snapshot);
        assert_ptr_equal(history_arriving_snapshot(history), snapshot);
        assert_ends_at(12 * DEPOT_SEGMENT); /* and served meanwhile */
        depot_receive(&depot, snapshot, 1);
        assert_true(depot_promote(&depot));
        assert_ptr_equal(store_current(depot.store), history);
        depot_assert_window(&depot, 500, UINT64_MAX, 500);
        depot_assert_snapshot(history_usable_snapshot(history), 1);
        free_disk();
        depot_stream(&depot, DEPOT_SEGMENT, 0);
        store_close(&depot.store);
        depot_open(&depot);
        depot_assert_window(&depot, 500, UINT64_MAX, 500 + DEPOT_SEGMENT);
    }
}

DEPOT_TEST(a_snapshot_that_finds_no_space_fails)
{
    start();
    fill_disk(4096);
    struct history *history = store_current(depot.store);
    struct snapshot *snapshot = history_begin_snapshot(history, 0, &depot.why);
    assert_non_null(snapshot);
    depot_await_made(&depot, snapshot);
    static const uint8_t bytes[8192];
    assert_false(snapshot_write(snapshot, bytes_at(bytes, sizeof(bytes)), &depot.why));
    assert_string_equal(text_string(&depot.why),
                        "0.rdb.part: cannot write: No space left on device");
    history_fail_snapshot(history);
    depot_assert_snapshot(history_usable_snapshot(history), 0);
    text_clear(&depot.why);
}

/* ------------------------------------------------------------------ where nothing is reserved */

DEPOT_TEST(a_write_that_finds_no_space_shortens_the_window)
{
    fault_reserve_nothing(true);
    start();
    depot_stream(&depot, 4 * DISK, 0);
    struct backlog *backlog = depot_backlog(&depot);
    assert_int_equal(backlog_end(backlog), 4 * DISK);
    assert_true(backlog_end(backlog) - backlog_first(backlog) > DISK / 2);
    assert_string_equal(backlog_error(backlog), "");
    assert_whole();
    store_close(&depot.store);
    depot_open(&depot);
    assert_whole();
    assert_int_equal(backlog_end(depot_backlog(&depot)), 4 * DISK);
}

/* Of a segment that could not be written to its end, all that was taken is kept. */
DEPOT_TEST(a_write_that_finds_no_space_stands_still_and_goes_on_later)
{
    fault_reserve_nothing(true);
    start();
    depot_stream(&depot, 100, 0);
    fill_disk(0);
    struct backlog *backlog = depot_backlog(&depot);
    /* The first page is there; the one segment that there is cannot be given up. */
    assert_int_equal(depot_append(&depot, DEPOT_SEGMENT - 100, 0), BACKLOG_SPACE);
    (void)store_publish(depot.store);
    assert_int_equal(depot_append(&depot, 700, 0), BACKLOG_NO_SPACE);
    assert_non_null(strstr(backlog_error(backlog), "No space left on device"));
    (void)store_publish(depot.store);
    uint64_t end = backlog_end(backlog);
    assert_int_equal(depot_append(&depot, 1, 0), BACKLOG_NO_SPACE);
    assert_int_equal(backlog_end(backlog), end);
    assert_whole();
    free_disk();
    assert_int_equal(depot_append(&depot, 10 * DEPOT_SEGMENT, 0), BACKLOG_SPACE);
    assert_string_equal(backlog_error(backlog), "");
    (void)store_publish(depot.store);
    assert_whole();
}

/* A tail that was made where nothing was reserved is not written through a mapping. */
DEPOT_TEST(a_mark_that_finds_no_space_is_no_signal)
{
    fault_reserve_nothing(true);
    start();
    char path[PLACE_PATH_MAX];
    place_path(&mounted, "data/history-1/tail", path);
    store_close(&depot.store);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(truncate(path, 4096), 0); /* all a hole */
    fill_disk(0);
    depot.store = store_open(&depot.options, &depot.why);
    assert_null(depot.store);
    assert_non_null(strstr(text_string(&depot.why),
                           "tail: cannot open it: No space left on device: make room on the disk"));
    free_disk();
    depot_open(&depot);
}
