/* SPDX-License-Identifier: MIT */
#include "relay/os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char directory[64];
static char path[96];
static struct error error;

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/psync-relay-file-XXXXXX");
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/file", directory);
    error = (struct error){.kind = ERROR_NONE};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

#define FILE_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void write_old(const char *content)
{
    FILE *file = fopen(path, "we");
    CHECK(file != NULL && fputs(content, file) >= 0 && fclose(file) == 0);
}

static void read_into(const char *from, char *out, size_t capacity)
{
    FILE *file = fopen(from, "re");
    CHECK(file != NULL);
    out[fread(out, 1, capacity - 1, file)] = '\0';
    CHECK(fclose(file) == 0);
}

static void expect_content(const char *expected)
{
    char content[64];
    read_into(path, content, sizeof(content));
    assert_string_equal(content, expected);
}

/* Mode and owner stay, and the old content is as expected. */
static bool replace_kept(const char *at, const char *old)
{
    const struct bytes replaces = bytes_of(old);
    const struct file_replacement replacement = {
        .content = bytes_of("new"),
        .is_durable = true,
        .keeps_owner = true,
        .replaces = &replaces,
    };
    return file_replace(AT_FDCWD, at, &replacement, &error);
}

static unsigned count_files(void)
{
    DIR *opened = opendir(directory);
    CHECK(opened != NULL);
    unsigned count = 0;
    while (readdir(opened) != NULL)
        count++;
    closedir(opened);
    return count - 2; /* "." and ".." */
}

FILE_TEST(the_new_content_takes_the_place_of_the_old)
{
    static const mode_t modes[] = {0600, 0640, 0444, 0755};
    for (size_t i = 0; i < LENGTH_OF(modes); i++) {
        unlink(path);
        write_old("old");
        assert_int_equal(chmod(path, modes[i]), 0);
        struct stat before;
        struct stat after;
        assert_int_equal(stat(path, &before), 0);
        assert_true(replace_kept(path, "old"));
        assert_int_equal(stat(path, &after), 0);
        expect_content("new");
        assert_int_equal(after.st_mode, before.st_mode);
        assert_int_equal(after.st_uid, before.st_uid);
        assert_int_equal(after.st_gid, before.st_gid);
        assert_int_equal(count_files(), 1);
    }
}

FILE_TEST(another_owner_stays)
{
    if (geteuid() != 0)
        skip(); /* nobody else can give a file away */
    write_old("old");
    assert_int_equal(chown(path, 65534, 65533), 0);
    assert_true(replace_kept(path, "old"));
    struct stat after;
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_uid, 65534);
    assert_int_equal(after.st_gid, 65533);
}

/* Shorter, longer, of the same length: it is not what the caller has read. */
FILE_TEST(what_somebody_else_has_written_is_kept)
{
    static const char *const others[] = {"", "ol", "older", "odd"};
    char expected[200];
    snprintf(expected, sizeof(expected), "%s: somebody else has changed it meanwhile", path);
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        write_old(others[i]);
        assert_false(replace_kept(path, "old"));
        assert_int_equal(error.kind, ERROR_INVALID);
        assert_string_equal(error.text, expected);
        expect_content(others[i]);
        assert_int_equal(count_files(), 1);
    }
}

FILE_TEST(what_the_system_refuses_is_said)
{
    char expected[200];
    char nowhere[96];
    assert_false(replace_kept(path, "old")); /* whose mode and owner? */
    snprintf(expected, sizeof(expected), "%s: cannot replace: No such file or directory", path);
    assert_int_equal(error.kind, ERROR_MISSING);
    assert_string_equal(error.text, expected);
    assert_string_equal(error_reason(&error), "No such file or directory");
    assert_int_equal(count_files(), 0);
    snprintf(nowhere, sizeof(nowhere), "%s/nosuch/file", directory);
    assert_false(replace_kept(nowhere, "old"));
    assert_int_equal(error.kind, ERROR_MISSING);
}

/* One that a crash has left beside it is in nobody's way. */
FILE_TEST(in_a_directory_of_our_own)
{
    int opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_not_equal(opened, -1);
    write_old("old");
    int left = openat(opened, "file.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(left, "longer than that", 16), 16);
    close(left);
    for (int i = 0; i < 2; i++) {
        const struct file_replacement replacement = {.content = bytes_of("mine"),
                                                     .is_durable = i == 1};
        assert_true(file_replace(opened, "file", &replacement, &error));
        expect_content("mine");
        assert_int_equal(count_files(), 1);
    }
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    close(opened);
}

FILE_TEST(a_file_is_read_whole)
{
    struct text out;
    text_init(&out, 8);
    write_old("12345678");
    assert_true(file_read(AT_FDCWD, path, &out, &error));
    assert_string_equal(text_string(&out), "12345678");
    write_old("123456789");
    text_clear(&out);
    assert_false(file_read(AT_FDCWD, path, &out, &error));
    assert_int_equal(error.kind, ERROR_DAMAGED);
    assert_non_null(strstr(error.text, ": larger than 8 bytes"));
    text_clear(&out);
    assert_false(file_read(AT_FDCWD, directory, &out, &error));
    assert_string_equal(error_reason(&error), "Is a directory");
    unlink(path);
    assert_false(file_read(AT_FDCWD, path, &out, &error));
    assert_int_equal(error.kind, ERROR_MISSING);
    text_fini(&out);
}
