/* SPDX-License-Identifier: MIT
 *
 * The tokenizer, cut anywhere, against a reading of the grammar that has the whole stream before it
 * and keeps no state between bytes.
 */
#include "fuzz.h"

#include "relay/resp/tokenizer.h"

#define COUNT_MAX (UINT64_C(1) << 31)
#define LENGTH_MAX (UINT64_C(1) << 40)

enum outcome { GOOD, ENDS, WRONG }; /* ENDS: the stream ends within; WRONG: at `place` */

struct reading {
    struct bytes stream;
    size_t place;
    size_t boundary;
    uint64_t commands;
    uint64_t getacks;
    bool in_multi;
};

/* `byte` stands here. */
static enum outcome expect(struct reading *r, uint8_t byte)
{
    if (r->place == r->stream.length)
        return ENDS;
    if (r->stream.data[r->place] != byte)
        return WRONG;
    r->place++;
    return GOOD;
}

static enum outcome expect_line_end(struct reading *r)
{
    enum outcome outcome = expect(r, '\r');
    return outcome == GOOD ? expect(r, '\n') : outcome;
}

/* "<kind><decimal>\r\n", without leading zeros, least <= number <= most. */
static enum outcome number(struct reading *r, uint8_t kind, uint64_t least, uint64_t most,
                           uint64_t *out)
{
    enum outcome outcome = expect(r, kind);
    if (outcome != GOOD)
        return outcome;
    size_t start = r->place;
    *out = 0;
    for (; r->place < r->stream.length; r->place++) {
        uint8_t byte = r->stream.data[r->place];
        if (byte < '0' || byte > '9')
            break;
        *out = *out * 10 + (uint64_t)(byte - '0');
        bool leading_zero = r->place > start && r->stream.data[start] == '0';
        if (leading_zero || *out < least || *out > most)
            return WRONG;
    }
    if (r->place == r->stream.length)
        return ENDS;
    return r->place == start ? WRONG : expect_line_end(r);
}

static enum outcome argument(struct reading *r, struct bytes *out)
{
    uint64_t length;
    enum outcome outcome = number(r, '$', 0, LENGTH_MAX, &length);
    if (outcome != GOOD)
        return outcome;
    if (r->stream.length - r->place < length) {
        r->place = r->stream.length;
        return ENDS;
    }
    *out = bytes_at(r->stream.data + r->place, (size_t)length);
    r->place += (size_t)length;
    return expect_line_end(r);
}

static enum outcome command(struct reading *r)
{
    uint64_t count;
    struct bytes words[2] = {bytes_at(NULL, 0), bytes_at(NULL, 0)};
    enum outcome outcome = number(r, '*', 1, COUNT_MAX, &count);
    for (uint64_t i = 0; outcome == GOOD && i < count; i++) {
        struct bytes word;
        outcome = argument(r, &word);
        if (outcome == GOOD && i < LENGTH_OF(words))
            words[i] = word;
    }
    if (outcome != GOOD)
        return outcome;
    r->commands++;
    r->getacks += bytes_is(words[0], "replconf") && bytes_is(words[1], "getack");
    if (bytes_is(words[0], "multi"))
        r->in_multi = true;
    if (bytes_is(words[0], "exec") || bytes_is(words[0], "discard"))
        r->in_multi = false;
    return GOOD;
}

static enum outcome read_stream(struct reading *r)
{
    enum outcome outcome = GOOD;
    while (outcome == GOOD && r->place < r->stream.length) {
        uint8_t byte = r->stream.data[r->place];
        if (byte == '\n')
            r->place++;
        else
            outcome = byte == '\r' ? expect_line_end(r) : command(r);
        if (outcome == GOOD && !r->in_multi)
            r->boundary = r->place;
    }
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t start = 1000;
    struct reading reading = {.stream = bytes_at(data, size)};
    bool is_good = read_stream(&reading) != WRONG;

    struct tokenizer tokenizer;
    struct cuts cuts = cuts_of(data, size);
    struct bytes left = bytes_at(data, size);
    tokenizer_init(&tokenizer, start);
    bool was_taken = true;
    while (was_taken && left.length > 0) {
        struct bytes piece = cuts_next(&cuts, &left);
        uint8_t *copy = exact_copy(piece);
        was_taken = tokenizer_feed(&tokenizer, bytes_at(copy, piece.length));
        free(copy);
    }
    CHECK(was_taken == is_good);
    CHECK((tokenizer.state == TOKENIZER_BROKEN) == !is_good);
    CHECK(tokenizer.offset - start == (is_good ? size : reading.place));
    CHECK(tokenizer.boundary - start == reading.boundary);
    CHECK(tokenizer.commands == reading.commands);
    CHECK(tokenizer.getacks == reading.getacks);
    CHECK(tokenizer.in_multi == reading.in_multi);
    return 0;
}
