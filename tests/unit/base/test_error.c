/* SPDX-License-Identifier: MIT */
#include "relay/base/error.h"

#include <errno.h>

#include "test.h"

static struct error error;

static bool refuse(int number)
{
    return error_set_system(&error, number, "%s: cannot open", "name");
}

TEST(what_the_system_says_has_a_kind)
{
    assert_false(refuse(ENOENT));
    assert_int_equal(error.kind, ERROR_MISSING);
    assert_int_equal(error.number, ENOENT);
    assert_string_equal(error.text, "name: cannot open: No such file or directory");
    assert_string_equal(error_reason(&error), "No such file or directory");
    assert_int_equal(error_kind_of(0), ERROR_NONE);
    assert_int_equal(error_kind_of(EDQUOT), ERROR_FULL);
    assert_int_equal(error_kind_of(EADDRINUSE), ERROR_IN_USE);
    assert_int_equal(error_kind_of(EIO), ERROR_SYSTEM);
}

TEST(what_we_say_has_no_number)
{
    refuse(ENOENT);
    assert_false(error_set(&error, ERROR_DAMAGED, "%s: %d bytes", "name", 7));
    assert_int_equal(error.kind, ERROR_DAMAGED);
    assert_int_equal(error.number, 0);
    assert_string_equal(error.text, "name: 7 bytes");
    assert_string_equal(error_reason(&error), "name: 7 bytes");
}

TEST(a_text_that_is_too_long_is_cut)
{
    char name[2 * ERROR_TEXT_MAX];
    memset(name, 'x', sizeof(name));
    for (size_t length = ERROR_TEXT_MAX - 20; length < ERROR_TEXT_MAX + 20; length++) {
        error_set_system(&error, ENOENT, "%.*s", (int)length, name);
        assert_true(strlen(error.text) < ERROR_TEXT_MAX);
    }
}
