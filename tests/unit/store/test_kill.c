/* SPDX-License-Identifier: MIT
 *
 * A child works on a store and is killed (SIGKILL) at some instruction or other; what the next start
 * finds is compared with what the child had shown its readers, which it told us through shared memory:
 * nothing of it is lost, and nothing false is found. Then the next child goes on from there.
 *
 * ROUNDS=5000 in the environment makes it as long as one likes.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "depot_fixture.h"

enum { ROUNDS = 60, BRANCHES_MAX = 4096 };

/* What a child may have under way when it is killed. */
enum deed {
    AT_REST,
    CUTTING,    /* a rewind to joints[branch + 1] */
    REFRESHING, /* to a snapshot of any X */
    RESYNCING,  /* to a history at joints[branch + 1] */
};

/* What the child says of itself: before it begins a deed, and when it is done. */
struct account {
    enum deed deed;
    uint64_t published;
    uint64_t boundary;
    uint64_t first;    /* of the history: where its resync was */
    uint64_t snapshot; /* X; 0: none */
    uint64_t number;   /* of the history */
    unsigned branch;   /* that bytes are written on now */
};

/* In shared memory. An account is written beside the one that counts and then made to count, so that a
 * kill finds a whole one, whenever it comes. */
struct witness {
    _Atomic unsigned deeds;
    _Atomic unsigned told;
    struct account accounts[2];
    uint64_t joints[BRANCHES_MAX];
};

static struct witness *witness;
static uint64_t seed;

static uint64_t below(uint64_t bound)
{
    return test_random_below(&seed, bound);
}

static const struct account *account(void)
{
    return &witness->accounts[witness->told % 2];
}

static void tell(const struct account *now)
{
    witness->accounts[(witness->told + 1) % 2] = *now;
    witness->told++;
}

/* Where the branch that is being made begins. */
static uint64_t *next_joint(void)
{
    return &witness->joints[account()->branch + 1];
}

/* The branch that a byte is of, when `newest` is the one being written. */
static unsigned branch_of(uint64_t offset, unsigned newest)
{
    while (newest > 0 && witness->joints[newest] > offset)
        newest--;
    return newest;
}

/* ------------------------------------------------------------------ the child */

/* cmocka's asserts are the parent's. */
static void must(bool good)
{
    if (!good)
        _exit(3);
}

static void child_append(void)
{
    struct history *history = store_current(depot.store);
    struct backlog *backlog = history_backlog(history);
    size_t length = (size_t)below(below(10) == 0 ? 9000 : 700) + 1;
    while (length > 0) {
        enum backlog_space room = backlog_make_ready(backlog);
        if (room == BACKLOG_HELD) { /* until what was given up is freed */
            usleep(50);
            continue;
        }
        must(room == BACKLOG_SPACE);
        size_t capacity = stream_capacity(backlog);
        size_t count = capacity < length ? capacity : length;
        must(stream_put(backlog, count, account()->branch) == BACKLOG_SPACE);
        length -= count;
    }
    if (below(3) > 0)
        history_set_boundary(history, backlog_end(backlog));
    struct account now = *account();
    now.boundary = history_boundary(history);
    (void)store_publish(depot.store);
    now.published = backlog_published(backlog);
    tell(&now);
}

static void child_receive(struct snapshot *snapshot)
{
    struct rdb rdb = rdb_make(DEPOT_RDB, 0);
    must(snapshot_write(snapshot, rdb_bytes(&rdb), &depot.why));
    must(depot_settle_writes(&depot, snapshot));
    rdb_free(&rdb);
}

static void child_refresh(void)
{
    struct history *history = store_current(depot.store);
    struct account now = *account();
    now.deed = REFRESHING;
    tell(&now);
    uint64_t offset = backlog_published(history_backlog(history));
    struct snapshot *snapshot = history_begin_snapshot(history, offset, &depot.why);
    must(snapshot != NULL);
    child_receive(snapshot);
    must(depot_complete(&depot, history));
    depot_await_named(&depot, history); /* before that a kill may find the one before */
    now.deed = AT_REST;
    now.snapshot = offset;
    tell(&now);
}

static char id_of(unsigned branch)
{
    return "abcdef"[branch % 6];
}

static void child_cut(void)
{
    struct history *history = store_current(depot.store);
    struct backlog *backlog = history_backlog(history);
    uint64_t length = backlog_end(backlog) - backlog_first(backlog);
    uint64_t cut = backlog_end(backlog) - below((length < 6000 ? length : 6000) + 1);
    *next_joint() = cut;
    struct account now = *account();
    now.deed = CUTTING;
    tell(&now);
    must(depot_rewind(&depot, history, cut));
    while (history_cut(history) == HISTORY_CUT_PENDING)
        usleep(20);
    struct replid id = depot_id(id_of(now.branch + 1));
    must(depot_rename(&depot, history, &id));
    const struct snapshot *snapshot = history_snapshot(history);
    now.snapshot = snapshot == NULL ? 0 : snapshot_offset(snapshot);
    now.deed = AT_REST;
    now.published = cut;
    now.boundary = cut;
    now.branch++;
    tell(&now);
}

static void child_resync(void)
{
    struct history *current = store_current(depot.store);
    uint64_t offset = current == NULL ? 1000 : backlog_end(history_backlog(current));
    *next_joint() = offset;
    struct account now = *account();
    now.deed = RESYNCING;
    tell(&now);
    struct replid id = depot_id(id_of(now.branch + 1));
    struct history *next = store_begin_history(depot.store, &id, offset, &depot.why);
    must(next != NULL);
    child_receive(history_arriving_snapshot(next));
    must(depot_promote(&depot));
    now = (struct account){.deed = AT_REST,
                           .published = offset,
                           .boundary = offset,
                           .first = offset,
                           .snapshot = offset,
                           .number = history_number(next),
                           .branch = now.branch + 1};
    tell(&now);
}

static _Noreturn void child_work(void)
{
    depot.store = store_open(&depot.options, &depot.why);
    must(depot.store != NULL);
    depot_await_proven(&depot);
    for (;;) {
        uint64_t choice = below(100);
        if (store_current(depot.store) == NULL || choice == 0)
            child_resync();
        else if (choice < 5)
            child_cut();
        else if (choice < 8)
            child_refresh();
        else if (choice < 20)
            store_tick(depot.store);
        else
            child_append();
        witness->deeds++;
    }
}

/* ------------------------------------------------------------------ the parent */

static void assert_bytes(struct backlog *backlog, unsigned branch)
{
    struct cursor cursor;
    struct bytes view;
    assert_true(backlog_attach(backlog, &cursor, backlog_first(backlog)));
    while (cursor_peek(&cursor, &view) == CURSOR_BYTES) {
        /* All of one branch at a time. */
        unsigned here = branch_of(cursor.offset, branch);
        size_t count = 1;
        while (count < view.length && branch_of(cursor.offset + count, branch) == here)
            count++;
        assert_stream(bytes_first(view, count), cursor.offset, here);
        cursor_advance(&cursor, count);
    }
    assert_int_equal(cursor.offset, backlog_end(backlog));
    cursor_detach(&cursor);
}

/* Did what was under way get done? A rewind to the very end takes nothing away, but it moves the boundary there. */
static bool was_cut(struct history *history)
{
    uint64_t end = backlog_end(history_backlog(history));
    return account()->deed == CUTTING && end <= *next_joint() && history_boundary(history) == end;
}

static bool was_resynced(struct history *history)
{
    return account()->deed == RESYNCING && history_number(history) > account()->number;
}

static void assert_snapshot(struct history *history, bool replaced)
{
    const struct snapshot *snapshot = history_snapshot(history);
    if (snapshot != NULL)
        depot_assert_snapshot(snapshot, 0);
    if (replaced) {
        assert_non_null(snapshot);
        assert_int_equal(snapshot_offset(snapshot), *next_joint());
    } else if (account()->deed == REFRESHING) {
        assert_int_equal(snapshot == NULL && account()->snapshot != 0, false);
    } else if (account()->deed != CUTTING) {
        assert_int_equal(snapshot != NULL, account()->snapshot != 0);
        if (snapshot != NULL)
            assert_int_equal(snapshot_offset(snapshot), account()->snapshot);
    }
}

/* What a failure is to be judged by. */
static void tell_if_wrong(struct history *history, uint64_t least, uint64_t boundary)
{
    uint64_t end = backlog_end(history_backlog(history));
    uint64_t found = history_boundary(history);
    if (end >= least && found >= boundary && found <= end)
        return;
    const struct account *told = account();
    print_error("expected: end >= %" PRIu64 ", boundary >= %" PRIu64 "; came: end %" PRIu64
                ", boundary %" PRIu64 ", first %" PRIu64 "\n"
                "told: deed %d, published %" PRIu64 ", boundary %" PRIu64
                ", branch %u, joint %" PRIu64 ", history %" PRIu64 "\n",
                least, boundary, end, found, backlog_first(history_backlog(history)),
                (int)told->deed, told->published, told->boundary, told->branch, *next_joint(),
                told->number);
}

static void assert_found(struct history *history)
{
    const struct account *told = account();
    struct backlog *backlog = history_backlog(history);
    bool cut = was_cut(history);
    bool replaced = was_resynced(history);
    assert_snapshot(history, replaced);
    if (replaced) {
        assert_int_equal(backlog_first(backlog), *next_joint());
        assert_int_equal(backlog_end(backlog), *next_joint());
        return;
    }
    assert_int_equal(history_number(history), told->number);
    uint64_t least = cut ? *next_joint() : told->published;
    uint64_t boundary = cut ? least : told->boundary;
    tell_if_wrong(history, least, boundary);
    assert_in_range(backlog_end(backlog), least, UINT64_MAX);
    assert_in_range(history_boundary(history), boundary, backlog_end(backlog));
    uint64_t kept = backlog_end(backlog) - backlog_first(backlog);
    if (told->deed != CUTTING && kept < depot.options.window_bytes / 2)
        assert_true(backlog_first(backlog) <= told->first || told->branch > 0);
    char id = history_identity(history)->replid.hex[0];
    assert_true(id == id_of(told->branch) ||
                (told->deed == CUTTING && id == id_of(told->branch + 1)));
    assert_bytes(backlog, told->branch);
}

/* What was found is what the next child goes on from. */
static void take_over(struct history *history)
{
    struct backlog *backlog = history_backlog(history);
    struct account now = *account();
    if (was_resynced(history))
        now.first = backlog_first(backlog);
    if (was_cut(history) || was_resynced(history))
        now.branch++;
    char id = id_of(now.branch);
    if (history_identity(history)->replid.hex[0] != id) {
        struct replid next = depot_id(id);
        assert_true(history_boundary(history) == backlog_end(backlog));
        assert_true(depot_rename(&depot, history, &next));
    }
    const struct snapshot *snapshot = history_snapshot(history);
    now.deed = AT_REST;
    now.published = backlog_end(backlog);
    now.boundary = history_boundary(history);
    now.number = history_number(history);
    now.snapshot = snapshot == NULL ? 0 : snapshot_offset(snapshot);
    tell(&now);
}

static void look_after_kill(void)
{
    depot_open(&depot);
    struct history *history = store_current(depot.store);
    if (history == NULL)
        assert_int_equal(account()->number, 0);
    else
        assert_found(history);
    if (history != NULL)
        take_over(history);
    store_close(&depot.store);
}

static void run_and_kill(void)
{
    unsigned before = witness->deeds;
    uint64_t wait_us = below(2500);
    uint64_t child_seed = test_random(&seed);
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        seed = child_seed | 1;
        child_work();
    }
    bool at_once = below(10) == 0; /* in the middle of its start */
    for (int i = 0; !at_once && witness->deeds == before && i < 20000; i++)
        usleep(100);
    usleep((useconds_t)wait_us);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        fail_msg("the child ended by itself: status %d", WEXITSTATUS(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

TEST(a_kill_loses_nothing_that_was_published)
{
    const char *asked = getenv("ROUNDS");
    int rounds = asked != NULL ? (int)strtol(asked, NULL, 10) : ROUNDS;
    seed = asked != NULL ? (uint64_t)getpid() : 4711;
    for (int round = 0; round < rounds && account()->branch < BRANCHES_MAX - 100; round++) {
        run_and_kill();
        look_after_kill();
    }
    assert_true(witness->deeds > (unsigned)rounds);
    print_message("%u deeds, %u branches\n", witness->deeds, account()->branch);
}

static int open_depot(void **state)
{
    (void)state;
    witness =
        mmap(NULL, sizeof(*witness), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (witness == MAP_FAILED)
        return -1;
    depot_init(&depot);
    depot.options.window_bytes = 8 * DEPOT_SEGMENT;
    depot.options.window_bytes_max = 16 * DEPOT_SEGMENT;
    depot.options.fsync = STORE_FSYNC_EVERYSEC;
    return 0;
}

TEST_GROUP(open_depot, depot_tear_down);
