/* SPDX-License-Identifier: MIT */
#include "relay/store/identity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/crc64.h"

#define FORMAT_NAME "psync-relay identity "
static const char first_line[] = FORMAT_NAME "2";
static const char first_line_before[] = FORMAT_NAME "1"; /* it had no base */
static const char base_word[] = "base ";

enum { WORDS_MAX = 6, PLACES_LEAST = 16 };

void identity_init(struct identity *identity, const struct replid *replid)
{
    memset(identity, 0, sizeof(*identity));
    identity->replid = *replid;
}

void identity_fini(struct identity *identity)
{
    free(identity->allocated);
    memset(identity, 0, sizeof(*identity));
}

bool identity_copy(const struct identity *identity, struct identity *out)
{
    struct identity_segment *segments = NULL;
    if (identity->segment_count > 0) {
        segments = malloc(identity->segment_count * sizeof(segments[0]));
        if (segments == NULL)
            return false;
        memcpy(segments, identity->segments, identity->segment_count * sizeof(segments[0]));
    }
    *out = *identity;
    out->segments = segments;
    out->allocated = segments;
    out->segment_capacity = identity->segment_count;
    return true;
}

/* At the end. The places of rows that were dropped are used again when they are as many as those in use, so
 * that a row costs the same however many there are. False: out of memory. */
static bool make_place(struct identity *identity)
{
    size_t count = identity->segment_count;
    size_t dropped = (size_t)(identity->segments - identity->allocated);
    if (dropped > count) {
        memmove(identity->allocated, identity->segments, count * sizeof(identity->segments[0]));
        identity->segments = identity->allocated;
        identity->segment_capacity += dropped;
        return true;
    }
    size_t capacity = count < PLACES_LEAST ? PLACES_LEAST : count * 2;
    struct identity_segment *larger = malloc(capacity * sizeof(identity->segments[0]));
    if (larger == NULL)
        return false;
    if (count > 0)
        memcpy(larger, identity->segments, count * sizeof(identity->segments[0]));
    free(identity->allocated);
    identity->allocated = larger;
    identity->segments = larger;
    identity->segment_capacity = capacity;
    return true;
}

bool identity_add_segment(struct identity *identity, struct identity_segment segment)
{
    CHECK(segment.first < segment.end);
    CHECK(segment.boundary <= segment.end);
    if (identity->segment_count > 0)
        CHECK(identity->segments[identity->segment_count - 1].end == segment.first);
    if (identity->segment_count == identity->segment_capacity && !make_place(identity))
        return false;
    identity->segments[identity->segment_count++] = segment;
    return true;
}

static int compare_first(const void *first, const void *segment)
{
    uint64_t wanted = *(const uint64_t *)first;
    uint64_t found = ((const struct identity_segment *)segment)->first;
    return wanted < found ? -1 : wanted > found;
}

bool identity_has_segment(const struct identity *identity, uint64_t first)
{
    return identity->segment_count > 0 &&
           bsearch(&first, identity->segments, identity->segment_count,
                   sizeof(identity->segments[0]), compare_first) != NULL;
}

void identity_drop_oldest(struct identity *identity, size_t count)
{
    CHECK(count <= identity->segment_count);
    if (count == 0)
        return;
    identity->segment_count -= count;
    identity->segment_capacity -= count;
    identity->segments += count;
}

void identity_drop_newest(struct identity *identity)
{
    CHECK(identity->segment_count > 0);
    identity->segment_count--;
}

static void limit_earlier(struct identity *identity, uint64_t limit)
{
    for (size_t i = 0; i < identity->earlier_count; i++) {
        if (identity->earlier[i].limit > limit)
            identity->earlier[i].limit = limit;
    }
}

void identity_rename(struct identity *identity, const struct replid *replid, uint64_t limit)
{
    limit_earlier(identity, limit);
    size_t kept = identity->earlier_count;
    if (kept == IDENTITY_EARLIER_MAX)
        kept--;
    memmove(identity->earlier + 1, identity->earlier, kept * sizeof(identity->earlier[0]));
    identity->earlier[0].replid = identity->replid;
    identity->earlier[0].limit = limit;
    identity->earlier_count = kept + 1;
    identity->replid = *replid;
}

void identity_rewind(struct identity *identity, uint64_t offset)
{
    limit_earlier(identity, offset);
    while (identity->segment_count > 0 &&
           identity->segments[identity->segment_count - 1].end > offset)
        identity->segment_count--;
    if (identity->snapshot.exists && identity->snapshot.offset > offset)
        identity->snapshot.exists = false;
}

void identity_format_segment(const struct identity_segment *segment, struct text *out)
{
    text_format(out, "segment %" PRIu64 " %" PRIu64 " %016" PRIx64 " %" PRIu64, segment->first,
                segment->end, segment->crc, segment->boundary);
}

void identity_format(const struct identity *identity, struct text *out)
{
    size_t start = out->length;
    text_format(out, "%s\n", first_line);
    text_format(out, "replid %s\n", identity->replid.hex);
    text_format(out, "%s%" PRIu64 "\n", base_word, identity->base);
    for (size_t i = 0; i < identity->earlier_count; i++)
        text_format(out, "earlier %s %" PRIu64 "\n", identity->earlier[i].replid.hex,
                    identity->earlier[i].limit);
    for (size_t i = 0; i < identity->segment_count; i++) {
        identity_format_segment(&identity->segments[i], out);
        text_append_string(out, "\n");
    }
    const struct identity_snapshot *snapshot = &identity->snapshot;
    if (snapshot->exists)
        text_format(out, "snapshot %" PRIu64 " %" PRIu64 " %016" PRIx64 " %s\n", snapshot->offset,
                    snapshot->length, snapshot->crc,
                    snapshot->verified ? "verified" : "unverified");
    struct bytes body = bytes_skip(text_bytes(out), start);
    text_format(out, "sum %016" PRIx64 "\n", crc64(0, body.data, body.length));
}

/* Splits a line at single blanks. More than WORDS_MAX words, or an empty one, is no line of ours. */
static bool split(struct bytes line, struct bytes words[WORDS_MAX], size_t *count)
{
    *count = 0;
    for (;;) {
        size_t length = bytes_find(line, ' ');
        if (length == 0 || *count == WORDS_MAX)
            return false;
        words[(*count)++] = bytes_first(line, length);
        if (length == line.length)
            return true;
        line = bytes_skip(line, length + 1);
    }
}

static bool parse_crc(struct bytes word, uint64_t *out)
{
    if (word.length != 16)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < word.length; i++) {
        uint8_t c = word.data[i];
        uint64_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint64_t)(c - 'a' + 10);
        else
            return false;
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

static bool parse_replid(struct identity *identity, const struct bytes *words)
{
    return replid_parse(words[1], &identity->replid);
}

static bool parse_earlier(struct identity *identity, const struct bytes *words)
{
    if (identity->earlier_count == IDENTITY_EARLIER_MAX)
        return false;
    struct identity_earlier *earlier = &identity->earlier[identity->earlier_count];
    if (!replid_parse(words[1], &earlier->replid) || !bytes_to_u64(words[2], &earlier->limit) ||
        earlier->limit > OFFSET_MAX)
        return false;
    identity->earlier_count++;
    return true;
}

static bool parse_base(struct identity *identity, const struct bytes *words)
{
    return identity->base == 0 && bytes_to_u64(words[1], &identity->base) &&
           identity->base <= OFFSET_MAX;
}

static bool identity_parse_row(const struct bytes *words, struct identity_segment *out)
{
    return bytes_to_u64(words[1], &out->first) && bytes_to_u64(words[2], &out->end) &&
           parse_crc(words[3], &out->crc) && bytes_to_u64(words[4], &out->boundary) &&
           out->end <= OFFSET_MAX && out->first < out->end && out->boundary <= out->end;
}

static bool parse_segment(struct identity *identity, const struct bytes *words)
{
    struct identity_segment segment;
    if (!identity_parse_row(words, &segment))
        return false;
    size_t count = identity->segment_count;
    if (count > 0 && identity->segments[count - 1].end != segment.first)
        return false;
    return identity_add_segment(identity, segment);
}

static bool parse_snapshot(struct identity *identity, const struct bytes *words)
{
    struct identity_snapshot *snapshot = &identity->snapshot;
    if (snapshot->exists || !bytes_to_u64(words[1], &snapshot->offset) ||
        snapshot->offset > OFFSET_MAX || !bytes_to_u64(words[2], &snapshot->length) ||
        !parse_crc(words[3], &snapshot->crc))
        return false;
    snapshot->verified = bytes_is(words[4], "verified");
    snapshot->exists = true;
    return snapshot->verified || bytes_is(words[4], "unverified");
}

static const struct line_kind {
    const char *name;
    size_t words;
    bool (*parse)(struct identity *identity, const struct bytes *words);
} line_kinds[] = {
    {"replid", 2, parse_replid},   {"base", 2, parse_base},         {"earlier", 3, parse_earlier},
    {"segment", 5, parse_segment}, {"snapshot", 5, parse_snapshot},
};

bool identity_parse_segment(struct bytes line, struct identity_segment *out)
{
    struct bytes words[WORDS_MAX];
    size_t count;
    return split(line, words, &count) && count == 5 && bytes_is(words[0], "segment") &&
           identity_parse_row(words, out);
}

uint64_t identity_peek_base(struct bytes head)
{
    uint64_t base = 0;
    while (head.length > 0) {
        size_t length = bytes_find(head, '\n');
        struct bytes line = bytes_first(head, length);
        if (length == head.length)
            return 0;
        if (bytes_starts(line, base_word) &&
            bytes_to_u64(bytes_skip(line, sizeof(base_word) - 1), &base))
            return base;
        head = bytes_skip(head, length + 1);
    }
    return 0;
}

static bool identity_parse_line(struct identity *identity, struct bytes line)
{
    struct bytes words[WORDS_MAX];
    size_t count;
    if (!split(line, words, &count))
        return false;
    for (size_t i = 0; i < LENGTH_OF(line_kinds); i++) {
        const struct line_kind *kind = &line_kinds[i];
        if (bytes_equal(words[0], bytes_of(kind->name)))
            return count == kind->words && kind->parse(identity, words);
    }
    return false;
}

/* Takes the last line, "sum <crc>", off the file and compares it with what is before it. */
static bool take_sum(struct bytes *file, struct text *why)
{
    enum { SUM_LINE = 4 + 16 + 1 };
    uint64_t sum;
    if (file->length < SUM_LINE || file->data[file->length - 1] != '\n') {
        text_format(why, "it is cut off");
        return false;
    }
    struct bytes line = bytes_skip(*file, file->length - SUM_LINE);
    if (!bytes_starts(line, "sum ") || !parse_crc(bytes_first(bytes_skip(line, 4), 16), &sum)) {
        text_format(why, "it is cut off: its last line is no checksum");
        return false;
    }
    *file = bytes_first(*file, file->length - SUM_LINE);
    if (crc64(0, file->data, file->length) != sum) {
        text_format(why, "its checksum does not match its content");
        return false;
    }
    return true;
}

/* One of another version is not damaged: errno tells. */
static bool parse_first_line(struct bytes line, struct text *why)
{
    if (bytes_equal(line, bytes_of(first_line)) || bytes_equal(line, bytes_of(first_line_before)))
        return true;
    if (bytes_starts(line, FORMAT_NAME)) {
        text_format(why, "it was written by a newer version: ");
        errno = EPROTONOSUPPORT;
    }
    return false;
}

bool identity_parse(struct bytes file, struct identity *out, struct text *why)
{
    struct replid none = replid_none();
    identity_init(out, &none);
    if (!take_sum(&file, why))
        return false;
    for (unsigned number = 1; file.length > 0; number++) {
        size_t length = bytes_find(file, '\n');
        struct bytes line = bytes_first(file, length);
        bool good = number == 1 ? parse_first_line(line, why) : identity_parse_line(out, line);
        if (!good) {
            char shown[80];
            text_format(why, "line %u is not one this version knows: %s", number,
                        bytes_printable(line, shown, sizeof(shown)));
            identity_fini(out);
            return false;
        }
        file = bytes_skip(file, length == file.length ? length : length + 1);
    }
    if (replid_equal(&out->replid, &none)) {
        text_format(why, "it names no replication id");
        identity_fini(out);
        return false;
    }
    return true;
}

static enum continuity identity_place(uint64_t first, uint64_t end, uint64_t offset)
{
    if (offset < first)
        return CONTINUITY_GONE;
    return offset <= end ? CONTINUITY_YES : CONTINUITY_AHEAD;
}

enum continuity identity_may_continue(const struct identity *identity, uint64_t first, uint64_t end,
                                      const struct replid *replid, uint64_t offset)
{
    CHECK(first <= end);
    if (replid_equal(replid, &identity->replid))
        return identity_place(first, end, offset);
    for (size_t i = 0; i < identity->earlier_count; i++) {
        const struct identity_earlier *earlier = &identity->earlier[i];
        /* Beyond its limit the earlier id belongs to a branch of the history that is not ours. */
        if (replid_equal(replid, &earlier->replid) && offset <= earlier->limit)
            return identity_place(first, end, offset);
    }
    return CONTINUITY_STRANGE;
}
