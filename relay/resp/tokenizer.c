/* SPDX-License-Identifier: MIT
 *
 * Two ways through the same grammar. take_whole takes header lines and arguments that lie whole in
 * the view and are plain; it is the hot path and judges nothing. Whatever it leaves (split, odd or
 * wrong) goes byte by byte through take_byte, which knows all the rules and the state between them.
 */
#include "relay/resp/tokenizer.h"

#include <string.h>

#include "plain_header.h"

enum word {
    WORD_OTHER,
    WORD_MULTI,
    WORD_EXEC,
    WORD_DISCARD,
    WORD_REPLCONF,
    WORD_GETACK,
    WORD_PING
};

enum { NAME_TOO_LONG = TOKENIZER_NAME_MAX + 1 };

/* A server counts words in an int, and its values have no limit on a replication link
 * (docs/protocol.md 3.1): a length beyond these comes from no server. */
#define COUNT_MAX (UINT64_C(1) << 31)
#define LENGTH_MAX (UINT64_C(1) << 40)

void tokenizer_init(struct tokenizer *tokenizer, uint64_t offset)
{
    *tokenizer =
        (struct tokenizer){.state = TOKENIZER_COMMAND, .offset = offset, .boundary = offset};
}

static bool broken(struct tokenizer *t, const char *error)
{
    t->state = TOKENIZER_BROKEN;
    t->error = error;
    return false;
}

/* `name` in lower-case letters: with 0x20 set, only a letter's two cases equal it. */
static inline bool tokenizer_is_word(const uint8_t *data, const char *name, size_t length)
{
    unsigned difference = 0;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned)(data[i] | 0x20) ^ (unsigned char)name[i];
    return difference == 0;
}

static enum word first_word(const uint8_t *data, size_t length)
{
    switch (length) {
    case 4:
        return tokenizer_is_word(data, "exec", 4)   ? WORD_EXEC
               : tokenizer_is_word(data, "ping", 4) ? WORD_PING
                                                    : WORD_OTHER;
    case 5:
        return tokenizer_is_word(data, "multi", 5) ? WORD_MULTI : WORD_OTHER;
    case 7:
        return tokenizer_is_word(data, "discard", 7) ? WORD_DISCARD : WORD_OTHER;
    case 8:
        return tokenizer_is_word(data, "replconf", 8) ? WORD_REPLCONF : WORD_OTHER;
    default:
        return WORD_OTHER;
    }
}

/* Is the argument in hand one whose text matters? */
static inline bool is_named(const struct tokenizer *t)
{
    return t->argument == 0 || (t->argument == 1 && t->word == WORD_REPLCONF);
}

static inline void begin_command(struct tokenizer *t, uint64_t arguments)
{
    t->arguments = arguments;
    t->argument = 0;
    t->word = WORD_OTHER;
    t->state = TOKENIZER_DOLLAR;
}

/* An argument is complete; `data` is its text, and looked at only where it matters. */
static inline void end_argument(struct tokenizer *t, const uint8_t *data, size_t length)
{
    if (t->argument == 0)
        t->word = first_word(data, length);
    else if (is_named(t) && length == 6 && tokenizer_is_word(data, "getack", 6))
        t->word = WORD_GETACK;
    if (t->argument < 2)
        t->argument++;
    t->arguments--;
    t->state = TOKENIZER_DOLLAR;
}

/* Inside MULTI there is none: a replica's offset stands still until EXEC, so nobody asks for a
 * place in between. A newline between commands counts, as it does in servers (docs/protocol.md 3.3). */
static inline void mark_boundary(struct tokenizer *t, uint64_t offset)
{
    t->state = TOKENIZER_COMMAND;
    t->return_seen = false;
    if (!t->in_multi)
        t->boundary = offset;
}

/* A command ends before `offset`. */
static inline void end_command(struct tokenizer *t, uint64_t offset)
{
    t->commands++;
    if (t->word == WORD_MULTI)
        t->in_multi = true;
    else if (t->word == WORD_EXEC || t->word == WORD_DISCARD)
        t->in_multi = false;
    else if (t->word == WORD_GETACK)
        t->getacks++;
    else if (t->word == WORD_PING)
        t->pings++;
    mark_boundary(t, offset);
}

/* Takes headers and arguments as long as they are whole; returns the place behind them. */
static const uint8_t *take_whole(struct tokenizer *t, const uint8_t *start, const uint8_t *end)
{
    const uint8_t *place = start;
    uint64_t number;
    for (;;) {
        if (t->state == TOKENIZER_COMMAND) {
            const uint8_t *behind = plain_header(place, end, '*', &number);
            if (behind == NULL || number == 0)
                return place;
            begin_command(t, number);
            place = behind;
        }
        while (t->arguments > 0) {
            const uint8_t *body = plain_header(place, end, '$', &number);
            if (body == NULL || (size_t)(end - body) < number + LINE_END)
                return place;
            if (body[number] != '\r' || body[number + 1] != '\n')
                return place;
            end_argument(t, body, (size_t)number);
            place = body + number + LINE_END;
        }
        end_command(t, t->offset + (uint64_t)(place - start));
    }
}

static bool take_command_byte(struct tokenizer *t, uint8_t byte)
{
    if (t->return_seen && byte != '\n')
        return broken(t, "no '\\n' behind '\\r' between commands");
    if (byte == '\n') {
        mark_boundary(t, t->offset + 1);
        return true;
    }
    if (byte == '\r') {
        t->return_seen = true;
        return true;
    }
    if (byte != '*')
        return broken(t, "a command does not begin with '*'");
    t->state = TOKENIZER_COUNT;
    t->number = 0;
    t->digits = 0;
    return true;
}

static void end_header(struct tokenizer *t)
{
    t->return_seen = false;
    if (t->state == TOKENIZER_COUNT) {
        begin_command(t, t->number);
        return;
    }
    t->remaining = t->number + LINE_END;
    t->name_length = is_named(t) && t->number <= TOKENIZER_NAME_MAX ? 0 : NAME_TOO_LONG;
    t->state = TOKENIZER_BODY;
}

/* A byte of "<digits>\r\n". */
static bool take_header_byte(struct tokenizer *t, uint8_t byte)
{
    bool is_count = t->state == TOKENIZER_COUNT;
    if (t->return_seen) {
        if (byte != '\n')
            return broken(t, "no '\\n' behind the '\\r' of a header");
        end_header(t);
        return true;
    }
    if (byte == '\r' && t->digits > 0) {
        t->return_seen = true;
        return true;
    }
    if (byte < '0' || byte > '9')
        return broken(t, is_count ? "a count that is no number" : "a length that is no number");
    if (t->digits > 0 && t->number == 0)
        return broken(t, "a length with a leading zero");

    uint64_t number = t->number * 10 + (uint64_t)(byte - '0');
    if (is_count && number == 0)
        return broken(t, "a command without arguments");
    if (is_count && number > COUNT_MAX)
        return broken(t, "a count over 2^31");
    if (number > LENGTH_MAX)
        return broken(t, "a length over 2^40");
    t->number = number;
    t->digits++;
    return true;
}

static bool take_body_byte(struct tokenizer *t, uint8_t byte)
{
    if (t->remaining > LINE_END) {
        if (t->name_length < TOKENIZER_NAME_MAX)
            t->name[t->name_length++] = byte;
    } else if (byte != (t->remaining == LINE_END ? '\r' : '\n')) {
        return broken(t, "no line end behind an argument");
    }
    if (--t->remaining == 0) {
        end_argument(t, t->name, t->name_length);
        if (t->arguments == 0)
            end_command(t, t->offset + 1);
    }
    return true;
}

static bool take_byte(struct tokenizer *t, uint8_t byte)
{
    switch (t->state) {
    case TOKENIZER_COMMAND:
        return take_command_byte(t, byte);
    case TOKENIZER_DOLLAR:
        if (byte != '$')
            return broken(t, "an argument does not begin with '$'");
        t->state = TOKENIZER_LENGTH;
        t->number = 0;
        t->digits = 0;
        return true;
    case TOKENIZER_COUNT:
    case TOKENIZER_LENGTH:
        return take_header_byte(t, byte);
    case TOKENIZER_BODY:
        return take_body_byte(t, byte);
    case TOKENIZER_BROKEN:
        break;
    }
    UNREACHABLE("a byte for a broken tokenizer");
}

/* How much of a body of no interest can be passed over in one go: a value of a gigabyte is never
 * held, nor looked at byte by byte. */
static size_t skippable(const struct tokenizer *t, size_t available)
{
    if (t->state != TOKENIZER_BODY || t->name_length < TOKENIZER_NAME_MAX)
        return 0;
    uint64_t text = t->remaining > LINE_END ? t->remaining - LINE_END : 0;
    return text < available ? (size_t)text : available;
}

bool tokenizer_feed(struct tokenizer *tokenizer, struct bytes view)
{
    struct tokenizer *t = tokenizer;
    if (t->state == TOKENIZER_BROKEN)
        return false;
    if (view.length == 0)
        return true;

    const uint8_t *place = view.data;
    const uint8_t *end = place + view.length;

    while (place != end) {
        size_t count = skippable(t, (size_t)(end - place));
        if (count > 0) {
            t->remaining -= count;
        } else if ((t->state == TOKENIZER_COMMAND && !t->return_seen) ||
                   t->state == TOKENIZER_DOLLAR) {
            count = (size_t)(take_whole(t, place, end) - place);
        }
        if (count == 0) {
            if (!take_byte(t, *place))
                return false;
            count = 1;
        }
        t->offset += count;
        place += count;
    }
    CHECK(t->boundary <= t->offset);
    return true;
}
