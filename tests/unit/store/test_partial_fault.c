/* SPDX-License-Identifier: MIT
 *
 * An RDB that breaks twice on its way, and is whole in the end; again and again, with a kill instead of each call that
 * the system can refuse, and with each of them refused. Whatever a start finds then is a true beginning of it, and
 * can be finished; or it is nothing.
 *
 * `make check` tries each seventh call, FAULT_STRIDE=1 in the environment every one.
 */
#include "../../../relay/store/partial_rdb.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "depot_fixture.h"
#include "fault.h"
#include "relay/store/rdb_parts.h"

enum { X = 1000, LENGTH = 30000, FIRST = 7000, SECOND = 15000, STRIDE = 7, CALLS_MAX = 5000 };

static struct rdb rdb;

static int set_up(void **state)
{
    rdb = rdb_make(LENGTH, 0);
    return depot_set_up(state);
}

static int tear_down(void **state)
{
    (void)fault_lift();
    rdb_free(&rdb);
    return depot_tear_down(state);
}

#define FAULT_TEST(name) TEST_SETUP(name, set_up, tear_down)

static unsigned stride(void)
{
    const char *told = getenv("FAULT_STRIDE");
    return told != NULL && told[0] != '\0' ? (unsigned)strtoul(told, NULL, 10) : STRIDE;
}

/* ------------------------------------------------------------------ a life; each step may be refused */

/* Its file is there, or cannot be made. */
static void await_file(struct history *history)
{
    struct snapshot *snapshot = history_arriving_snapshot(history);
    while (!snapshot_is_made(snapshot) && !snapshot_is_refused(snapshot))
        (void)depot_await_step(&depot, DISK_STEP_PENDING);
}

static bool write_bytes(struct history *history, size_t from, size_t until)
{
    struct bytes piece = bytes_skip(bytes_first(rdb_bytes(&rdb), until), from);
    struct snapshot *snapshot = history_arriving_snapshot(history);
    return snapshot_write(snapshot, piece, &depot.why) && depot_settle_writes(&depot, snapshot);
}

/* What is here of it, and all of that is true. 0: nothing. */
static size_t part_here(struct rdb_part *part)
{
    enum store_part state = depot_await_part(&depot, part);
    if (state == STORE_PART_NONE)
        return 0;
    assert_int_equal(part->offset, X);
    assert_in_range(part->bytes, RDB_PART_BYTES_MIN, LENGTH);
    assert_true(part->crc == crc64(0, rdb.data, (size_t)part->bytes));
    return (size_t)part->bytes;
}

/* Begins anew, or goes on; to `until`, where it breaks. */
static void transfer(size_t until, bool waits_for_note)
{
    struct rdb_part part;
    struct replid id = depot_id('a');
    size_t from = part_here(&part);
    struct history *history = store_begin_history(depot.store, &id, X, &depot.why);
    if (history == NULL)
        return;
    bool is_resumed = from > 0 && store_resume_part(depot.store, history, &part, &depot.why);
    if (!is_resumed) {
        from = 0;
        store_abandon(depot.store);
        store_drop_part(depot.store);
        history = store_begin_history(depot.store, &id, X, &depot.why);
        if (history == NULL)
            return;
        store_track_part(depot.store, history);
        snapshot_expect(history_arriving_snapshot(history), LENGTH);
    }
    await_file(history);
    bool is_good = from >= until || write_bytes(history, from, until);
    for (int i = 0;
         i < 400 && is_good && waits_for_note && !place_has(&depot.place, "data/" PARTIAL_RDB_NOTE);
         i++) {
        store_tick(depot.store);
        usleep(500);
    }
    if (is_good && until == LENGTH) {
        (void)depot_promote(&depot);
        store_tick(depot.store);
        return;
    }
    if (!is_good) {
        store_abandon(depot.store); /* the disk has refused it: nothing of it is kept */
        return;
    }
    (void)store_keep_part(depot.store);
    store_abandon(depot.store);
}

static void live(void)
{
    depot.store = store_open(&depot.options, &depot.why);
    if (depot.store == NULL)
        return;
    transfer(FIRST, true);
    transfer(SECOND, false);
    store_tick(depot.store);
    transfer(LENGTH, false);
    store_close(&depot.store);
}

/* ------------------------------------------------------------------ what is found */

/* Nothing fails any more: what is here is true, and leads to the whole. */
static void expect_to_finish(void)
{
    struct rdb_part part;
    text_clear(&depot.why);
    depot_open(&depot);
    (void)part_here(&part);
    if (store_current(depot.store) == NULL)
        transfer(LENGTH, false);
    assert_non_null(store_current(depot.store));
    struct snapshot *snapshot = history_snapshot(store_current(depot.store));
    assert_non_null(snapshot);
    uint8_t got[LENGTH];
    assert_int_equal(pread(snapshot_file(snapshot), got, LENGTH, 0), LENGTH);
    assert_memory_equal(got, rdb.data, LENGTH);
    store_tick(depot.store);
    assert_int_equal(store_part(depot.store, &part), STORE_PART_NONE);
    assert_true(depot_loses(&depot, "data/" PARTIAL_RDB_NAME));
    assert_true(depot_loses(&depot, "data/" PARTIAL_RDB_NOTE));
    store_close(&depot.store);
    place_remove(depot.data_dir);
}

/* True: it was killed. */
static bool live_until_killed(unsigned nth)
{
    int status;
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        fault_begin(&(struct fault){.nth = nth, .kills = true});
        live();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

FAULT_TEST(killed_at_any_call_it_is_finished_by_the_next)
{
    depot.options.fsync = STORE_FSYNC_EVERYSEC;
    bool was_killed = true;
    for (unsigned nth = 1; was_killed; nth += stride()) {
        assert_in_range(nth, 1, CALLS_MAX);
        was_killed = live_until_killed(nth);
        expect_to_finish();
    }
}

static void refuse(const struct fault *trouble)
{
    bool has_failed = true;
    struct fault fault = *trouble;
    for (fault.nth = 1; has_failed; fault.nth += stride()) {
        assert_in_range(fault.nth, 1, CALLS_MAX);
        fault_begin(&fault);
        live();
        has_failed = fault_lift() > 0;
        store_close(&depot.store);
        expect_to_finish();
    }
}

FAULT_TEST(refused_once_at_any_call)
{
    depot.options.fsync = STORE_FSYNC_EVERYSEC;
    refuse(&(struct fault){.disk_error = EIO, .open_error = EMFILE});
}

FAULT_TEST(a_full_disk_from_any_call_on)
{
    refuse(&(struct fault){.disk_error = ENOSPC, .open_error = ENFILE, .stays = true});
}
