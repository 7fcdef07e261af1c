/* SPDX-License-Identifier: MIT
 *
 * RDBs that a start finds in snapshot/ and that no identity names: left by a kill or a power failure while one
 * took another's place. What is proven, and of this history, is served; the newest that is usable first.
 */
#include "depot_fixture.h"

#define DIRECTORY "data/history-1/"

enum { BOOT_ID_AT = 16 }; /* in the tail */

static struct history *history(void)
{
    return store_current(depot.store);
}

/* A window of 1000..6000 with an RDB at 1000, and the relay has ended. */
static int set_up(void **state)
{
    (void)state;
    depot_init(&depot);
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 1000);
    depot_stream(&depot, 5000, 0);
    store_close(&depot.store);
    return 0;
}

#define DEPOT_TEST(name) TEST_SETUP(name, set_up, depot_tear_down)

static void put(uint64_t offset, const struct rdb *rdb)
{
    char name[80];
    snprintf(name, sizeof(name), DIRECTORY "snapshot/%llu.rdb", (unsigned long long)offset);
    place_write(&depot.place, name, rdb_bytes(rdb));
}

static bool loses(uint64_t offset)
{
    char name[80];
    snprintf(name, sizeof(name), DIRECTORY "snapshot/%llu.rdb", (unsigned long long)offset);
    return depot_loses(&depot, name);
}

/* One that says nothing of its primary. */
static void put_plain(uint64_t offset, unsigned branch)
{
    struct rdb rdb = rdb_make(DEPOT_RDB, branch);
    put(offset, &rdb);
    rdb_free(&rdb);
}

static void put_of(uint64_t offset, char id_digit, uint64_t said)
{
    struct rdb rdb = rdb_make(DEPOT_RDB, 0);
    rdb_say_primary(&rdb, id_digit, said);
    put(offset, &rdb);
    rdb_free(&rdb);
}

static void expect_usable(uint64_t offset)
{
    const struct snapshot *snapshot = history_usable_snapshot(history());
    assert_non_null(snapshot);
    assert_int_equal(snapshot_state(snapshot), SNAPSHOT_COMPLETE);
    assert_int_equal(snapshot_offset(snapshot), offset);
    assert_int_equal(snapshot_readable(snapshot), DEPOT_RDB);
}

DEPOT_TEST(the_newest_of_two_whole_ones_is_served)
{
    put_plain(5000, 1);
    put_plain(4000, 2);
    depot_open(&depot);
    expect_usable(5000);
    depot_assert_snapshot(history_usable_snapshot(history()), 1);
    assert_true(loses(1000));
    assert_true(loses(4000));
    store_close(&depot.store);
    depot_open(&depot); /* the identity names it now */
    expect_usable(5000);
}

DEPOT_TEST(one_is_found_although_the_named_one_is_gone)
{
    char path[PLACE_PATH_MAX];
    assert_int_equal(unlink(place_path(&depot.place, DIRECTORY "snapshot/1000.rdb", path)), 0);
    put_of(3000, 'a', 3000);
    depot_open(&depot);
    expect_usable(3000);
}

DEPOT_TEST(what_is_not_whole_is_not_taken)
{
    struct rdb rdb = rdb_make(DEPOT_RDB, 1);
    rdb.data[500] ^= 1;
    put(5000, &rdb);
    rdb.data[500] ^= 1;
    rdb.length -= 1;
    put(5001, &rdb);
    rdb.length = 0;
    put(5002, &rdb);
    rdb_free(&rdb);
    depot_open(&depot);
    expect_usable(1000);
    assert_true(loses(5000));
    assert_true(loses(5001));
    assert_true(loses(5002));
}

DEPOT_TEST(nor_is_what_is_outside_the_window)
{
    put_plain(999, 1);
    put_plain(6001, 1);
    depot_open(&depot);
    expect_usable(1000);
    assert_true(loses(999));
    assert_true(loses(6001));
}

DEPOT_TEST(nor_what_says_that_it_is_of_elsewhere)
{
    put_of(5000, 'b', 5000);
    put_of(5001, 'a', 5002);
    depot_open(&depot);
    expect_usable(1000);
    assert_true(loses(5000));
    assert_true(loses(5001));
}

/* It waits until the stream has come to its X, as it did before the kill. */
DEPOT_TEST(one_ahead_of_the_stream_is_kept)
{
    put_of(6100, 'a', 6100);
    depot_open(&depot);
    expect_usable(1000);
    assert_int_equal(snapshot_offset(history_snapshot(history())), 6100);
    depot_stream(&depot, 100, 0);
    expect_usable(6100);
    store_close(&depot.store);
    depot_open(&depot);
    expect_usable(6100);
}

DEPOT_TEST(after_a_new_id_it_must_say_of_which_it_is)
{
    depot_open(&depot);
    struct replid id = depot_id('b');
    assert_true(depot_rename(&depot, history(), &id)); /* at 6000 */
    depot_stream(&depot, 1000, 0);
    store_close(&depot.store);
    put_plain(6600, 1);
    put_of(6700, 'a', 6700); /* of the branch that ended at 6000 */
    put_of(6500, 'b', 6500);
    depot_open(&depot);
    expect_usable(6500);
    store_close(&depot.store);
    put_of(6800, 'a', 6800);
    put_of(5500, 'a', 5500);
    char path[PLACE_PATH_MAX];
    assert_int_equal(unlink(place_path(&depot.place, DIRECTORY "snapshot/6500.rdb", path)), 0);
    depot_open(&depot);
    expect_usable(5500);
}

/* Its name says that it was whole, and that alone: it counts as long as the page cache is the same. */
DEPOT_TEST(one_without_a_checksum_is_taken_after_a_kill_alone)
{
    struct rdb rdb = rdb_make(DEPOT_RDB, 1);
    rdb_switch_checksum_off(&rdb);
    put(5000, &rdb);
    depot_open(&depot);
    expect_usable(5000);
    store_close(&depot.store);
    put(5500, &rdb);
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT + 3);
    depot_open(&depot);
    expect_usable(5000); /* that one is named by now */
    assert_true(loses(5500));
    rdb_free(&rdb);
}

/* The newest identity was lost with the power: the copy of it names the one without a checksum. */
DEPOT_TEST(what_the_copy_of_the_identity_names_is_taken)
{
    struct rdb rdb = rdb_make(DEPOT_RDB, 1);
    rdb_switch_checksum_off(&rdb);
    depot_open(&depot);
    struct snapshot *snapshot = history_begin_snapshot(history(), 4000, &depot.why);
    depot_await_made(&depot, snapshot);
    assert_true(snapshot_write(snapshot, rdb_bytes(&rdb), &depot.why));
    assert_true(depot_complete(&depot, history()));
    store_close(&depot.store);
    place_write(&depot.place, DIRECTORY "identity", bytes_of(""));
    place_flip(&depot.place, DIRECTORY "tail", BOOT_ID_AT + 3);
    depot_open(&depot);
    expect_usable(4000);
    rdb_free(&rdb);
}

/* A rewind and a new id leave no copy of the identity that tells of the bytes that were cut off. */
DEPOT_TEST(the_copy_of_the_identity_does_not_outlive_a_new_id)
{
    depot_open(&depot);
    uint64_t cut = 1000 + DEPOT_SEGMENT; /* where a segment ends: its row is good in both */
    assert_true(depot_rewind(&depot, history(), cut));
    assert_true(depot_await_cut(history()));
    struct replid id = depot_id('b');
    assert_true(depot_rename(&depot, history(), &id));
    depot_await_synced(&depot);
    size_t length;
    uint8_t *kept = place_read(&depot.place, DIRECTORY "identity.kept", &length);
    uint8_t *newest = place_read(&depot.place, DIRECTORY "identity", &length);
    assert_memory_equal(kept, newest, length);
    free(kept);
    free(newest);
}
