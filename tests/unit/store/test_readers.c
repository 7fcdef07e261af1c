/* SPDX-License-Identifier: MIT
 *
 * One thread writes a backlog, three read it and compare every byte, while it is trimmed and rewound
 * under them. To be run under ThreadSanitizer, too.
 */
#include <pthread.h>

#include "bench.h"

enum { READERS = 3, BRANCHES = 40, LEVELS = BRANCHES + 1 };

/* A reader does not know of rewinds; it knows, of every byte, on which branches it may be. */
struct joint {
    _Atomic uint64_t offset; /* where the branch of that number begins; UINT64_MAX: not yet */
};

struct seat {
    pthread_mutex_t lock; /* hands the cursor over, as a mailbox does */
    struct cursor cursor;
    bool filled;
    /* the reader's own */
    uint64_t seed;
    _Atomic uint64_t bytes;
    unsigned lagged;
    unsigned rewound;
    _Atomic bool wrong;
};

static struct bench bench;
static struct seat seats[READERS];
static struct joint joints[LEVELS];
static _Atomic bool stopping;

/* Is there a branch, begun by now, of which all these bytes are? A view never spans a joint: a segment
 * ends there, and so does what was cut off. */
static bool is_true(struct bytes view, uint64_t offset)
{
    for (unsigned branch = 0; branch < LEVELS; branch++) {
        uint64_t joint = atomic_load(&joints[branch].offset);
        if (joint <= offset && stream_compare(view, offset, branch) == view.length)
            return true;
    }
    return false;
}

static void read_some(struct seat *seat)
{
    struct bytes view;
    enum cursor_view found = cursor_peek(&seat->cursor, &view);
    if (found == CURSOR_BYTES) {
        size_t most = (size_t)test_random_below(&seat->seed, 3000) + 1;
        if (view.length > most)
            view.length = most;
        if (!is_true(view, seat->cursor.offset))
            seat->wrong = true;
        seat->bytes += view.length;
        cursor_advance(&seat->cursor, view.length);
        return;
    }
    seat->lagged += found == CURSOR_LAGGED;
    seat->rewound += found == CURSOR_REWOUND;
    if (found == CURSOR_AT_END)
        sched_yield();
    /* The third one leaves only when it must. */
    if (found != CURSOR_AT_END || (seat != &seats[2] && test_random_below(&seat->seed, 500) == 0)) {
        cursor_detach(&seat->cursor);
        seat->filled = false;
    }
}

static void *reader(void *arg)
{
    struct seat *seat = arg;
    while (!atomic_load(&stopping) && !seat->wrong) {
        pthread_mutex_lock(&seat->lock);
        for (int i = 0; i < 20 && seat->filled; i++)
            read_some(seat);
        bool is_idle = !seat->filled;
        pthread_mutex_unlock(&seat->lock);
        if (is_idle)
            usleep(10); /* the writer wants the lock to fill it */
        if (seat == &seats[2] && test_random_below(&seat->seed, 4) == 0)
            usleep(300); /* a slow one */
    }
    cursor_detach(&seat->cursor);
    return NULL;
}

static void fill_seats(uint64_t *seed)
{
    for (int i = 0; i < READERS; i++) {
        struct seat *seat = &seats[i];
        if (pthread_mutex_trylock(&seat->lock) != 0)
            continue;
        if (!seat->filled) {
            uint64_t first = backlog_first(bench.backlog);
            uint64_t length = backlog_published(bench.backlog) - first;
            seat->filled = backlog_attach(bench.backlog, &seat->cursor,
                                          first + test_random_below(seed, length + 1));
            assert_true(seat->filled);
        }
        pthread_mutex_unlock(&seat->lock);
    }
}

static void write_some(uint64_t *seed, unsigned branch)
{
    size_t length = (size_t)test_random_below(seed, 2000) + 1;
    enum backlog_space room = stream_append(bench.backlog, length, branch);
    if (room == BACKLOG_HELD)
        sched_yield();
    else
        assert_int_equal(room, BACKLOG_SPACE);
    (void)backlog_publish(bench.backlog);
}

/* Has every reader read something since `before`? */
static bool all_have_read(const uint64_t before[READERS])
{
    for (int i = 0; i < READERS; i++) {
        if (atomic_load(&seats[i].bytes) == before[i] && !atomic_load(&seats[i].wrong))
            return false;
    }
    return true;
}

static void write_branch(uint64_t *seed, unsigned branch)
{
    uint64_t before[READERS];
    for (int i = 0; i < READERS; i++)
        before[i] = atomic_load(&seats[i].bytes);
    for (int turn = 0; turn < 30 || (turn < 20000 && !all_have_read(before)); turn++) {
        write_some(seed, branch);
        fill_seats(seed);
        if (turn % 20 == 0)
            (void)backlog_trim(bench.backlog);
        if (turn > 30)
            sched_yield();
    }
}

static void write_all(uint64_t *seed)
{
    for (unsigned branch = 0; branch < BRANCHES; branch++) {
        write_branch(seed, branch);
        uint64_t end = backlog_end(bench.backlog);
        uint64_t most = end - backlog_first(bench.backlog);
        uint64_t cut = end - test_random_below(seed, (most < 9000 ? most : 9000) + 1);
        atomic_store(&joints[branch + 1].offset, cut);
        bench_rewind(&bench, cut);
    }
}

TEST(every_byte_that_is_read_is_true)
{
    uint64_t seed = 4711;
    bench_init(&bench, 0, 3 * SEGMENT, 7 * SEGMENT);
    for (unsigned i = 1; i < LEVELS; i++)
        atomic_init(&joints[i].offset, UINT64_MAX);
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
        seats[i].seed = 99 + (unsigned)i;
        pthread_mutex_init(&seats[i].lock, NULL);
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &seats[i]), 0);
    }
    write_all(&seed);
    atomic_store(&stopping, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        pthread_mutex_destroy(&seats[i].lock);
        assert_false(seats[i].wrong);
        assert_true(seats[i].bytes > 0);
    }
    (void)backlog_trim(bench.backlog);
    assert_int_equal(backlog_pinned_bytes(bench.backlog), 0);
    bench_fini(&bench);
}
