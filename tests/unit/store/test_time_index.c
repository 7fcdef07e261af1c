/* SPDX-License-Identifier: MIT */
#include "relay/store/time_index.h"

#include "relay/base/crc64.h"
#include "test.h"

static struct replid id_of_digit(char digit)
{
    struct replid id = replid_none();
    memset(id.hex, digit, REPLID_DIGITS);
    return id;
}

static void add(struct time_index *index, uint64_t offset, int64_t wall_us)
{
    assert_true(time_index_add(index, (struct time_entry){.offset = offset, .wall_us = wall_us}));
}

static uint64_t offset_at(const struct time_index *index, int64_t wall_us)
{
    struct time_answer answer;
    assert_true(time_index_find(index, wall_us, &answer));
    return answer.entry.offset;
}

TEST(a_time_has_the_last_offset_that_came_by_then)
{
    struct time_index index;
    struct time_answer answer;
    time_index_init(&index);
    assert_false(time_index_find(&index, 1000, &answer));
    assert_null(time_index_newest(&index));
    for (int i = 1; i <= 1000; i++)
        add(&index, (uint64_t)i * 10, i * 100);
    assert_false(time_index_find(&index, 99, &answer));
    for (int64_t wall = 100; wall < 100200; wall += 37)
        assert_int_equal(offset_at(&index, wall), (wall > 100000 ? 1000 : wall / 100) * 10);
    assert_true(time_index_find(&index, 250, &answer));
    assert_true(answer.has_next);
    assert_int_equal(answer.next.offset, 30);
    assert_false(answer.was_set_back);
    assert_true(time_index_find(&index, 100000, &answer));
    assert_false(answer.has_next);
    time_index_fini(&index);
}

TEST(an_offset_has_the_time_by_which_it_had_come)
{
    struct time_index index;
    time_index_init(&index);
    add(&index, 10, 100);
    add(&index, 20, 200);
    assert_int_equal(time_index_at_offset(&index, 0)->wall_us, 100);
    assert_int_equal(time_index_at_offset(&index, 10)->wall_us, 100);
    assert_int_equal(time_index_at_offset(&index, 11)->wall_us, 200);
    assert_null(time_index_at_offset(&index, 21));
    time_index_fini(&index);
}

TEST(a_clock_that_was_set_back_is_told)
{
    struct time_index index;
    struct time_answer answer;
    time_index_init(&index);
    add(&index, 10, 1000);
    add(&index, 20, 2000);
    add(&index, 30, 3000);
    add(&index, 40, 1500);
    add(&index, 50, 2500);
    add(&index, 60, 3500);
    const struct {
        int64_t wall_us;
        uint64_t offset;
        bool was_set_back;
    } rows[] = {{1000, 10, false}, {1499, 10, false}, {1500, 40, true}, {2400, 40, true},
                {2500, 50, true},  {3400, 50, false}, {3500, 60, false}};
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        assert_true(time_index_find(&index, rows[i].wall_us, &answer));
        assert_int_equal(answer.entry.offset, rows[i].offset);
        assert_int_equal(answer.was_set_back, rows[i].was_set_back);
        if (answer.was_set_back) {
            assert_int_equal(answer.back_from.offset, 30);
            assert_int_equal(answer.back_to.wall_us, 1500);
        }
    }
    time_index_fini(&index);
}

TEST(what_comes_again_replaces_what_was_there)
{
    struct time_index index;
    time_index_init(&index);
    add(&index, 10, 100);
    add(&index, 20, 200);
    add(&index, 30, 300);
    add(&index, 20, 400);
    assert_int_equal(time_index_newest(&index)->wall_us, 400);
    assert_int_equal(index.count, 2);
    add(&index, 25, 500);
    add(&index, 35, 600);
    time_index_cut(&index, 25);
    assert_int_equal(time_index_newest(&index)->offset, 25);
    time_index_cut(&index, UINT64_MAX);
    time_index_trim(&index, 20);
    assert_int_equal(time_index_oldest(&index)->offset, 20);
    time_index_trim(&index, 26);
    assert_null(time_index_oldest(&index));
    add(&index, 40, 700);
    assert_int_equal(offset_at(&index, 700), 40);
    time_index_fini(&index);
}

TEST(it_is_bounded_and_forgets_the_oldest)
{
    struct time_index index;
    time_index_init(&index);
    for (uint64_t i = 1; i <= TIME_INDEX_MAX + UINT64_C(1); i++)
        add(&index, i, (int64_t)i);
    assert_int_equal(index.count, TIME_INDEX_MAX / 8 * 7 + 1);
    assert_int_equal(time_index_oldest(&index)->offset, TIME_INDEX_MAX / 8 + 1);
    assert_int_equal(time_index_newest(&index)->offset, TIME_INDEX_MAX + 1);
    for (uint64_t i = 0; i < TIME_INDEX_MAX; i++)
        add(&index, TIME_INDEX_MAX + 2 + i, (int64_t)i);
    assert_true(index.capacity <= 2 * TIME_INDEX_MAX);
    time_index_fini(&index);
}

/* ------------------------------------------------------------------ files */

static struct identity renamed_identity(void)
{
    const struct replid before = id_of_digit('a');
    const struct replid now = id_of_digit('b');
    struct identity identity;
    identity_init(&identity, &before);
    identity_rename(&identity, &now, 1000);
    return identity;
}

static void write_record(uint8_t *file, size_t place, uint64_t offset, int64_t wall_us, char digit)
{
    const struct replid id = id_of_digit(digit);
    time_record_write(file + place * TIME_RECORD_BYTES,
                      (struct time_entry){.offset = offset, .wall_us = wall_us}, &id);
}

TEST(records_of_a_lost_branch_do_not_count)
{
    uint8_t file[8 * TIME_RECORD_BYTES];
    struct identity identity = renamed_identity();
    struct time_file_sum sum;
    struct time_index index;
    time_index_init(&index);
    write_record(file, 0, 500, 1, 'a');
    write_record(file, 1, 1000, 2, 'a');
    write_record(file, 2, 1500, 3, 'a'); /* lost: the id is valid up to 1000 */
    write_record(file, 3, 2000, 4, 'a');
    write_record(file, 4, 1800, 5, 'b');
    write_record(file, 5, 2500, 6, 'b');
    write_record(file, 6, 2600, 7, 'c'); /* of nobody */
    write_record(file, 7, 9000, 8, 'b'); /* beyond the end */
    time_index_take_file(&index, bytes_at(file, sizeof(file)), &identity, 2600, &sum);
    assert_int_equal(sum.records, 8);
    assert_int_equal(sum.damaged, 0);
    assert_int_equal(sum.last, 2500);
    assert_int_equal(index.count, 4);
    assert_int_equal(offset_at(&index, 4), 1000);
    assert_int_equal(offset_at(&index, 5), 1800);
    assert_int_equal(offset_at(&index, 8), 2500);
    time_index_fini(&index);
    identity_fini(&identity);
}

/* A file of four records, cut at every byte: what is whole counts. */
TEST(a_file_that_is_cut_has_the_records_before)
{
    uint8_t file[4 * TIME_RECORD_BYTES];
    struct identity identity = renamed_identity();
    for (size_t i = 0; i < 4; i++)
        write_record(file, i, 1100 + i, (int64_t)i, 'b');
    for (size_t length = 0; length <= sizeof(file); length++) {
        struct time_file_sum sum;
        struct time_index index;
        time_index_init(&index);
        uint8_t *copy = malloc(length + 1);
        memcpy(copy, file, length);
        time_index_take_file(&index, bytes_at(copy, length), &identity, 5000, &sum);
        assert_int_equal(index.count, length / TIME_RECORD_BYTES);
        assert_int_equal(sum.has_half, length % TIME_RECORD_BYTES != 0);
        free(copy);
        time_index_fini(&index);
    }
    identity_fini(&identity);
}

TEST(a_damaged_record_costs_no_other)
{
    uint8_t file[4 * TIME_RECORD_BYTES];
    struct identity identity = renamed_identity();
    for (size_t i = 0; i < 4; i++)
        write_record(file, i, 1100 + i, (int64_t)i, 'b');
    for (size_t at = 0; at < sizeof(file); at++) {
        struct time_file_sum sum;
        struct time_index index;
        time_index_init(&index);
        file[at] ^= 0x10;
        time_index_take_file(&index, bytes_at(file, sizeof(file)), &identity, 5000, &sum);
        file[at] ^= 0x10;
        assert_int_equal(sum.damaged, 1);
        assert_int_equal(index.count, 3);
        time_index_fini(&index);
    }
    memset(file, 0, sizeof(file)); /* what a power failure leaves of a file that was made longer */
    struct time_file_sum sum;
    struct time_index index;
    time_index_init(&index);
    time_index_take_file(&index, bytes_at(file, sizeof(file)), &identity, 5000, &sum);
    assert_int_equal(sum.damaged, 4);
    assert_int_equal(index.count, 0);
    identity_fini(&identity);
}

TEST(a_record_is_the_same_everywhere)
{
    static const uint8_t expected[TIME_RECORD_BYTES - 8] = {
        8,    7,    6,    5,    4,    3,    2,    1,    0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb};
    uint8_t record[TIME_RECORD_BYTES];
    write_record(record, 0, UINT64_C(0x0102030405060708), -1, 'b');
    assert_memory_equal(record, expected, sizeof(expected));
    uint64_t sum = crc64_portable(TIME_SUM_SEED, record, sizeof(expected));
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(record[sizeof(expected) + i], sum >> (8 * i) & 0xff);
}
