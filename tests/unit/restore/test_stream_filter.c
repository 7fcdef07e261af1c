/* SPDX-License-Identifier: MIT */
#include "../../../relay/restore/stream_filter.h"

#include "../../../relay/restore/command_search.h"
#include "test.h"

#define SELECT "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
#define SET "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$14\r\n*1\r\n$4\r\nPING\r\n\r\n"
#define PING "*1\r\n$4\r\nping\r\n"
#define GETACK "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"
#define PUBLISH "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$5\r\nhello\r\n"
#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC "*1\r\n$4\r\nEXEC\r\n"
#define FLUSHALL "*1\r\n$8\r\nFLUSHALL\r\n"

#define STREAM                                                                                     \
    SELECT PING SET GETACK MULTI SET PUBLISH SET EXEC "\n" PING SET MULTI FLUSHALL EXEC SET        \
                                                      "\r\n" GETACK
#define KEPT SELECT SET MULTI SET SET EXEC SET MULTI FLUSHALL EXEC SET

enum { OUT_MAX = 4096 };

struct sink {
    uint8_t data[OUT_MAX];
    size_t length;
    size_t limit; /* what there is room for */
};

static bool put(struct bytes bytes, void *arg, struct error *error)
{
    struct sink *sink = arg;
    if (sink->length + bytes.length > sink->limit)
        return error_set(error, ERROR_FULL, "full");
    memcpy(sink->data + sink->length, bytes.data, bytes.length);
    sink->length += bytes.length;
    return true;
}

/* A copy of its own, so that a read beyond its end is seen by a sanitizer. */
static void feed(struct stream_filter *filter, const char *data, size_t length)
{
    struct error error;
    char *copy = malloc(length + 1);
    memcpy(copy, data, length);
    if (!stream_filter_feed(filter, bytes_at(copy, length), &error))
        fail_msg("%s", error.text);
    free(copy);
}

static void assert_kept(const struct stream_filter *filter, const struct sink *sink,
                        const char *expected, size_t length)
{
    assert_int_equal(filter->passed, sink->length);
    assert_int_equal(filter->passed_boundary, length);
    assert_true(sink->length >= length);
    assert_memory_equal(sink->data, expected, length);
}

TEST(what_servers_say_to_each_other_is_left_out)
{
    const size_t length = sizeof(STREAM) - 1;
    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second += 1 + second % 5) {
            struct sink sink = {.limit = OUT_MAX};
            struct stream_filter filter;
            stream_filter_init(&filter, 500, false, put, &sink);
            feed(&filter, STREAM, first);
            feed(&filter, &STREAM[first], second - first);
            feed(&filter, &STREAM[second], length - second);
            assert_kept(&filter, &sink, KEPT, sizeof(KEPT) - 1);
            assert_int_equal(filter.commands, 11);
            assert_int_equal(filter.scanner.boundary, 500 + length);
        }
    }
}

TEST(one_byte_at_a_time_is_the_same)
{
    struct sink sink = {.limit = OUT_MAX};
    struct stream_filter filter;
    stream_filter_init(&filter, 0, false, put, &sink);
    for (size_t i = 0; i < sizeof(STREAM) - 1; i++)
        feed(&filter, &STREAM[i], 1);
    assert_kept(&filter, &sink, KEPT, sizeof(KEPT) - 1);
}

/* Cut at every byte, the first passed_boundary bytes are whole commands and whole transactions. */
TEST(a_cut_never_splits_a_command_or_a_transaction)
{
    static const struct {
        const char *stream;
        const char *kept;
    } parts[] = {
        {SELECT, SELECT},
        {PING, ""},
        {SET, SET},
        {GETACK, ""},
        {MULTI SET PUBLISH SET EXEC, MULTI SET SET EXEC},
        {"\n", ""},
        {PING, ""},
        {SET, SET},
        {MULTI FLUSHALL EXEC, MULTI FLUSHALL EXEC},
        {SET, SET},
        {"\r\n", ""},
        {GETACK, ""},
    };
    size_t part = 0;
    size_t part_end = 0;
    size_t kept = 0;
    for (size_t length = 0; length < sizeof(STREAM); length++) {
        while (part < LENGTH_OF(parts) && part_end + strlen(parts[part].stream) <= length) {
            part_end += strlen(parts[part].stream);
            kept += strlen(parts[part++].kept);
        }
        struct sink sink = {.limit = OUT_MAX};
        struct stream_filter filter;
        stream_filter_init(&filter, 0, false, put, &sink);
        feed(&filter, STREAM, length);
        assert_kept(&filter, &sink, KEPT, kept);
        assert_int_equal(filter.scanner.boundary, part_end);
    }
    assert_int_equal(part, LENGTH_OF(parts));
}

TEST(a_copy_keeps_all_and_is_cut_at_a_boundary)
{
    for (size_t split = 0; split < sizeof(STREAM); split++) {
        struct sink sink = {.limit = OUT_MAX};
        struct stream_filter filter;
        stream_filter_init(&filter, 0, true, put, &sink);
        feed(&filter, STREAM, split);
        feed(&filter, &STREAM[split], sizeof(STREAM) - 1 - split);
        assert_kept(&filter, &sink, STREAM, sizeof(STREAM) - 1);
    }
}

TEST(a_stream_that_is_none_and_a_sink_that_fails_are_told)
{
    struct sink sink = {.limit = OUT_MAX};
    struct error error;
    struct stream_filter filter;
    stream_filter_init(&filter, 90, false, put, &sink);
    assert_false(stream_filter_feed(&filter, bytes_of(SET "+OK\r\n"), &error));
    assert_int_equal(error.kind, ERROR_DAMAGED);
    for (size_t limit = 0; limit < sizeof(KEPT) - 1; limit++) {
        sink = (struct sink){.limit = limit};
        stream_filter_init(&filter, 90, false, put, &sink);
        assert_false(stream_filter_feed(&filter, bytes_of(STREAM), &error));
        assert_int_equal(error.kind, ERROR_FULL);
    }
}

/* ------------------------------------------------------------------ the search */

static struct command_search search_for(const char *name, const char *key, uint64_t after,
                                        size_t split)
{
    struct command_search search;
    struct error error;
    command_search_init(&search, 100, name, key != NULL ? bytes_of(key) : bytes_at(NULL, 0), after);
    assert_true(command_search_feed(&search, bytes_at(STREAM, split), &error));
    assert_true(
        command_search_feed(&search, bytes_at(&STREAM[split], sizeof(STREAM) - 1 - split), &error));
    return search;
}

TEST(the_last_command_is_found_and_the_boundary_before_it)
{
    const size_t flushall =
        sizeof(SELECT PING SET GETACK MULTI SET PUBLISH SET EXEC "\n" PING SET) - 1;
    for (size_t split = 0; split < sizeof(STREAM); split++) {
        struct command_search search = search_for("FlushAll", NULL, 0, split);
        assert_int_equal(search.found, 1);
        assert_int_equal(search.begin, 100 + flushall + sizeof(MULTI) - 1);
        assert_int_equal(search.cut, 100 + flushall); /* before its MULTI */

        search = search_for(NULL, "k", 0, split);
        assert_int_equal(search.found, 5);
        assert_int_equal(search.cut, 100 + flushall + sizeof(MULTI FLUSHALL EXEC) - 1);
        assert_int_equal(search.cut, search.begin);
    }
}

TEST(only_commands_after_an_offset_are_looked_at)
{
    const uint64_t last = 100 +
                          sizeof(SELECT PING SET GETACK MULTI SET PUBLISH SET EXEC
                                 "\n" PING SET MULTI FLUSHALL EXEC) -
                          1;
    assert_int_equal(search_for("SET", NULL, last, 0).found, 1);
    assert_int_equal(search_for("SET", NULL, last + 1, 0).found, 0);
    assert_int_equal(search_for("SET", NULL, 0, 0).found, 5);
    assert_int_equal(search_for("GET", NULL, 0, 0).found, 0);
    assert_int_equal(search_for(NULL, "kk", 0, 0).found, 0);
}
