/* SPDX-License-Identifier: MIT */
#include "relay/store/store.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "depot_fixture.h"
#include "relay/base/log.h"
#include "relay/store/status.h"

#define DEPOT_TEST(name) TEST_SETUP(name, depot_set_up, depot_tear_down)

static const struct replid *current_id(void)
{
    return &history_identity(store_current(depot.store))->replid;
}

static void reopen(void)
{
    store_close(&depot.store);
    assert_null(depot.store);
    depot_open(&depot);
}

DEPOT_TEST(a_new_one_is_empty)
{
    for (int i = 0; i < 2; i++) {
        depot_open(&depot);
        assert_null(store_current(depot.store));
        assert_null(store_arriving(depot.store));
        assert_false(store_publish(depot.store));
        store_tick(depot.store);
        store_abandon(depot.store);
        store_close(&depot.store);
    }
    struct stat about;
    assert_int_equal(stat(depot.data_dir, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
}

DEPOT_TEST(a_history_becomes_current_with_its_snapshot)
{
    depot_open(&depot);
    struct replid id = depot_id('a');
    struct history *history = store_begin_history(depot.store, &id, 500, &depot.why);
    assert_non_null(history);
    assert_ptr_equal(store_arriving(depot.store), history);
    assert_null(store_current(depot.store));
    assert_null(history_snapshot(history));
    struct snapshot *arriving = history_arriving_snapshot(history);
    assert_int_equal(snapshot_offset(arriving), 500);
    assert_ptr_equal(history_usable_snapshot(history), arriving);
    assert_true(store_publish(depot.store));
    assert_false(store_publish(depot.store));
    depot_await_made(&depot, arriving);
    depot_receive(&depot, arriving, 0);
    assert_true(store_publish(depot.store)); /* bytes for those who read it as it comes */
    assert_true(depot_promote(&depot));
    assert_true(store_publish(depot.store));
    assert_ptr_equal(store_current(depot.store), history);
    assert_null(store_arriving(depot.store));
    assert_null(history_arriving_snapshot(history));
    depot_assert_snapshot(history_usable_snapshot(history), 0);
    depot_stream(&depot, 10000, 0);
    depot_assert_window(&depot, 500, UINT64_MAX, 10500);
}

DEPOT_TEST(the_one_before_is_served_until_then_and_gone_afterwards)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 0);
    depot_stream(&depot, 9000, 0);
    struct cursor cursor;
    assert_true(backlog_attach(depot_backlog(&depot), &cursor, 100));
    struct snapshot *snapshot = history_snapshot(store_current(depot.store));
    snapshot_retain(snapshot);
    uint64_t number = history_number(store_current(depot.store));

    struct replid b = depot_id('b');
    struct history *next = store_begin_history(depot.store, &b, 70, &depot.why);
    assert_non_null(next);
    depot_stream(&depot, 100, 0);
    assert_string_equal(current_id()->hex, depot_id('a').hex);
    depot_receive(&depot, history_arriving_snapshot(next), 1);
    assert_true(depot_promote(&depot));
    assert_string_equal(current_id()->hex, b.hex);
    assert_true(history_number(next) > number);
    assert_true(place_has(&depot.place, "data/history-2"));
    (void)depot_await_freed(&depot);
    assert_true(depot_loses(&depot, "data/history-1"));

    assert_int_equal(stream_read(&cursor, 0), CURSOR_AT_END); /* who reads it reads on */
    assert_int_equal(cursor.offset, 9100);
    depot_assert_snapshot(snapshot, 0);
    cursor_detach(&cursor);
    snapshot_release(&snapshot);
    reopen();
    assert_string_equal(current_id()->hex, b.hex);
    depot_assert_snapshot(history_snapshot(store_current(depot.store)), 1);
}

DEPOT_TEST(one_that_does_not_become_whole_leaves_nothing)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 0);
    (void)store_publish(depot.store);
    for (int how = 0; how < 3; how++) {
        struct replid b = depot_id('b');
        struct history *next = store_begin_history(depot.store, &b, 70, &depot.why);
        assert_non_null(next);
        struct snapshot *snapshot = history_arriving_snapshot(next);
        snapshot_retain(snapshot);
        if (how == 0) {
            store_abandon(depot.store);
        } else if (how == 1) {
            depot_await_made(&depot, snapshot);
            assert_true(snapshot_write(snapshot, bytes_of("no RDB"), &depot.why));
            assert_false(depot_promote(&depot));
            assert_string_equal(text_string(&depot.why),
                                "this is no RDB: it does not begin with REDIS or VALKEY");
        } else {
            assert_non_null(store_begin_history(depot.store, &b, 71, &depot.why));
            store_abandon(depot.store);
        }
        assert_int_equal(snapshot_state(snapshot), SNAPSHOT_FAILED);
        snapshot_release(&snapshot);
        assert_null(store_arriving(depot.store));
        assert_true(store_publish(depot.store));
        assert_string_equal(current_id()->hex, depot_id('a').hex);
    }
    (void)depot_await_freed(&depot);
    for (int number = 2; number < 6; number++) {
        char name[40];
        snprintf(name, sizeof(name), "data/history-%d", number);
        assert_true(depot_loses(&depot, name));
    }
}

DEPOT_TEST(a_clean_close_keeps_everything)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 1000);
    uint64_t end = 1000;
    for (unsigned i = 0; i < 12; i++) {
        size_t length = i % 3 == 0 ? DEPOT_SEGMENT : i * 700;
        depot_stream(&depot, length, 0);
        end += length;
        reopen();
        depot_assert_window(&depot, 1000, UINT64_MAX, end);
        assert_int_equal(history_boundary(store_current(depot.store)), end);
        assert_string_equal(current_id()->hex, depot_id('a').hex);
        depot_assert_snapshot(history_usable_snapshot(store_current(depot.store)), 0);
    }
}

DEPOT_TEST(the_files_are_an_append_only_file)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 1000);
    depot_stream(&depot, DEPOT_SEGMENT + 100, 0);
    store_close(&depot.store);
    assert_int_equal(place_length(&depot.place, "data/history-1/snapshot/1000.rdb"), DEPOT_RDB);
    assert_int_equal(place_length(&depot.place, "data/history-1/backlog/1000.seg"), DEPOT_SEGMENT);
    assert_int_equal(place_length(&depot.place, "data/history-1/backlog/5096.seg"), 100);
}

DEPOT_TEST(a_boundary_inside_a_transaction_is_kept)
{
    depot_open(&depot);
    struct history *history = depot_resync(&depot, 'a', 0);
    depot_stream(&depot, 5000, 0);
    assert_int_equal(stream_append(history_backlog(history), 9000, 0), BACKLOG_SPACE);
    reopen();
    history = store_current(depot.store);
    assert_int_equal(history_boundary(history), 5000);
    assert_int_equal(backlog_end(history_backlog(history)), 14000);
    history_set_boundary(history, 14000);
    (void)store_publish(depot.store);
    reopen();
    assert_int_equal(history_boundary(store_current(depot.store)), 14000);
}

DEPOT_TEST(one_process_a_directory)
{
    depot_open(&depot);
    assert_null(store_open(&depot.options, &depot.why));
    char expected[PLACE_PATH_MAX + 200];
    snprintf(expected, sizeof(expected),
             "data-dir %s: another psync-relay uses it: stop that one, or give this one a data-dir "
             "of its own",
             depot.data_dir);
    assert_string_equal(text_string(&depot.why), expected);
    pid_t child = fork();
    if (child == 0) {
        struct text why;
        text_init(&why, 500);
        struct store *second = store_open(&depot.options, &why);
        _exit(second == NULL && strstr(text_string(&why), "another psync-relay") != NULL ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)depot_resync(&depot, 'a', 0); /* the first one is none the worse */
    reopen();
}

DEPOT_TEST(a_directory_that_cannot_be_is_told)
{
    unsigned before = test_descriptors();
    place_write(&depot.place, "file", bytes_of(""));
    char path[PLACE_PATH_MAX];
    place_path(&depot.place, "file/data", path);
    depot.options.data_dir = path;
    assert_null(store_open(&depot.options, &depot.why));
    assert_non_null(strstr(text_string(&depot.why), "file/data: cannot make it: Not a directory"));
    text_clear(&depot.why);
    place_path(&depot.place, "file", path);
    assert_null(store_open(&depot.options, &depot.why));
    assert_non_null(strstr(text_string(&depot.why), "file: cannot open it: Not a directory"));
    text_clear(&depot.why);
    place_path(&depot.place, "none/data", path);
    assert_null(store_open(&depot.options, &depot.why));
    assert_non_null(strstr(text_string(&depot.why), "cannot make it: No such file or directory"));
    assert_int_equal(test_descriptors(), before);
}

DEPOT_TEST(what_is_not_ours_is_left_alone)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 7);
    depot_stream(&depot, 100, 0);
    store_close(&depot.store);
    static const char *const foreign[] = {
        "data/notes.txt",
        "data/history-x",
        "data/history-",
        "data/history-007",
        "data/history-1/README",
        "data/history-1/backlog/notes",
        "data/history-1/backlog/07.seg",
        "data/history-1/backlog/7.seg.bak",
        "data/history-1/snapshot/dump.rdb",
        "data/history-1/snapshot/7.rdb.bak",
    };
    for (size_t i = 0; i < LENGTH_OF(foreign); i++)
        place_write(&depot.place, foreign[i], bytes_of("mine"));
    depot_open(&depot);
    depot_assert_window(&depot, 7, UINT64_MAX, 107);
    for (size_t i = 0; i < LENGTH_OF(foreign); i++) {
        if (place_length(&depot.place, foreign[i]) != 4)
            fail_msg("%s is gone", foreign[i]);
    }
    (void)depot_resync(&depot, 'b', 7); /* the history they lie in goes, as far as it is ours */
    for (size_t i = 0; i < LENGTH_OF(foreign); i++) {
        if (place_length(&depot.place, foreign[i]) != 4)
            fail_msg("%s is gone", foreign[i]);
    }
    (void)depot_await_freed(&depot);
    assert_true(depot_loses(&depot, "data/history-1/identity"));
    assert_true(depot_loses(&depot, "data/history-1/backlog/7.seg"));
}

/* The text of the note, or "" without one. */
static void assert_note(const char *expected)
{
    struct text note;
    text_init(&note, 100);
    assert_true(store_read_note(depot.store, STORE_NOTE_PRIMARY, &note, &depot.why));
    assert_string_equal(text_string(&note), expected);
    text_fini(&note);
}

/* The file thread has written it. */
static void await_note(const char *name)
{
    for (int i = 0; i < 100000 && store_note_is_pending(depot.store, name); i++) {
        usleep(50);
        (void)store_publish(depot.store);
    }
    assert_false(store_note_is_pending(depot.store, name));
    (void)store_publish(depot.store);
}

DEPOT_TEST(a_note_is_kept)
{
    depot_open(&depot);
    assert_note("");
    store_drop_note(depot.store, STORE_NOTE_PRIMARY); /* none: no effect */
    assert_true(store_keep_note(depot.store, STORE_NOTE_PRIMARY, bytes_of("first\n"), &depot.why));
    assert_note("first\n");
    assert_true(store_keep_note(depot.store, STORE_NOTE_PRIMARY, bytes_of("second\n"), &depot.why));
    store_close(&depot.store);
    assert_int_equal(place_length(&depot.place, "data/origin"), 7);
    assert_true(depot_loses(&depot, "data/origin.new"));
    depot_open(&depot);
    assert_note("second\n");
    store_drop_note(depot.store, STORE_NOTE_PRIMARY);
    assert_note("");
    await_note(STORE_NOTE_PRIMARY);
    assert_note("");
    assert_true(depot_loses(&depot, "data/origin"));
}

DEPOT_TEST(a_note_is_kept_without_waiting_for_the_disk)
{
    depot_open(&depot);
    struct text note;
    text_init(&note, 100);
    assert_true(store_jot_note(depot.store, STORE_NOTE_REFRESH, bytes_of("first\n"), &depot.why));
    assert_true(store_jot_note(depot.store, STORE_NOTE_REFRESH, bytes_of("second\n"), &depot.why));
    assert_note(""); /* that one has another name */
    store_close(&depot.store);
    assert_true(depot_loses(&depot, "data/refresh.new"));
    depot_open(&depot);
    assert_true(store_read_note(depot.store, STORE_NOTE_REFRESH, &note, &depot.why));
    assert_string_equal(text_string(&note), "second\n");
    text_fini(&note);
}

/* Of those that come while the disk is busy the newest counts, and is what is read. */
DEPOT_TEST(the_newest_note_is_the_one_that_is_kept)
{
    depot_open(&depot);
    for (unsigned i = 0; i < 200; i++) {
        char content[24];
        snprintf(content, sizeof(content), "note %u\n", i);
        assert_true(
            store_keep_note(depot.store, STORE_NOTE_PRIMARY, bytes_of(content), &depot.why));
        assert_note(content);
        if (i % 3 == 0)
            (void)store_publish(depot.store);
    }
    store_drop_note(depot.store, STORE_NOTE_PRIMARY);
    assert_true(store_keep_note(depot.store, STORE_NOTE_PRIMARY, bytes_of("last\n"), &depot.why));
    store_close(&depot.store);
    assert_int_equal(place_length(&depot.place, "data/origin"), 5);
    depot_open(&depot);
    assert_note("last\n");
}

DEPOT_TEST(a_note_that_cannot_be_read_is_told)
{
    struct text note;
    char longer[200];
    memset(longer, 'x', sizeof(longer));
    text_init(&note, 100);
    depot_open(&depot);
    assert_true(store_keep_note(depot.store, STORE_NOTE_PRIMARY, bytes_at(longer, sizeof(longer)),
                                &depot.why));
    await_note(STORE_NOTE_PRIMARY);
    assert_false(store_read_note(depot.store, STORE_NOTE_PRIMARY, &note, &depot.why));
    assert_string_equal(text_string(&depot.why), "origin: larger than 100 bytes");
    store_drop_note(depot.store, STORE_NOTE_PRIMARY);
    await_note(STORE_NOTE_PRIMARY);
    assert_int_equal(mkdirat(depot.place.directory, "data/origin", 0700), 0);
    text_clear(&note);
    text_clear(&depot.why);
    assert_false(store_read_note(depot.store, STORE_NOTE_PRIMARY, &note, &depot.why));
    assert_true(bytes_starts(text_bytes(&depot.why), "origin: cannot read: "));
    text_clear(&depot.why);
    assert_true(store_keep_note(depot.store, STORE_NOTE_PRIMARY, bytes_of("first\n"), &depot.why));
    await_note(STORE_NOTE_PRIMARY);
    assert_false(store_read_note(depot.store, STORE_NOTE_PRIMARY, &note, &depot.why));
    assert_true(depot_loses(&depot, "data/origin.new"));
    text_fini(&note);
}

DEPOT_TEST(what_a_kill_left_behind_is_cleaned_up)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 7);
    store_close(&depot.store);
    static const char *const strays[] = {
        "data/history-1/backlog/9999.seg",
        "data/history-1/snapshot/6.rdb",
        "data/history-1/snapshot/8.rdb.part",
        "data/history-1/snapshot/7.rdb.part",
    };
    for (size_t i = 0; i < LENGTH_OF(strays); i++)
        place_write(&depot.place, strays[i], bytes_of("left"));
    depot_open(&depot);
    for (size_t i = 0; i < LENGTH_OF(strays); i++) {
        if (!depot_loses(&depot, strays[i]))
            fail_msg("%s is there", strays[i]);
    }
    depot_assert_snapshot(history_snapshot(store_current(depot.store)), 0);
}

/* A kill in the middle of a full sync: nothing is damaged, and nothing to be warned of. */
DEPOT_TEST(a_history_that_was_still_arriving_goes_without_a_warning)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 7);
    store_close(&depot.store);
    assert_int_equal(mkdirat(depot.place.directory, "data/history-2", 0700), 0);
    assert_int_equal(mkdirat(depot.place.directory, "data/history-2/backlog", 0700), 0);
    place_write(&depot.place, "data/history-2/backlog/7.seg", bytes_of("left"));
    char log[PLACE_PATH_MAX];
    struct text text;
    text_init(&text, 10000);
    assert_true(log_open(place_path(&depot.place, "log", log), &text));
    depot_open(&depot);
    assert_true(log_open(NULL, &text));
    size_t length;
    uint8_t *said = place_read(&depot.place, "log", &length);
    assert_non_null(memmem(said, length, "history-2 was still arriving", 28));
    assert_null(memmem(said, length, "warning", 7));
    free(said);
    (void)depot_await_freed(&depot);
    assert_true(depot_loses(&depot, "data/history-2"));
    assert_int_equal(history_number(store_current(depot.store)), 1);
    text_fini(&text);
}

DEPOT_TEST(a_report_names_what_is_held)
{
    depot_open(&depot);
    struct text out;
    text_init(&out, 4000);
    struct report report = {.out = &out};
    store_report(depot.store, &report);
    assert_non_null(strstr(text_string(&out), "history:none\r\n"));
    struct history *history = depot_resync(&depot, 'a', 1000);
    depot_stream(&depot, 9000, 0);
    assert_non_null(history_begin_snapshot(history, 9500, &depot.why));
    text_clear(&out);
    store_report(depot.store, &report);
    static const char *const fields[] = {
        "history:current\r\n",
        "history_number:1\r\n",
        "window_first_offset:1000\r\n",
        "window_end_offset:10000\r\n",
        "window_bytes:9000\r\n",
        "window_boundary:10000\r\n",
        "segments:3\r\n",
        "segment_disk_bytes:12288\r\n",
        "pinned_bytes:0\r\n",
        "snapshot_state:usable\r\n",
        "snapshot_offset:1000\r\n",
        "snapshot_bytes:3000\r\n",
        "snapshot_proof:crc64\r\n",
        "snapshots:2\r\n",
        "snapshot0:offset=1000,bytes=3000,age=0,state=complete,proof=crc64,durable=no,usable=yes,"
        "reason=usable\r\n",
        "snapshot1:offset=9500,bytes=0,age=0,state=arriving,proof=not_yet,durable=no,usable=no,"
        "reason=not_begun\r\n",
        "store_last_error:\r\n",
        "fsync_failures:0\r\n",
    };
    for (size_t i = 0; i < LENGTH_OF(fields); i++) {
        if (strstr(text_string(&out), fields[i]) == NULL)
            fail_msg("no %s in:\n%s", fields[i], text_string(&out));
    }
    text_fini(&out);
}

/* Smaller, and larger again, while a history is there. */
DEPOT_TEST(the_sizes_of_the_window_may_be_changed)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 0);
    depot_stream(&depot, 20 * DEPOT_SEGMENT, 0);
    store_tick(depot.store);
    assert_int_equal(backlog_first(depot_backlog(&depot)), 0);
    struct store_options options = depot.options;
    options.window_bytes = 4 * DEPOT_SEGMENT;
    options.window_bytes_max = 8 * DEPOT_SEGMENT;
    store_change(depot.store, &options);
    store_tick(depot.store);
    uint64_t first = backlog_first(depot_backlog(&depot));
    assert_in_range(first, 15 * DEPOT_SEGMENT, 16 * DEPOT_SEGMENT);
    store_change(depot.store, &depot.options);
    depot_stream(&depot, 20 * DEPOT_SEGMENT, 0);
    store_tick(depot.store);
    assert_int_equal(backlog_first(depot_backlog(&depot)), first);
    depot_assert_window(&depot, first, UINT64_MAX, 40 * DEPOT_SEGMENT);
}

/* At the cap the window is given up in whole segments: the next RDB is due while the one that is held can still be served
 * for a quarter of it, also where a failover has left segments that are short. */
DEPOT_TEST(the_next_snapshot_is_due_before_the_cap_leaves_the_last_one_behind)
{
    for (unsigned segments = 2; segments <= 8; segments++) {
        for (unsigned shorts = 0; shorts < 2; shorts++) {
            depot.options.window_bytes = segments * (uint64_t)DEPOT_SEGMENT;
            depot.options.window_bytes_max = depot.options.window_bytes;
            depot_open(&depot);
            struct history *history = depot_resync(&depot, 'a', 1000);
            struct backlog *backlog = history_backlog(history);
            depot_stream(&depot, 100, 0);
            assert_false(store_snapshot_is_due(depot.store));
            if (shorts > 0) {
                struct replid id = depot_id('b');
                assert_true(depot_rename(&depot, history, &id)); /* the segment ends here */
            }
            while (!store_snapshot_is_due(depot.store)) {
                assert_int_equal(backlog_first(backlog), 1000);
                depot_stream(&depot, 50, 0);
            }
            uint64_t due = backlog_end(backlog);
            while (backlog_first(backlog) == 1000)
                depot_stream(&depot, 50, 0);
            assert_true(backlog_end(backlog) - due > depot.options.window_bytes / 4 - 200);
            store_close(&depot.store);
            depot_fini(&depot);
            depot_init(&depot);
        }
    }
}

/* A history that goes had its next segment made already, and the one that takes its place has files of the same names:
 * they stay. */
DEPOT_TEST(a_history_that_goes_takes_no_file_of_another)
{
    char log[PLACE_PATH_MAX];
    struct text text;
    text_init(&text, 1000);
    depot_open(&depot);
    assert_true(log_open(place_path(&depot.place, "log", log), &text));
    for (unsigned i = 0; i < 40; i++) {
        struct history *history = depot_resync(&depot, i % 2 == 0 ? 'a' : 'b', 500);
        depot_stream(&depot, DEPOT_SEGMENT + DEPOT_SEGMENT * 9 / 10, 0);
        (void)stream_await_segment(history_backlog(history));
        if (i % 4 > 0)
            continue; /* the one before goes while this one is made */
        (void)depot_await_freed(&depot);
        for (uint64_t first = 500; first <= 500 + DEPOT_SEGMENT; first += DEPOT_SEGMENT) {
            char name[80];
            snprintf(name, sizeof(name), "data/history-%llu/backlog/%llu.seg",
                     (unsigned long long)history_number(history), (unsigned long long)first);
            assert_true(place_has(&depot.place, name));
        }
    }
    (void)depot_await_freed(&depot);
    assert_true(log_open(NULL, &text));
    size_t length;
    uint8_t *said = place_read(&depot.place, "log", &length);
    assert_null(memmem(said, length, "cannot remove", 13));
    free(said);
    text_fini(&text);
}

/* Segments that are too small for the window are made larger at the start; no change of another option makes
 * them small again. */
DEPOT_TEST(small_segments_stay_larger_when_options_change)
{
    depot.options.window_bytes = 4096 * (uint64_t)DEPOT_SEGMENT;
    depot.options.window_bytes_max = 8192 * (uint64_t)DEPOT_SEGMENT;
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 0);
    assert_int_equal(backlog_newest(depot_backlog(&depot))->capacity, 2 * DEPOT_SEGMENT);
    struct store_options options = depot.options;
    options.fsync = STORE_FSYNC_EVERYSEC;
    store_change(depot.store, &options);
    depot_stream(&depot, 7 * DEPOT_SEGMENT, 0);
    assert_int_equal(backlog_segment_count(depot_backlog(&depot)), 4);
    options.window_bytes *= 2; /* it is the window of now that counts */
    store_change(depot.store, &options);
    depot_stream(&depot, 5 * DEPOT_SEGMENT, 0);
    assert_int_equal(backlog_newest(depot_backlog(&depot))->capacity, 4 * DEPOT_SEGMENT);
}

/* Also between the end of its RDB and the identity that makes it the current one. */
DEPOT_TEST(the_next_history_is_told_of_until_it_is_the_current_one)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 1000);
    struct replid b = depot_id('b');
    struct history *next = store_begin_history(depot.store, &b, 5000, &depot.why);
    assert_non_null(next);
    depot_receive(&depot, history_arriving_snapshot(next), 0);
    enum disk_step step;
    struct store_status status;
    do {
        step = store_promote(depot.store, &depot.why);
        store_status(depot.store, &status);
        assert_int_equal(status.has_next, step == DISK_STEP_PENDING);
        if (status.has_next) {
            assert_int_equal(status.next.offset, 5000);
            assert_int_equal(status.next.bytes, DEPOT_RDB);
        }
    } while (depot_await_step(&depot, step));
    assert_int_equal(step, DISK_STEP_DONE);
    assert_int_equal(history_number(store_current(depot.store)), status.number);
}

DEPOT_TEST(when_it_fsyncs_may_be_changed)
{
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 0);
    depot_stream(&depot, 100, 0);
    store_tick(depot.store);
    struct store_status status;
    store_status(depot.store, &status);
    assert_string_equal(status.fsync, "no");
    struct store_options options = depot.options;
    options.fsync = STORE_FSYNC_ALWAYS;
    store_change(depot.store, &options);
    depot_stream(&depot, 100, 0);
    store_status(depot.store, &status);
    assert_string_equal(status.fsync, "always");
    assert_true(status.is_syncing || status.durable == 200);
}
