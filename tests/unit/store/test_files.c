/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/files.h"

#include "place.h"
#include "relay/base/crc64.h"

static struct place place;
static struct text why;

static int set_up(void **state)
{
    (void)state;
    place_init(&place);
    text_init(&why, 300);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    text_fini(&why);
    place_fini(&place);
    return 0;
}

#define PLACE_TEST(name) TEST_SETUP(name, set_up, tear_down)

PLACE_TEST(a_file_is_replaced_at_once)
{
    static const char *const contents[] = {"one", "and two", ""};
    for (int i = 0; i < 3; i++) {
        assert_true(files_replace(place.directory, "name", bytes_of(contents[i]), i == 1, &why));
        struct text read;
        text_init(&read, 100);
        assert_true(files_read(place.directory, "name", &read, &why));
        assert_view(text_bytes(&read), contents[i]);
        text_fini(&read);
        assert_true(place_loses(&place, "name.new"));
    }
    struct stat about;
    assert_int_equal(fstatat(place.directory, "name", &about, 0), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

PLACE_TEST(what_cannot_be_replaced_stays)
{
    unsigned before = test_descriptors();
    assert_int_equal(mkdirat(place.directory, "name", 0700), 0);
    assert_int_equal(mkdirat(place.directory, "name/inner", 0700), 0);
    errno = 0;
    assert_false(files_replace(place.directory, "name", bytes_of("x"), true, &why));
    assert_int_equal(errno, EISDIR);
    assert_string_equal(text_string(&why), "name: cannot replace: Is a directory");
    assert_true(place_loses(&place, "name.new"));
    assert_true(place_has(&place, "name/inner"));
    text_clear(&why);
    assert_int_equal(mkdirat(place.directory, "other.new", 0700), 0);
    errno = 0;
    assert_false(files_replace(place.directory, "other", bytes_of("x"), true, &why));
    assert_int_equal(errno, EISDIR);
    assert_string_equal(text_string(&why), "other.new: cannot create: Is a directory");
    assert_int_equal(test_descriptors(), before);
}

PLACE_TEST(no_more_is_read_than_may_be)
{
    place_write(&place, "name", bytes_of("0123456789"));
    for (size_t limit = 8; limit < 12; limit++) {
        struct text read;
        text_init(&read, limit);
        text_clear(&why);
        assert_int_equal(files_read(place.directory, "name", &read, &why), limit >= 10);
        if (limit == 9)
            assert_string_equal(text_string(&why), "name: larger than 9 bytes");
        text_fini(&read);
    }
    struct text read;
    text_init(&read, 10);
    text_clear(&why);
    assert_false(files_read(place.directory, "none", &read, &why));
    assert_string_equal(text_string(&why), "none: cannot open: No such file or directory");
    text_fini(&read);
}

PLACE_TEST(the_crc_of_a_file_is_that_of_its_bytes)
{
    size_t length = 600 * 1000; /* more than one piece */
    uint8_t *bytes = malloc(length);
    uint64_t seed = 5;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)test_random(&seed);
    place_write(&place, "name", bytes_at(bytes, length));
    int file = openat(place.directory, "name", O_RDONLY);
    static const size_t lengths[] = {0, 1, 256 * 1024, 256 * 1024 + 1, 600 * 1000};
    for (size_t i = 0; i < LENGTH_OF(lengths); i++) {
        uint64_t crc = 0;
        assert_true(files_crc64_from(file, 0, lengths[i], &crc, NULL, &why));
        assert_int_equal(crc, crc64(0, bytes, lengths[i]));
    }
    uint64_t crc = 0;
    assert_false(files_crc64_from(file, 0, length + 1, &crc, NULL, &why));
    assert_string_equal(text_string(&why), "it is shorter than it should be");
    close(file);
    free(bytes);
}

static void count_entry(const char *name, void *arg)
{
    unsigned *count = arg;
    *count += name[0] == 'n' ? 1 : 100;
}

/* What must not be taken for damage, or what is held would be thrown away. */
TEST(a_system_that_refuses_says_nothing_about_a_file)
{
    static const int refusals[] = {EACCES, EPERM,           EIO,    EMFILE, ENFILE, ENOMEM,
                                   EROFS,  EAGAIN,          ELOOP,  EINTR,  ENODEV, EISDIR,
                                   ESTALE, EPROTONOSUPPORT, ENOSPC, EDQUOT};
    static const int damages[] = {ENOENT, ENODATA, EBADMSG, EFBIG};
    for (size_t i = 0; i < LENGTH_OF(refusals); i++)
        assert_true(files_is_refusal(refusals[i]));
    for (size_t i = 0; i < LENGTH_OF(damages); i++)
        assert_false(files_is_refusal(damages[i]));
    assert_non_null(files_advice(EIO));
}

PLACE_TEST(every_entry_is_visited_each_time)
{
    place_write(&place, "n1", bytes_of(""));
    place_write(&place, "n2", bytes_of(""));
    for (int i = 0; i < 2; i++) {
        unsigned count = 0;
        assert_true(files_each(place.directory, count_entry, &count, &why));
        assert_int_equal(count, 2);
    }
}

PLACE_TEST(a_directory_is_made_once)
{
    for (int i = 0; i < 2; i++) {
        int directory = files_open_directory(place.directory, "inner", &why);
        assert_true(directory != -1);
        close(directory);
    }
    place_write(&place, "file", bytes_of(""));
    assert_int_equal(files_open_directory(place.directory, "file", &why), -1);
    assert_string_equal(text_string(&why), "file: cannot open the directory: Not a directory");
}
