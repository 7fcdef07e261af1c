/* SPDX-License-Identifier: MIT */
#include "../../../relay/status/page.h"

#include "parts.h"

TEST(style_and_script_are_in_it)
{
    struct text out;
    text_init(&out, 256 * 1024);
    page_write("0123456789abcdef", &out);
    const char *page = text_string(&out);
    assert_false(out.failed);
    assert_int_equal(count(page, "<!doctype html>"), 1);
    assert_int_equal(count(page, "nonce=\"0123456789abcdef\""), 2);
    assert_int_equal(count(page, "prefers-color-scheme: dark"), 1);
    assert_int_equal(count(page, "fetch(`status.json"), 1);
    assert_int_equal(count(page, "{{"), 0);
    assert_int_equal(count(page, "</html>"), 1);
    text_fini(&out);
}

/* What the policy would refuse, or what would ask somebody else. */
TEST(it_is_whole)
{
    static const char *const banned[] = {"http://",   "https://", "//cdn",   " style=\"", "onclick",
                                         "innerHTML", "eval(",    "@import", "url("};
    struct text out;
    text_init(&out, 256 * 1024);
    page_write("0", &out);
    for (size_t i = 0; i < LENGTH_OF(banned); i++) {
        size_t found = count(text_string(&out), banned[i]);
        /* The name space of SVG is a name, not an address. */
        size_t allowed = strcmp(banned[i], "http://") == 0
                             ? count(text_string(&out), "http://www.w3.org/2000/svg")
                             : 0;
        if (found != allowed)
            fail_msg("the page has %zu of \"%s\"", found, banned[i]);
    }
    text_fini(&out);
}

TEST(the_policy)
{
    char policy[PAGE_POLICY_MAX];
    assert_string_equal(page_policy("ab12", policy),
                        "default-src 'none'; script-src 'nonce-ab12'; style-src 'nonce-ab12'; "
                        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                        "frame-ancestors 'none'");
}
