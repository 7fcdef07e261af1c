/* SPDX-License-Identifier: MIT
 *
 * A file of the time index with anything in it. Bit i of the first byte says that each eighth record from i on
 * gets the sum that it should have. What is taken rises in its offsets, ends where it should, and answers for a time
 * what a search of all of it answers.
 */
#include "fuzz.h"

#include "relay/base/crc64.h"
#include "relay/store/time_index.h"

enum { FILE_MAX = 64 * TIME_RECORD_BYTES, SUM_AT = TIME_RECORD_BYTES - 8 };

static struct identity known_identity(void)
{
    struct replid before = replid_none();
    struct replid now = replid_none();
    memset(before.hex, 'a', REPLID_DIGITS);
    memset(now.hex, 'b', REPLID_DIGITS);
    struct identity identity;
    identity_init(&identity, &before);
    identity_rename(&identity, &now, UINT64_C(0x6000000000000000));
    return identity;
}

static size_t make_file(uint8_t *file, struct bytes input, unsigned choice)
{
    size_t length = input.length < FILE_MAX ? input.length : FILE_MAX;
    if (length > 0)
        memcpy(file, input.data, length);
    for (size_t i = 0; (i + 1) * TIME_RECORD_BYTES <= length; i++) {
        uint8_t *record = file + i * TIME_RECORD_BYTES;
        if ((choice >> (i % 8) & 1) == 0)
            continue;
        memset(record + 16, (record[16] & 1) != 0 ? 0xaa : 0xbb, 8);
        uint64_t sum = crc64(TIME_SUM_SEED, record, SUM_AT);
        for (unsigned byte = 0; byte < 8; byte++)
            record[SUM_AT + byte] = (uint8_t)(sum >> (8 * byte));
    }
    return length;
}

static void check_find(const struct time_index *index, int64_t wall_us)
{
    const struct time_entry *entries = time_index_oldest(index);
    size_t found = index->count;
    while (found > 0 && entries[found - 1].wall_us > wall_us)
        found--;
    struct time_answer answer;
    bool is_found = time_index_find(index, wall_us, &answer);
    CHECK(is_found == (found > 0));
    if (!is_found)
        return;
    CHECK(answer.entry.offset == entries[found - 1].offset);
    CHECK(answer.has_next == (found < index->count));
    CHECK(!answer.was_set_back || answer.back_from.wall_us > wall_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t file[FILE_MAX];
    struct bytes input = bytes_at(data, size);
    size_t length = make_file(file, bytes_skip(input, size > 0 ? 1 : 0), size > 0 ? data[0] : 0);
    const uint64_t end = UINT64_C(0x7000000000000000);
    struct identity identity = known_identity();
    struct time_file_sum sum;
    struct time_index index;
    time_index_init(&index);
    for (int twice = 0; twice < 2; twice++) {
        time_index_take_file(&index, bytes_at(file, length), &identity, end, &sum);
        CHECK(sum.records == length / TIME_RECORD_BYTES && sum.damaged <= sum.records);
        CHECK(index.count <= sum.records);
    }
    const struct time_entry *entries = time_index_oldest(&index);
    for (size_t i = 0; i < index.count; i++) {
        CHECK(entries[i].offset <= end && (i == 0 || entries[i - 1].offset < entries[i].offset));
        check_find(&index, entries[i].wall_us);
        check_find(&index, (int64_t)((uint64_t)entries[i].wall_us - 1));
    }
    time_index_trim(&index, UINT64_C(0x1000000000000000));
    time_index_cut(&index, UINT64_C(0x5000000000000000));
    check_find(&index, INT64_MAX);
    time_index_fini(&index);
    identity_fini(&identity);
    return 0;
}
