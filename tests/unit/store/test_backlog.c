/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/backlog.h"

#include "bench.h"

static struct bench bench;

static void publish(void)
{
    (void)backlog_publish(bench.backlog);
}

/* Appends that many bytes of branch 0 and shows them. */
static void grow(size_t length)
{
    assert_int_equal(stream_append(bench.backlog, length, 0), BACKLOG_SPACE);
    publish();
}

static struct cursor attach(uint64_t offset)
{
    struct cursor cursor;
    assert_true(backlog_attach(bench.backlog, &cursor, offset));
    return cursor;
}

static const char *segment_at(uint64_t first)
{
    static char name[SEGMENT_NAME_MAX];
    segment_name(first, name);
    return name;
}

TEST(bytes_are_seen_when_they_are_published)
{
    bench_init(&bench, 1000, 1 << 20, 1 << 20);
    struct cursor cursor = attach(1000);
    struct bytes view;
    assert_int_equal(cursor_peek(&cursor, &view), CURSOR_AT_END);
    assert_int_equal(stream_append(bench.backlog, 100, 0), BACKLOG_SPACE);
    assert_int_equal(backlog_end(bench.backlog), 1100);
    assert_int_equal(backlog_published(bench.backlog), 1000);
    assert_int_equal(cursor_peek(&cursor, &view), CURSOR_AT_END);
    assert_true(backlog_publish(bench.backlog));
    assert_false(backlog_publish(bench.backlog));
    assert_int_equal(cursor_peek(&cursor, &view), CURSOR_BYTES);
    assert_int_equal(view.length, 100);
    assert_int_equal(stream_read(&cursor, 0), CURSOR_AT_END);
    assert_int_equal(cursor.offset, 1100);
    cursor_detach(&cursor);
    cursor_detach(&cursor);
    bench_fini(&bench);
}

TEST(segments_hold_the_stream_and_nothing_else)
{
    bench_init(&bench, 1000, 1 << 20, 1 << 20);
    grow(3 * SEGMENT + 10);
    assert_int_equal(backlog_segment_count(bench.backlog), 4);
    assert_int_equal(backlog_disk_bytes(bench.backlog), 4 * SEGMENT);
    assert_int_equal(bench.identity.segment_count, 3);
    backlog_free(&bench.backlog);
    for (uint64_t first = 1000, i = 0; i < 4; i++, first += SEGMENT) {
        size_t length;
        uint8_t *data = place_read(&bench.place, segment_at(first), &length);
        assert_int_equal(length, i < 3 ? SEGMENT : 10);
        assert_stream(bytes_at(data, length), first, 0);
        free(data);
    }
    bench_fini(&bench);
}

TEST(a_cursor_begins_anywhere_in_the_window)
{
    bench_init(&bench, 1000, 1 << 20, 1 << 20);
    grow(3 * SEGMENT);
    assert_int_equal(stream_append(bench.backlog, 10, 0), BACKLOG_SPACE);
    uint64_t end = 1000 + 3 * SEGMENT; /* the ten are not shown */
    struct cursor cursor;
    assert_false(backlog_attach(bench.backlog, &cursor, 999));
    assert_false(backlog_attach(bench.backlog, &cursor, end + 1));
    for (uint64_t offset = 1000; offset <= end; offset++) {
        cursor = attach(offset);
        if (offset % 61 == 0 || end - offset < 3)
            assert_int_equal(stream_read(&cursor, 0), CURSOR_AT_END);
        cursor_detach(&cursor);
    }
    bench_fini(&bench);
}

TEST(a_view_is_the_same_bytes_in_the_file)
{
    bench_init(&bench, 500, 1 << 20, 1 << 20);
    grow(2 * SEGMENT + 77);
    struct cursor cursor = attach(600);
    struct bytes view;
    while (cursor_peek(&cursor, &view) == CURSOR_BYTES) {
        uint64_t position;
        int file = cursor_file(&cursor, &position);
        uint8_t copy[SEGMENT];
        assert_int_equal(pread(file, copy, view.length, (off_t)position), view.length);
        assert_stream(bytes_at(copy, view.length), cursor.offset, 0);
        cursor_advance(&cursor, view.length < 1000 ? view.length : 1000);
    }
    assert_int_equal(cursor.offset, 500 + 2 * SEGMENT + 77);
    cursor_detach(&cursor);
    bench_fini(&bench);
}

TEST(the_window_is_trimmed_to_what_must_be_kept)
{
    bench_init(&bench, 0, 3 * SEGMENT, 100 * SEGMENT);
    for (uint64_t total = 100; total < 20 * SEGMENT; total += 100) {
        grow(100);
        uint64_t kept = backlog_end(bench.backlog) - backlog_first(bench.backlog);
        assert_true(kept >= 3 * SEGMENT || backlog_first(bench.backlog) == 0);
        assert_true(kept <= 5 * SEGMENT);
        assert_int_equal(backlog_first(bench.backlog), bench.identity.segment_count == 0
                                                           ? backlog_newest(bench.backlog)->first
                                                           : bench.identity.segments[0].first);
    }
    assert_true(place_loses(&bench.place, segment_at(0)));
    assert_true(place_has(&bench.place, segment_at(backlog_first(bench.backlog))));
    assert_int_equal(backlog_pinned_bytes(bench.backlog), 0);
    bench_fini(&bench);
}

TEST(who_is_behind_is_waited_for_up_to_the_cap)
{
    bench_init(&bench, 0, 2 * SEGMENT, 8 * SEGMENT);
    grow(10);
    struct cursor slow = attach(5);
    struct bytes view;
    assert_int_equal(cursor_peek(&slow, &view), CURSOR_BYTES);
    grow(8 * SEGMENT - 10);
    struct cursor quick = attach(6 * SEGMENT);
    assert_int_equal(backlog_first(bench.backlog), 0);
    assert_int_equal(backlog_disk_bytes(bench.backlog), 8 * SEGMENT);
    assert_int_equal(backlog_pinned_bytes(bench.backlog), 6 * SEGMENT); /* beyond the window */

    /* The next byte needs a ninth segment: the first is given up, and no more than that one. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_HELD);
        assert_int_equal(backlog_first(bench.backlog), SEGMENT);
        assert_int_equal(backlog_pinned_bytes(bench.backlog), 6 * SEGMENT);
        assert_int_equal(backlog_disk_bytes(bench.backlog), 8 * SEGMENT);
    }
    assert_stream(view, 5, 0); /* a view in hand stays good */
    assert_int_equal(cursor_peek(&slow, &view), CURSOR_LAGGED);
    assert_int_equal(stream_read(&quick, 0), CURSOR_AT_END);
    cursor_detach(&slow);
    assert_int_equal(backlog_pinned_bytes(bench.backlog), 0);
    assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_SPACE);
    grow(10);
    assert_int_equal(stream_read(&quick, 0), CURSOR_AT_END);
    assert_int_equal(quick.offset, 8 * SEGMENT + 10);
    cursor_detach(&quick);
    bench_fini(&bench);
}

TEST(a_window_that_was_held_shrinks_when_it_is_let_go)
{
    bench_init(&bench, 0, 2 * SEGMENT, 50 * SEGMENT);
    struct cursor slow = attach(0);
    grow(30 * SEGMENT);
    assert_int_equal(backlog_first(bench.backlog), 0);
    assert_false(backlog_trim(bench.backlog));
    cursor_detach(&slow);
    assert_true(backlog_trim(bench.backlog));
    assert_false(backlog_trim(bench.backlog));
    assert_int_equal(backlog_first(bench.backlog), 28 * SEGMENT);
    assert_int_equal(backlog_disk_bytes(bench.backlog), 2 * SEGMENT);
    bench_fini(&bench);
}

TEST(a_cap_below_two_segments_still_lets_the_stream_through)
{
    bench_init(&bench, 0, 1, 1);
    grow(20 * SEGMENT);
    assert_true(backlog_disk_bytes(bench.backlog) <= 2 * SEGMENT);
    bench_fini(&bench);
}

TEST(a_smaller_segment_size_after_a_restart_is_no_obstacle)
{
    bench_init(&bench, 0, 1, 1);
    bench.dependencies.segment_bytes = 16 * SEGMENT;
    grow(SEGMENT);
    bench_reload(&bench); /* the newest goes on with sixteen times the size */
    grow(15 * SEGMENT);
    bench.dependencies.segment_bytes = SEGMENT;
    bench_reload(&bench);
    grow(5 * SEGMENT);
    assert_int_equal(backlog_end(bench.backlog), 21 * SEGMENT);
    assert_true(backlog_disk_bytes(bench.backlog) <= 2 * SEGMENT);
    bench_fini(&bench);
}

TEST(segments_of_another_size_are_made_from_then_on)
{
    enum { LARGE = 16 * SEGMENT };
    bench_init(&bench, 0, LARGE, 4 * LARGE);
    backlog_set_sizes(bench.backlog, LARGE, 4 * LARGE, LARGE);
    grow(SEGMENT + 10); /* the first one was small: this begins a large one */
    assert_int_equal(backlog_disk_bytes(bench.backlog), SEGMENT + LARGE);
    backlog_set_sizes(bench.backlog, 2 * SEGMENT, 4 * SEGMENT, SEGMENT);
    grow(LARGE - 10); /* it keeps its size until it is full */
    assert_true(backlog_trim(bench.backlog));
    assert_int_equal(backlog_segment_count(bench.backlog), 1);
    assert_int_equal(backlog_disk_bytes(bench.backlog), LARGE);
    grow(3 * SEGMENT);
    (void)backlog_trim(bench.backlog);
    assert_true(backlog_first(bench.backlog) >= SEGMENT + LARGE);
    assert_true(backlog_disk_bytes(bench.backlog) <= 3 * SEGMENT);
    bench_fini(&bench);
}

/* A replica that is behind by less than repl-backlog-max-size is not cut for the size of an old segment. */
TEST(a_reader_in_a_large_segment_has_the_whole_cap_before_it)
{
    enum { LARGE = 16 * SEGMENT };
    bench_init(&bench, 0, LARGE, 4 * LARGE);
    backlog_set_sizes(bench.backlog, LARGE, 4 * LARGE, LARGE);
    grow(SEGMENT + LARGE - 1);
    struct cursor slow = attach(SEGMENT + LARGE - 10);
    backlog_set_sizes(bench.backlog, SEGMENT, 6 * SEGMENT, SEGMENT);
    grow(4 * SEGMENT);
    assert_int_equal(backlog_first(bench.backlog), SEGMENT);
    assert_int_equal(stream_read(&slow, 0), CURSOR_AT_END);
    cursor_detach(&slow);
    slow = attach(SEGMENT + LARGE + SEGMENT);
    grow(3 * SEGMENT);
    assert_true(backlog_first(bench.backlog) >= SEGMENT + LARGE); /* nobody stood there */
    cursor_detach(&slow);
    grow(8 * SEGMENT);
    assert_true(backlog_disk_bytes(bench.backlog) <= 6 * SEGMENT);
    bench_fini(&bench);
}

TEST(an_append_goes_over_as_many_segments_as_it_needs)
{
    bench_init(&bench, 100, 1 << 20, 1 << 20);
    assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_SPACE);
    assert_int_equal(stream_put(bench.backlog, 5 * SEGMENT + 10, 0), BACKLOG_SPACE);
    assert_int_equal(backlog_segment_count(bench.backlog), 6);
    assert_true(backlog_publish(bench.backlog));
    struct cursor cursor = attach(100);
    assert_int_equal(stream_read(&cursor, 0), CURSOR_AT_END);
    assert_int_equal(cursor.offset, 100 + 5 * SEGMENT + 10);
    cursor_detach(&cursor);
    bench_fini(&bench);
}

TEST(what_is_owed_is_a_copy_and_comes_first)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    grow(SEGMENT - 10);
    bench.save_error = EIO; /* no segment can be sealed */
    assert_int_equal(stream_put(bench.backlog, 100, 0), BACKLOG_NO_SPACE);
    assert_int_equal(backlog_end(bench.backlog), SEGMENT);
    assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_NO_SPACE);
    bench.save_error = 0;
    assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_SPACE);
    assert_int_equal(backlog_end(bench.backlog), SEGMENT + 90);
    grow(10);
    struct cursor cursor = attach(0);
    assert_int_equal(stream_read(&cursor, 0), CURSOR_AT_END);
    cursor_detach(&cursor);
    bench_fini(&bench);
}

TEST(bytes_shown_by_a_roll_are_news_at_the_end_of_the_turn)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    assert_int_equal(stream_append(bench.backlog, SEGMENT, 0), BACKLOG_SPACE);
    assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_SPACE);
    assert_true(backlog_publish(bench.backlog));
    assert_false(backlog_publish(bench.backlog));
    bench_fini(&bench);
}

TEST(an_identity_that_cannot_be_written_is_tried_again)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    struct replid next = replid_none();
    next.hex[0] = 'b';
    identity_rename(&bench.identity, &next, 3000);
    bench.identity.snapshot = (struct identity_snapshot){true, true, 3500, 100, 0};
    grow(SEGMENT);
    bench.save_error = EIO;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_NO_SPACE);
        assert_string_equal(backlog_error(bench.backlog), "identity: Input/output error");
        assert_int_equal(bench.identity.segment_count, 0);
        assert_int_equal(bench.identity.earlier[0].limit, 3000);
        assert_true(bench.identity.snapshot.exists);
        assert_int_equal(backlog_disk_bytes(bench.backlog), SEGMENT);
        assert_true(place_loses(&bench.place, segment_at(SEGMENT)));
    }
    bench.save_error = 0;
    grow(10);
    assert_string_equal(backlog_error(bench.backlog), "");
    assert_int_equal(bench.identity.segment_count, 1);
    bench_fini(&bench);
}

TEST(a_disk_too_full_for_the_identity_shortens_the_window)
{
    bench_init(&bench, 0, 1 << 20, 1 << 20);
    grow(5 * SEGMENT);
    bench.save_error = ENOSPC;
    assert_int_equal(backlog_make_ready(bench.backlog), BACKLOG_NO_SPACE);
    assert_int_equal(backlog_first(bench.backlog), 4 * SEGMENT);
    bench.save_error = 0;
    grow(10);
    struct cursor cursor = attach(4 * SEGMENT);
    assert_int_equal(stream_read(&cursor, 0), CURSOR_AT_END);
    cursor_detach(&cursor);
    bench_fini(&bench);
}

TEST(no_descriptor_is_left_open)
{
    unsigned before = test_descriptors();
    bench_init(&bench, 0, 2 * SEGMENT, 8 * SEGMENT);
    struct cursor cursors[4];
    for (int i = 0; i < 4; i++) {
        grow(3 * SEGMENT);
        cursors[i] = attach(backlog_published(bench.backlog));
        bench_rewind(&bench, backlog_end(bench.backlog) - SEGMENT - 100);
    }
    backlog_free(&bench.backlog);
    for (int i = 0; i < 4; i++)
        cursor_detach(&cursors[i]); /* they outlive it */
    bench_fini(&bench);
    assert_int_equal(test_descriptors(), before);
}
