/* SPDX-License-Identifier: MIT */
#include "relay/store/time_index.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/crc64.h"
#include "relay/base/replid.h"

enum {
    CAPACITY_LEAST = 64,
    FORGOTTEN_PART = 8, /* of TIME_INDEX_MAX, that goes at once */
    ID_DIGITS = 16,
    PLACE_OFFSET = 0, /* in a record */
    PLACE_WALL = 8,
    PLACE_ID = 16,
    PLACE_SUM = 24,
};

void time_index_init(struct time_index *index)
{
    *index = (struct time_index){.entries = NULL};
}

void time_index_fini(struct time_index *index)
{
    free(index->entries);
    time_index_init(index);
}

static struct time_entry *entries_of(const struct time_index *index)
{
    return index->entries == NULL ? NULL : index->entries + index->first;
}

static void forget_oldest(struct time_index *index, size_t count)
{
    index->first += count;
    index->count -= count;
    if (index->count == 0)
        index->first = 0;
}

/* Room for one more, behind the last. What was forgotten in front gives its room first. */
static bool time_index_grow(struct time_index *index)
{
    if (index->first + index->count < index->capacity)
        return true;
    if (index->first > index->capacity / 2) {
        memmove(index->entries, entries_of(index), index->count * sizeof(*index->entries));
        index->first = 0;
        return true;
    }
    size_t capacity = index->capacity == 0 ? CAPACITY_LEAST : index->capacity * 2;
    struct time_entry *larger = realloc(index->entries, capacity * sizeof(*larger));
    if (larger == NULL)
        return false;
    index->entries = larger;
    index->capacity = capacity;
    return true;
}

bool time_index_add(struct time_index *index, struct time_entry entry)
{
    while (index->count > 0 && entries_of(index)[index->count - 1].offset >= entry.offset)
        index->count--;
    if (index->count == TIME_INDEX_MAX)
        forget_oldest(index, TIME_INDEX_MAX / FORGOTTEN_PART);
    if (!time_index_grow(index))
        return false;
    if (index->count > 0 && entries_of(index)[index->count - 1].wall_us > entry.wall_us)
        index->was_set_back = true;
    entries_of(index)[index->count++] = entry;
    return true;
}

/* How many entries are before `offset`. */
static size_t count_before(const struct time_index *index, uint64_t offset)
{
    const struct time_entry *entries = entries_of(index);
    size_t low = 0;
    size_t high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entries[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void time_index_cut(struct time_index *index, uint64_t offset)
{
    if (offset < UINT64_MAX)
        index->count = count_before(index, offset + 1);
}

void time_index_trim(struct time_index *index, uint64_t offset)
{
    forget_oldest(index, count_before(index, offset));
}

const struct time_entry *time_index_oldest(const struct time_index *index)
{
    return index->count > 0 ? entries_of(index) : NULL;
}

const struct time_entry *time_index_newest(const struct time_index *index)
{
    return index->count > 0 ? entries_of(index) + index->count - 1 : NULL;
}

const struct time_entry *time_index_at_offset(const struct time_index *index, uint64_t offset)
{
    size_t before = count_before(index, offset);
    return before < index->count ? entries_of(index) + before : NULL;
}

/* How many entries there are up to the last that came at or before the time. Times are an order to search by
 * unless the clock was set back: then all are looked at, from the newest on. */
static size_t count_until(const struct time_index *index, int64_t wall_us)
{
    const struct time_entry *entries = entries_of(index);
    size_t low = 0;
    size_t high = index->count;
    if (index->was_set_back) {
        while (high > 0 && entries[high - 1].wall_us > wall_us)
            high--;
        return high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entries[middle].wall_us <= wall_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where, before the one that was found, the clock went back from a time behind `wall_us`. */
static void find_step_back(const struct time_index *index, size_t found, int64_t wall_us,
                           struct time_answer *out)
{
    const struct time_entry *entries = entries_of(index);
    for (size_t i = found - 1; i > 0 && !out->was_set_back; i--) {
        if (entries[i - 1].wall_us <= wall_us)
            continue;
        out->was_set_back = true;
        out->back_from = entries[i - 1];
        out->back_to = entries[i];
    }
}

bool time_index_find(const struct time_index *index, int64_t wall_us, struct time_answer *out)
{
    const struct time_entry *entries = entries_of(index);
    size_t found = count_until(index, wall_us);
    if (found == 0)
        return false;
    *out = (struct time_answer){.entry = entries[found - 1], .has_next = found < index->count};
    if (out->has_next)
        out->next = entries[found];
    if (index->was_set_back)
        find_step_back(index, found, wall_us, out);
    return true;
}

static void put_u64(uint8_t *place, uint64_t value)
{
    for (unsigned i = 0; i < sizeof(value); i++)
        place[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_u64(const uint8_t *place)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < sizeof(value); i++)
        value |= (uint64_t)place[i] << (8 * i);
    return value;
}

static uint64_t id_of(const struct replid *replid)
{
    uint64_t id = 0;
    for (size_t i = 0; i < ID_DIGITS; i++) {
        unsigned digit = (unsigned char)replid->hex[i];
        id = id << 4 | (digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return id;
}

void time_record_write(uint8_t record[TIME_RECORD_BYTES], struct time_entry entry,
                       const struct replid *replid)
{
    put_u64(record + PLACE_OFFSET, entry.offset);
    put_u64(record + PLACE_WALL, (uint64_t)entry.wall_us);
    put_u64(record + PLACE_ID, id_of(replid));
    put_u64(record + PLACE_SUM, crc64(TIME_SUM_SEED, record, PLACE_SUM));
}

/* Up to where bytes of that id are the history's; 0: it is none of its ids. */
static uint64_t limit_of(const struct identity *identity, uint64_t id)
{
    if (id == id_of(&identity->replid))
        return OFFSET_MAX;
    for (size_t i = 0; i < identity->earlier_count; i++) {
        if (id == id_of(&identity->earlier[i].replid))
            return identity->earlier[i].limit;
    }
    return 0;
}

void time_index_take_file(struct time_index *index, struct bytes file,
                          const struct identity *identity, uint64_t end, struct time_file_sum *out)
{
    *out = (struct time_file_sum){.has_half = file.length % TIME_RECORD_BYTES != 0};
    for (; file.length >= TIME_RECORD_BYTES; file = bytes_skip(file, TIME_RECORD_BYTES)) {
        const uint8_t *record = file.data;
        out->records++;
        if (get_u64(record + PLACE_SUM) != crc64(TIME_SUM_SEED, record, PLACE_SUM)) {
            out->damaged++;
            continue;
        }
        const struct time_entry entry = {.offset = get_u64(record + PLACE_OFFSET),
                                         .wall_us = (int64_t)get_u64(record + PLACE_WALL)};
        if (entry.offset > end || entry.offset > limit_of(identity, get_u64(record + PLACE_ID)))
            continue;
        if (entry.offset > out->last)
            out->last = entry.offset;
        out->is_incomplete = !time_index_add(index, entry) || out->is_incomplete;
    }
}
