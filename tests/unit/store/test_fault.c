/* SPDX-License-Identifier: MIT
 *
 * A whole life of the store, again and again: in the first the first call fails that the system can
 * refuse, in the second the second, until a life passes in which nothing was left to fail. Whatever
 * fails, what is held is true and served, the error is told, and as soon as the cause is over the life
 * goes on from where it was, or with a full sync where a rewind could not be done.
 *
 * `make check` tries each tenth call; `make check-all` tries every call with two of the kinds of trouble, and each
 * fifth with the others. FAULT_STRIDE=1 in the environment is every call with all of them.
 */
#include <errno.h>

#include "depot_fixture.h"
#include "fault.h"

static struct rdb rdb; /* made before anything may fail */

/* What must be found. */
static struct {
    char digit; /* of the id */
    uint64_t first;
    uint64_t joint; /* bytes before it are of branch 0, those from it on of 1 */
    uint64_t end;
    bool is_whole; /* the window was never shortened */
} truth;

static const char *step; /* that the life is in */
static bool is_full;     /* what fails of the disk fails for want of room */

static void require(bool good, const char *what)
{
    if (!good)
        fail_msg("%s: %s (call %u, %s, failed first, %u in all)", step, what, fault_calls(),
                 fault_first(), fault_count());
}

/* Something could not be done: that was ours, and it was told. From here on nothing fails. */
static void expect_told(void)
{
    require(fault_lift() > 0, "failed although nothing was refused");
    /* Where out of memory, there may be none to say it with. */
    require(depot.why.length > 0 || depot.why.failed, "failed without a word");
    text_clear(&depot.why);
}

static struct history *current(void)
{
    return store_current(depot.store);
}

static unsigned branch_at(uint64_t offset)
{
    return offset < truth.joint ? 0 : 1;
}

static void expect_window(void)
{
    struct backlog *backlog = history_backlog(current());
    uint64_t first = backlog_first(backlog);
    require(history_identity(current())->replid.hex[0] == truth.digit, "another id");
    require(backlog_published(backlog) == truth.end, "another end");
    require(first == truth.first || (!truth.is_whole && first > truth.first), "another beginning");
    struct cursor cursor;
    struct bytes view;
    require(backlog_attach(backlog, &cursor, first), "no reader may begin");
    while (cursor_peek(&cursor, &view) == CURSOR_BYTES) {
        if (cursor.offset < truth.joint && view.length > truth.joint - cursor.offset)
            view.length = (size_t)(truth.joint - cursor.offset);
        require(stream_compare(view, cursor.offset, branch_at(cursor.offset)) == view.length,
                "false bytes");
        cursor_advance(&cursor, view.length);
    }
    require(cursor.offset == truth.end, "a hole");
    cursor_detach(&cursor);
}

/* If there is one, it is whole. */
static void expect_snapshot(void)
{
    static uint8_t copy[DEPOT_RDB + 1];
    const struct snapshot *snapshot = history_snapshot(current());
    if (snapshot == NULL)
        return;
    require(snapshot_readable(snapshot) == DEPOT_RDB, "a snapshot of another length");
    ssize_t got = pread(snapshot_file(snapshot), copy, sizeof(copy), 0);
    require(got == DEPOT_RDB && memcmp(copy, rdb.data, DEPOT_RDB) == 0, "a false snapshot");
}

/* A full disk may do that; nothing else may. */
static void note_shortening(void)
{
    if (backlog_first(depot_backlog(&depot)) == truth.first)
        return;
    require(fault_count() > 0 && is_full, "the window was shortened");
    truth.is_whole = false;
}

/* ------------------------------------------------------------------ the steps of a life */

/* What was refused meanwhile the log has told, and it is tried again. */
static void await_proven(void)
{
    struct store_status status;
    store_status(depot.store, &status);
    for (int i = 0; status.is_proving; i++) {
        require(i < 200000, "nothing is proven, although nothing fails");
        if (fault_count() > 0)
            (void)fault_lift();
        usleep(50);
        (void)store_publish(depot.store);
        store_status(depot.store, &status);
    }
}

static void open_store(void)
{
    step = "open";
    depot.store = store_open(&depot.options, &depot.why);
    if (depot.store == NULL) {
        expect_told();
        depot.store = store_open(&depot.options, &depot.why);
        require(depot.store != NULL, "and again, although nothing fails");
    }
    await_proven();
}

static bool try_resync(char digit, uint64_t offset)
{
    struct replid id = depot_id(digit);
    struct history *history = store_begin_history(depot.store, &id, offset, &depot.why);
    if (history == NULL)
        return false;
    struct snapshot *snapshot = history_arriving_snapshot(history);
    snapshot_expect(snapshot, rdb.length);
    if (snapshot_write(snapshot, bytes_first(rdb_bytes(&rdb), 1000), &depot.why) &&
        snapshot_write(snapshot, bytes_skip(rdb_bytes(&rdb), 1000), &depot.why) &&
        depot_settle_writes(&depot, snapshot))
        return depot_promote(&depot);
    store_abandon(depot.store);
    return false;
}

static void resync(char digit, uint64_t offset)
{
    step = "full sync";
    if (!try_resync(digit, offset)) {
        expect_told();
        require(store_arriving(depot.store) == NULL, "something is left of it");
        if (current() != NULL) {
            note_shortening();
            expect_window(); /* the one before is served */
        }
        step = "full sync, again";
        require(try_resync(digit, offset), text_string(&depot.why));
    }
    truth.digit = digit;
    truth.first = offset;
    truth.joint = UINT64_MAX;
    truth.end = offset;
    truth.is_whole = true;
}

/* What cannot be marked is not shown until it can be. */
static void show(void)
{
    struct backlog *backlog = depot_backlog(&depot);
    history_set_boundary(current(), backlog_end(backlog));
    (void)store_publish(depot.store);
    if (backlog_published(backlog) != backlog_end(backlog)) {
        text_append_string(&depot.why, backlog_error(backlog));
        expect_told();
        (void)store_publish(depot.store);
    }
    truth.end = backlog_end(backlog);
    note_shortening();
}

/* What the disk did not take is written as soon as it does. */
static void write_owed(void)
{
    enum backlog_space room;
    do /* what was given up may still be being freed */
        room = stream_make_ready(depot_backlog(&depot));
    while (room == BACKLOG_HELD && depot_await_freed(&depot));
    require(room == BACKLOG_SPACE, "still owed");
    show();
}

static void stream(size_t length, unsigned branch)
{
    step = "stream";
    struct backlog *backlog = depot_backlog(&depot);
    uint64_t end = truth.end + length;
    for (int tries = 0; truth.end < end; tries++) {
        enum backlog_space room = depot_append(&depot, (size_t)(end - truth.end), branch);
        if (room == BACKLOG_SPACE) {
            show();
            expect_window();
            break;
        }
        require(tries == 0, "stopped, although nothing fails");
        require(room == BACKLOG_NO_SPACE, "held by nobody");
        text_append_string(&depot.why, backlog_error(backlog));
        expect_told();
        show();
        expect_window();
        write_owed();
        expect_window();
    }
    require(backlog_error(backlog)[0] == '\0' || fault_count() > 0, "an error of nothing");
    store_tick(depot.store);
}

static bool try_refresh(uint64_t offset)
{
    struct snapshot *snapshot = history_begin_snapshot(current(), offset, &depot.why);
    if (snapshot == NULL)
        return false;
    if (snapshot_write(snapshot, rdb_bytes(&rdb), &depot.why) &&
        depot_settle_writes(&depot, snapshot))
        return depot_complete(&depot, current());
    history_fail_snapshot(current());
    return false;
}

static void refresh(void)
{
    step = "refresh";
    if (!try_refresh(truth.end)) {
        expect_told();
        require(history_arriving_snapshot(current()) == NULL, "something is left of it");
        expect_snapshot();
        require(try_refresh(truth.end), text_string(&depot.why));
    }
    require(snapshot_offset(history_snapshot(current())) == truth.end, "another snapshot");
    note_shortening();
    expect_window();
    expect_snapshot();
    store_tick(depot.store);
}

static void rewind_to(uint64_t offset)
{
    step = "rewind";
    bool is_cut = depot_rewind(&depot, current(), offset);
    if (is_cut) {
        truth.joint = offset;
        truth.end = offset;
        note_shortening();
        expect_window();
    } else {
        expect_told();
    }
    if (is_cut && depot_await_cut(current()))
        return;
    /* It cannot go on: upstream asks for a new one, as it does here. */
    resync('e', offset);
    truth.joint = offset;
}

static void rename_to(char digit)
{
    step = "rename";
    struct replid id = depot_id(digit);
    if (!depot_rename(&depot, current(), &id)) {
        expect_told();
        expect_window(); /* under the id it had */
        require(depot_rename(&depot, current(), &id), text_string(&depot.why));
    }
    truth.digit = digit;
    expect_window();
}

/* Whatever was shown to anybody is there. */
static void reopen(void)
{
    step = "close";
    store_close(&depot.store);
    open_store();
    step = "reopen";
    require(current() != NULL, "the history is gone");
    note_shortening();
    expect_window();
    expect_snapshot();
}

static void live(void)
{
    open_store();
    resync('a', 1000);
    stream(2 * DEPOT_SEGMENT + 700, 0);
    refresh();
    stream(DEPOT_SEGMENT, 0);
    reopen();
    stream(DEPOT_SEGMENT, 0);
    uint64_t cut = truth.end - DEPOT_SEGMENT - 100;
    uint64_t first = backlog_first(depot_backlog(&depot));
    rewind_to(cut > first ? cut : first);
    rename_to('b');
    stream(DEPOT_SEGMENT + 300, 1);
    reopen();
    stream(100, 1);
    resync('c', 70);
    stream(DEPOT_SEGMENT + 1, 0);
    reopen();
    stream(DEPOT_SEGMENT, 0);
    (void)fault_lift();
    step = "afterwards";
    reopen();
    stream(3 * DEPOT_SEGMENT, 0);
    refresh();
    store_close(&depot.store);
    require(place_has(&depot.place, "data/lock"), "the directory is gone");
}

struct trouble {
    struct fault kind;
    unsigned stride;
};

/* The share of one of the processes: until a life passes in which nothing was left to fail. */
static void lives(unsigned number, void *arg)
{
    const struct trouble *trouble = arg;
    unsigned descriptors = test_descriptors();
    for (unsigned n = 1 + number * trouble->stride;; n += TEST_PROCESSES * trouble->stride) {
        struct fault fault = trouble->kind;
        fault.nth = n;
        depot_init(&depot);
        depot.options.fsync = STORE_FSYNC_EVERYSEC;
        fault_begin(&fault);
        live();
        unsigned failed = fault_lift();
        require(failed > 0 || fault_calls() >= n - 1, "it was never reached");
        depot_fini(&depot);
        require(test_descriptors() == descriptors, "a descriptor was not closed");
        if (failed == 0) {
            assert_true(n > 100); /* it has gone through a life, and not past it */
            return;
        }
    }
}

static void each_call_fails(int disk_error, int open_error, bool stays, unsigned stride)
{
    const char *asked = getenv("FAULT_STRIDE");
    uint64_t asked_stride;
    if (asked != NULL && bytes_to_u64(bytes_of(asked), &asked_stride) && asked_stride > 0)
        stride = (unsigned)asked_stride;
    rdb = rdb_make(DEPOT_RDB, 0);
    struct trouble trouble = {
        .kind = {.stays = stays, .disk_error = disk_error, .open_error = open_error},
        .stride = stride,
    };
    is_full = disk_error == ENOSPC;
    test_in_processes(lives, &trouble);
    rdb_free(&rdb);
}

TEST(the_disk_is_full_for_a_moment)
{
    each_call_fails(ENOSPC, EMFILE, false, 5 * test_stride(2));
}

TEST(the_disk_is_full_until_it_is_noticed)
{
    each_call_fails(ENOSPC, EMFILE, true, test_stride(10));
}

TEST(the_disk_fails_for_a_moment)
{
    each_call_fails(EIO, ENFILE, false, test_stride(10));
}

TEST(the_disk_fails_until_it_is_noticed)
{
    each_call_fails(EIO, ENFILE, true, 5 * test_stride(2));
}
