/* SPDX-License-Identifier: MIT */
#include "relay/resp/command_scanner.h"

#include "relay/resp/tokenizer.h"
#include "test.h"

#define STREAM                                                                                     \
    "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"                                                            \
    "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$14\r\n*1\r\n$4\r\nPING\r\n\r\n"                                \
    "*1\r\n$4\r\nPING\r\n"                                                                         \
    "\n\r\n"                                                                                       \
    "*1\r\n$5\r\nmulti\r\n"                                                                        \
    "*3\r\n$3\r\nDEL\r\n$1\r\na\r\n$1\r\nk\r\n"                                                    \
    "*1\r\n$4\r\nexec\r\n"                                                                         \
    "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"                                          \
    "*2\r\n$0\r\n\r\n$1\r\nk\r\n"                                                                  \
    "*2\r\n$33\r\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n$1\r\nk\r\n"                                \
    "*6\r\n$4\r\nEVAL\r\n$1\r\nk\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\nx\r\n$1\r\ny\r\n"                  \
    "*4\r\n$5\r\nBITOP\r\n$1\r\nk\r\n$1\r\nd\r\n$1\r\nk\r\n"

struct row {
    const char *name;
    uint64_t count;
    bool is_boundary;
    bool has_key; /* "k" */
};

static const struct row expected[] = {
    {"SELECT", 2, true, false}, {"SET", 3, true, true},   {"PING", 1, true, false},
    {"", 0, true, false},       {"", 0, true, false},     {"MULTI", 1, false, false},
    {"DEL", 3, false, true},    {"EXEC", 1, true, false}, {"REPLCONF", 3, true, false},
    {"", 2, true, true},        {"", 2, true, true},      {"EVAL", 6, true, true},
    {"BITOP", 4, true, false},
};

/* What a scanner has told, command by command. */
struct told {
    struct command_scanner scanner;
    size_t count;
    uint64_t end;
};

static void feed(struct told *told, struct bytes view)
{
    enum command_scan scan;
    while ((scan = command_scanner_next(&told->scanner, &view)) == COMMAND_SCAN_COMMAND) {
        assert_in_range(told->count, 0, LENGTH_OF(expected) - 1);
        const struct row *row = &expected[told->count++];
        assert_int_equal(told->scanner.begin, told->end);
        told->end = told->scanner.offset;
        assert_int_equal(told->scanner.count, row->count);
        assert_true(command_scanner_is(&told->scanner, row->name));
        assert_int_equal(told->scanner.boundary == told->scanner.offset, row->is_boundary);
        assert_int_equal(told->scanner.has_key, row->has_key);
    }
    assert_int_equal(scan, COMMAND_SCAN_MORE);
    assert_int_equal(view.length, 0);
}

TEST(commands_are_told_wherever_the_stream_is_split)
{
    const size_t length = sizeof(STREAM) - 1;
    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second += 1 + second % 7) {
            struct told told = {.end = 1000};
            struct bytes whole = bytes_at(STREAM, length);
            command_scanner_init(&told.scanner, 1000, bytes_of("k"));
            feed(&told, bytes_first(whole, first));
            feed(&told, bytes_skip(bytes_first(whole, second), first));
            feed(&told, bytes_skip(whole, second));
            assert_int_equal(told.count, LENGTH_OF(expected));
            assert_int_equal(told.end, 1000 + length);
            assert_false(command_scanner_is_inside(&told.scanner));
        }
    }
}

TEST(the_name_is_known_within_the_head)
{
    static const char *const beginnings[] = {"*2147483648\r\n$32\r\n", "*1\r\n$32\r\n"};
    for (size_t i = 0; i < LENGTH_OF(beginnings); i++) {
        struct command_scanner scanner;
        command_scanner_init(&scanner, 0, bytes_at(NULL, 0));
        char head[COMMAND_HEAD_MAX];
        int length = snprintf(head, sizeof(head), "%s%032d\r\n", beginnings[i], 0);
        assert_in_range(length, 0, COMMAND_HEAD_MAX - 1);
        struct bytes view = bytes_at(head, (size_t)length);
        enum command_scan scan = command_scanner_next(&scanner, &view);
        assert_int_equal(scan, i == 0 ? COMMAND_SCAN_MORE : COMMAND_SCAN_COMMAND);
        assert_true(scanner.has_name);
        assert_int_equal(scanner.name_length, 32);
    }
}

TEST(what_is_no_stream_is_refused_where_the_tokenizer_refuses_it)
{
    static const char *const broken[] = {
        "PING\r\n",
        "*1\r\n+OK\r\n",
        "*1\r\n$4\r\nPINGxx",
        "*0\r\n",
        "*01\r\n",
        "*2147483649\r\n",
        "*1\r\n$04\r\n",
        "*1\rx",
        "\rx",
        "*1\r\n$4\r\nPING\rx",
        "*x\r\n",
        "*1\r\n$1099511627777\r\n",
        "*\r\n",
        "*1\r\n$\r\n",
    };
    for (size_t i = 0; i < LENGTH_OF(broken); i++) {
        struct command_scanner scanner;
        struct tokenizer tokenizer;
        struct bytes view = bytes_of(broken[i]);
        command_scanner_init(&scanner, 70, bytes_at(NULL, 0));
        tokenizer_init(&tokenizer, 70);
        assert_false(tokenizer_feed(&tokenizer, view));
        assert_int_equal(command_scanner_next(&scanner, &view), COMMAND_SCAN_BROKEN);
        assert_int_equal(scanner.offset, tokenizer.offset);
        assert_string_equal(scanner.error, tokenizer.error);
        assert_int_equal(command_scanner_next(&scanner, &view), COMMAND_SCAN_BROKEN);
    }
}
