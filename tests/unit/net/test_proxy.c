/* SPDX-License-Identifier: MIT */
#include "relay/net/proxy.h"

#include "test.h"

static void assert_proxy(const char *url, const char *shown, const char *user, const char *password)
{
    struct proxy proxy;
    struct text text;
    text_init(&text, 2048);
    assert_true(proxy_parse(url, &proxy));
    proxy_format(&proxy, &text);
    assert_string_equal(text_string(&text), shown);
    assert_string_equal(proxy.user, user);
    assert_string_equal(proxy.password, password);
    text_fini(&text);
}

TEST(reads_what_operators_write)
{
    assert_proxy("http://proxy", "http://proxy:3128", "", "");
    assert_proxy("http://proxy/", "http://proxy:3128", "", "");
    assert_proxy("socks5://10.0.0.1", "socks5://10.0.0.1:1080", "", "");
    assert_proxy("http://[::1]:8080", "http://[::1]:8080", "", "");
    assert_proxy("http://me@proxy:1", "http://me@proxy:1", "me", "");
    assert_proxy("http://me:secret@proxy:1", "http://me:***@proxy:1", "me", "secret");
    assert_proxy("socks5://me:a%3ab%40c%25:@proxy", "socks5://me:***@proxy:1080", "me", "a:b@c%:");
}

TEST(refuses_what_is_no_proxy)
{
    static const char *const bad[] = {
        "",
        "proxy:3128",
        "https://proxy",
        "socks4://proxy",
        "http://",
        "http://:3128",
        "http://proxy:",
        "http://proxy:0",
        "http://proxy:65536",
        "http://proxy:1x",
        "http://proxy/path",
        "http://pro xy",
        "http://::1",
        "http://[::1",
        "http://[]:1",
        "http://@proxy",
        "http://:secret@proxy",
        "http://a%3ab:c@proxy", /* Basic authentication would take it for another user */
        "http://me:%@proxy",
        "http://me:%0@proxy",
        "http://me:%zz@proxy",
        "http://me:%0d%0aX@proxy",
        "http://me:%00@proxy",
    };
    struct proxy proxy;
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        if (proxy_parse(bad[i], &proxy))
            fail_msg("accepted: %s", bad[i]);
    }
}

TEST(bounds_host_user_and_password)
{
    struct proxy proxy;
    char url[1024];
    char word[PROXY_WORD_MAX + 1];
    memset(word, 'x', sizeof(word));
    word[PROXY_WORD_MAX - 1] = '\0';
    snprintf(url, sizeof(url), "http://%s:%s@%s", word, word, word);
    assert_true(proxy_parse(url, &proxy));
    assert_int_equal(strlen(proxy.password), PROXY_WORD_MAX - 1);
    word[PROXY_WORD_MAX - 1] = 'x';
    word[PROXY_WORD_MAX] = '\0';
    snprintf(url, sizeof(url), "http://%s:b@c", word);
    assert_false(proxy_parse(url, &proxy));
    snprintf(url, sizeof(url), "http://a:%s@c", word);
    assert_false(proxy_parse(url, &proxy));
    snprintf(url, sizeof(url), "http://%s", word);
    assert_false(proxy_parse(url, &proxy));
}
