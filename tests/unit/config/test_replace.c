/* SPDX-License-Identifier: MIT */
#include "../../../relay/config/replace.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char directory[64];
static char path[96];
static struct text why;
static char seen[64]; /* by the check: what the new file holds */

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/psync-relay-replace-XXXXXX");
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/file", directory);
    text_init(&why, 4096);
    seen[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    text_fini(&why);
    unlink(path);
    return rmdir(directory);
}

#define REPLACE_TEST(name) TEST_SETUP(name, set_up, tear_down)

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

/* `arg` NULL: it may be. */
static bool look(const char *other, void *arg, struct text *reason)
{
    read_into(other, seen, sizeof(seen));
    expect_content("old");
    if (arg != NULL)
        text_append_string(reason, arg);
    return arg == NULL;
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

REPLACE_TEST(the_new_content_takes_the_place_of_the_old)
{
    static const mode_t modes[] = {0600, 0640, 0444, 0755};
    for (size_t i = 0; i < LENGTH_OF(modes); i++) {
        unlink(path);
        write_old("old");
        assert_int_equal(chmod(path, modes[i]), 0);
        struct stat before;
        struct stat after;
        assert_int_equal(stat(path, &before), 0);
        assert_true(replace_file(path, bytes_of("new"), look, NULL, &why));
        assert_int_equal(stat(path, &after), 0);
        assert_string_equal(seen, "new");
        expect_content("new");
        assert_int_equal(after.st_mode, before.st_mode);
        assert_int_equal(after.st_uid, before.st_uid);
        assert_int_equal(after.st_gid, before.st_gid);
        assert_int_equal(count_files(), 1);
    }
}

REPLACE_TEST(another_owner_stays)
{
    if (geteuid() != 0)
        skip(); /* nobody else can give a file away */
    write_old("old");
    assert_int_equal(chown(path, 65534, 65533), 0);
    assert_true(replace_file(path, bytes_of("new"), look, NULL, &why));
    struct stat after;
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_uid, 65534);
    assert_int_equal(after.st_gid, 65533);
}

REPLACE_TEST(what_the_check_refuses_leaves_the_old)
{
    char no[] = "no";
    write_old("old");
    assert_false(replace_file(path, bytes_of("new"), look, no, &why));
    assert_string_equal(text_string(&why), "no");
    expect_content("old");
    assert_int_equal(count_files(), 1);
}

REPLACE_TEST(what_the_system_refuses_is_said)
{
    char nowhere[96];
    assert_false(replace_file(path, bytes_of("new"), look, NULL, &why)); /* whose mode and owner? */
    assert_string_equal(text_string(&why), "No such file or directory");
    assert_int_equal(count_files(), 0);
    snprintf(nowhere, sizeof(nowhere), "%s/nosuch/file", directory);
    text_clear(&why);
    assert_false(replace_file(nowhere, bytes_of("new"), look, NULL, &why));
    assert_string_equal(text_string(&why), "No such file or directory");
}

REPLACE_TEST(a_file_is_read_whole)
{
    struct text out;
    text_init(&out, 8);
    write_old("12345678");
    assert_true(replace_read(path, &out, &why));
    assert_string_equal(text_string(&out), "12345678");
    write_old("123456789");
    text_clear(&out);
    assert_false(replace_read(path, &out, &why));
    assert_string_equal(text_string(&why), "the path is too long");
    text_clear(&why);
    assert_false(replace_read(directory, &out, &why));
    assert_string_equal(text_string(&why), "Is a directory");
    text_fini(&out);
}
