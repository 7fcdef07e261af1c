/* SPDX-License-Identifier: MIT */
#include "timeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/check.h"
#include "sim.h"

static struct timeline *timelines[TIMELINES_MAX];
static unsigned timeline_count;

struct timeline *timeline_new(uint64_t start)
{
    CHECK(timeline_count < TIMELINES_MAX);
    struct timeline *timeline = calloc(1, sizeof *timeline);
    CHECK(timeline != NULL);
    timeline->number = timeline_count;
    timeline->start = start;
    random_hex_digits(timeline->id, ID_BYTES - 1);
    return timelines[timeline_count++] = timeline;
}

uint64_t timeline_end(const struct timeline *timeline)
{
    return timeline->start + timeline->length;
}

const uint8_t *timeline_bytes(const struct timeline *timeline, uint64_t offset)
{
    CHECK(offset >= timeline->start && offset <= timeline_end(timeline));
    return timeline->bytes + (offset - timeline->start);
}

static void append(struct timeline *timeline, const void *bytes, size_t length)
{
    if (timeline->length + length > timeline->capacity) {
        timeline->capacity = (timeline->length + length) * 2;
        timeline->bytes = realloc(timeline->bytes, timeline->capacity);
        CHECK(timeline->bytes != NULL);
    }
    memcpy(timeline->bytes + timeline->length, bytes, length);
    timeline->length += length;
}

static void add_boundary(struct timeline *timeline, uint64_t offset, int64_t written_us)
{
    if (timeline->boundary_count == timeline->boundary_capacity) {
        timeline->boundary_capacity = timeline->boundary_capacity * 2 + 256;
        timeline->boundaries =
            realloc(timeline->boundaries, timeline->boundary_capacity * sizeof(uint64_t));
        timeline->written_us =
            realloc(timeline->written_us, timeline->boundary_capacity * sizeof(int64_t));
        CHECK(timeline->boundaries != NULL && timeline->written_us != NULL);
    }
    timeline->written_us[timeline->boundary_count] = written_us;
    timeline->boundaries[timeline->boundary_count++] = offset;
}

struct timeline *timeline_part(struct timeline *before, uint64_t offset)
{
    struct timeline *timeline = timeline_new(before->start);
    timeline->before = before;
    timeline->parted_at = offset;
    append(timeline, before->bytes, (size_t)(offset - before->start));
    for (size_t i = 0; i < before->boundary_count && before->boundaries[i] <= offset; i++)
        add_boundary(timeline, before->boundaries[i], before->written_us[i]);
    return timeline;
}

struct timeline *timeline_find(const char *id)
{
    for (unsigned i = 0; i < timeline_count; i++) {
        if (strcmp(timelines[i]->id, id) == 0)
            return timelines[i];
    }
    return NULL;
}

/* Each value tells its timeline and its offset, so that no two are alike. */
static void append_set(struct timeline *timeline, size_t size)
{
    char key[64];
    int key_length =
        snprintf(key, sizeof key, "key:%u:%" PRIu64, timeline->number, timeline_end(timeline));
    char head[160];
    int length = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%zu\r\n", key_length,
                          key, size);
    append(timeline, head, (size_t)length);
    uint64_t seed = timeline_end(timeline) * 31 + timeline->number * 7919;
    char value[512];
    CHECK(size <= sizeof value);
    for (size_t i = 0; i < size; i++)
        value[i] = (char)('a' + (seed = seed * 6364136223846793005U + 1) / (1ULL << 40) % 26);
    append(timeline, value, size);
    append(timeline, "\r\n", 2);
}

void timeline_write(struct timeline *timeline, size_t size)
{
    append_set(timeline, size);
    add_boundary(timeline, timeline_end(timeline), sim_now_us());
}

void timeline_write_transaction(struct timeline *timeline, unsigned commands)
{
    append(timeline, "*1\r\n$5\r\nMULTI\r\n", 15);
    for (unsigned i = 0; i < commands; i++)
        append_set(timeline, 20);
    append(timeline, "*1\r\n$4\r\nEXEC\r\n", 14);
    add_boundary(timeline, timeline_end(timeline), sim_now_us());
}

void timeline_write_ping(struct timeline *timeline)
{
    append(timeline, "*1\r\n$4\r\nPING\r\n", 14);
    add_boundary(timeline, timeline_end(timeline), sim_now_us());
}

void timeline_write_getack(struct timeline *timeline)
{
    append(timeline, "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n", 37);
    add_boundary(timeline, timeline_end(timeline), sim_now_us());
}

/* How many boundaries are at or before it. */
static size_t count_boundaries(const struct timeline *timeline, uint64_t offset)
{
    size_t low = 0; /* how many are known to be */
    size_t high = timeline->boundary_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (timeline->boundaries[middle] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t timeline_boundary_before(const struct timeline *timeline, uint64_t offset)
{
    size_t count = count_boundaries(timeline, offset);
    return count == 0 ? timeline->start : timeline->boundaries[count - 1];
}

int64_t timeline_written_us(const struct timeline *timeline, uint64_t boundary)
{
    size_t count = count_boundaries(timeline, boundary);
    return count == 0 ? 0 : timeline->written_us[count - 1];
}

bool timeline_is_boundary(const struct timeline *timeline, uint64_t offset)
{
    return timeline_boundary_before(timeline, offset) == offset;
}

uint64_t timeline_common(const struct timeline *a, const struct timeline *b)
{
    uint64_t limit = UINT64_MAX;
    for (const struct timeline *x = a; x != NULL; x = x->before) {
        uint64_t other = UINT64_MAX;
        for (const struct timeline *y = b; y != NULL; y = y->before) {
            if (x == y) {
                uint64_t end = timeline_end(x);
                limit = limit < other ? limit : other;
                return limit < end ? limit : end;
            }
            other = other < y->parted_at ? other : y->parted_at;
        }
        limit = limit < x->parted_at ? limit : x->parted_at;
    }
    return 0;
}

/* ---- RDB ---- */

/* Jones, as in RDB files, apart from the relay's own. */
static uint64_t crc64_of(const uint8_t *data, size_t length)
{
    static uint64_t table[256];
    if (table[1] == 0) {
        for (unsigned i = 0; i < 256; i++) {
            uint64_t value = i;
            for (int bit = 0; bit < 8; bit++)
                value = (value >> 1) ^ ((value & 1) != 0 ? 0x95ac9329ac4bc9b5U : 0);
            table[i] = value;
        }
    }
    uint64_t crc = 0;
    for (size_t i = 0; i < length; i++)
        crc = table[(crc ^ data[i]) & 0xff] ^ (crc >> 8);
    return crc;
}

static size_t put_string(uint8_t *at, const void *text, size_t length)
{
    CHECK(length < 16384);
    at[0] = (uint8_t)(0x40 | length >> 8);
    at[1] = (uint8_t)length;
    memcpy(at + 2, text, length);
    return length + 2;
}

uint8_t *rdb_make(const struct timeline *timeline, uint64_t offset, size_t filler, size_t *length)
{
    enum { VALUE = 900 };
    uint8_t *rdb = malloc(filler + filler / VALUE * 64 + 4096);
    CHECK(rdb != NULL);
    size_t at = 0;
    char number[32];
    memcpy(rdb, "REDIS0011", 9);
    at = 9;
    rdb[at++] = 0xfa;
    at += put_string(rdb + at, "repl-id", 7);
    at += put_string(rdb + at, timeline->id, 40);
    rdb[at++] = 0xfa;
    at += put_string(rdb + at, "repl-offset", 11);
    at += put_string(rdb + at, number,
                     (size_t)snprintf(number, sizeof number, "%020" PRIu64, offset));
    rdb[at++] = 0xfe;
    rdb[at++] = 0;
    uint64_t seed = offset * 77 + timeline->number;
    for (size_t done = 0; done < filler; done += VALUE) {
        char value[VALUE];
        for (size_t i = 0; i < VALUE; i++)
            value[i] = (char)('A' + (seed = seed * 6364136223846793005U + 1) / (1ULL << 40) % 26);
        rdb[at++] = 0;
        at += put_string(rdb + at, number, (size_t)snprintf(number, sizeof number, "k%zu", done));
        at += put_string(rdb + at, value, VALUE);
    }
    rdb[at++] = 0xff;
    uint64_t crc = crc64_of(rdb, at);
    for (int i = 0; i < 8; i++)
        rdb[at++] = (uint8_t)(crc >> (8 * i));
    *length = at;
    return rdb;
}

const char *rdb_check(const uint8_t *rdb, size_t length, const char *id, uint64_t offset)
{
    enum {
        ID_AT = 9 + 1 + 9 + 2,
        OFFSET_AT = ID_AT + 40 + 1 + 13 + 2,
        LEAST = OFFSET_AT + 20 + 11
    };
    static char why[128];
    if (length < LEAST || memcmp(rdb, "REDIS0011", 9) != 0)
        return "it is no RDB";
    uint64_t crc = 0;
    for (int i = 0; i < 8; i++)
        crc |= (uint64_t)rdb[length - 8 + (size_t)i] << (8 * i);
    if (crc64_of(rdb, length - 8) != crc)
        return "its checksum is wrong";
    char number[24];
    snprintf(number, sizeof number, "%020" PRIu64, offset);
    const struct timeline *told = timeline_find(id);
    char own_id[ID_BYTES] = "";
    memcpy(own_id, rdb + ID_AT, ID_BYTES - 1);
    const struct timeline *own = timeline_find(own_id);
    if (told == NULL || own == NULL)
        return "its id is of no primary";
    if (memcmp(rdb + OFFSET_AT, number, 20) != 0) {
        snprintf(why, sizeof why, "it is of offset %.20s, and %s was told",
                 (const char *)rdb + OFFSET_AT, number);
        return why;
    }
    /* A newer id for the same bytes is as good. */
    if (timeline_common(told, own) < offset)
        return "it is of another timeline";
    return NULL;
}
