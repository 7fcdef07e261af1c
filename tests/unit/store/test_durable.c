/* SPDX-License-Identifier: MIT
 *
 * What survives when power is lost: the machine has another boot id then, and of the files only that
 * is sure which was fsynced. The tests alter the files as a power failure might have left them.
 */
#include <stdatomic.h>

#include "../../../relay/store/clean_mark.h"
#include "depot_fixture.h"

enum { BOOT_ID_AT = 16 };

#define DIRECTORY "data/history-1/"

static struct history *history;

static int set_up(void **state)
{
    (void)state;
    depot_init(&depot);
    depot.options.fsync = STORE_FSYNC_EVERYSEC;
    depot_open(&depot);
    history = depot_resync(&depot, 'a', 1000);
    return 0;
}

#define DEPOT_TEST(name) TEST_SETUP(name, set_up, depot_tear_down)

/* As of now everything is durable: asked for again where the syncer was busy. */
static void sync_all(void)
{
    uint64_t end = backlog_end(history_backlog(history));
    for (int i = 0; i < 50000 && history_durable(history) < end; i++) {
        store_tick(depot.store);
        usleep(100);
    }
    assert_int_equal(history_durable(history), end);
}

/* What came with the history is out of the way: jobs are done in order, and a byte is behind it. */
static void settle(void)
{
    depot_stream(&depot, 1, 0);
    sync_all();
}

struct kept {
    const char *name;
    uint8_t *data;
    size_t length;
};

static struct kept keep(const char *name)
{
    struct kept kept = {.name = name};
    kept.data = place_read(&depot.place, name, &kept.length);
    return kept;
}

/* The store is closed, which makes everything durable; then the files go back to what they were. */
static void go_back(struct kept *kept)
{
    store_close(&depot.store);
    place_write(&depot.place, kept->name, bytes_at(kept->data, kept->length));
    free(kept->data);
}

static void boot_anew(void)
{
    store_close(&depot.store);
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT);
    depot_open(&depot);
    history = store_current(depot.store);
}

DEPOT_TEST(a_tick_makes_durable_what_is_there)
{
    assert_int_equal(history_durable(history), 0);
    depot_stream(&depot, 100, 0);
    assert_int_equal(history_durable(history), 0);
    sync_all();
    depot_stream(&depot, 3 * DEPOT_SEGMENT, 0);
    sync_all();
    store_tick(depot.store);
    assert_int_equal(history_durable(history), 1100 + 3 * DEPOT_SEGMENT);
}

DEPOT_TEST(always_is_with_each_publish)
{
    store_close(&depot.store);
    depot.options.fsync = STORE_FSYNC_ALWAYS;
    depot_open(&depot);
    history = store_current(depot.store);
    settle();
    for (uint64_t end = 1101; end < 1501; end += 100) {
        depot_stream(&depot, 100, 0);
        for (int i = 0; i < 50000 && history_durable(history) < end; i++) {
            (void)store_publish(depot.store); /* a turn: the syncer may have been busy before */
            usleep(100);
        }
        assert_int_equal(history_durable(history), end);
    }
}

static void wait_until_synced(void)
{
    struct store_status status;
    store_status(depot.store, &status);
    for (int i = 0; i < 50000 && status.is_syncing; i++) {
        usleep(100);
        store_status(depot.store, &status);
    }
    assert_false(status.is_syncing);
}

/* After a kill the RDB is proven in the background. What the syncer has done before that counts when it is, also where no
 * more of the stream comes. */
DEPOT_TEST(what_was_synced_before_the_rdb_was_proven_is_claimed)
{
    depot_stream(&depot, 500, 0);
    store_close(&depot.store);
    place_write(&depot.place, DIRECTORY CLEAN_MARK_NAME, bytes_at("", 0));
    depot.options.fsync = STORE_FSYNC_ALWAYS;
    depot.store = store_open(&depot.options, &depot.why);
    assert_non_null(depot.store);
    history = store_current(depot.store);
    assert_null(history_snapshot(history)); /* what is proven is taken with a publish */
    wait_until_synced();
    history_sync(history);
    wait_until_synced();
    for (int i = 0; i < 50000 && history_durable(history) < 1500; i++) {
        (void)store_publish(depot.store);
        usleep(100);
    }
    assert_int_equal(history_durable(history), 1500);
}

static atomic_uint rings;
static _Atomic uint64_t told; /* how far it was durable, as the syncer's thread saw it */

static void ring(void *arg)
{
    assert_ptr_equal(arg, &rings);
    atomic_store(&told, history_durable(history));
    atomic_fetch_add(&rings, 1);
}

static void wait_for_ring(unsigned before)
{
    for (int i = 0; i < 50000 && atomic_load(&rings) == before; i++)
        usleep(100);
    assert_int_not_equal(atomic_load(&rings), before);
}

static void wait_until_told(uint64_t end)
{
    for (int i = 0; i < 50000 && atomic_load(&told) < end; i++)
        usleep(100);
    assert_int_equal(atomic_load(&told), end);
}

DEPOT_TEST(who_wants_to_know_is_told)
{
    store_on_durable(depot.store, ring, &rings);
    settle();
    wait_until_told(1001);
    depot_stream(&depot, 100, 0);
    sync_all();
    wait_until_told(1101);
    depot_stream(&depot, 5 * DEPOT_SEGMENT, 0);
    sync_all();
    wait_until_told(1101 + 5 * DEPOT_SEGMENT);

    store_on_durable(depot.store, NULL, NULL);
    unsigned before = atomic_load(&rings);
    depot_stream(&depot, 100, 0);
    sync_all();
    store_close(&depot.store);
    assert_int_equal(atomic_load(&rings), before);
}

/* Turns that only the ring makes, and no tick: what came while the syncer was at something else is next. */
DEPOT_TEST(always_does_not_wait_for_a_tick)
{
    store_close(&depot.store);
    depot.options.fsync = STORE_FSYNC_ALWAYS;
    depot_open(&depot);
    history = store_current(depot.store);
    atomic_store(&rings, 0);
    store_on_durable(depot.store, ring, &rings);
    uint64_t end = 1000;
    for (unsigned burst = 0; burst < 50; burst++) {
        unsigned before = atomic_load(&rings);
        for (unsigned i = 0; i < 20; i++)
            depot_stream(&depot, 10, 0);
        end += 20 * 10;
        while (history_durable(history) < end) {
            wait_for_ring(before);
            before = atomic_load(&rings);
            (void)store_publish(depot.store);
        }
        assert_int_equal(history_durable(history), end);
    }
    store_on_durable(depot.store, NULL, NULL);
}

DEPOT_TEST(no_is_never)
{
    store_close(&depot.store);
    depot.options.fsync = STORE_FSYNC_NO;
    depot_open(&depot);
    history = store_current(depot.store);
    depot_stream(&depot, 3 * DEPOT_SEGMENT, 0);
    store_tick(depot.store);
    usleep(2000);
    assert_int_equal(history_durable(history), 0);
}

DEPOT_TEST(a_clean_close_makes_all_of_it_durable)
{
    depot_stream(&depot, 5 * DEPOT_SEGMENT + 99, 0);
    boot_anew();
    depot_assert_window(&depot, 1000, UINT64_MAX, 1099 + 5 * DEPOT_SEGMENT);
    depot_assert_snapshot(history_snapshot(history), 0);
}

DEPOT_TEST(live_marks_do_not_count_after_another_boot)
{
    depot_stream(&depot, 100, 0);
    sync_all();
    depot_stream(&depot, 50, 0);
    struct kept tail = keep(DIRECTORY "tail");
    go_back(&tail);
    depot_open(&depot);
    depot_assert_window(&depot, 1000, UINT64_MAX, 1150); /* a kill alone costs nothing */
    history = store_current(depot.store);
    store_close(&depot.store);
    /* The last close made 1150 durable; what the page said before it is what we want again. */
    depot_open(&depot);
    depot_stream(&depot, 10, 0);
    tail = keep(DIRECTORY "tail");
    go_back(&tail);
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT);
    depot_open(&depot);
    depot_assert_window(&depot, 1000, UINT64_MAX, 1150);
    assert_int_equal(history_boundary(store_current(depot.store)), 1150);
}

DEPOT_TEST(bytes_that_did_not_reach_the_disk_are_not_served)
{
    depot_stream(&depot, 100, 0);
    sync_all();
    depot_stream(&depot, 3000, 0);
    struct kept tail = keep(DIRECTORY "tail");
    go_back(&tail);
    place_cut(&depot.place, DIRECTORY "backlog/1000.seg", 1500);
    place_cut(&depot.place, DIRECTORY "backlog/1000.seg", DEPOT_SEGMENT); /* zeros */
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT);
    depot_open(&depot);
    depot_assert_window(&depot, 1000, UINT64_MAX, 1100);
    depot_stream(&depot, 9000, 0);
    depot_assert_window(&depot, 1000, UINT64_MAX, 10100);
}

DEPOT_TEST(a_sealed_segment_that_did_not_reach_the_disk_is_known_by_its_last_mark)
{
    depot_stream(&depot, 2 * DEPOT_SEGMENT + 100, 0);
    sync_all();
    depot_stream(&depot, 2 * DEPOT_SEGMENT, 0);
    struct kept tail = keep(DIRECTORY "tail");
    go_back(&tail);
    /* The third is sealed and in the identity by now, and half of it was lost, as all behind it. */
    place_cut(&depot.place, DIRECTORY "backlog/9192.seg", 2000);
    place_cut(&depot.place, DIRECTORY "backlog/9192.seg", DEPOT_SEGMENT);
    place_cut(&depot.place, DIRECTORY "backlog/13288.seg", 0);
    place_cut(&depot.place, DIRECTORY "backlog/13288.seg", DEPOT_SEGMENT);
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT);
    depot_open(&depot);
    depot_assert_window(&depot, 1000, UINT64_MAX, 1100 + 2 * DEPOT_SEGMENT);
    depot_stream(&depot, 9000, 0);
    depot_assert_window(&depot, 1000, UINT64_MAX, 10100 + 2 * DEPOT_SEGMENT);
}

DEPOT_TEST(an_identity_that_did_not_reach_the_disk_has_one_before_it)
{
    depot_stream(&depot, 2 * DEPOT_SEGMENT + 100, 0);
    sync_all();
    struct kept kept = keep(DIRECTORY "identity.kept");
    char name[80];
    snprintf(name, sizeof(name), DIRECTORY "segments.%llu",
             (unsigned long long)history_identity(history)->base);
    struct kept rows = keep(name);
    depot_stream(&depot, DEPOT_SEGMENT, 0); /* a roll: its row is written without fsync */
    struct kept tail = keep(DIRECTORY "tail");
    go_back(&tail);
    place_write(&depot.place, rows.name, bytes_at(rows.data, rows.length));
    free(rows.data);
    place_write(&depot.place, kept.name, bytes_at(kept.data, kept.length));
    free(kept.data);
    place_cut(&depot.place, DIRECTORY "identity", 0);
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT);
    depot_open(&depot);
    depot_assert_window(&depot, 1000, UINT64_MAX, 1100 + 2 * DEPOT_SEGMENT);
}

DEPOT_TEST(a_rewind_keeps_what_was_durable_before_it)
{
    depot_stream(&depot, 5000, 0);
    sync_all();
    assert_true(depot_rewind(&depot, history, 5500));
    assert_int_equal(history_durable(history), 5500);
    depot_stream(&depot, 10, 1);
    sync_all();
    assert_int_equal(history_durable(history), 5510);
    depot_stream(&depot, 1000, 1);
    assert_true(depot_rewind(&depot, history, 6000));
    assert_int_equal(history_durable(history), 5510);
    struct kept tail = keep(DIRECTORY "tail");
    go_back(&tail);
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT);
    place_flip(&depot.place, DIRECTORY "backlog/5500.seg", 400); /* not fsynced before the cut */
    depot_open(&depot);
    depot_assert_window(&depot, 1000, 5500, 5510);
}

DEPOT_TEST(power_lost_right_after_a_rewind_brings_nothing_back)
{
    depot_stream(&depot, 5000, 0);
    sync_all();
    assert_true(depot_rewind(&depot, history, 5500));
    assert_true(depot_await_cut(history));
    struct replid b = depot_id('b');
    assert_true(depot_rename(&depot, history, &b));
    struct kept tail = keep(DIRECTORY "tail");
    go_back(&tail);
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT);
    depot_open(&depot);
    depot_assert_window(&depot, 1000, UINT64_MAX, 5500);
}

DEPOT_TEST(nor_does_the_old_file_at_the_beginning_of_a_segment)
{
    depot_stream(&depot, 2 * DEPOT_SEGMENT, 0);
    depot_stream(&depot, 100, 0);
    sync_all();
    struct kept old = keep(DIRECTORY "backlog/9192.seg");
    assert_true(depot_rewind(&depot, history, 9192));
    assert_true(depot_await_cut(history));
    struct replid b = depot_id('b');
    assert_true(depot_rename(&depot, history, &b));
    struct kept tail = keep(DIRECTORY "tail");
    go_back(&tail);
    /* The name of the new file did not reach the disk. Its bytes are of the other branch. */
    go_back(&old);
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT);
    depot_open(&depot);
    assert_string_equal(history_identity(store_current(depot.store))->replid.hex, b.hex);
    depot_assert_window(&depot, 1000, UINT64_MAX, 9192);
    depot_stream(&depot, 500, 1);
    depot_assert_window(&depot, 1000, 9192, 9692);
}
