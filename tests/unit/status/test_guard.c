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

TEST(names_that_are_allowed)
{
    const char *names = " relay.example.com\t.example.org ";
    assert_true(guard_is_listed("relay.example.com", names));
    assert_true(guard_is_listed("Relay.Example.COM", names));
    assert_true(guard_is_listed("example.org", names));
    assert_true(guard_is_listed("a.b.EXAMPLE.org", names));
    static const char *const others[] = {"example.com",
                                         "x.relay.example.com",
                                         "relay.example.com.",
                                         "relay.example",
                                         "badexample.org",
                                         "example.org.evil.example",
                                         ".example.org",
                                         "",
                                         "*"};
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        assert_false(guard_is_listed(others[i], names));
    assert_false(guard_is_listed("relay.example.com", ""));
    assert_true(guard_is_listed("anything.example", "one.example *"));
}
