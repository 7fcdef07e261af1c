/* SPDX-License-Identifier: MIT
 *
 * Random deeds on a backlog, compared after each with a plain array that holds the whole stream.
 */
#include "bench.h"

enum { DEEDS = 4000, CURSORS = 6, STREAM_MAX = 4 << 20, WINDOW = 4, CAP = 10 };

struct reader {
    struct cursor cursor;
    bool attached;
    bool cut; /* it stood beyond a rewind */
};

struct model {
    uint64_t seed;
    uint8_t *stream; /* all bytes ever, as they are now */
    uint64_t end;
    uint64_t published;
    uint64_t boundary; /* when it was published */
    unsigned branch;
    struct reader readers[CURSORS];
    unsigned seen[4]; /* views of each kind: a run that never lags proves nothing */
    unsigned held;
};

static struct bench bench;
static struct model model;

static uint64_t below(uint64_t bound)
{
    return test_random_below(&model.seed, bound);
}

static void let_go(struct reader *reader)
{
    cursor_detach(&reader->cursor);
    *reader = (struct reader){0};
}

/* As a worker's turn does: all who have been told let go. */
static void sweep(void)
{
    for (int i = 0; i < CURSORS; i++) {
        struct reader *reader = &model.readers[i];
        struct bytes view;
        if (!reader->attached)
            continue;
        enum cursor_view found = cursor_peek(&reader->cursor, &view);
        if (found == CURSOR_LAGGED || found == CURSOR_REWOUND) {
            model.seen[found]++;
            let_go(reader);
        }
    }
}

static void do_append(void)
{
    size_t length = (size_t)(below(4) == 0 ? below(3 * SEGMENT) : below(600)) + 1;
    while (length > 0) {
        enum backlog_space room = backlog_make_ready(bench.backlog);
        if (room == BACKLOG_HELD) {
            assert_true(backlog_pinned_bytes(bench.backlog) > 0);
            model.held++;
            sweep();
            continue;
        }
        assert_int_equal(room, BACKLOG_SPACE);
        size_t capacity = stream_capacity(bench.backlog);
        size_t count = capacity < length ? capacity : length;
        stream_fill(model.stream + model.end, model.end, count, model.branch);
        assert_int_equal(stream_put(bench.backlog, count, model.branch), BACKLOG_SPACE);
        model.end += count;
        length -= count;
    }
}

static void do_publish(void)
{
    if (below(2) == 0)
        backlog_set_boundary(bench.backlog, model.end);
    uint64_t boundary = backlog_boundary(bench.backlog);
    (void)backlog_publish(bench.backlog);
    model.published = model.end;
    model.boundary = boundary;
}

static void do_attach(void)
{
    struct reader *reader = &model.readers[below(CURSORS)];
    if (reader->attached && below(20) > 0)
        return;
    let_go(reader);
    uint64_t first = backlog_first(bench.backlog);
    uint64_t published = backlog_published(bench.backlog);
    uint64_t offset = first + below(published - first + 3);
    if (offset > 0)
        offset--;
    reader->attached = backlog_attach(bench.backlog, &reader->cursor, offset);
    assert_int_equal(reader->attached, offset >= first && offset <= published);
}

/* Reads one view, and some of it. */
static void do_read(void)
{
    uint64_t chosen = below(CURSORS);
    struct reader *reader = &model.readers[chosen];
    if (!reader->attached || (chosen < 2 && below(50) > 0)) /* two are slow */
        return;
    struct bytes view;
    enum cursor_view found = cursor_peek(&reader->cursor, &view);
    model.seen[found]++;
    if (reader->cut)
        assert_true(found == CURSOR_REWOUND || found == CURSOR_LAGGED);
    if (found == CURSOR_LAGGED)
        assert_true(reader->cursor.offset < backlog_first(bench.backlog));
    if (found == CURSOR_AT_END)
        assert_int_equal(reader->cursor.offset, backlog_published(bench.backlog));
    if (found == CURSOR_LAGGED || found == CURSOR_REWOUND)
        let_go(reader);
    if (found != CURSOR_BYTES)
        return;
    assert_true(reader->cursor.offset + view.length <= backlog_published(bench.backlog));
    assert_views_equal(view, bytes_at(model.stream + reader->cursor.offset, view.length));
    bool all = chosen > 3 || below(3) == 0;
    cursor_advance(&reader->cursor, all ? view.length : (size_t)below(view.length + 1));
}

static void do_rewind(void)
{
    uint64_t first = backlog_first(bench.backlog);
    uint64_t cut = below(3) == 0
                       ? first + below(model.end - first + 1)
                       : model.end - below((model.end - first < 300 ? model.end - first : 300) + 1);
    bench_rewind(&bench, cut);
    for (int i = 0; i < CURSORS; i++) {
        if (model.readers[i].attached && model.readers[i].cursor.offset > cut)
            model.readers[i].cut = true;
    }
    model.end = cut;
    model.published = cut;
    model.boundary = cut;
    model.branch++;
}

static void compare(void)
{
    assert_int_equal(backlog_end(bench.backlog), model.end);
    assert_true(backlog_published(bench.backlog) >= model.published);
    uint64_t first = backlog_first(bench.backlog);
    assert_true(model.end - first >= (WINDOW - 1) * SEGMENT || first == 1000 || model.branch > 0);
    /* A rewind adds a segment before anything can be given up for it. */
    assert_true(backlog_disk_bytes(bench.backlog) <= (CAP + 1) * SEGMENT || model.branch > 0);
    const struct identity *identity = &bench.identity;
    assert_int_equal(identity->segment_count, backlog_segment_count(bench.backlog) - 1);
    if (identity->segment_count > 0)
        assert_int_equal(identity->segments[0].first, first);
}

/* The whole window, from its first byte. */
static void compare_window(void)
{
    struct cursor cursor;
    struct bytes view;
    assert_true(backlog_attach(bench.backlog, &cursor, backlog_first(bench.backlog)));
    while (cursor_peek(&cursor, &view) == CURSOR_BYTES) {
        assert_views_equal(view, bytes_at(model.stream + cursor.offset, view.length));
        cursor_advance(&cursor, view.length);
    }
    assert_int_equal(cursor.offset, backlog_published(bench.backlog));
    cursor_detach(&cursor);
}

static void do_reload(void)
{
    for (int i = 0; i < CURSORS; i++)
        let_go(&model.readers[i]);
    uint64_t published = backlog_published(bench.backlog);
    uint64_t first = backlog_first(bench.backlog);
    bench_reload(&bench);
    model.end = backlog_end(bench.backlog);
    assert_int_equal(model.end, published);
    assert_in_range(backlog_boundary(bench.backlog), model.boundary, published);
    assert_int_equal(backlog_first(bench.backlog), first);
    model.published = published;
    model.boundary = backlog_boundary(bench.backlog);
    compare_window();
}

static void act(void)
{
    static void (*const deeds[])(void) = {
        do_append, do_append, do_append, do_publish, do_publish, do_publish,
        do_attach, do_read,   do_read,   do_read,    do_read,    do_read,
    };
    uint64_t choice = below(600);
    if (choice < 4)
        do_rewind();
    else if (choice == 4)
        do_reload();
    else if (choice < 9)
        (void)backlog_trim(bench.backlog);
    else
        deeds[choice % LENGTH_OF(deeds)]();
}

static void run(uint64_t seed)
{
    memset(&model, 0, sizeof(model));
    model.seed = seed;
    model.stream = malloc(STREAM_MAX);
    model.end = 1000;
    model.published = 1000;
    bench_init(&bench, 1000, WINDOW * SEGMENT, CAP * SEGMENT);
    for (int i = 0; i < DEEDS && model.end < STREAM_MAX - 4 * SEGMENT; i++) {
        act();
        compare();
        if (i % 50 == 0)
            compare_window();
    }
    print_message("bytes %u, at end %u, lagged %u, rewound %u, held %u\n", model.seen[0],
                  model.seen[1], model.seen[2], model.seen[3], model.held);
    for (int kind = 0; kind < 4; kind++)
        assert_true(model.seen[kind] > 0);
    assert_true(model.held > 0);
    for (int i = 0; i < CURSORS; i++)
        let_go(&model.readers[i]);
    (void)backlog_trim(bench.backlog);
    assert_int_equal(backlog_pinned_bytes(bench.backlog), 0);
    bench_fini(&bench);
    free(model.stream);
}

TEST(seed_1)
{
    run(1);
}
TEST(seed_2)
{
    run(20260101);
}
TEST(seed_3)
{
    run(UINT64_C(0xfeedfacecafebeef));
}
