/* SPDX-License-Identifier: MIT
 *
 * An RDB that breaks on its way is kept, and goes on: over a broken connection, a stop, a kill; and not if its
 * bytes are not what they were.
 */
#include "../../../relay/store/partial_rdb.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../../relay/store/store_private.h"
#include "depot_fixture.h"
#include "relay/store/rdb_parts.h"

enum { X = 1000, LENGTH = 30000 };

static struct rdb rdb;

static int set_up(void **state)
{
    rdb = rdb_make(LENGTH, 0);
    return depot_set_up(state);
}

static int tear_down(void **state)
{
    rdb_free(&rdb);
    return depot_tear_down(state);
}

#define PARTIAL_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void write_bytes(struct history *history, size_t from, size_t until)
{
    struct bytes piece = bytes_skip(bytes_first(rdb_bytes(&rdb), until), from);
    depot_await_made(&depot, history_arriving_snapshot(history));
    if (!snapshot_write(history_arriving_snapshot(history), piece, &depot.why))
        fail_msg("%s", text_string(&depot.why));
}

static struct history *begin(void)
{
    struct replid id = depot_id('a');
    struct history *history = store_begin_history(depot.store, &id, X, &depot.why);
    assert_non_null(history);
    return history;
}

/* From a relay: `bytes` of it come. */
static struct history *begin_tracked(size_t bytes)
{
    struct history *history = begin();
    store_track_part(depot.store, history);
    snapshot_expect(history_arriving_snapshot(history), LENGTH);
    write_bytes(history, 0, bytes);
    return history;
}

static bool break_off(void)
{
    bool is_kept = store_keep_part(depot.store);
    store_abandon(depot.store);
    return is_kept;
}

static void assert_part(size_t bytes)
{
    struct rdb_part part;
    assert_int_equal(depot_await_part(&depot, &part), STORE_PART_READY);
    assert_int_equal(part.offset, X);
    assert_int_equal(part.length, LENGTH);
    assert_int_equal(part.bytes, bytes);
    assert_true(part.crc == crc64(0, rdb.data, bytes));
    assert_string_equal(part.replid.hex, depot_id('a').hex);
}

static void assert_nothing(void)
{
    struct rdb_part part;
    assert_int_equal(depot_await_part(&depot, &part), STORE_PART_NONE);
    assert_true(depot_loses(&depot, "data/" PARTIAL_RDB_NAME));
    assert_true(depot_loses(&depot, "data/" PARTIAL_RDB_NOTE));
}

static struct history *resume(void)
{
    struct rdb_part part;
    assert_int_equal(store_part(depot.store, &part), STORE_PART_READY);
    struct history *history = begin();
    if (!store_resume_part(depot.store, history, &part, &depot.why))
        fail_msg("%s", text_string(&depot.why));
    assert_int_equal(snapshot_received(history_arriving_snapshot(history)), part.bytes);
    return history;
}

/* The rest comes, and it is what it was. */
static void finish(size_t from)
{
    write_bytes(resume(), from, LENGTH);
    if (!depot_promote(&depot))
        fail_msg("%s", text_string(&depot.why));
    struct snapshot *snapshot = history_snapshot(store_current(depot.store));
    assert_true(snapshot_is_verified(snapshot));
    uint8_t got[LENGTH];
    assert_int_equal(pread(snapshot_file(snapshot), got, LENGTH, 0), LENGTH);
    assert_memory_equal(got, rdb.data, LENGTH);
    store_tick(depot.store);
    assert_nothing();
}

PARTIAL_TEST(it_goes_on_where_it_broke)
{
    depot_open(&depot);
    (void)begin_tracked(12345);
    assert_true(break_off());
    assert_part(12345);
    write_bytes(resume(), 12345, 20000);
    assert_true(break_off());
    assert_part(20000);
    finish(20000);
    struct store_status status;
    store_status(depot.store, &status);
    assert_int_equal(status.parts.resumed, 2);
    assert_int_equal(status.parts.resumed_bytes, 12345 + 20000);
}

/* It broke once more, and nothing had come: that is a failure like others. */
PARTIAL_TEST(without_a_byte_more_it_has_not_come_further)
{
    depot_open(&depot);
    (void)begin_tracked(5000);
    assert_true(break_off());
    (void)resume();
    assert_false(break_off());
    assert_part(5000);
    finish(5000);
}

PARTIAL_TEST(readers_see_what_was_here_before)
{
    depot_open(&depot);
    (void)begin_tracked(5000);
    assert_true(break_off());
    struct snapshot *snapshot = history_arriving_snapshot(resume());
    depot_await_made(&depot, snapshot);
    assert_int_equal(snapshot_readable(snapshot), 5000 - SNAPSHOT_HELD_BACK);
    assert_view(snapshot_magic(snapshot), "REDIS0011");
}

PARTIAL_TEST(of_a_few_bytes_nothing_is_kept)
{
    depot_open(&depot);
    (void)begin_tracked(RDB_PART_BYTES_MIN - 1);
    assert_false(break_off());
    assert_nothing();
}

/* It comes from a server: that has no use for it. */
PARTIAL_TEST(what_is_not_tracked_is_not_kept)
{
    depot_open(&depot);
    write_bytes(begin(), 0, 5000);
    assert_false(break_off());
    assert_nothing();
}

PARTIAL_TEST(what_is_no_rdb_is_not_kept)
{
    depot_open(&depot);
    rdb.data[LENGTH - 1] ^= 1;
    (void)begin_tracked(LENGTH);
    assert_false(depot_promote(&depot));
    assert_false(break_off());
    assert_nothing();
}

PARTIAL_TEST(another_takes_its_place)
{
    depot_open(&depot);
    (void)begin_tracked(5000);
    assert_true(break_off());
    (void)begin_tracked(6000);
    struct rdb_part part;
    assert_int_equal(store_part(depot.store, &part), STORE_PART_NONE);
    assert_true(break_off());
    assert_part(6000);
    finish(6000);
}

PARTIAL_TEST(what_was_asked_for_must_still_be_here)
{
    struct rdb_part asked;
    depot_open(&depot);
    (void)begin_tracked(5000);
    assert_true(break_off());
    assert_int_equal(store_part(depot.store, &asked), STORE_PART_READY);
    write_bytes(resume(), 5000, 6000);
    assert_true(break_off());
    struct history *history = begin();
    assert_false(store_resume_part(depot.store, history, &asked, &depot.why));
    store_abandon(depot.store);
    assert_part(6000);
}

PARTIAL_TEST(a_stop_keeps_every_byte)
{
    depot_open(&depot);
    (void)begin_tracked(12345);
    assert_true(break_off());
    store_close(&depot.store);
    depot_open(&depot);
    assert_part(12345);
    finish(12345);
    store_close(&depot.store);
    depot_open(&depot);
    assert_nothing();
}

/* ------------------------------------------------------------------ killed */

static bool has_note(void)
{
    return place_has(&depot.place, "data/" PARTIAL_RDB_NOTE);
}

/* A process of its own: `noted` bytes are noted, more come, and it ends without another word. */
static void live_and_be_killed(size_t noted, size_t bytes)
{
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        depot_open(&depot);
        struct history *history = begin_tracked(noted);
        while (!has_note()) {
            store_tick(depot.store);
            usleep(1000);
        }
        write_bytes(history, noted, bytes);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

PARTIAL_TEST(a_kill_keeps_what_was_written_since_the_note)
{
    for (int fsync = STORE_FSYNC_NO; fsync <= STORE_FSYNC_EVERYSEC; fsync++) {
        depot.options.fsync = (enum store_fsync)fsync;
        live_and_be_killed(5000, 7777);
        depot_open(&depot);
        assert_part(7777);
        store_drop_part(depot.store);
        assert_nothing();
        store_close(&depot.store);
    }
}

PARTIAL_TEST(a_kill_before_the_end_and_a_restart_finish_it)
{
    live_and_be_killed(64, 29999);
    depot_open(&depot);
    assert_part(29999);
    finish(29999);
}

PARTIAL_TEST(a_byte_that_has_changed_is_noticed)
{
    static const int64_t positions[] = {0, 63, 64, 2500, 4999};
    for (size_t i = 0; i < LENGTH_OF(positions); i++) {
        live_and_be_killed(5000, 7777);
        place_flip(&depot.place, "data/" PARTIAL_RDB_NAME, positions[i]);
        depot_open(&depot);
        assert_nothing();
        store_close(&depot.store);
    }
}

PARTIAL_TEST(a_file_that_has_lost_its_end_is_noticed)
{
    live_and_be_killed(5000, 7777);
    place_cut(&depot.place, "data/" PARTIAL_RDB_NAME, 4999);
    depot_open(&depot);
    assert_nothing();
    store_close(&depot.store);
    live_and_be_killed(5000, 7777);
    place_cut(&depot.place, "data/" PARTIAL_RDB_NAME, 5000);
    depot_open(&depot);
    assert_part(5000);
}

PARTIAL_TEST(a_note_without_its_file_and_a_file_without_its_note_are_nothing)
{
    live_and_be_killed(5000, 7777);
    assert_int_equal(unlinkat(depot.place.directory, "data/" PARTIAL_RDB_NAME, 0), 0);
    depot_open(&depot);
    assert_nothing();
    store_close(&depot.store);
    live_and_be_killed(5000, 7777);
    assert_int_equal(unlinkat(depot.place.directory, "data/" PARTIAL_RDB_NOTE, 0), 0);
    depot_open(&depot);
    assert_nothing();
    store_close(&depot.store);
    live_and_be_killed(5000, 7777);
    place_cut(&depot.place, "data/" PARTIAL_RDB_NOTE, 100);
    depot_open(&depot);
    assert_nothing();
}

/* ------------------------------------------------------------------ the file thread takes its time */

/* A job that is not done before the test says so: no file is made, named or removed meanwhile. */
struct held_files {
    struct thread_job queued; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_held; /* under the lock */
};

static struct held_files held_files = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                       .changed = PTHREAD_COND_INITIALIZER};

static void wait_until_released(struct thread_job *job)
{
    (void)job;
    pthread_mutex_lock(&held_files.lock);
    while (held_files.is_held)
        pthread_cond_wait(&held_files.changed, &held_files.lock);
    pthread_mutex_unlock(&held_files.lock);
}

static void hold_files(void)
{
    held_files.is_held = true;
    held_files.queued.work = wait_until_released;
    file_thread_submit(depot.store->files, &held_files.queued);
}

static void release_files(void)
{
    pthread_mutex_lock(&held_files.lock);
    held_files.is_held = false;
    pthread_cond_broadcast(&held_files.changed);
    pthread_mutex_unlock(&held_files.lock);
}

static void await_length(int64_t bytes)
{
    for (int i = 0; i < 100000 && place_length(&depot.place, "data/" PARTIAL_RDB_NAME) != bytes;
         i++)
        usleep(100);
    assert_int_equal(place_length(&depot.place, "data/" PARTIAL_RDB_NAME), bytes);
}

/* Its file is there, and gets its second name when the file thread comes to it; `bytes` come. */
static void begin_tracked_while_held(size_t bytes)
{
    struct history *history = begin();
    depot_await_made(&depot, history_arriving_snapshot(history));
    hold_files();
    store_track_part(depot.store, history);
    snapshot_expect(history_arriving_snapshot(history), LENGTH);
    write_bytes(history, 0, bytes);
}

PARTIAL_TEST(it_breaks_before_its_file_has_its_name)
{
    depot_open(&depot);
    begin_tracked_while_held(5000);
    assert_true(break_off());
    assert_part(5000);
    assert_false(place_has(&depot.place, "data/" PARTIAL_RDB_NAME));
    assert_true(place_has(&depot.place, "data/history-1/snapshot"));
    release_files();
    await_length(5000);
    assert_true(depot_loses(&depot, "data/history-1"));
    store_close(&depot.store);
    depot_open(&depot);
    assert_part(5000);
    finish(5000);
}

PARTIAL_TEST(it_goes_on_before_its_file_has_its_name)
{
    depot_open(&depot);
    begin_tracked_while_held(5000);
    assert_true(break_off());
    struct history *history = resume();
    assert_false(snapshot_is_made(history_arriving_snapshot(history)));
    release_files();
    write_bytes(history, 5000, 6000);
    await_length(6000);
    assert_true(break_off());
    assert_part(6000);
    finish(6000);
}

/* What is here of the one before stays until the file of the new one is there, and takes its name. */
PARTIAL_TEST(another_begins_while_the_files_of_the_broken_one_are_moved)
{
    depot_open(&depot);
    (void)begin_tracked(5000);
    hold_files();
    assert_true(break_off());
    struct history *history = begin();
    store_track_part(depot.store, history);
    (void)store_publish(depot.store);
    assert_part(5000);
    assert_false(snapshot_is_made(history_arriving_snapshot(history)));
    release_files();
    write_bytes(history, 0, 6000);
    struct rdb_part part;
    assert_int_equal(store_part(depot.store, &part), STORE_PART_NONE);
    snapshot_expect(history_arriving_snapshot(history), LENGTH);
    await_length(6000);
    assert_true(break_off());
    assert_part(6000);
    store_close(&depot.store);
    depot_open(&depot);
    assert_part(6000);
    finish(6000);
}

/* One takes the name of the other, which is given up, before either has it. */
PARTIAL_TEST(of_two_whose_names_are_still_to_come_the_second_has_it)
{
    depot_open(&depot);
    begin_tracked_while_held(5000);
    assert_true(break_off());
    store_drop_part(depot.store);
    release_files();
    (void)begin_tracked(7000);
    await_length(7000);
    assert_true(break_off());
    assert_part(7000);
    finish(7000);
}

/* A process of its own, which ends before its file thread comes to anything more. */
static void live_and_be_killed_while_held(bool breaks, bool begins_another)
{
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        depot_open(&depot);
        (void)begin_tracked(5000);
        while (!has_note()) {
            store_tick(depot.store);
            usleep(1000);
        }
        hold_files();
        if (breaks)
            assert_true(break_off());
        if (begins_another)
            store_track_part(depot.store, begin());
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

PARTIAL_TEST(a_kill_before_its_files_are_moved_loses_nothing)
{
    for (int i = 0; i < 3; i++) {
        live_and_be_killed_while_held(i > 0, i > 1);
        depot_open(&depot);
        assert_part(5000);
        store_drop_part(depot.store);
        assert_nothing();
        store_close(&depot.store);
    }
}

/* It has not got its name, and goes on to its end. */
PARTIAL_TEST(where_its_file_gets_no_name_nothing_is_kept)
{
    depot_open(&depot);
    assert_int_equal(mkdirat(depot.place.directory, "data/" PARTIAL_RDB_NAME, 0700), 0);
    for (int i = 0; i < 2; i++) {
        struct history *history = begin_tracked(5000);
        if (i == 0) {
            struct rdb_part part;
            (void)break_off();
            while (store_part(depot.store, &part) != STORE_PART_NONE)
                (void)depot_await_step(&depot, DISK_STEP_PENDING);
            continue;
        }
        write_bytes(history, 5000, LENGTH);
        if (!depot_promote(&depot))
            fail_msg("%s", text_string(&depot.why));
        store_tick(depot.store);
    }
    assert_false(has_note());
    assert_int_equal(unlinkat(depot.place.directory, "data/" PARTIAL_RDB_NAME, AT_REMOVEDIR), 0);
}

/* ------------------------------------------------------------------ sent */

static struct rdb_part part_of_current(size_t bytes)
{
    struct rdb_part part = {.replid = depot_id('a'), .offset = X, .length = LENGTH, .bytes = bytes};
    part.crc = crc64(0, rdb.data, bytes);
    return part;
}

static void receive_whole(void)
{
    write_bytes(begin(), 0, LENGTH);
    if (!depot_promote(&depot))
        fail_msg("%s", text_string(&depot.why));
}

static enum part_match match(const struct rdb_part *part)
{
    struct history *history;
    struct snapshot *snapshot;
    enum part_match result = store_match_part(depot.store, part, true, &history, &snapshot);
    for (int i = 0; i < 200000 && result == PART_UNREAD; i++) {
        store_compare_part(depot.store, part);
        usleep(50);
        (void)store_publish(depot.store);
        result = store_match_part(depot.store, part, true, &history, &snapshot);
    }
    if (result == PART_MATCHES) {
        assert_ptr_equal(history, store_current(depot.store));
        assert_int_equal(snapshot_offset(snapshot), X);
    }
    return result;
}

PARTIAL_TEST(what_a_relay_has_is_compared_with_our_file)
{
    depot_open(&depot);
    struct rdb_part part = part_of_current(5000);
    assert_int_equal(match(&part), PART_OTHER);
    receive_whole();
    static const size_t lengths[] = {64, 5000, 4999, LENGTH - 1, LENGTH, 5000};
    for (size_t i = 0; i < LENGTH_OF(lengths); i++) {
        part = part_of_current(lengths[i]);
        assert_int_equal(match(&part), PART_MATCHES);
        part.crc ^= 1;
        assert_int_equal(match(&part), PART_OTHER);
    }
    part = part_of_current(5000);
    part.offset++;
    assert_int_equal(match(&part), PART_OTHER);
    part = part_of_current(5000);
    part.length++;
    assert_int_equal(match(&part), PART_OTHER);
    part = part_of_current(5000);
    part.replid = depot_id('b');
    assert_int_equal(match(&part), PART_OTHER);
}

/* It has more than we have ourselves: ours went on from an older note. */
PARTIAL_TEST(one_that_arrives_is_waited_for)
{
    depot_open(&depot);
    struct history *history = begin();
    snapshot_expect(history_arriving_snapshot(history), LENGTH);
    struct rdb_part part = part_of_current(5000);
    write_bytes(history, 0, 5000);
    assert_int_equal(match(&part), PART_WAITS);
    write_bytes(history, 5000, LENGTH);
    if (!depot_promote(&depot))
        fail_msg("%s", text_string(&depot.why));
    assert_int_equal(match(&part), PART_MATCHES);
}

static void refresh(uint64_t offset)
{
    struct history *history = store_current(depot.store);
    struct snapshot *snapshot = history_begin_snapshot(history, offset, &depot.why);
    assert_non_null(snapshot);
    depot_receive(&depot, snapshot, 1);
    if (!depot_complete(&depot, history))
        fail_msg("%s", text_string(&depot.why));
}

/* A relay was being sent the one that two others replace. */
PARTIAL_TEST(one_that_was_being_sent_is_kept_for_a_while)
{
    for (int is_kept = 1; is_kept >= 0; is_kept--) {
        depot_open(&depot);
        receive_whole();
        struct history *history = store_current(depot.store);
        struct snapshot *snapshot = history_snapshot(history);
        struct cursor cursor = {.segment = NULL};
        snapshot_retain(snapshot);
        assert_true(history_attach(history, &cursor, X));
        store_keep_fetched(depot.store, history_number(history), &snapshot, &cursor,
                           is_kept ? 3600 * 1000 : 0);
        assert_null(snapshot);
        assert_null(cursor.segment);
        refresh(X);
        store_tick(depot.store);
        struct rdb_part part = part_of_current(5000);
        assert_int_equal(match(&part), is_kept ? PART_MATCHES : PART_OTHER);
        struct store_status status;
        store_status(depot.store, &status);
        assert_int_equal(status.parts.kept, is_kept);
        assert_int_equal(status.parts.kept_bytes, is_kept ? LENGTH : 0);
        store_close(&depot.store);
        depot_fini(&depot);
        depot_init(&depot);
    }
}
