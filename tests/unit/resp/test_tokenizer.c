/* SPDX-License-Identifier: MIT
 *
 * The tokenizer is held against a reading of the same grammar that has the whole input before it
 * and keeps no state: for every prefix of what the tokenizer was fed, both must say the same.
 */
#include "relay/resp/tokenizer.h"

#include "test.h"

enum { STREAM_MAX = 1 << 16, START = 1000 };

/* ---- the plain reading ---- */

struct outcome {
    size_t taken;    /* up to the first byte that cannot be; all of it in a stream */
    size_t boundary; /* position after the last complete command outside MULTI */
    unsigned commands;
    unsigned getacks;
    unsigned pings;
    bool broken;
    bool in_multi;
};

/* "<kind><digits>\r\n" at *at. False: it is not complete, or broken (then .broken). */
static bool read_header(struct bytes in, size_t *at, char kind, uint64_t limit, uint64_t *number,
                        struct outcome *o)
{
    *number = 0;
    size_t first = *at + 1;
    for (size_t i = *at;; i++) {
        *at = i;
        if (i == in.length)
            return false;
        int byte = in.data[i];
        bool good;
        if (i < first) {
            good = byte == kind;
        } else if (byte == '\r' && i > first) {
            *at = i + 1;
            if (i + 1 == in.length)
                return false;
            o->broken = in.data[i + 1] != '\n';
            *at += o->broken ? 0 : 1;
            return !o->broken;
        } else {
            good = byte >= '0' && byte <= '9' && !(i > first && *number == 0);
            *number = good ? *number * 10 + (uint64_t)(byte - '0') : *number;
            good = good && *number <= limit && !(kind == '*' && *number == 0);
        }
        if (!good) {
            o->broken = true;
            return false;
        }
    }
}

static bool read_argument(struct bytes in, size_t *at, struct bytes *argument, struct outcome *o)
{
    uint64_t length;
    if (!read_header(in, at, '$', UINT64_C(1) << 40, &length, o))
        return false;
    if (length > in.length - *at) {
        *at = in.length;
        return false;
    }
    *argument = bytes_at(in.data + *at, (size_t)length);
    *at += (size_t)length;
    for (int i = 0; i < 2; i++, ++*at) {
        if (*at == in.length)
            return false;
        if (in.data[*at] != "\r\n"[i]) {
            o->broken = true;
            return false;
        }
    }
    return true;
}

static bool read_command(struct bytes in, size_t *at, struct outcome *o)
{
    uint64_t count;
    struct bytes argument[2] = {{NULL, 0}, {NULL, 0}};
    if (!read_header(in, at, '*', UINT64_C(1) << 31, &count, o))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct bytes one;
        if (!read_argument(in, at, &one, o))
            return false;
        if (i < 2)
            argument[i] = one;
    }
    o->commands++;
    o->getacks += bytes_is(argument[0], "replconf") && bytes_is(argument[1], "getack");
    o->pings += bytes_is(argument[0], "ping");
    if (bytes_is(argument[0], "multi"))
        o->in_multi = true;
    if (bytes_is(argument[0], "exec") || bytes_is(argument[0], "discard"))
        o->in_multi = false;
    return true;
}

static bool read_empty_line(struct bytes in, size_t *at, struct outcome *o)
{
    if (in.data[*at] == '\r' && ++*at == in.length)
        return false;
    o->broken = in.data[*at] != '\n';
    *at += o->broken ? 0 : 1;
    return !o->broken;
}

static struct outcome plain_reading(struct bytes in)
{
    struct outcome o = {0};
    size_t at = 0;
    while (at < in.length) {
        bool is_line = in.data[at] == '\r' || in.data[at] == '\n';
        if (!(is_line ? read_empty_line(in, &at, &o) : read_command(in, &at, &o)))
            break;
        if (!o.in_multi)
            o.boundary = at;
    }
    o.taken = at;
    return o;
}

/* ---- comparing ---- */

struct fed {
    struct tokenizer tokenizer;
    struct bytes all; /* of which the first `done` bytes are fed */
    size_t done;
};

static void begin(void *context)
{
    struct fed *fed = context;
    tokenizer_init(&fed->tokenizer, START);
    fed->done = 0;
}

static void feed(void *context, struct bytes piece)
{
    struct fed *fed = context;
    bool was_broken = fed->tokenizer.state == TOKENIZER_BROKEN;
    bool good = tokenizer_feed(&fed->tokenizer, piece);
    assert_int_equal(good, fed->tokenizer.state != TOKENIZER_BROKEN);
    assert_int_equal(good, fed->tokenizer.error == NULL);
    if (was_broken)
        assert_false(good);
    fed->done += piece.length;
}

static void compare(void *context)
{
    const struct fed *fed = context;
    const struct tokenizer *t = &fed->tokenizer;
    struct outcome o = plain_reading(bytes_first(fed->all, fed->done));
    if ((t->state == TOKENIZER_BROKEN) != o.broken || t->offset != START + o.taken ||
        t->boundary != START + o.boundary || t->commands != o.commands || t->getacks != o.getacks ||
        t->pings != o.pings || t->in_multi != o.in_multi) {
        char shown[300];
        fail_msg("\"%s\" (%zu bytes): broken %d offset %d boundary %d commands %d getacks %d, "
                 "expected %d %d %d %d %d",
                 bytes_printable(fed->all, shown, sizeof(shown)), fed->done,
                 t->state == TOKENIZER_BROKEN, (int)(t->offset - START), (int)(t->boundary - START),
                 (int)t->commands, (int)t->getacks, o.broken, (int)o.taken, (int)o.boundary,
                 (int)o.commands, (int)o.getacks);
    }
}

static void feed_and_compare(void *context, struct bytes piece)
{
    feed(context, piece);
    compare(context);
}

static struct fed fed;

/* Every split in two; every prefix byte by byte, compared at each byte. */
static void all_ways(struct bytes in)
{
    fed.all = in;
    each_split(in, begin, feed_and_compare, compare, &fed);
    begin(&fed);
    feed_pieces(in, 1, feed_and_compare, &fed);
}

static void whole_and_bytewise(struct bytes in)
{
    fed.all = in;
    begin(&fed);
    feed_and_compare(&fed, in);
    begin(&fed);
    feed_pieces(in, 1, feed, &fed);
    compare(&fed);
}

/* ---- tests ---- */

#define PING "*1\r\n$4\r\nPING\r\n"
#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC "*1\r\n$4\r\nEXEC\r\n"
#define DISCARD "*1\r\n$7\r\nDISCARD\r\n"
#define GETACK "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"
#define SET "*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$10\r\n0123456789\r\n"

static const struct {
    const char *stream;
    unsigned commands;
    unsigned getacks;
    size_t behind; /* bytes behind the boundary in the end */
} streams[] = {
    {"", 0, 0, 0},
    {PING, 1, 0, 0},
    {SET PING SET, 3, 0, 0},
    {GETACK, 1, 1, 0},
    {"*3\r\n$8\r\nreplConf\r\n$6\r\ngetack\r\n$1\r\n*\r\n", 1, 1, 0},
    {"*2\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n", 1, 1, 0},
    {"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n", 1, 0, 0},
    {"*1\r\n$8\r\nREPLCONF\r\n", 1, 0, 0},
    {"*3\r\n$8\r\nREPLCONX\r\n$6\r\nGETACK\r\n$1\r\n*\r\n", 1, 0, 0},
    {"*3\r\n$8\r\nREPLCONF\r\n$1\r\n*\r\n$6\r\nGETACK\r\n", 1, 0, 0},
    {"*3\r\n$9\r\nREPLCONFS\r\n$6\r\nGETACK\r\n$1\r\n*\r\n", 1, 0, 0},
    {"*2\r\n$6\r\nGETACK\r\n$8\r\nREPLCONF\r\n", 1, 0, 0},
    {"*2\r\n$4\r\nECHO\r\n$37\r\n" GETACK "\r\n", 1, 0, 0},
    {"*2\r\n$3\r\nGET\r\n$0\r\n\r\n" GETACK, 2, 1, 0},
    {"*2\r\n$0\r\n\r\n$0\r\n\r\n", 1, 0, 0},
    {MULTI, 1, 0, sizeof(MULTI) - 1},
    {SET MULTI SET PING, 4, 0, sizeof(MULTI SET PING) - 1},
    {SET MULTI SET EXEC, 4, 0, 0},
    {SET MULTI SET EXEC PING MULTI, 6, 0, sizeof(MULTI) - 1},
    {MULTI SET DISCARD, 3, 0, 0},
    {MULTI "\r\n\n" GETACK, 2, 1, sizeof(MULTI "\r\n\n" GETACK) - 1},
    {"*1\r\n$5\r\nmulti\r\n" SET "*1\r\n$4\r\neXeC\r\n", 3, 0, 0},
    {MULTI "*2\r\n$4\r\nECHO\r\n$4\r\nEXEC\r\n", 2, 0, sizeof(MULTI) - 1 + 24},
    {MULTI "*2\r\n$5\r\nWATCH\r\n$22\r\n*1\r\n$4\r\nEXEC\r\n12345678\r\n", 2, 0,
     sizeof(MULTI) - 1 + 44},
    {EXEC, 1, 0, 0},
    {"*1\r\n$4\r\nHSET\r\n*1\r\n$5\r\nLPUSH\r\n*1\r\n$7\r\nPEXPIRE\r\n*1\r\n$8\r\nSUBSTRXX\r\n", 4,
     0, 0},
    {"\n", 0, 0, 0},
    {"\r\n\n" PING "\n\r\n", 1, 0, 0},
    {"\n\r", 0, 0, 1},
    {PING "*", 1, 0, 1},
    {PING "*1\r\n$4\r\nPIN", 1, 0, 11},
    {PING "*1\r\n$1099511627776\r\nP", 1, 0, 21},
    {PING "*2147483648\r\n$1\r\na\r\n", 1, 0, 20},
};

TEST(streams_split_at_every_byte)
{
    for (size_t i = 0; i < LENGTH_OF(streams); i++) {
        struct bytes in = bytes_of(streams[i].stream);
        all_ways(in);
        const struct tokenizer *t = &fed.tokenizer;
        assert_int_not_equal(t->state, TOKENIZER_BROKEN);
        assert_int_equal(t->offset, START + in.length);
        assert_int_equal(t->commands, streams[i].commands);
        assert_int_equal(t->getacks, streams[i].getacks);
        assert_int_equal(t->offset - t->boundary, streams[i].behind);
    }
}

static const struct {
    const char *stream;
    size_t good; /* bytes before the one that cannot be */
    const char *error;
} broken[] = {
    {"*0\r\n", 1, "a command without arguments"},
    {"*-1\r\n", 1, "a count that is no number"},
    {"*\r\n", 1, "a count that is no number"},
    {"*1x\r\n", 2, "a count that is no number"},
    {"*1\n", 2, "a count that is no number"},
    {"*1\rx", 3, "no '\\n' behind the '\\r' of a header"},
    {"*2147483649\r\n", 10, "a count over 2^31"},
    {"*99999999999999999999\r\n", 10, "a count over 2^31"},
    {"*1\r\n$-1\r\n", 5, "a length that is no number"},
    {"*1\r\n$\r\n", 5, "a length that is no number"},
    {"*1\r\n$ 1\r\n", 5, "a length that is no number"},
    {"*1\r\n$1\n", 6, "a length that is no number"},
    {"*1\r\n$1\r\r", 7, "no '\\n' behind the '\\r' of a header"},
    {"*1\r\n$01\r\n", 6, "a length with a leading zero"},
    {"*1\r\n$00\r\n", 6, "a length with a leading zero"},
    {"*1\r\n$1099511627777\r\n", 17, "a length over 2^40"},
    {"*1\r\n$9999999999999999999999\r\n", 17, "a length over 2^40"},
    {"*1\r\n*1\r\n", 4, "an argument does not begin with '$'"},
    {"*1\r\n\r\n", 4, "an argument does not begin with '$'"},
    {"*1\r\n$4\r\nPINGX\n", 12, "no line end behind an argument"},
    {"*1\r\n$4\r\nPING\rX", 13, "no line end behind an argument"},
    {"*1\r\n$4\r\nPING\n", 12, "no line end behind an argument"},
    {"PING\r\n", 0, "a command does not begin with '*'"},
    {"+OK\r\n", 0, "a command does not begin with '*'"},
    {"$4\r\nPING\r\n", 0, "a command does not begin with '*'"},
    {" \r\n", 0, "a command does not begin with '*'"},
    {"\r*1\r\n", 1, "no '\\n' behind '\\r' between commands"},
    {"\r\r\n", 1, "no '\\n' behind '\\r' between commands"},
};

TEST(what_no_stream_has_split_at_every_byte)
{
    for (size_t i = 0; i < LENGTH_OF(broken); i++) {
        for (int padded = 0; padded < 2; padded++) {
            char stream[200];
            snprintf(stream, sizeof(stream), "%s%s%s", padded ? SET : "", broken[i].stream,
                     padded ? SET : "");
            all_ways(bytes_of(stream));
            const struct tokenizer *t = &fed.tokenizer;
            size_t before = padded ? sizeof(SET) - 1 : 0;
            assert_int_equal(t->state, TOKENIZER_BROKEN);
            assert_string_equal(t->error, broken[i].error);
            assert_int_equal(t->offset, START + before + broken[i].good);
            assert_int_equal(t->boundary, START + before);
        }
    }
}

/* Each byte of a stream replaced by each other byte. */
TEST(every_single_mutation)
{
    char stream[] = PING "\n" MULTI SET "\r\n" EXEC GETACK PING;
    for (size_t position = 0; position < sizeof(stream) - 1; position++) {
        char saved = stream[position];
        for (int byte = 0; byte < 256; byte++) {
            stream[position] = (char)byte;
            whole_and_bytewise(bytes_at(stream, sizeof(stream) - 1));
        }
        stream[position] = saved;
    }
}

/* Every input over the bytes that matter, alone and with a stream behind it. */
TEST(every_short_input)
{
    static const char alphabet[] = "*$01\r\nx";
    enum { LETTERS = sizeof(alphabet) - 1, LENGTH = 6 };
    char input[LENGTH + sizeof(SET)];
    size_t total = 1;
    for (size_t length = 1; length <= LENGTH; length++) {
        total *= LETTERS;
        memcpy(input + length, SET, sizeof(SET));
        for (size_t number = 0; number < total; number++) {
            size_t rest = number;
            for (size_t i = 0; i < length; i++, rest /= LETTERS)
                input[i] = alphabet[rest % LETTERS];
            whole_and_bytewise(bytes_at(input, length + sizeof(SET) - 1));
        }
    }
}

static size_t add_argument(char *place, const char *name, size_t length)
{
    size_t head = (size_t)snprintf(place, 16, "$%zu\r\n", length);
    if (name != NULL)
        memcpy(place + head, name, length);
    memcpy(place + head + length, "\r\n", 2);
    return head + length + 2;
}

/* A random command, its values full of what looks like commands. */
static size_t add_command(char *place, uint64_t *seed)
{
    static const char *const fixed[] = {PING, MULTI, EXEC, DISCARD, GETACK, SET, "\n", "\r\n"};
    static const char *const names[] = {"SET", "hset", "MULTI", "exec", "REPLCONF", "getack"};
    if (test_random_below(seed, 2) == 0) {
        const char *one = fixed[test_random_below(seed, LENGTH_OF(fixed))];
        memcpy(place, one, strlen(one));
        return strlen(one);
    }
    size_t count = 1 + (size_t)test_random_below(seed, 13);
    size_t length = (size_t)snprintf(place, 16, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        if (test_random_below(seed, 3) > 0) {
            const char *name = names[test_random_below(seed, LENGTH_OF(names))];
            length += add_argument(place + length, name, strlen(name));
        } else {
            size_t size = (size_t)test_random_below(seed, 120);
            char value[120];
            for (size_t k = 0; k < size; k++)
                value[k] = (GETACK MULTI)[k % (sizeof(GETACK MULTI) - 1)];
            length += add_argument(place + length, value, size);
        }
    }
    return length;
}

TEST(random_streams_in_random_pieces)
{
    static char stream[STREAM_MAX];
    static const size_t most[] = {1, 3, 20, 100, 1000};
    uint64_t seed = 11;
    for (size_t turn = 0; turn < 200; turn++) {
        size_t length = 0;
        while (length < 3000)
            length += add_command(stream + length, &seed);
        fed.all = bytes_at(stream, length);
        begin(&fed);
        if (turn % 5 == 0)
            feed_pieces(fed.all, 1, feed, &fed);
        else
            feed_random(fed.all, &seed, most[turn % 5], feed_and_compare, &fed);
        compare(&fed);
        assert_int_equal(fed.tokenizer.offset, START + length);
    }
}

/* Bodies longer than any piece are passed over without being held. */
TEST(a_long_body_in_pieces)
{
    enum { BODY = 60000 };
    static char stream[STREAM_MAX];
    uint64_t seed = 12;
    size_t length = (size_t)snprintf(stream, STREAM_MAX, PING "*2\r\n$4\r\nECHO\r\n");
    static char body[BODY];
    memset(body, '\n', sizeof(body));
    length += add_argument(stream + length, body, sizeof(body));
    memcpy(stream + length, GETACK, sizeof(GETACK) - 1);
    length += sizeof(GETACK) - 1;
    fed.all = bytes_at(stream, length);
    for (int turn = 0; turn < 30; turn++) {
        begin(&fed);
        feed_random(fed.all, &seed, 16384, feed_and_compare, &fed);
        assert_int_equal(fed.tokenizer.commands, 3);
        assert_int_equal(fed.tokenizer.getacks, 1);
        assert_int_equal(fed.tokenizer.boundary, START + length);
    }
}
