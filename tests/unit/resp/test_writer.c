/* SPDX-License-Identifier: MIT */
#include "relay/resp/writer.h"

#include "test.h"

/* One row a function: what it writes in RESP2 and in RESP3. */
static void simple(struct writer *w)
{
    write_simple(w, "OK");
}

static void error(struct writer *w)
{
    write_error(w, "ERR unknown command '%s'", "a\r\n+OK\r\nb");
}

static void integers(struct writer *w)
{
    write_integer(w, 0);
    write_integer(w, INT64_MIN);
    write_integer(w, INT64_MAX);
}

static void bulk(struct writer *w)
{
    write_bulk(w, LITERAL("a\r\n\0b"));
}

static void bulk_strings(struct writer *w)
{
    write_bulk_string(w, "");
    write_bulk_string(w, "PING");
}

static void null(struct writer *w)
{
    write_null(w);
}

static void array(struct writer *w)
{
    write_array(w, 0);
    write_array(w, 12);
}

static void map(struct writer *w)
{
    write_map(w, 0);
    write_map(w, 7);
}

static void push(struct writer *w)
{
    write_push(w, 3);
}

static void verbatim(struct writer *w)
{
    write_verbatim(w, bytes_of("# Server\r\n"));
    write_verbatim(w, bytes_of(""));
}

static void command(struct writer *w)
{
    static const char *const arguments[] = {"REPLCONF", "rdb-filter-only", ""};
    write_command(w, arguments, LENGTH_OF(arguments));
}

static const struct {
    void (*write)(struct writer *);
    const char *resp2;
    const char *resp3; /* NULL: the same */
} rows[] = {
    {simple, "+OK\r\n", NULL},
    {error, "-ERR unknown command 'a  +OK  b'\r\n", NULL},
    {integers, ":0\r\n:-9223372036854775808\r\n:9223372036854775807\r\n", NULL},
    {bulk_strings, "$0\r\n\r\n$4\r\nPING\r\n", NULL},
    {null, "$-1\r\n", "_\r\n"},
    {array, "*0\r\n*12\r\n", NULL},
    {map, "*0\r\n*14\r\n", "%0\r\n%7\r\n"},
    {push, "*3\r\n", ">3\r\n"},
    {verbatim, "$10\r\n# Server\r\n\r\n$0\r\n\r\n", "=14\r\ntxt:# Server\r\n\r\n=4\r\ntxt:\r\n"},
    {command, "*3\r\n$8\r\nREPLCONF\r\n$15\r\nrdb-filter-only\r\n$0\r\n\r\n", NULL},
};

TEST(every_reply_in_both_protocols)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        for (int protocol = 2; protocol <= 3; protocol++) {
            struct text out;
            text_init(&out, 1000);
            struct writer writer = {.out = &out, .protocol = protocol};
            rows[i].write(&writer);
            bool other = protocol == 3 && rows[i].resp3 != NULL;
            assert_string_equal(text_string(&out), other ? rows[i].resp3 : rows[i].resp2);
            text_fini(&out);
        }
    }
}

TEST(a_bulk_string_may_hold_anything)
{
    struct text out;
    text_init(&out, 1000);
    struct writer writer = {.out = &out, .protocol = 2};
    bulk(&writer);
    assert_views_equal(text_bytes(&out), LITERAL("$5\r\na\r\n\0b\r\n"));
    text_fini(&out);
}

TEST(an_error_leaves_what_stands_before_it)
{
    struct text out;
    text_init(&out, 1000);
    struct writer writer = {.out = &out, .protocol = 2};
    write_simple(&writer, "OK");
    write_error(&writer, "ERR %s", "a\nb");
    assert_string_equal(text_string(&out), "+OK\r\n-ERR a b\r\n");
    text_fini(&out);
}
