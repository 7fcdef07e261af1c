/* SPDX-License-Identifier: MIT */
#include "relay/base/text.h"

#include "test.h"

TEST(an_empty_text_is_an_empty_string)
{
    struct text text;
    text_init(&text, 10);
    assert_string_equal(text_string(&text), "");
    assert_view(text_bytes(&text), "");
    text_append(&text, bytes_at(NULL, 0));
    text_append_string(&text, "");
    text_format(&text, "%s", "");
    text_skip(&text, 0);
    assert_int_equal(text.length, 0);
    assert_false(text.failed);
    text_fini(&text);
}

TEST(pieces_are_put_together)
{
    struct text text;
    text_init(&text, 100);
    text_append_string(&text, "one ");
    text_format(&text, "%d %s", 2, "three");
    text_append(&text, LITERAL("\0four"));
    assert_views_equal(text_bytes(&text), LITERAL("one 2 three\0four"));
    assert_int_equal(text.data[text.length], '\0');
    text_fini(&text);
    assert_null(text.data);
    text_append_string(&text, "used again");
    assert_string_equal(text_string(&text), "used again");
    text_fini(&text);
}

TEST(it_grows_and_keeps_what_it_has)
{
    struct text text;
    text_init(&text, 1 << 20);
    for (int i = 0; i < 20000; i++)
        text_format(&text, "%05d\n", i);
    assert_false(text.failed);
    assert_int_equal(text.length, 120000);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(strtol(text.data + i * 6, NULL, 10), i);
    text_fini(&text);
}

/* For every limit: what fits exactly is there, one byte more is dropped, and all behind it. */
TEST(the_limit_is_exact_and_failing_is_for_good)
{
    for (size_t limit = 1; limit <= 300; limit++) {
        struct text text;
        text_init(&text, limit);
        for (size_t i = 0; i < limit; i++)
            text_append_string(&text, "x");
        assert_false(text.failed);
        assert_int_equal(text.length, limit);
        assert_in_range(text.capacity, limit + 1, limit + 1 > 128 ? limit + 1 : 128);

        text_format(&text, "%s", "y");
        assert_true(text.failed);
        assert_int_equal(text.length, limit);
        text_skip(&text, limit);
        text_append_string(&text, "z");
        assert_int_equal(text.length, 0);

        text_clear(&text);
        assert_false(text.failed);
        assert_string_equal(text_string(&text), "");
        text_append_string(&text, "z");
        assert_string_equal(text_string(&text), "z");
        text_fini(&text);
    }
}

TEST(a_piece_over_the_limit_is_dropped_whole)
{
    struct text text;
    text_init(&text, 5);
    text_append_string(&text, "abc");
    text_append_string(&text, "def");
    assert_true(text.failed);
    assert_string_equal(text_string(&text), "abc");
    text_fini(&text);

    text_init(&text, 0);
    text_append_string(&text, "a");
    assert_true(text.failed);
    assert_string_equal(text_string(&text), "");
    text_fini(&text);
}

TEST(skip_drops_the_front)
{
    struct text text;
    text_init(&text, 100);
    text_append_string(&text, "0123456789");
    text_skip(&text, 3);
    assert_string_equal(text_string(&text), "3456789");
    text_skip(&text, 7);
    assert_string_equal(text_string(&text), "");
    text_fini(&text);
}
