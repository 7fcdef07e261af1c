/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/segment.h"

#include "place.h"
#include "relay/base/crc64.h"
#include "stream.h"

static struct place place;
static struct segment_space *space;
static struct text why;

static int set_up(void **state)
{
    (void)state;
    place_init(&place);
    text_init(&why, 300);
    space = calloc(1, sizeof(*space));
    atomic_init(&space->references, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(atomic_load(&space->bytes), 0);
    assert_int_equal(atomic_load(&space->references), 1);
    segment_space_release(space);
    text_fini(&why);
    place_fini(&place);
    return 0;
}

#define PLACE_TEST(name) TEST_SETUP(name, set_up, tear_down)

static struct segment *create(uint64_t first, uint64_t capacity)
{
    struct segment *segment = segment_create(place.directory, first, capacity, space, &why);
    if (segment == NULL)
        fail_msg("%s", text_string(&why));
    return segment;
}

static void put(struct segment *segment, size_t length)
{
    uint8_t bytes[10000];
    assert_in_range(length, 0, sizeof(bytes));
    stream_fill(bytes, segment->written, length, 0);
    if (!segment_append(segment, bytes_at(bytes, length), &why))
        fail_msg("%s", text_string(&why));
}

static uint64_t crc_of(uint64_t first, size_t length)
{
    uint8_t bytes[10000];
    stream_fill(bytes, first, length, 0);
    return crc64(0, bytes, length);
}

PLACE_TEST(a_name_is_read_only_as_it_is_written)
{
    static const uint64_t offsets[] = {0, 1, 4711, UINT64_MAX};
    for (size_t i = 0; i < LENGTH_OF(offsets); i++) {
        char name[SEGMENT_NAME_MAX];
        uint64_t first;
        segment_name(offsets[i], name);
        assert_true(segment_parse_name(name, &first));
        assert_int_equal(first, offsets[i]);
    }
    static const char *const names[] = {
        "",       ".seg",   "seg",        "a.seg", "-1.seg",
        "+1.seg", "1.seg2", "1.seg.part", "1.se",  "01.seg",
        "1 .seg", "1.SEG",  "1..seg",     "1",     "18446744073709551616.seg",
    };
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        uint64_t first;
        if (segment_parse_name(names[i], &first))
            fail_msg("read: %s", names[i]);
    }
}

PLACE_TEST(a_new_one_is_really_there)
{
    struct segment *segment = create(4711, 8192);
    struct stat about;
    assert_int_equal(fstatat(place.directory, "4711.seg", &about, 0), 0);
    assert_int_equal(about.st_size, 8192);
    assert_true(about.st_blocks * 512 >= 8192);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(atomic_load(&space->bytes), 8192);
    assert_false(segment_is_full(segment));
    put(segment, 8192);
    assert_true(segment_is_full(segment));
    segment_release(segment);
}

PLACE_TEST(a_file_in_the_way_is_replaced_not_overwritten)
{
    place_write(&place, "5.seg", bytes_of("precious"));
    int old = openat(place.directory, "5.seg", O_RDONLY);
    struct segment *segment = create(5, 4096);
    put(segment, 10);
    char bytes[9] = "";
    assert_int_equal(read(old, bytes, 8), 8);
    assert_string_equal(bytes, "precious");
    close(old);
    segment_release(segment);
}

static uint64_t crc_until(const struct segment *segment, uint64_t end)
{
    uint64_t crc;
    assert_true(segment_crc_until(segment, end, &crc, &why));
    return crc;
}

PLACE_TEST(bytes_that_cannot_be_read_have_no_sum)
{
    struct segment *segment = create(9, 4096);
    put(segment, 100);
    place_cut(&place, "9.seg", 50);
    uint64_t crc;
    assert_false(segment_crc_until(segment, 109, &crc, &why));
    assert_string_equal(text_string(&why), "9.seg: cannot read: it is shorter than it should be");
    text_clear(&why);
    segment_release(segment);
}

PLACE_TEST(the_sum_follows_the_bytes)
{
    struct segment *segment = create(9, 4096);
    for (size_t length = 0; length <= 4096; length += 512) {
        assert_int_equal(segment->crc, crc_of(9, length));
        assert_int_equal(crc_until(segment, 9 + length / 2), crc_of(9, length / 2));
        if (length < 4096)
            put(segment, 512);
    }
    segment_release(segment);
}

PLACE_TEST(what_was_written_is_loaded)
{
    struct segment *segment = create(9, 4096);
    put(segment, 100);
    segment_release(segment);
    static const struct {
        uint64_t end;
        uint64_t capacity;
        uint64_t expected;
    } rows[] = {{109, 4096, 4096}, {109, 8192, 8192}, {59, 4096, 4096}, {109, 0, 100}};
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        segment = segment_load(place.directory, 9, rows[i].end, 77, rows[i].capacity, space, &why);
        assert_non_null(segment);
        assert_int_equal(segment->capacity, rows[i].expected);
        assert_int_equal(segment->written, rows[i].end);
        assert_int_equal(segment->crc, 77);
        assert_int_equal(atomic_load(&segment->published), rows[i].end);
        assert_int_equal(crc_until(segment, rows[i].end), crc_of(9, (size_t)(rows[i].end - 9)));
        segment_release(segment);
    }
    assert_int_equal(place_length(&place, "9.seg"), 100); /* sealed: to its length */
    assert_null(segment_load(place.directory, 9, 110, 0, 0, space, &why));
    assert_string_equal(text_string(&why), "9.seg: it is shorter than it should be");
    text_clear(&why);
    assert_null(segment_load(place.directory, 10, 11, 0, 0, space, &why));
    assert_string_equal(text_string(&why), "10.seg: cannot open: No such file or directory");
}

PLACE_TEST(the_last_to_let_go_frees_along_the_chain)
{
    unsigned before = test_descriptors();
    struct segment *a = create(0, 4096);
    struct segment *b = create(4096, 4096);
    struct segment *c = create(8192, 4096);
    struct segment *cut = create(100, 4096);
    struct segment *older = create(200, 4096);
    atomic_store(&a->next, b);
    atomic_store(&b->next, c);
    segment_keep_cut(b, older);
    segment_keep_cut(b, cut);
    assert_int_equal(b->cut_bytes, 8192);
    segment_retain(b);
    segment_release(a);
    assert_int_equal(atomic_load(&space->bytes), 4 * 4096);
    segment_retain(cut);
    segment_release(b);
    assert_int_equal(atomic_load(&space->bytes), 4096);
    segment_release(cut);
    assert_int_equal(test_descriptors(), before);
}

PLACE_TEST(what_was_cut_off_is_held_while_somebody_may_step_there)
{
    struct segment *kept = create(0, 4096);
    segment_keep_cut(kept, create(4096, 4096));
    segment_retain(kept); /* a reader */
    segment_drop_cut(kept, 1);
    assert_non_null(kept->cut);
    segment_release(kept);
    segment_drop_cut(kept, 1);
    assert_null(kept->cut);
    assert_int_equal(kept->cut_bytes, 0);
    assert_int_equal(atomic_load(&space->bytes), 4096);
    segment_release(kept);
}

PLACE_TEST(a_removed_one_is_read_on)
{
    struct segment *segment = create(3, 4096);
    put(segment, 1000);
    segment_unlink(segment, place.directory);
    assert_true(place_loses(&place, "3.seg"));
    segment_unlink(segment, place.directory); /* once is enough */
    assert_stream(bytes_at(segment->map, 1000), 3, 0);
    segment_release(segment);
}

PLACE_TEST(a_disk_that_refuses_is_told)
{
    unsigned before = test_descriptors();
    errno = 0;
    assert_null(segment_create(place.directory, 1, UINT64_C(1) << 62, space, &why));
    assert_true(errno == ENOSPC || errno == EFBIG || errno == EINVAL || errno == ENOMEM);
    assert_true(why.length > 0);
    assert_true(place_loses(&place, "1.seg"));
    int nowhere = dup(place.directory);
    close(nowhere);
    errno = 0;
    assert_null(segment_create(nowhere, 1, 4096, space, &why));
    assert_int_equal(errno, EBADF);
    assert_int_equal(test_descriptors(), before);
}
