/* SPDX-License-Identifier: MIT
 *
 * Pieces of a stream for several replicas: made once, where they are cut, and when more is waited for.
 */
#include "../../../relay/downstream/piece_cache.h"

#include "fake_clock.h"
#include "fake_store.h"
#include "relay/base/text.h"
#include "relay/codec/decompressor.h"
#include "test.h"

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

enum { FIRST = 1000, LATENCY_MS = 5, LITTLE = 100, MUCH = PIECE_GATHER_BYTES };

static struct history *history;
static struct piece_cache *cache;
static struct cursor reader;
static int64_t due_ms; /* -1: was not told */
static uint8_t filler[4 * PIECE_BYTES];

static void on_due(int64_t delay_ms, void *arg)
{
    assert_ptr_equal(arg, &due_ms);
    due_ms = delay_ms;
}

static int begin(void **state)
{
    (void)state;
    history = fake_history_new(1, ID, FIRST);
    fake_store.current = history;
    cache = piece_cache_new((struct compression){CODEC_ZSTD, 1}, LATENCY_MS, on_due, &due_ms);
    assert_non_null(cache);
    for (size_t i = 0; i < sizeof(filler); i++)
        filler[i] = (uint8_t)((uint8_t) "SET key value "[i % 14] + i / 5000 % 7);
    assert_true(history_attach(history, &reader, FIRST));
    fake_clock_advance(1000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    piece_cache_free(&cache);
    cursor_detach(&reader);
    fake_store_reset();
    return 0;
}

#define PIECE_TEST(name) TEST_SETUP(name, begin, end)

static void append(size_t length)
{
    fake_history_append(history, bytes_at(filler, length));
}

/* What a replica at the cursor gets now. */
static enum piece_result get(struct cursor *cursor, bool is_at_end, struct piece **piece)
{
    struct bytes view;
    due_ms = -1;
    assert_int_equal(cursor_peek(cursor, &view), CURSOR_BYTES);
    return piece_cache_get(cache, cursor, view.length, is_at_end, piece);
}

/* It gets a piece of that length, whose bytes are right. */
static void expect_piece(struct cursor *cursor, bool is_at_end, size_t length)
{
    static uint8_t out[PIECE_BYTES];
    static uint8_t expected[PIECE_BYTES];
    struct piece *piece;
    struct text why;
    const struct decompressor_options options = {.kind = ENVELOPE_STREAM, .expects_frames = true};
    assert_int_equal(get(cursor, is_at_end, &piece), PIECE_READY);
    assert_int_equal(piece_plain_length(piece), length);
    struct decompressor *decompressor = decompressor_new(&options);
    assert_non_null(decompressor);
    text_init(&why, 200);
    struct bytes wire = piece_bytes(piece);
    size_t produced;
    assert_true(decompressor_feed(decompressor, &wire, out, sizeof(out), &produced, &why));
    assert_true(cursor_read(cursor, expected, length));
    assert_views_equal(bytes_at(out, produced), bytes_at(expected, length));
    decompressor_free(&decompressor);
    text_fini(&why);
    piece_release(&piece);
    assert_null(piece);
    cursor_advance(cursor, length);
}

PIECE_TEST(a_piece_is_made_once_for_all_who_are_there)
{
    struct cursor others[50] = {{.segment = NULL}};
    append(LITTLE);
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        assert_true(history_attach(history, &others[i], FIRST));
    for (int round = 0; round < 3; round++) {
        expect_piece(&reader, true, LITTLE);
        for (size_t i = 0; i < LENGTH_OF(others); i++)
            expect_piece(&others[i], true, LITTLE);
        assert_int_equal(piece_cache_made(cache), round + 1);
        append(LITTLE);
    }
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        cursor_detach(&others[i]);
}

/* Those that are behind come to the same pieces, wherever they began. */
PIECE_TEST(pieces_end_at_multiples_of_their_size)
{
    struct cursor late = {.segment = NULL};
    append(sizeof(filler));
    append(sizeof(filler));
    assert_true(history_attach(history, &late, FIRST + 777));
    expect_piece(&reader, false, PIECE_BYTES - FIRST);
    expect_piece(&late, false, PIECE_BYTES - FIRST - 777);
    uint64_t made = piece_cache_made(cache);
    for (int i = 0; i < 6; i++) {
        expect_piece(&reader, false, PIECE_BYTES);
        expect_piece(&late, false, PIECE_BYTES);
    }
    assert_int_equal(piece_cache_made(cache), made + 6);
    cursor_detach(&late);
}

PIECE_TEST(a_trickle_never_waits)
{
    for (int i = 0; i < 20; i++) {
        append(LITTLE);
        expect_piece(&reader, true, LITTLE);
        assert_int_equal(due_ms, -1);
        if (i % 3 == 0)
            fake_clock_advance(1);
    }
}

PIECE_TEST(where_much_is_written_more_is_waited_for)
{
    struct piece *piece;
    append(MUCH);
    expect_piece(&reader, true, MUCH); /* the first waits for nothing */
    append(LITTLE);
    assert_int_equal(get(&reader, true, &piece), PIECE_GATHERING);
    assert_int_equal(due_ms, LATENCY_MS);
    fake_clock_advance(2);
    append(LITTLE);
    assert_int_equal(get(&reader, true, &piece), PIECE_GATHERING);
    assert_int_equal(due_ms, LATENCY_MS - 2);
    fake_clock_advance(LATENCY_MS - 2);
    expect_piece(&reader, true, 2 * LITTLE);
}

PIECE_TEST(a_whole_piece_waits_for_nothing)
{
    struct piece *piece;
    append(MUCH);
    expect_piece(&reader, true, MUCH);
    append(PIECE_BYTES - FIRST - MUCH - 1);
    assert_int_equal(get(&reader, true, &piece), PIECE_GATHERING);
    append(1);
    expect_piece(&reader, true, PIECE_BYTES - FIRST - MUCH);
    assert_int_equal(due_ms, -1);
}

PIECE_TEST(who_is_behind_waits_for_nothing)
{
    append(MUCH);
    expect_piece(&reader, true, MUCH);
    append(LITTLE);
    expect_piece(&reader, false, LITTLE);
}

PIECE_TEST(without_a_latency_nothing_waits)
{
    piece_cache_change(cache, 3, 0);
    for (int i = 0; i < 4; i++) {
        append(MUCH);
        expect_piece(&reader, true, MUCH);
    }
}

/* The same offset, and fewer bytes than the piece has: the end was cut off meanwhile. */
PIECE_TEST(a_piece_of_what_was_cut_off_is_not_given)
{
    struct piece *piece;
    struct cursor late = {.segment = NULL};
    assert_true(history_attach(history, &late, FIRST));
    append(2 * LITTLE);
    expect_piece(&reader, true, 2 * LITTLE);
    assert_int_equal(piece_cache_get(cache, &late, LITTLE, true, &piece), PIECE_READY);
    assert_int_equal(piece_plain_length(piece), LITTLE);
    piece_release(&piece);
    cursor_detach(&late);
}

PIECE_TEST(a_piece_that_is_being_sent_outlives_the_cache)
{
    struct piece *piece;
    append(LITTLE);
    assert_int_equal(get(&reader, true, &piece), PIECE_READY);
    cursor_advance(&reader, LITTLE);
    for (int i = 0; i < PIECE_CACHE_MAX + 10; i++) {
        struct piece *other;
        append(LITTLE);
        assert_int_equal(get(&reader, false, &other), PIECE_READY);
        assert_ptr_not_equal(other, piece);
        cursor_advance(&reader, piece_plain_length(other));
        piece_release(&other);
    }
    piece_cache_free(&cache);
    assert_int_equal(piece_plain_length(piece), LITTLE);
    assert_true(piece_bytes(piece).length > 0);
    piece_release(&piece);
}

static int begin_if_built(void **state)
{
    (void)state;
    return codec_is_built(CODEC_ZSTD) ? 0 : -1;
}

TEST_GROUP(begin_if_built, NULL);
