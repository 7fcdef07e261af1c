/* SPDX-License-Identifier: MIT */
#include "../../../relay/status/guard.h"

#include "test.h"

TEST(this_machine)
{
    static const char *const own[] = {
        "",          "localhost",  "LocalHost", "page.localhost", "127.0.0.1",
        "127.1.2.3", "192.0.2.17", "[::1]",     "[2001:db8::1]"};
    for (size_t i = 0; i < LENGTH_OF(own); i++)
        assert_true(guard_is_no_foreign_name(own[i]));
}

TEST(names_of_others)
{
    static const char *const foreign[] = {"evil.example", "localhost.evil.example",
                                          "xlocalhost",   "127.0.0.1.evil.example",
                                          "127.0.0.1.",   "1.2.3",
                                          " localhost",   "localhost."};
    for (size_t i = 0; i < LENGTH_OF(foreign); i++)
        assert_false(guard_is_no_foreign_name(foreign[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_machine),
        cmocka_unit_test(names_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
