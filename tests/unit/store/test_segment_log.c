/* SPDX-License-Identifier: MIT
 *
 * Rows of segments behind the identity: what is applied of them, and what a history makes of it.
 */
#include "../../../relay/store/segment_log.h"

#include <sys/wait.h>

#include "depot_fixture.h"
#include "fault.h"

#define DIRECTORY "data/history-1/"

static struct place place;
static struct text why;

static struct identity_segment row(uint64_t first)
{
    return (struct identity_segment){first, first + 100, first * 7, first + 99};
}

static void set_up_place(void)
{
    place_init(&place);
    text_init(&why, 300);
    assert_int_equal(mkdirat(place.directory, "backlog", 0700), 0);
}

static void tear_down_place(void)
{
    text_fini(&why);
    place_fini(&place);
}

static void add(struct segment_log *log, uint64_t first)
{
    struct identity_segment added = row(first);
    assert_true(segment_log_add(log, &added, &why));
    char name[40];
    snprintf(name, sizeof(name), "backlog/%llu.seg", (unsigned long long)first);
    place_write(&place, name, bytes_of(""));
}

/* How many rows there are behind an identity of that base that ends at `end` (0: it has no row). */
static size_t applied(uint64_t base, uint64_t end)
{
    struct identity identity;
    struct replid id = depot_id('a');
    uint64_t newest;
    identity_init(&identity, &id);
    identity.base = base;
    if (end != 0)
        assert_true(identity_add_segment(&identity, row(end - 100)));
    assert_true(segment_log_apply(place.directory, &identity, &newest, &why));
    assert_true(newest >= base);
    size_t count = identity.segment_count;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(identity.segments[i].crc, identity.segments[i].first * 7);
    identity_fini(&identity);
    return count;
}

/* An identity of that base was written. */
static void follow(struct segment_log *log, uint64_t base, bool is_cut)
{
    struct error error;
    struct segment_log_file next = segment_log_next(log, is_cut);
    if (next.since == next.base)
        next.since = base;
    next.base = base;
    if (!segment_log_make_file(place.directory, &next, &error))
        fail_msg("%s", error.text);
    segment_log_follow(log, &next);
}

TEST(rows_go_behind_the_identity_of_their_base)
{
    set_up_place();
    struct segment_log log;
    segment_log_init(&log, place.directory);
    assert_false(segment_log_is_open(&log));
    follow(&log, 3, false);
    assert_true(segment_log_is_open(&log));
    add(&log, 0);
    add(&log, 100);
    follow(&log, 4, false);
    follow(&log, 5, false);
    add(&log, 200);
    add(&log, 300);
    assert_int_equal(applied(3, 0), 4);
    assert_int_equal(applied(4, 200), 3);
    assert_int_equal(applied(5, 200), 3);
    assert_int_equal(applied(5, 300), 2); /* one was written into it since */
    assert_int_equal(applied(5, 400), 1);
    assert_int_equal(applied(5, 500), 1); /* they end before that */
    assert_int_equal(applied(6, 200), 1);
    assert_int_equal(applied(2, 0), 0); /* what is said begins with 3 */
    segment_log_remove_before(place.directory, 5);
    assert_true(place_loses(&place, "segments.3"));
    assert_int_equal(applied(4, 200), 3);
    assert_true(segment_log_sync(place.directory));
    segment_log_fini(&log);
    tear_down_place();
}

TEST(what_is_cut_off_is_not_gone_on_with)
{
    set_up_place();
    struct segment_log log;
    segment_log_init(&log, place.directory);
    follow(&log, 1, true);
    add(&log, 0);
    add(&log, 100);
    follow(&log, 2, true); /* the end is 200 still, and what comes is of another id */
    add(&log, 200);
    follow(&log, 3, false);
    add(&log, 300);
    assert_int_equal(applied(1, 0), 2);
    assert_int_equal(applied(2, 200), 3);
    assert_int_equal(applied(3, 300), 2);
    segment_log_fini(&log);
    tear_down_place();
}

TEST(a_torn_row_is_the_end)
{
    set_up_place();
    struct segment_log log;
    segment_log_init(&log, place.directory);
    follow(&log, 1, false);
    add(&log, 0);
    size_t whole;
    free(place_read(&place, "segments.1", &whole));
    add(&log, 100);
    size_t length;
    uint8_t *file = place_read(&place, "segments.1", &length);
    for (size_t cut = 0; cut < length; cut++) {
        place_write(&place, "segments.1", bytes_at(file, cut));
        assert_int_equal(applied(1, 0), cut + 1 < whole ? 0 : cut + 1 < length ? 1 : 2);
    }
    for (size_t at = 0; at < length; at++) {
        place_write(&place, "segments.1", bytes_at(file, length));
        place_flip(&place, "segments.1", (int64_t)at);
        assert_true(applied(1, 0) < 2 || at == length - 1);
    }
    free(file);
    segment_log_fini(&log);
    tear_down_place();
}

TEST(the_oldest_rows_without_a_file_are_left_out)
{
    set_up_place();
    struct segment_log log;
    segment_log_init(&log, place.directory);
    follow(&log, 1, false);
    for (uint64_t first = 0; first < 500; first += 100)
        add(&log, first);
    assert_int_equal(unlinkat(place.directory, "backlog/0.seg", 0), 0);
    assert_int_equal(unlinkat(place.directory, "backlog/100.seg", 0), 0);
    assert_int_equal(unlinkat(place.directory, "backlog/300.seg", 0), 0); /* a hole: not here */
    assert_int_equal(applied(1, 0), 3);
    segment_log_fini(&log);
    tear_down_place();
}

/* ------------------------------------------------------------------ of a history */

/* With many segments the identity is written now and then, and nothing is lost by a kill or a restart. */
TEST(many_segments_cost_no_identity_each)
{
    enum { COUNT = 1500 };
    depot_init(&depot);
    depot.options.window_bytes = (uint64_t)COUNT * DEPOT_SEGMENT;
    depot.options.window_bytes_max = (uint64_t)2 * COUNT * DEPOT_SEGMENT;
    depot_open(&depot);
    struct history *history = depot_resync(&depot, 'a', 0);
    uint64_t before = history_identity(history)->base;
    for (int i = 0; i < COUNT; i++)
        depot_stream(&depot, DEPOT_SEGMENT, 0);
    assert_int_equal(backlog_segment_count(history_backlog(history)), COUNT);
    assert_in_range(history_identity(history)->base, before + 2, before + 6);
    for (int i = 0; i < COUNT; i++)
        depot_stream(&depot, DEPOT_SEGMENT, 0);
    assert_in_range(history_identity(history)->base, before + 4, before + 10);
    store_tick(depot.store);
    uint64_t first = backlog_first(history_backlog(history));
    store_close(&depot.store);
    depot_open(&depot);
    depot_assert_window(&depot, first, UINT64_MAX, (uint64_t)2 * COUNT * DEPOT_SEGMENT);
    depot_fini(&depot);
}

/* As the version before wrote it: without a base, with all rows. */
TEST(an_identity_of_before_is_read)
{
    depot_init(&depot);
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 1000);
    depot_stream(&depot, 3 * DEPOT_SEGMENT + 10, 0);
    store_close(&depot.store);
    depot_open(&depot);
    struct text old;
    text_init(&old, 100000);
    struct identity copy;
    assert_true(identity_copy(history_identity(store_current(depot.store)), &copy));
    identity_format(&copy, &old);
    identity_fini(&copy);
    store_close(&depot.store);
    char *base = strstr(text_string(&old), "base ");
    assert_non_null(base);
    char *behind = strchr(base, '\n') + 1;
    char *sum = strstr(behind, "sum ");
    struct text file;
    text_init(&file, 100000);
    text_append_string(&file, "psync-relay identity 1\n");
    const char *replid = strstr(text_string(&old), "replid ");
    text_append(&file, bytes_at(replid, (size_t)(base - replid)));
    text_append(&file, bytes_at(behind, (size_t)(sum - behind)));
    uint64_t crc = crc64(0, file.data, file.length);
    text_format(&file, "sum %016llx\n", (unsigned long long)crc);
    place_write(&depot.place, DIRECTORY "identity", text_bytes(&file));
    place_write(&depot.place, DIRECTORY "identity.kept", text_bytes(&file));
    text_fini(&old);
    text_fini(&file);
    depot_open(&depot);
    depot_assert_window(&depot, 1000, UINT64_MAX, 1010 + 3 * DEPOT_SEGMENT);
    depot_assert_snapshot(history_usable_snapshot(store_current(depot.store)), 0);
    depot_stream(&depot, 2 * DEPOT_SEGMENT, 0);
    store_close(&depot.store);
    depot_open(&depot);
    depot_assert_window(&depot, 1000, UINT64_MAX, 1010 + 5 * DEPOT_SEGMENT);
    depot_fini(&depot);
}

/* The identity and the copy of it, with the rows behind each: the newest is lost with the power. */
TEST(the_copy_is_gone_on_with)
{
    depot_init(&depot);
    depot.options.fsync = STORE_FSYNC_EVERYSEC;
    depot_open(&depot);
    struct history *history = depot_resync(&depot, 'a', 1000);
    depot_stream(&depot, 3 * DEPOT_SEGMENT, 0);
    for (int i = 0; i < 10000 && history_durable(history) < 1000 + 3 * DEPOT_SEGMENT; i++) {
        store_tick(depot.store);
        usleep(1000);
    }
    assert_int_equal(history_durable(history), 1000 + 3 * DEPOT_SEGMENT);
    size_t length;
    uint8_t *kept = place_read(&depot.place, DIRECTORY "identity.kept", &length);
    struct snapshot *snapshot = history_begin_snapshot(history, 2000, &depot.why);
    depot_receive(&depot, snapshot, 0);
    assert_true(depot_complete(&depot, history));
    depot_await_named(&depot, history); /* the identity is another now */
    depot_stream(&depot, 3 * DEPOT_SEGMENT, 0);
    place_write(&depot.place, DIRECTORY "identity", bytes_of(""));
    uint8_t *still = place_read(&depot.place, DIRECTORY "identity.kept", &length);
    assert_memory_equal(kept, still, length);
    struct identity identity;
    uint64_t newest;
    assert_true(identity_parse(bytes_at(still, length), &identity, &depot.why));
    assert_int_equal(identity.segment_count, 0);
    char path[PLACE_PATH_MAX];
    int directory = open(place_path(&depot.place, DIRECTORY, path), O_RDONLY | O_DIRECTORY);
    assert_true(segment_log_apply(directory, &identity, &newest, &depot.why));
    assert_int_equal(identity.segment_count, 5);
    close(directory);
    identity_fini(&identity);
    free(kept);
    free(still);
    depot_fini(&depot);
}

/* What an open may say where the file is there, and has its rows. */
static const int open_errors[] = {ENOSPC, EDQUOT, EIO, EMFILE};

TEST(rows_that_cannot_be_looked_at_are_not_left_out)
{
    set_up_place();
    struct segment_log log;
    segment_log_init(&log, place.directory);
    follow(&log, 3, false);
    add(&log, 0);
    follow(&log, 4, false);
    add(&log, 100);
    for (size_t i = 0; i < LENGTH_OF(open_errors); i++) {
        unsigned refused = 0;
        for (unsigned n = 1;; n++) {
            struct identity identity;
            struct replid id = depot_id('a');
            uint64_t newest;
            identity_init(&identity, &id);
            identity.base = 3;
            fault_begin(&(struct fault){.nth = n, .open_error = open_errors[i]});
            bool good = segment_log_apply(place.directory, &identity, &newest, &why);
            bool is_whole = fault_lift() == 0;
            assert_true(good == is_whole);
            assert_true(!good || identity.segment_count == 2);
            identity_fini(&identity);
            text_clear(&why);
            if (is_whole)
                break;
            refused++;
        }
        assert_in_range(refused, 2, 20);
    }
    segment_log_fini(&log);
    tear_down_place();
}

/* It ends as by a kill: the rows are behind the identity. */
static void live_and_be_killed(void)
{
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        depot_open(&depot);
        (void)depot_resync(&depot, 'a', 0);
        depot_stream(&depot, 3 * DEPOT_SEGMENT + 10, 0);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Whichever of them it is: the start is refused, or all is there. */
TEST(a_start_whose_open_is_refused_loses_nothing)
{
    depot_init(&depot);
    live_and_be_killed();
    unsigned refused = 0;
    for (unsigned n = 1; n < 20; n++) {
        fault_begin(&(struct fault){.nth = n, .open_error = ENOSPC});
        depot.store = store_open(&depot.options, &depot.why);
        (void)fault_lift();
        refused += depot.store == NULL;
        text_clear(&depot.why);
        if (depot.store == NULL)
            continue;
        depot_await_proven(&depot);
        depot_assert_window(&depot, 0, UINT64_MAX, 3 * DEPOT_SEGMENT + 10);
        store_close(&depot.store);
        /* As the kill has left it. */
        depot_fini(&depot);
        depot_init(&depot);
        live_and_be_killed();
    }
    assert_true(refused > 0);
    depot_open(&depot);
    depot_assert_window(&depot, 0, UINT64_MAX, 3 * DEPOT_SEGMENT + 10);
    depot_fini(&depot);
}
