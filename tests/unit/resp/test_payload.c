/* SPDX-License-Identifier: MIT */
#include "relay/resp/payload.h"

#include "relay/base/text.h"

#include "test.h"

#define MARK "0123456789abcdefghij0123456789ABCDEFGHIJ"

enum { WIRE_MAX = 1 << 17 };

/* A payload that is fed, what came out of it, and what should have. */
struct transfer {
    struct payload payload;
    uint64_t here; /* bytes of the RDB that do not come */
    uint8_t got[WIRE_MAX];
    size_t got_length;
    uint8_t left[WIRE_MAX]; /* not taken, since the payload was done */
    size_t left_length;
    struct bytes rdb;
    struct bytes behind;
    enum payload_state expected;
};

static void begin(void *context)
{
    struct transfer *t = context;
    payload_init(&t->payload, t->here);
    t->got_length = 0;
    t->left_length = 0;
}

static void put(uint8_t *place, size_t *length, struct bytes view)
{
    assert_in_range(*length + view.length, 0, WIRE_MAX);
    if (view.length > 0)
        memcpy(place + *length, view.data, view.length);
    *length += view.length;
}

static void feed(void *context, struct bytes piece)
{
    struct transfer *t = context;
    /* A copy of exactly this size: a view that outlives its call is seen by the sanitizer. */
    uint8_t *copy = malloc(piece.length + 1);
    assert_non_null(copy);
    if (piece.length > 0)
        memcpy(copy, piece.data, piece.length);
    struct bytes input = bytes_at(copy, piece.length);
    while (input.length > 0 &&
           (t->payload.state == PAYLOAD_HEADER || t->payload.state == PAYLOAD_BODY)) {
        struct bytes pieces[2];
        size_t before = input.length;
        payload_feed(&t->payload, &input, pieces);
        put(t->got, &t->got_length, pieces[0]);
        put(t->got, &t->got_length, pieces[1]);
        assert_true(input.length < before);
        assert_int_equal(t->payload.received, t->here + t->got_length);
    }
    put(t->left, &t->left_length, input);
    free(copy);
}

static void end(void *context)
{
    struct transfer *t = context;
    assert_int_equal(t->payload.state, t->expected);
    assert_views_equal(bytes_at(t->got, t->got_length), t->rdb);
    assert_views_equal(bytes_at(t->left, t->left_length), t->behind);
}

static struct transfer transfer;

static void random_chunks(struct bytes wire, uint64_t *seed, int turns)
{
    static const size_t most[] = {2, 7, 41, 100, 5000};
    for (int turn = 0; turn < turns; turn++) {
        begin(&transfer);
        feed_random(wire, seed, most[(size_t)turn % LENGTH_OF(most)], feed, &transfer);
        end(&transfer);
    }
}

static void all_ways(struct bytes wire)
{
    uint64_t seed = 5;
    each_split(wire, begin, feed, end, &transfer);
    for (size_t length = 1; length <= 83; length++) {
        begin(&transfer);
        feed_pieces(wire, length, feed, &transfer);
        end(&transfer);
    }
    random_chunks(wire, &seed, 20);
}

/* An RDB that is a sequence of tries at the mark: the worst that it could hold. */
static void fill_rdb(uint8_t *rdb, size_t length, uint64_t *seed)
{
    for (size_t i = 0; i < length; i++)
        rdb[i] = (uint8_t)MARK[test_random_below(seed, 4) == 0 ? 0 : i % 39];
}

TEST(rdbs_of_every_small_length_before_a_mark)
{
    static const char header[] = "\n\n$EOF:" MARK "\r\n";
    uint64_t seed = 3;
    for (size_t length = 0; length <= 90; length++) {
        struct text wire;
        uint8_t rdb[90];
        fill_rdb(rdb, length, &seed);
        transfer.rdb = bytes_at(rdb, length);
        transfer.behind = bytes_of("");
        transfer.expected = PAYLOAD_DONE;
        text_init(&wire, WIRE_MAX);
        text_append_string(&wire, header);
        text_append(&wire, transfer.rdb);
        text_append_string(&wire, MARK);
        all_ways(text_bytes(&wire));
        assert_false(transfer.payload.has_length);
        assert_memory_equal(transfer.payload.mark, MARK, PAYLOAD_MARK_LENGTH);
        text_fini(&wire);
    }
}

TEST(rdbs_of_every_small_length_with_a_length)
{
    uint64_t seed = 4;
    for (size_t length = 0; length <= 90; length++) {
        struct text wire;
        uint8_t rdb[90];
        fill_rdb(rdb, length, &seed);
        transfer.rdb = bytes_at(rdb, length);
        transfer.behind = bytes_of("*1\r\n$4\r\nPING\r\n");
        transfer.expected = PAYLOAD_DONE;
        text_init(&wire, WIRE_MAX);
        text_append_string(&wire, "\n");
        payload_format_length(&wire, length);
        text_append(&wire, transfer.rdb);
        text_append(&wire, transfer.behind);
        all_ways(text_bytes(&wire));
        assert_true(transfer.payload.has_length);
        assert_int_equal(transfer.payload.length, length);
        text_fini(&wire);
    }
}

/* The header counts what is here already, and it does not come. */
TEST(the_rest_of_an_rdb)
{
    uint8_t rdb[90];
    uint64_t seed = 8;
    fill_rdb(rdb, sizeof(rdb), &seed);
    for (size_t here = 0; here <= sizeof(rdb); here++) {
        struct text wire;
        text_init(&wire, WIRE_MAX);
        transfer.here = here;
        transfer.rdb = bytes_skip(bytes_at(rdb, sizeof(rdb)), here);
        transfer.behind = bytes_of("*1\r\n$4\r\nPING\r\n");
        transfer.expected = PAYLOAD_DONE;
        payload_format_length(&wire, sizeof(rdb));
        text_append(&wire, transfer.rdb);
        text_append(&wire, transfer.behind);
        all_ways(text_bytes(&wire));
        text_clear(&wire);
        transfer.behind = bytes_of("");
        payload_format_mark(&wire, MARK);
        text_append(&wire, transfer.rdb);
        text_append_string(&wire, MARK);
        all_ways(text_bytes(&wire));
        text_fini(&wire);
    }
    transfer.here = 0;
}

TEST(an_rdb_that_is_shorter_than_what_is_here_is_none)
{
    struct payload payload;
    struct bytes pieces[2];
    struct bytes input = bytes_of("$9\r\nREDIS0011");
    payload_init(&payload, 10);
    payload_feed(&payload, &input, pieces);
    assert_int_equal(payload.state, PAYLOAD_ERROR);
}

TEST(a_large_rdb_in_random_pieces)
{
    static uint8_t rdb[100000];
    struct text wire;
    uint64_t seed = 6;
    for (size_t i = 0; i < sizeof(rdb); i++)
        rdb[i] = (uint8_t)(test_random(&seed) >> 40);
    transfer.rdb = bytes_at(rdb, sizeof(rdb));
    transfer.behind = bytes_of("");
    transfer.expected = PAYLOAD_DONE;
    text_init(&wire, WIRE_MAX);
    payload_format_mark(&wire, MARK);
    text_append(&wire, transfer.rdb);
    text_append_string(&wire, MARK);
    random_chunks(text_bytes(&wire), &seed, 50);

    text_clear(&wire);
    payload_format_length(&wire, sizeof(rdb));
    text_append(&wire, transfer.rdb);
    random_chunks(text_bytes(&wire), &seed, 50);
    text_fini(&wire);
}

/* All but the last byte of the mark, and one that looks like it: the RDB goes on. */
TEST(an_incomplete_mark_is_not_the_end)
{
    transfer.behind = bytes_of("");
    transfer.expected = PAYLOAD_BODY;
    transfer.rdb = bytes_of("");
    all_ways(bytes_of("$EOF:" MARK "\r\n0123456789abcdefghij0123456789ABCDEFGHI"));
    transfer.rdb = bytes_of("0");
    all_ways(bytes_of("$EOF:" MARK "\r\n0123456789abcdefghij0123456789ABCDEFGHI~"
                      "0"));
    transfer.rdb = bytes_of("abc");
    all_ways(bytes_of("$3000000000000\r\nabc"));
}

static const struct {
    const char *wire;
    const char *line;
} errors[] = {
    {"-ERR BGSAVE failed, replication can't continue\r\n",
     "-ERR BGSAVE failed, replication can't continue"},
    {"\n\n\n-ERR x\n", "-ERR x"},
    {"-\r\n", "-"},
    {"$\r\n", "$"},
    {"$-1\r\n", "$-1"},
    {"$+1\r\n", "$+1"},
    {"$12x\r\n", "$12x"},
    {"$ 12\r\n", "$ 12"},
    {"$12 \r\n", "$12 "},
    {"$12\r\r\n", "$12\r"},
    {"$9223372036854775808\r\n", "$9223372036854775808"},
    {"$99999999999999999999\r\n", "$99999999999999999999"},
    {"$EOF\r\n", "$EOF"},
    {"$EOF:\r\n", "$EOF:"},
    {"$EOF:0123456789abcdefghij0123456789ABCDEFGHI\r\n",
     "$EOF:0123456789abcdefghij0123456789ABCDEFGHI"},
    {"$EOF:" MARK "K\r\n", "$EOF:" MARK "K"},
    {"$eof:" MARK "\r\n", "$eof:" MARK},
    {"+OK\r\n", "+OK"},
    {"REDIS0011\n", "REDIS0011"},
    {" $12\r\n", " $12"},
};

TEST(what_is_no_header_is_kept_for_the_log)
{
    transfer.rdb = bytes_of("");
    transfer.behind = bytes_of("");
    transfer.expected = PAYLOAD_ERROR;
    for (size_t i = 0; i < LENGTH_OF(errors); i++) {
        all_ways(bytes_of(errors[i].wire));
        assert_string_equal(transfer.payload.line, errors[i].line);
        assert_int_equal(transfer.payload.line_length, strlen(errors[i].line));
    }
}

TEST(bytes_behind_an_error_are_left)
{
    transfer.rdb = bytes_of("");
    transfer.behind = bytes_of("rest");
    transfer.expected = PAYLOAD_ERROR;
    all_ways(bytes_of("-ERR x\r\nrest"));
}

TEST(a_line_over_the_limit_is_an_error)
{
    char line[PAYLOAD_HEADER_MAX + 10];
    transfer.rdb = bytes_of("");
    for (size_t length = PAYLOAD_HEADER_MAX - 4; length < PAYLOAD_HEADER_MAX + 4; length++) {
        bool fits = length < PAYLOAD_HEADER_MAX;
        memset(line, 'e', length);
        line[0] = '-';
        line[length] = '\n';
        transfer.expected = PAYLOAD_ERROR;
        transfer.behind =
            fits ? bytes_of("")
                 : bytes_at(line + PAYLOAD_HEADER_MAX, length + 1 - PAYLOAD_HEADER_MAX);
        all_ways(bytes_at(line, length + 1));
        size_t kept = fits ? length : PAYLOAD_HEADER_MAX - 1;
        assert_int_equal(transfer.payload.line_length, kept);
        assert_views_equal(bytes_of(transfer.payload.line), bytes_at(line, kept));
    }
}

TEST(signs_of_life_alone_are_no_header)
{
    transfer.rdb = bytes_of("");
    transfer.behind = bytes_of("");
    transfer.expected = PAYLOAD_HEADER;
    all_ways(bytes_of("\n\n\n\r\n\n\n"));
    assert_string_equal(transfer.payload.line, "");
    all_ways(bytes_of("\n$EOF:0123"));
    assert_string_equal(transfer.payload.line, "$EOF:0123");
}

TEST(headers_are_written)
{
    struct text out;
    text_init(&out, 1000);
    payload_format_length(&out, 0);
    payload_format_length(&out, UINT64_C(12345678901));
    payload_format_mark(&out, MARK);
    assert_string_equal(text_string(&out), "$0\r\n$12345678901\r\n$EOF:" MARK "\r\n");
    text_fini(&out);
}
