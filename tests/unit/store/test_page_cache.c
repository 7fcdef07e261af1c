/* SPDX-License-Identifier: MIT */
#include "relay/store/page_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "test.h"

enum { LENGTH = 5 * 1024 * 1024 + 17, TMPFS = 0x01021994 };

static uint8_t through[PAGE_CACHE_FILL_BYTES];
static int file;

static int set_up(void **state)
{
    (void)state;
    char name[] = "build/test_page_cache.XXXXXX";
    file = mkstemp(name);
    if (file == -1) {
        char elsewhere[] = "/var/tmp/test_page_cache.XXXXXX";
        file = mkstemp(elsewhere);
        assert_int_not_equal(file, -1);
        unlink(elsewhere);
    } else {
        unlink(name);
    }
    static uint8_t bytes[LENGTH];
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(pwrite(file, bytes, LENGTH, 0), LENGTH);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(file);
    return 0;
}

#define PAGE_CACHE_TEST(name) TEST_SETUP(name, set_up, tear_down)

/* The kernel may keep a page that something else looks at; then there is nothing to be seen here. */
static bool drop(void)
{
    struct statfs about;
    if (fstatfs(file, &about) == -1 || about.f_type == TMPFS)
        return false;
    return fdatasync(file) == 0 && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0 &&
           !page_cache_has(file, 0, LENGTH);
}

PAGE_CACHE_TEST(what_was_written_is_there)
{
    assert_true(page_cache_has(file, 0, LENGTH));
    assert_true(page_cache_has(file, 0, 1));
    assert_true(page_cache_has(file, LENGTH - 1, 1));
    assert_true(page_cache_has(file, 4095, 2));
}

PAGE_CACHE_TEST(what_was_dropped_is_not_until_it_is_read)
{
    if (!drop())
        skip();
    assert_true(page_cache_fill(file, 100, 1024 * 1024, through));
    assert_true(page_cache_has(file, 100, 1024 * 1024));
    assert_true(page_cache_fill(file, 0, LENGTH, through));
    assert_true(page_cache_has(file, 0, LENGTH));
}

/* One page that is missing anywhere is missed. */
PAGE_CACHE_TEST(a_hole_is_seen)
{
    enum { HOLE = 3 * 1024 * 1024, PAGES = 16 * 4096 };
    if (!drop())
        skip();
    assert_true(page_cache_fill(file, 0, LENGTH, through));
    assert_int_equal(posix_fadvise(file, HOLE, PAGES, POSIX_FADV_DONTNEED), 0);
    if (page_cache_has(file, HOLE, PAGES))
        skip(); /* it was not to be dropped */
    assert_false(page_cache_has(file, 0, LENGTH));
    assert_false(page_cache_has(file, HOLE - 1024 * 1024, 1024 * 1024 + PAGES));
    assert_true(page_cache_has(file, 0, 2 * 1024 * 1024));
}

PAGE_CACHE_TEST(a_file_that_ends_early_is_an_error)
{
    assert_true(page_cache_fill(file, 0, LENGTH, through));
    errno = 0;
    assert_false(page_cache_fill(file, LENGTH - 10, 11, through));
    assert_int_equal(errno, ENODATA);
    assert_false(page_cache_fill(-1, 0, 1, through));
    assert_int_equal(errno, EBADF);
    assert_false(page_cache_has(-1, 0, 1));
}
