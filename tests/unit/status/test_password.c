/* SPDX-License-Identifier: MIT */
#include "../../../relay/status/password.h"

#include "test.h"

static bool is_in(const char *authorization, const char *password)
{
    const struct digest digest = digest_of(bytes_of(password));
    return password_is_in(authorization, &digest);
}

TEST(a_right_one_is_known)
{
    assert_true(is_in("Basic dXNlcjpzZWNyZXQ=", "secret")); /* user:secret */
    assert_true(is_in("basic  OnNlY3JldA==", "secret"));    /* :secret */
    assert_true(is_in("Basic YTpiOmM=", "b:c"));            /* a:b:c */
    assert_true(is_in("Basic YTpiOmM", "b:c"));             /* without its padding */
    assert_true(is_in("Basic w7w6w7w/", "\xc3\xbc?"));      /* UTF-8 */
}

TEST(others_are_not)
{
    static const char *const wrong[] = {
        "",
        "Basic",
        "Basic ",
        "Basic =",
        "Bearer dXNlcjpzZWNyZXQ=",
        "Basic dXNlcjpzZWNyZXQ===", /* too much of it */
        "Basic dXNlcjpzZWNyZXQ=x",
        "Basic dXNlcjpzZWNy ZXQ=",
        "Basic dXNlcjpTZWNyZXQ=",     /* user:Secret */
        "Basic dXNlcjpzZWNyZXQxMjM=", /* user:secret123 */
        "Basic dXNlcnNlY3JldA==",     /* usersecret */
        "Basic OnNlY3JldAA=",         /* with a zero byte behind it */
        "secret",
    };
    for (size_t i = 0; i < LENGTH_OF(wrong); i++)
        assert_false(is_in(wrong[i], "secret"));
}

TEST(a_very_long_one_is_refused)
{
    static char words[8192] = "Basic ";
    memset(words + 6, 'A', sizeof(words) - 7);
    assert_false(is_in(words, "secret"));
}
