/* SPDX-License-Identifier: MIT */
#include "rdb_aux.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

enum {
    MAGIC_LENGTH = 9,
    OPCODE_AUX = 0xfa,
    FORM_SHORT = 0,   /* the two highest bits of a length: it is in the other six, */
    FORM_LONGER = 1,  /* or in them and the next byte, */
    FORM_LONG = 2,    /* or in the next four, */
    FORM_INTEGER = 3, /* or there is none, but an integer of 1, 2 or 4 bytes */
    NUMBER_MAX = 24,
};

/* A field; of an integer, its digits. */
struct word {
    struct bytes bytes;
    char digits[NUMBER_MAX];
};

static bool rdb_aux_take(struct bytes *input, size_t length, struct bytes *out)
{
    if (input->length < length)
        return false;
    *out = bytes_first(*input, length);
    *input = bytes_skip(*input, length);
    return true;
}

/* Little endian, with a sign. */
static bool take_integer(struct bytes *input, unsigned size_code, struct word *word)
{
    struct bytes raw;
    if (size_code > 2 || !rdb_aux_take(input, (size_t)1 << size_code, &raw))
        return false;
    uint32_t value = 0;
    for (size_t i = 0; i < raw.length; i++)
        value |= (uint32_t)raw.data[i] << (8 * i);
    if (raw.length == 1)
        value = (uint32_t)(int32_t)(int8_t)value;
    else if (raw.length == 2)
        value = (uint32_t)(int32_t)(int16_t)value;
    snprintf(word->digits, sizeof(word->digits), "%" PRId32, (int32_t)value);
    word->bytes = bytes_of(word->digits);
    return true;
}

static bool rdb_aux_take_word(struct bytes *input, struct word *word)
{
    struct bytes first;
    struct bytes rest;
    if (!rdb_aux_take(input, 1, &first))
        return false;
    unsigned low = first.data[0] & 0x3f;
    switch (first.data[0] >> 6) {
    case FORM_SHORT:
        return rdb_aux_take(input, low, &word->bytes);
    case FORM_LONGER:
        return rdb_aux_take(input, 1, &rest) &&
               rdb_aux_take(input, (size_t)low << 8 | rest.data[0], &word->bytes);
    case FORM_LONG: /* 64 bits, in another form of it, no field here has */
        return low == 0 && rdb_aux_take(input, 4, &rest) &&
               rdb_aux_take(input,
                            (size_t)rest.data[0] << 24 | (size_t)rest.data[1] << 16 |
                                (size_t)rest.data[2] << 8 | rest.data[3],
                            &word->bytes);
    default:
        return take_integer(input, low, word);
    }
}

/* The next field; false: there is none. */
static bool take_field(struct bytes *head, struct word *name, struct word *value)
{
    struct bytes opcode;
    return rdb_aux_take(head, 1, &opcode) && opcode.data[0] == OPCODE_AUX &&
           rdb_aux_take_word(head, name) && rdb_aux_take_word(head, value);
}

bool rdb_aux_stream_db(struct bytes head, uint64_t *out)
{
    struct bytes magic;
    struct word name;
    struct word value;
    if (!rdb_aux_take(&head, MAGIC_LENGTH, &magic))
        return false;
    while (take_field(&head, &name, &value)) {
        if (bytes_is(name.bytes, "repl-stream-db"))
            return bytes_to_u64(value.bytes, out);
    }
    return false;
}

bool rdb_aux_read(struct bytes head, struct rdb_aux *out)
{
    bool has_replid = false;
    bool has_offset = false;
    struct bytes magic;
    struct word name;
    struct word value;
    if (!rdb_aux_take(&head, MAGIC_LENGTH, &magic))
        return false;
    while (!(has_replid && has_offset) && take_field(&head, &name, &value)) {
        if (bytes_is(name.bytes, "repl-id"))
            has_replid = replid_parse(value.bytes, &out->replid);
        else if (bytes_is(name.bytes, "repl-offset"))
            has_offset = bytes_to_u64(value.bytes, &out->offset);
    }
    return has_replid && has_offset;
}
