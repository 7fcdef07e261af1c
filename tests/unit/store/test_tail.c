/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/tail.h"

#include "place.h"
#include "relay/base/crc64.h"

/* Where things are in the page: live[0], live[1], durable[0], durable[1]. */
enum { BOOT_ID_AT = 16, MARKS_AT = 56, MARK_LENGTH = sizeof(struct tail_mark) };

static struct place place;

static int set_up(void **state)
{
    (void)state;
    place_init(&place);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    place_fini(&place);
    return 0;
}

#define PLACE_TEST(name) TEST_SETUP(name, set_up, tear_down)

static struct tail *open_tail(void)
{
    struct text why;
    text_init(&why, 200);
    struct tail *tail = tail_open(place.directory, &why);
    if (tail == NULL)
        fail_msg("%s", text_string(&why));
    text_fini(&why);
    return tail;
}

static struct tail_mark mark_at(uint64_t end)
{
    return (struct tail_mark){
        .segment_first = 100, .end = end, .boundary = end - 1, .crc = end * 7};
}

static void write_marks(void)
{
    struct tail *tail = open_tail();
    for (uint64_t end = 201; end <= 204; end++)
        assert_true(tail_set_live(tail, mark_at(end)));
    assert_true(tail_set_durable(tail, mark_at(151)));
    assert_true(tail_set_durable(tail, mark_at(152)));
    tail_close(&tail);
    assert_null(tail);
}

/* The ends of the marks that are found, in their order, 0 behind the last. */
static void assert_ends(const uint64_t *expected)
{
    struct tail *tail = open_tail();
    struct tail_mark marks[TAIL_MARKS_MAX];
    size_t count = tail_read(tail, marks);
    size_t i;
    for (i = 0; expected[i] != 0; i++) {
        assert_true(i < count);
        assert_int_equal(marks[i].end, expected[i]);
        assert_int_equal(marks[i].segment_first, 100);
        assert_int_equal(marks[i].boundary, expected[i] - 1);
        assert_int_equal(marks[i].crc, expected[i] * 7);
    }
    assert_int_equal(count, i);
    tail_close(&tail);
}

#define ENDS(...) ((const uint64_t[]){__VA_ARGS__, 0})
#define NO_ENDS ((const uint64_t[]){0})

PLACE_TEST(a_new_one_has_no_marks)
{
    assert_ends(NO_ENDS);
    assert_int_equal(place_length(&place, "tail"), 4096);
}

PLACE_TEST(two_marks_of_each_kind_are_kept)
{
    write_marks();
    assert_ends(ENDS(204, 203, 152, 151));
}

PLACE_TEST(marks_of_the_next_process_are_newer)
{
    write_marks();
    struct tail *tail = open_tail();
    assert_true(tail_set_live(tail, mark_at(110))); /* a start may have proven less */
    tail_close(&tail);
    assert_ends(ENDS(204, 152, 151, 110));
}

PLACE_TEST(an_altered_mark_is_passed_over)
{
    write_marks();
    static const uint64_t ends[] = {204, 203, 152, 151}; /* sequences 4, 3, 2, 1 */
    static const int slots[] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++) {
        const uint64_t *left = i == 0   ? ENDS(203, 152, 151)
                               : i == 1 ? ENDS(204, 152, 151)
                               : i == 2 ? ENDS(204, 203, 151)
                                        : ENDS(204, 203, 152);
        assert_true(ends[i] != 0);
        for (int byte = 0; byte < MARK_LENGTH; byte++) {
            int64_t position = MARKS_AT + slots[i] * MARK_LENGTH + byte;
            place_flip(&place, "tail", position);
            assert_ends(left);
            place_flip(&place, "tail", position);
        }
    }
    assert_ends(ENDS(204, 203, 152, 151));
}

PLACE_TEST(a_mark_torn_by_a_kill_leaves_the_one_before_it)
{
    write_marks();
    size_t length;
    uint8_t *before = place_read(&place, "tail", &length);
    struct tail *tail = open_tail();
    assert_true(tail_set_live(tail, mark_at(205)));
    tail_close(&tail);
    uint8_t *after = place_read(&place, "tail", &length);
    uint8_t *torn = malloc(length);
    for (size_t written = 0; written <= MARK_LENGTH; written++) {
        size_t at = MARKS_AT + MARK_LENGTH; /* sequence 5 goes where 3 was */
        memcpy(torn, before, length);
        memcpy(torn + at, after + at, written);
        place_write(&place, "tail", bytes_at(torn, length));
        assert_ends(written == 0             ? ENDS(204, 203, 152, 151)
                    : written == MARK_LENGTH ? ENDS(205, 204, 152, 151)
                                             : ENDS(204, 152, 151));
    }
    free(before);
    free(after);
    free(torn);
}

PLACE_TEST(after_another_boot_only_durable_marks_count)
{
    write_marks();
    place_flip(&place, "tail", BOOT_ID_AT + 3);
    assert_ends(ENDS(152, 151));
    assert_ends(ENDS(152, 151));
    struct tail *tail = open_tail();
    assert_true(tail_set_live(tail, mark_at(206)));
    tail_close(&tail);
    assert_ends(ENDS(206, 152, 151));
}

PLACE_TEST(what_is_forgotten_stays_forgotten)
{
    static const struct {
        uint64_t offset;
        uint64_t left[5];
    } rows[] = {
        {204, {204, 203, 152, 151}},
        {203, {203, 152, 151}},
        {200, {152, 151}},
        {151, {151}},
        {150, {0}},
        {0, {0}},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        unlinkat(place.directory, "tail", 0);
        write_marks();
        struct tail *tail = open_tail();
        assert_true(tail_forget_live(tail, rows[i].offset));
        assert_true(tail_forget_durable(tail, rows[i].offset));
        tail_close(&tail);
        assert_ends(rows[i].left);
    }
}

PLACE_TEST(a_file_that_is_no_tail_has_no_marks)
{
    write_marks();
    place_flip(&place, "tail", 0);
    assert_ends(NO_ENDS);
    write_marks();
    place_cut(&place, "tail", 10);
    assert_ends(NO_ENDS);
    assert_int_equal(place_length(&place, "tail"), 4096);
}

/* A sequence from which no next one can be counted: it is none of ours, whatever its sum. */
PLACE_TEST(a_sequence_at_the_end_of_the_numbers_does_not_count)
{
    write_marks();
    struct tail_mark last = mark_at(300);
    last.sequence = UINT64_MAX;
    last.sum = crc64(0, &last, offsetof(struct tail_mark, sum));
    int file = openat(place.directory, "tail", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(file, &last, sizeof(last), MARKS_AT), sizeof(last));
    close(file);
    struct tail *tail = open_tail();
    assert_true(tail_set_live(tail, mark_at(301)));
    tail_close(&tail);
    assert_ends(ENDS(301, 203, 152, 151));
}

PLACE_TEST(it_says_why_it_cannot_be_opened)
{
    assert_int_equal(mkdirat(place.directory, "tail", 0700), 0);
    unsigned before = test_descriptors();
    struct text why;
    text_init(&why, 200);
    assert_null(tail_open(place.directory, &why));
    assert_string_equal(text_string(&why), "tail: cannot open it: Is a directory");
    text_fini(&why);
    assert_int_equal(test_descriptors(), before);
}
