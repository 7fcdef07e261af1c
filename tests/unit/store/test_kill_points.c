/* SPDX-License-Identifier: MIT
 *
 * A whole life of the store, killed (SIGKILL) at its first call to the system, then at its second, and so on to
 * its last (`make check`: at each third); the calls of the syncer count as well. What was complete before the step
 * that was under way is there afterwards, or what the step was to put in its place: never neither.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "depot_fixture.h"
#include "fault.h"
#include "relay/store/status.h"

/* What the next start must find: written by the child before a step, and when it is done. */
struct account {
    char before; /* the id of the history; 0: there is none */
    char after;  /* or this one, when the step is done */
    uint64_t end_before;
    uint64_t end_after;
    uint64_t snapshot_before; /* 0: none */
    uint64_t snapshot_after;
};

static struct account *account; /* shared with the child */

static void must(bool good)
{
    if (!good)
        _exit(3);
}

static struct history *current(void)
{
    return store_current(depot.store);
}

/* What the step has replaced is off its directory, too. */
static void done(void)
{
    (void)depot_await_freed(&depot);
    account->before = account->after;
    account->end_before = account->end_after;
    account->snapshot_before = account->snapshot_after;
}

/* ------------------------------------------------------------------ the child */

static void receive(struct snapshot *snapshot)
{
    struct rdb rdb = rdb_make(DEPOT_RDB, 0);
    must(snapshot != NULL && snapshot_write(snapshot, rdb_bytes(&rdb), &depot.why));
    must(depot_settle_writes(&depot, snapshot));
    rdb_free(&rdb);
}

static void resync(char digit, uint64_t offset)
{
    struct replid id = depot_id(digit);
    struct history *history = store_begin_history(depot.store, &id, offset, &depot.why);
    must(history != NULL);
    receive(history_arriving_snapshot(history));
    account->snapshot_after = offset;
    account->end_after = offset;
    account->after = digit;
    must(depot_promote(&depot));
    done();
}

static void stream(size_t length)
{
    struct backlog *backlog = history_backlog(current());
    while (length > 0) {
        enum backlog_space space = stream_make_ready(backlog);
        if (space == BACKLOG_HELD) { /* until what was given up is freed */
            usleep(50);
            continue;
        }
        must(space == BACKLOG_SPACE);
        size_t capacity = stream_capacity(backlog);
        size_t count = capacity < length ? capacity : length;
        account->end_after = backlog_end(backlog) + count;
        must(stream_put(backlog, count, 0) == BACKLOG_SPACE);
        history_set_boundary(current(), backlog_end(backlog));
        (void)store_publish(depot.store);
        done();
        length -= count;
    }
}

static void refresh(void)
{
    uint64_t offset = backlog_end(history_backlog(current()));
    receive(history_begin_snapshot(current(), offset, &depot.why));
    account->snapshot_after = offset;
    must(depot_complete(&depot, current()));
    depot_await_named(&depot, current()); /* before that a kill may find the one before */
    (void)store_publish(depot.store);
    done();
}

/* Until the syncer has done what there is to do, and what is replaced may go. */
static void pass_seconds(void)
{
    for (int i = 0; i < 3; i++) {
        store_tick(depot.store);
        struct store_status status;
        do {
            (void)store_publish(depot.store);
            store_status(depot.store, &status);
        } while (status.is_syncing);
    }
}

static void cut(uint64_t offset, char digit, uint64_t snapshot)
{
    account->end_after = offset;
    account->after = digit;
    account->snapshot_after = snapshot;
    must(depot_rewind(&depot, current(), offset));
    while (history_cut(current()) == HISTORY_CUT_PENDING)
        continue;
    struct replid id = depot_id(digit);
    must(depot_rename(&depot, current(), &id));
    done();
}

static void reopen(void)
{
    store_close(&depot.store);
    depot.store = store_open(&depot.options, &depot.why);
    must(depot.store != NULL);
    depot_await_proven(&depot);
}

static void live(void)
{
    depot.store = store_open(&depot.options, &depot.why);
    must(depot.store != NULL);
    depot_await_proven(&depot);
    resync('a', 1000);
    stream(DEPOT_SEGMENT + 904);
    refresh(); /* at 6000, before the first one is safe */
    pass_seconds();
    stream(1000);
    refresh(); /* 7000 */
    refresh(); /* the same X again */
    pass_seconds();
    stream(500);
    refresh(); /* 7500 */
    /* It goes, and the one before it is still there, unless nothing was waited for. */
    cut(7200, 'b', depot.options.fsync == STORE_FSYNC_NO ? 0 : 7000);
    stream(DEPOT_SEGMENT);
    pass_seconds();
    reopen();
    refresh();
    resync('c', 100);
    stream(DEPOT_SEGMENT + 1);
    pass_seconds();
    refresh();
    store_close(&depot.store);
}

/* ------------------------------------------------------------------ the next start */

static void assert_snapshot(unsigned call)
{
    const struct snapshot *snapshot = history_usable_snapshot(current());
    if (snapshot == NULL && (account->snapshot_before == 0 || account->snapshot_after == 0))
        return;
    if (snapshot == NULL)
        fail_msg("call %u: no snapshot, of %llu or %llu", call,
                 (unsigned long long)account->snapshot_before,
                 (unsigned long long)account->snapshot_after);
    depot_assert_snapshot(snapshot, 0);
    uint64_t offset = snapshot_offset(snapshot);
    if (offset != account->snapshot_before && offset != account->snapshot_after)
        fail_msg("call %u: snapshot %llu, of %llu or %llu", call, (unsigned long long)offset,
                 (unsigned long long)account->snapshot_before,
                 (unsigned long long)account->snapshot_after);
}

static void assert_found(unsigned call)
{
    depot_open(&depot);
    if (current() == NULL && account->before != 0)
        fail_msg("call %u: the history is gone", call);
    if (current() != NULL) {
        char digit = history_identity(current())->replid.hex[0];
        uint64_t end = backlog_end(depot_backlog(&depot));
        assert_true(digit == account->before || digit == account->after);
        if (end != account->end_before && end != account->end_after)
            fail_msg("call %u: the end is %llu, not %llu or %llu", call, (unsigned long long)end,
                     (unsigned long long)account->end_before,
                     (unsigned long long)account->end_after);
        depot_assert_window(&depot, backlog_first(depot_backlog(&depot)), UINT64_MAX, end);
        assert_snapshot(call);
    }
    store_close(&depot.store);
}

/* True: it came to its end first. */
static bool live_until(unsigned call)
{
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        fault_begin(&(struct fault){.nth = call, .kills = true});
        live();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        fail_msg("call %u: the child ended by itself: status %d", call, WEXITSTATUS(status));
    return WIFEXITED(status);
}

/* The share of one of the processes, each with an account of its own; *arg is how the store syncs. */
static void kill_at_each_call(unsigned number, void *arg)
{
    account =
        mmap(NULL, sizeof(*account), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(account != MAP_FAILED);
    unsigned stride = test_stride(3);
    bool is_over = false;
    unsigned call = 1 + number * stride;
    for (; !is_over; call += TEST_PROCESSES * stride) {
        depot_init(&depot);
        depot.options.fsync = *(const enum store_fsync *)arg;
        memset(account, 0, sizeof(*account));
        is_over = live_until(call);
        assert_found(call);
        depot_fini(&depot);
    }
    assert_true(call > 200); /* it has gone through a life */
}

TEST(a_kill_at_any_call_costs_nothing_that_was_complete)
{
    enum store_fsync fsync = STORE_FSYNC_EVERYSEC;
    test_in_processes(kill_at_each_call, &fsync);
}

TEST(nor_does_it_without_fsync)
{
    enum store_fsync fsync = STORE_FSYNC_NO;
    test_in_processes(kill_at_each_call, &fsync);
}
