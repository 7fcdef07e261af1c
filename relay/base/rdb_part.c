/* SPDX-License-Identifier: MIT */
#include "relay/base/rdb_part.h"

#include <inttypes.h>
#include <stddef.h>

enum { CRC_DIGITS = 16 };

bool rdb_part_is_valid(const struct rdb_part *part)
{
    return part->offset <= OFFSET_FIRST_MAX && part->length <= INT64_MAX &&
           part->bytes >= RDB_PART_BYTES_MIN && part->bytes <= INT64_MAX &&
           (part->length == 0 || part->bytes <= part->length);
}

void rdb_part_format(const struct rdb_part *part, struct text *out)
{
    CHECK(rdb_part_is_valid(part));
    text_format(out, "%s:%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%016" PRIx64, part->replid.hex,
                part->offset, part->length, part->bytes, part->crc);
}

/* Takes the field before the next colon off the word. False: there is none. */
static bool rdb_part_take_field(struct bytes *word, struct bytes *field)
{
    size_t length = bytes_find(*word, ':');
    if (length == word->length)
        return false;
    *field = bytes_first(*word, length);
    *word = bytes_skip(*word, length + 1);
    return true;
}

static bool rdb_part_take_number(struct bytes *word, uint64_t *out)
{
    struct bytes field;
    if (!rdb_part_take_field(word, &field) || !bytes_to_u64(field, out))
        return false;
    return field.length == 1 || field.data[0] != '0';
}

static bool rdb_part_parse_crc(struct bytes digits, uint64_t *out)
{
    if (digits.length != CRC_DIGITS)
        return false;
    uint64_t crc = 0;
    for (size_t i = 0; i < digits.length; i++) {
        uint8_t byte = digits.data[i];
        bool is_digit = byte >= '0' && byte <= '9';
        if (!is_digit && (byte < 'a' || byte > 'f'))
            return false;
        crc = crc << 4 | (uint64_t)(is_digit ? byte - '0' : byte - 'a' + 10);
    }
    *out = crc;
    return true;
}

bool rdb_part_parse(struct bytes word, struct rdb_part *out)
{
    struct rdb_part part;
    struct bytes replid;
    if (word.length > RDB_PART_WORD_MAX || !rdb_part_take_field(&word, &replid) ||
        !replid_parse(replid, &part.replid) || !rdb_part_take_number(&word, &part.offset) ||
        !rdb_part_take_number(&word, &part.length) || !rdb_part_take_number(&word, &part.bytes) ||
        !rdb_part_parse_crc(word, &part.crc) || !rdb_part_is_valid(&part))
        return false;
    *out = part;
    return true;
}

bool rdb_part_is_of(const struct rdb_part *part, const struct replid *replid, uint64_t offset,
                    uint64_t length)
{
    bool may_have_length = part->length == 0 || length == 0 || part->length == length;
    return part->offset == offset && may_have_length && replid_equal(&part->replid, replid) &&
           (length == 0 || part->bytes <= length);
}
