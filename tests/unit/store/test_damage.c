/* SPDX-License-Identifier: MIT
 *
 * Files that were cut, altered or lost while no relay ran: what is served afterwards is what can be
 * proven, and never a false byte.
 */
#include <inttypes.h>
#include <sys/resource.h>

#include "depot_fixture.h"
#include "relay/base/crc64.h"

/* A history with three sealed segments and one that is written to. */
enum { FIRST = 1000, SEALED = 3, END = FIRST + SEALED * DEPOT_SEGMENT + 777 };

#define DIRECTORY "data/history-1/"

static const char *const names[] = {
    DIRECTORY "identity",          DIRECTORY "identity.kept",     DIRECTORY "tail",
    DIRECTORY "backlog/1000.seg",  DIRECTORY "backlog/5096.seg",  DIRECTORY "backlog/9192.seg",
    DIRECTORY "backlog/13288.seg", DIRECTORY "snapshot/1000.rdb",
};

enum { IDENTITY, KEPT, TAIL, SEGMENT_0, NEWEST = SEGMENT_0 + SEALED, SNAPSHOT, FILES };

static struct bytes contents[FILES];

static int make_contents(void **state)
{
    (void)state;
    assert_int_equal(LENGTH_OF(names), FILES);
    depot_init(&depot);
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', FIRST);
    for (int i = 0; i < SEALED; i++)
        depot_stream(&depot, DEPOT_SEGMENT, 0); /* so that each ends with a command */
    depot_stream(&depot, 700, 0);
    store_close(&depot.store);
    depot_open(&depot); /* writes all rows into the identity */
    depot_stream(&depot, 77, 0);
    store_close(&depot.store);
    for (size_t i = 0; i < FILES; i++) {
        size_t length;
        uint8_t *data = place_read(&depot.place, names[i], &length);
        contents[i] = bytes_at(data, length);
    }
    return 0;
}

static int drop_contents(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        union {
            const uint8_t *seen;
            uint8_t *owned;
        } data = {contents[i].data};
        free(data.owned);
    }
    depot_fini(&depot);
    return 0;
}

/* All as it was before the damage. */
static void restore(void)
{
    store_close(&depot.store);
    place_remove(depot.data_dir);
    static const char *const directories[] = {"data", DIRECTORY, DIRECTORY "backlog",
                                              DIRECTORY "snapshot"};
    for (size_t i = 0; i < LENGTH_OF(directories); i++)
        assert_int_equal(mkdirat(depot.place.directory, directories[i], 0700), 0);
    for (size_t i = 0; i < FILES; i++)
        place_write(&depot.place, names[i], contents[i]);
}

static void lose(int file)
{
    assert_int_equal(unlinkat(depot.place.directory, names[file], 0), 0);
}

static void assert_serves(uint64_t first, uint64_t end, bool snapshot)
{
    depot_open(&depot);
    depot_assert_window(&depot, first, UINT64_MAX, end);
    struct history *history = store_current(depot.store);
    assert_string_equal(history_identity(history)->replid.hex, depot_id('a').hex);
    assert_int_equal(history_boundary(history), end);
    assert_int_equal(history_snapshot(history) != NULL, snapshot);
    if (snapshot)
        depot_assert_snapshot(history_snapshot(history), 0);
    depot_stream(&depot, 2 * DEPOT_SEGMENT, 0); /* it goes on */
    depot_assert_window(&depot, first, UINT64_MAX, end + 2 * DEPOT_SEGMENT);
    store_close(&depot.store);
    depot_open(&depot);
    depot_assert_window(&depot, first, UINT64_MAX, end + 2 * DEPOT_SEGMENT);
}

static void assert_serves_nothing(void)
{
    depot_open(&depot);
    assert_null(store_current(depot.store));
    (void)depot_await_freed(&depot);
    assert_true(depot_loses(&depot, "data/history-1"));
}

static uint64_t end_of(int segment)
{
    return FIRST + (uint64_t)(segment - SEGMENT_0 + 1) * DEPOT_SEGMENT;
}

TEST(undamaged_it_is_whole)
{
    restore();
    assert_serves(FIRST, END, true);
}

TEST(an_altered_segment_ends_the_window_before_it)
{
    for (int segment = SEGMENT_0; segment < NEWEST; segment++) {
        for (int64_t position = segment; position < DEPOT_SEGMENT; position += 1361) {
            restore();
            place_flip(&depot.place, names[segment], position);
            assert_serves(end_of(segment), END, true);
        }
    }
}

TEST(a_cut_or_lost_segment_ends_the_window_before_it)
{
    for (int segment = SEGMENT_0; segment < NEWEST; segment++) {
        for (int64_t length = 0; length < DEPOT_SEGMENT; length += 4095) {
            restore();
            place_cut(&depot.place, names[segment], length);
            assert_serves(end_of(segment), END, true);
        }
        restore();
        lose(segment);
        assert_serves(end_of(segment), END, true);
    }
}

TEST(an_altered_or_lost_newest_segment_costs_its_own_bytes)
{
    for (int64_t position = 0; position < 777; position += 97) {
        restore();
        place_flip(&depot.place, names[NEWEST], position);
        uint64_t end =
            end_of(NEWEST - 1) + (position < 700 ? 0 : 700); /* the mark before proves it */
        assert_serves(FIRST, end, true);
        restore();
        place_cut(&depot.place, names[NEWEST], position);
        assert_serves(FIRST, end, true);
    }
    restore();
    lose(NEWEST);
    assert_serves(FIRST, end_of(NEWEST - 1), true);
}

TEST(bytes_behind_the_end_are_nothing)
{
    restore();
    place_cut(&depot.place, names[NEWEST], 3 * DEPOT_SEGMENT);
    place_flip(&depot.place, names[NEWEST], 778);
    assert_serves(FIRST, END, true);
    restore();
    place_cut(&depot.place, names[SEGMENT_0], 3 * DEPOT_SEGMENT);
    assert_serves(FIRST, END, true);
    assert_int_equal(place_length(&depot.place, names[SEGMENT_0]), DEPOT_SEGMENT);
}

TEST(without_its_last_sealed_and_its_newest_it_ends_earlier)
{
    restore();
    lose(NEWEST);
    place_flip(&depot.place, names[NEWEST - 1], 5);
    assert_serves(FIRST, end_of(NEWEST - 2), true);
}

TEST(without_any_segment_there_is_nothing)
{
    restore();
    for (int segment = SEGMENT_0; segment <= NEWEST; segment++)
        lose(segment);
    assert_serves_nothing();
}

TEST(an_altered_identity_has_a_second)
{
    for (int64_t position = 0; position < (int64_t)contents[IDENTITY].length; position += 23) {
        restore();
        place_flip(&depot.place, names[IDENTITY], position);
        assert_serves(FIRST, END, true);
        restore();
        place_cut(&depot.place, names[IDENTITY], position);
        assert_serves(FIRST, END, true);
        restore();
        place_flip(&depot.place, names[KEPT], position);
        assert_serves(FIRST, END, true);
        restore();
        place_flip(&depot.place, names[IDENTITY], position);
        place_cut(&depot.place, names[KEPT], position);
        assert_serves_nothing();
    }
    restore();
    lose(IDENTITY);
    lose(KEPT);
    assert_serves_nothing();
}

TEST(an_altered_tail_costs_no_more_than_the_newest)
{
    for (int64_t position = 0; position < 56 + 4 * 48; position++) {
        restore();
        place_flip(&depot.place, names[TAIL], position);
        depot_open(&depot);
        uint64_t end = backlog_end(depot_backlog(&depot));
        assert_true(end == END || end == END - 77 || end == end_of(NEWEST - 1));
        depot_assert_window(&depot, FIRST, UINT64_MAX, end);
        assert_int_equal(history_boundary(store_current(depot.store)), end);
    }
    restore();
    lose(TAIL);
    assert_serves(FIRST, end_of(NEWEST - 1), true);
}

TEST(an_altered_or_lost_snapshot_leaves_the_window)
{
    for (int64_t position = 0; position < DEPOT_RDB; position += 331) {
        restore();
        place_flip(&depot.place, names[SNAPSHOT], position);
        assert_serves(FIRST, END, false);
        assert_true(depot_loses(&depot, names[SNAPSHOT]));
        restore();
        place_cut(&depot.place, names[SNAPSHOT], position);
        assert_serves(FIRST, END, false);
    }
    restore();
    lose(SNAPSHOT);
    assert_serves(FIRST, END, false);
}

TEST(an_older_history_is_taken_where_the_newest_cannot_be)
{
    restore();
    assert_int_equal(mkdirat(depot.place.directory, "data/history-7", 0700), 0);
    place_write(&depot.place, "data/history-7/identity", bytes_of("nonsense\n"));
    assert_serves(FIRST, END, true);
    assert_true(depot_loses(&depot, "data/history-7"));
    assert_int_equal(history_number(store_current(depot.store)), 1);
    /* Numbers are not used again. */
    assert_int_equal(history_number(depot_resync(&depot, 'b', 5)), 2);
}

TEST(what_the_system_refuses_now_is_not_removed)
{
    restore();
    assert_int_equal(unlinkat(depot.place.directory, names[TAIL], 0), 0);
    assert_int_equal(mkdirat(depot.place.directory, names[TAIL], 0700), 0); /* cannot be mapped */
    depot.store = store_open(&depot.options, &depot.why);
    assert_null(depot.store);
    assert_non_null(strstr(text_string(&depot.why), "history-1: tail: "));
    text_clear(&depot.why);
    assert_int_equal(unlinkat(depot.place.directory, names[TAIL], AT_REMOVEDIR), 0);
    place_write(&depot.place, names[TAIL], contents[TAIL]);
    assert_serves(FIRST, END, true);
}

/* Who tries an older relay on the directory of a newer one, loses nothing. */
TEST(what_a_newer_version_wrote_is_left_alone)
{
    restore();
    struct text newer;
    text_init(&newer, 500);
    text_append_string(&newer, "psync-relay identity 3\nreplid of another kind\n");
    text_format(&newer, "sum %016" PRIx64 "\n",
                crc64(0, (const uint8_t *)newer.data, newer.length));
    place_write(&depot.place, names[IDENTITY], text_bytes(&newer));
    depot.store = store_open(&depot.options, &depot.why);
    assert_null(depot.store);
    assert_non_null(strstr(text_string(&depot.why), "history-1: identity: "));
    assert_non_null(strstr(text_string(&depot.why), "newer version"));
    text_clear(&depot.why);
    text_fini(&newer);
    place_write(&depot.place, names[IDENTITY], contents[IDENTITY]);
    assert_serves(FIRST, END, true);
}

/* Whatever it is that finds no descriptor: it is no damage, and the operator is told what to do. */
TEST(too_few_descriptors_are_told_and_cost_nothing)
{
    restore();
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    unsigned refused = 0;
    for (rlim_t limit = 4; depot.store == NULL; limit++) {
        assert_true(limit < 200);
        struct rlimit low = {.rlim_cur = limit, .rlim_max = before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        depot.store = store_open(&depot.options, &depot.why);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (depot.store != NULL)
            break;
        refused += strstr(text_string(&depot.why), "Too many open files") != NULL;
        if (strstr(text_string(&depot.why), "history-1: ") != NULL)
            assert_non_null(strstr(text_string(&depot.why), "ulimit -n, LimitNOFILE"));
        text_clear(&depot.why);
    }
    assert_true(refused > 5);
    depot_await_proven(&depot);
    depot_assert_window(&depot, FIRST, UINT64_MAX, END);
    depot_assert_snapshot(history_snapshot(store_current(depot.store)), 0);
    store_close(&depot.store);
    assert_serves(FIRST, END, true);
}

TEST_GROUP(make_contents, drop_contents);
