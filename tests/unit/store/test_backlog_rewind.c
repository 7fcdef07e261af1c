/* SPDX-License-Identifier: MIT
 *
 * Forgetting the end of a backlog, with readers before, at and beyond the cut, and kills between any
 * two of its steps.
 */
#include <sys/wait.h>

#include "bench.h"

static struct bench bench;

static void grow(size_t length, unsigned branch)
{
    assert_int_equal(stream_append(bench.backlog, length, branch), BACKLOG_SPACE);
    (void)backlog_publish(bench.backlog);
}

static struct cursor attach(uint64_t offset)
{
    struct cursor cursor;
    assert_true(backlog_attach(bench.backlog, &cursor, offset));
    return cursor;
}

/* All of the window: branch 0 up to `joint`, branch 1 from there to `end`. */
static void assert_window(uint64_t first, uint64_t joint, uint64_t end)
{
    assert_int_equal(backlog_first(bench.backlog), first);
    assert_int_equal(backlog_end(bench.backlog), end);
    struct cursor cursor = attach(first);
    struct bytes view;
    while (cursor_peek(&cursor, &view) == CURSOR_BYTES) {
        if (cursor.offset < joint && view.length > joint - cursor.offset)
            view.length = joint - cursor.offset;
        assert_stream(view, cursor.offset, cursor.offset < joint ? 0 : 1);
        cursor_advance(&cursor, view.length);
    }
    assert_int_equal(cursor.offset, end);
    cursor_detach(&cursor);
}

TEST(the_window_goes_on_behind_the_cut)
{
    for (uint64_t cut = 100; cut <= 100 + 3 * SEGMENT; cut += cut % SEGMENT == 99 ? 1 : 331) {
        bench_init(&bench, 100, 1 << 20, 1 << 20);
        grow(3 * SEGMENT - 50, 0);
        if (cut > backlog_end(bench.backlog))
            cut = backlog_end(bench.backlog);
        bench_rewind(&bench, cut);
        assert_window(100, cut, cut);
        assert_int_equal(backlog_boundary(bench.backlog), cut);
        grow(2 * SEGMENT + 5, 1);
        assert_window(100, cut, cut + 2 * SEGMENT + 5);
        bench_reload(&bench);
        assert_window(100, cut, cut + 2 * SEGMENT + 5);
        bool last = cut == 100 + 3 * SEGMENT - 50;
        bench_fini(&bench);
        if (last)
            return;
    }
    fail_msg("the end was never cut at");
}

TEST(readers_are_told_where_they_stand)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    grow(3 * SEGMENT, 0);
    uint64_t cut = SEGMENT + 500;
    struct cursor before = attach(10);
    struct cursor in_cut = attach(SEGMENT + 400);
    struct cursor at = attach(cut);
    struct cursor beyond = attach(cut + 1);
    struct cursor far = attach(3 * SEGMENT);
    bench_rewind(&bench, cut);
    struct bytes view;
    assert_int_equal(cursor_peek(&beyond, &view), CURSOR_REWOUND);
    assert_int_equal(cursor_peek(&far, &view), CURSOR_REWOUND);
    assert_int_equal(cursor_peek(&at, &view), CURSOR_AT_END);
    assert_int_equal(cursor_peek(&in_cut, &view), CURSOR_BYTES);
    assert_int_equal(view.length, 100);
    assert_int_equal(stream_read(&before, 0), CURSOR_AT_END);
    assert_int_equal(stream_read(&in_cut, 0), CURSOR_AT_END);
    grow(SEGMENT, 1);
    struct cursor *good[] = {&before, &in_cut, &at};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stream_read(good[i], 1), CURSOR_AT_END);
        assert_int_equal(good[i]->offset, cut + SEGMENT);
        cursor_detach(good[i]);
    }
    assert_int_equal(cursor_peek(&beyond, &view), CURSOR_REWOUND);
    cursor_detach(&beyond);
    cursor_detach(&far);
    bench_fini(&bench);
}

static void begin_era(void)
{
    struct text why;
    text_init(&why, 300);
    if (!backlog_begin_replid(bench.backlog, &why))
        fail_msg("%s", text_string(&why));
    backlog_end_replid(bench.backlog);
    text_fini(&why);
}

/* Those who are there when the id changes read up to that place and no further; who comes later knows
 * the new id, and reads on. */
static void expect_border(uint64_t replid_after, uint64_t before)
{
    struct cursor old[] = {attach(before), attach(replid_after)};
    begin_era();
    struct cursor fresh[] = {attach(before), attach(replid_after)};
    grow(2 * SEGMENT + 7, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stream_read(&old[i], 0), CURSOR_RENAMED);
        assert_int_equal(old[i].offset, replid_after);
        assert_int_equal(stream_read(&fresh[i], 0), CURSOR_AT_END);
        assert_int_equal(fresh[i].offset, backlog_end(bench.backlog));
        cursor_detach(&old[i]);
        cursor_detach(&fresh[i]);
    }
}

TEST(nobody_reads_on_under_an_id_that_has_ended)
{
    static const size_t lengths[] = {0, 1, 100, SEGMENT, SEGMENT + 1, 3 * SEGMENT};
    for (size_t i = 0; i < LENGTH_OF(lengths); i++) {
        bench_init(&bench, 100, 1 << 20, 1 << 20);
        grow(lengths[i], 0);
        expect_border(100 + lengths[i], 100);
        expect_border(backlog_end(bench.backlog), 100 + lengths[i]);
        bench_reload(&bench);
        assert_window(100, UINT64_MAX, 100 + lengths[i] + 2 * (2 * SEGMENT + 7));
        bench_fini(&bench);
    }
}

/* The new id is not written yet: who attaches before the end reads no further either. */
TEST(who_attaches_while_an_id_is_written_does_not_know_it)
{
    struct text why;
    text_init(&why, 300);
    bench_init(&bench, 100, 1 << 20, 1 << 20);
    grow(SEGMENT + 50, 0);
    uint64_t end = backlog_end(bench.backlog);
    assert_true(backlog_begin_replid(bench.backlog, &why));
    struct cursor between = attach(end - 10);
    backlog_end_replid(bench.backlog);
    struct cursor fresh = attach(end - 10);
    grow(2 * SEGMENT, 0);
    assert_int_equal(stream_read(&between, 0), CURSOR_RENAMED);
    assert_int_equal(between.offset, end);
    assert_int_equal(stream_read(&fresh, 0), CURSOR_AT_END);
    assert_int_equal(fresh.offset, backlog_end(bench.backlog));
    cursor_detach(&between);
    cursor_detach(&fresh);
    bench_fini(&bench);
    text_fini(&why);
}

TEST(an_id_that_ends_where_nothing_came_since)
{
    bench_init(&bench, 100, 1 << 20, 1 << 20);
    for (int round = 0; round < 2; round++) {
        uint64_t replid_after = backlog_end(bench.backlog);
        struct cursor oldest = attach(replid_after);
        begin_era();
        struct cursor older = attach(replid_after);
        begin_era();
        begin_era();
        uint64_t disk_bytes = backlog_disk_bytes(bench.backlog);
        struct cursor fresh = attach(replid_after);
        struct bytes view;
        assert_int_equal(cursor_peek(&oldest, &view), CURSOR_RENAMED);
        assert_int_equal(cursor_peek(&older, &view), CURSOR_RENAMED);
        assert_int_equal(cursor_peek(&fresh, &view), CURSOR_AT_END);
        cursor_detach(&oldest);
        cursor_detach(&older);
        assert_int_equal(backlog_disk_bytes(bench.backlog), disk_bytes);
        grow(50, 0);
        assert_int_equal(stream_read(&fresh, 0), CURSOR_AT_END);
        assert_int_equal(fresh.offset, replid_after + 50);
        cursor_detach(&fresh);
    }
    bench_reload(&bench);
    assert_window(100, UINT64_MAX, 200);
    bench_fini(&bench);
}

/* The rest of a segment that ends early is given back. */
TEST(an_id_costs_no_more_than_one_segment)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    for (int i = 1; i <= 40; i++) {
        grow(10, 0);
        begin_era();
        assert_int_equal(backlog_disk_bytes(bench.backlog), SEGMENT + i * 10);
    }
    assert_window(0, UINT64_MAX, 400);
    bench_fini(&bench);
}

TEST(a_cut_before_the_border_is_where_the_old_id_ends)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    grow(2 * SEGMENT, 0);
    struct cursor old = attach(10);
    begin_era();
    grow(SEGMENT, 0);
    bench_rewind(&bench, 500);
    grow(SEGMENT, 1);
    assert_int_equal(stream_read(&old, 0), CURSOR_RENAMED);
    assert_int_equal(old.offset, 500);
    cursor_detach(&old);
    bench_fini(&bench);
}

TEST(what_a_reader_has_in_hand_outlives_the_cut)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    grow(SEGMENT - 1, 0);
    struct cursor cursor = attach(0);
    struct bytes view;
    assert_int_equal(cursor_peek(&cursor, &view), CURSOR_BYTES);
    bench_rewind(&bench, 1); /* a file cut at once would be zeros from there on */
    grow(10, 1);
    assert_stream(view, 0, 0);
    cursor_advance(&cursor, view.length);
    assert_int_equal(cursor_peek(&cursor, &view), CURSOR_REWOUND);
    cursor_detach(&cursor);
    bench_fini(&bench);
}

TEST(a_cut_file_ends_at_the_cut_when_nobody_reads_it_any_more)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    grow(2 * SEGMENT, 0);
    bench_rewind(&bench, 1000);
    grow(10, 1);
    backlog_free(&bench.backlog);
    assert_int_equal(place_length(&bench.place, "0.seg"), 1000);
    assert_int_equal(place_length(&bench.place, "1000.seg"), 10);
    assert_int_equal(place_length(&bench.place, "4096.seg"), -1);
    bench_fini(&bench);
}

TEST(many_rewinds_in_one_segment)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    struct cursor cursor = attach(0);
    grow(1000, 0);
    for (uint64_t cut = 900; cut > 0; cut -= 100) {
        grow(50, 1);
        bench_rewind(&bench, cut);
        bench_rewind(&bench, cut);
        assert_window(0, cut, cut);
    }
    assert_int_equal(stream_read(&cursor, 0), CURSOR_AT_END);
    assert_int_equal(cursor.offset, 100);
    cursor_detach(&cursor);
    bench_fini(&bench);
}

TEST(the_space_of_what_was_cut_off_comes_back)
{
    bench_init(&bench, 0, 4 * SEGMENT, 8 * SEGMENT);
    grow(8 * SEGMENT, 0);
    struct cursor far = attach(8 * SEGMENT);
    bench_rewind(&bench, backlog_first(bench.backlog) + 100);
    assert_true(backlog_pinned_bytes(bench.backlog) > 0);
    (void)backlog_trim(bench.backlog);
    assert_int_equal(backlog_pinned_bytes(bench.backlog), SEGMENT); /* far's */
    cursor_detach(&far);
    assert_int_equal(backlog_pinned_bytes(bench.backlog), 0);
    grow(20 * SEGMENT, 1);
    bench_fini(&bench);
}

TEST(a_reader_at_a_cut_does_not_stop_the_writer_for_ever)
{
    bench_init(&bench, 0, 2 * SEGMENT, 8 * SEGMENT);
    grow(20, 0);
    struct cursor stuck = attach(10);
    grow(8 * SEGMENT - 20, 0);
    bench_rewind(&bench, 100);
    /* It stands where the segments that were cut off begin, so they are held with it. */
    enum backlog_space room = stream_append(bench.backlog, 20 * SEGMENT, 1);
    assert_int_equal(room, BACKLOG_HELD);
    struct bytes view;
    assert_int_equal(cursor_peek(&stuck, &view), CURSOR_LAGGED);
    cursor_detach(&stuck);
    assert_int_equal(stream_append(bench.backlog, 20 * SEGMENT, 1), BACKLOG_SPACE);
    bench_fini(&bench);
}

TEST(a_rewind_that_cannot_be_saved_has_not_happened_on_the_disk)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    grow(3 * SEGMENT, 0);
    struct text why;
    text_init(&why, 300);
    bench.save_error = EIO;
    assert_true(backlog_begin_cut(bench.backlog, 100, &why));
    assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_HELD);
    assert_false(bench_save(&bench, &why));
    assert_string_equal(text_string(&why), "identity: Input/output error");
    text_fini(&why);
    backlog_lose_cut(bench.backlog);
    assert_window(0, 100, 100); /* it is served, and nothing may come */
    assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_NO_SPACE);
    bench.save_error = 0;
    bench_reload(&bench);
    assert_window(0, 3 * SEGMENT, 3 * SEGMENT);
    grow(SEGMENT, 0);
    bench_fini(&bench);
}

/* The process dies in the middle of the rewind, as it saves the identity. */
static void rewind_and_die(uint64_t cut, enum bench_death death)
{
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        struct text why;
        text_init(&why, 300);
        bench.death = death;
        if (backlog_begin_cut(bench.backlog, cut, &why))
            (void)!bench_save(&bench, &why);
        _exit(2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

TEST(a_kill_before_the_identity_is_saved_leaves_all)
{
    for (uint64_t cut = 100; cut < 100 + 3 * SEGMENT; cut += cut % SEGMENT == 100 ? 500 : 596) {
        bench_init(&bench, 100, 1 << 20, 1 << 20);
        grow(3 * SEGMENT - 50, 0);
        rewind_and_die(cut, BENCH_DIES_BEFORE_SAVE);
        bench_reload(&bench);
        assert_window(100, UINT64_MAX, 100 + 3 * SEGMENT - 50);
        bench_fini(&bench);
    }
}

TEST(a_kill_behind_it_leaves_what_is_before_the_cut)
{
    for (uint64_t cut = 101; cut < 100 + 3 * SEGMENT; cut += 500) {
        bench_init(&bench, 100, 1 << 20, 1 << 20);
        grow(3 * SEGMENT - 50, 0);
        rewind_and_die(cut, BENCH_DIES_AFTER_SAVE);
        bench_reload(&bench);
        assert_window(100, UINT64_MAX, cut);
        bench_fini(&bench);
    }
}
