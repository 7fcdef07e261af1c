/* SPDX-License-Identifier: MIT
 *
 * Dialogues with proxies. The answers come in pieces of every length, and what stands behind the last one is never
 * asked for.
 */
#include "../../../relay/net/proxy_handshake.h"

#include "test.h"

enum { SAID_MAX = 4096 };

struct dialogue {
    const char *url;
    const char *host;
    uint16_t port;
    struct bytes answers; /* all that the proxy says */
    struct bytes said;    /* all that we say */
    enum proxy_result result;
    const char *error;
};

static struct proxy_handshake handshake;
static char said[SAID_MAX];
static size_t said_length;

static void take_output(size_t longest)
{
    struct bytes output;
    while ((output = proxy_handshake_output(&handshake)).length > 0) {
        size_t length = output.length < longest ? output.length : longest;
        assert_true(said_length + length <= sizeof(said));
        memcpy(said + said_length, output.data, length);
        said_length += length;
        proxy_handshake_sent(&handshake, length);
    }
}

/* Returns how many bytes of the answers were not asked for. */
static size_t speak(const struct dialogue *dialogue, size_t longest, enum proxy_result *result)
{
    struct proxy proxy;
    struct bytes rest = dialogue->answers;
    assert_true(proxy_parse(dialogue->url, &proxy));
    said_length = 0;
    *result = PROXY_MORE;
    proxy_handshake_begin(&handshake, &proxy, dialogue->host, dialogue->port);
    take_output(longest);
    while (*result == PROXY_MORE && rest.length > 0) {
        size_t length = proxy_handshake_wants(&handshake);
        assert_true(length > 0);
        length = length < longest ? length : longest;
        length = length < rest.length ? length : rest.length;
        *result = proxy_handshake_feed(&handshake, bytes_first(rest, length));
        rest = bytes_skip(rest, length);
        take_output(longest);
    }
    return rest.length;
}

static void assert_dialogue(const struct dialogue *dialogue)
{
    for (size_t longest = 1; longest <= dialogue->answers.length; longest++) {
        enum proxy_result result;
        size_t left = speak(dialogue, longest, &result);
        assert_int_equal(result, dialogue->result);
        assert_views_equal(bytes_at(said, said_length), dialogue->said);
        if (result == PROXY_DONE)
            assert_int_equal(left, 0);
        if (dialogue->error != NULL)
            assert_string_equal(handshake.error, dialogue->error);
    }
}

static const char socks_yes[] = "\5\0\5\0\0\1\x7f\0\0\1\x12\x34";

TEST(connects_through_http)
{
    static const char said_plain[] =
        "CONNECT primary.example.org:6379 HTTP/1.1\r\nHost: primary.example.org:6379\r\n\r\n";
    static const char said_login[] =
        "CONNECT [2001:db8::7]:6380 HTTP/1.1\r\nHost: [2001:db8::7]:6380\r\n"
        "Proxy-Authorization: Basic bWU6YTpiQGM=\r\n\r\n";
    const struct dialogue all[] = {
        {"http://p", "primary.example.org", 6379, LITERAL("HTTP/1.1 200 OK\r\n\r\n"),
         LITERAL(said_plain), PROXY_DONE, NULL},
        {"http://p", "primary.example.org", 6379, LITERAL("HTTP/1.0 200\nVia: me\n\n"),
         LITERAL(said_plain), PROXY_DONE, NULL},
        {"http://me:a%3ab%40c@p", "2001:db8::7", 6380, LITERAL("HTTP/1.1 299 Fine\r\n\r\n"),
         LITERAL(said_login), PROXY_DONE, NULL},
        {"http://p", "primary.example.org", 6379,
         LITERAL("HTTP/1.1 403 Filtered\r\nServer: x\r\n\r\n"), LITERAL(said_plain), PROXY_FAILED,
         "CONNECT was refused: 403 Filtered"},
        {"http://p", "primary.example.org", 6379, LITERAL("HTTP/1.1 407 \x1b[2J\r\n\r\n"),
         LITERAL(said_plain), PROXY_FAILED,
         "CONNECT was refused: 407 ?[2J (`proxy` needs a user and a password that it accepts)"},
        {"http://p", "primary.example.org", 6379, LITERAL("HTTP/1.1 100 Continue\r\n\r\n"),
         LITERAL(said_plain), PROXY_FAILED, "CONNECT was refused: 100 Continue"},
        {"http://p", "primary.example.org", 6379, LITERAL("-ERR unknown command\r\n"),
         LITERAL(said_plain), PROXY_FAILED, "what answers does not speak HTTP"},
        {"http://p", "primary.example.org", 6379, LITERAL("HTTP/1.1 200 OK\r\n"),
         LITERAL(said_plain), PROXY_MORE, NULL},
    };
    for (size_t i = 0; i < LENGTH_OF(all); i++)
        assert_dialogue(&all[i]);
}

TEST(connects_through_socks)
{
#define GREETING "\5\1\0"
#define GREETING_WITH_USER "\5\2\0\2"
#define NAMED "\5\1\0\3\7primary\x18\xeb"
    const struct dialogue all[] = {
        {"socks5://p", "primary", 6379, LITERAL(socks_yes), LITERAL(GREETING NAMED), PROXY_DONE,
         NULL},
        {"socks5://p", "192.0.2.7", 6379,
         LITERAL("\5\0\5\0\0\4"
                 "0123456789abcdef"
                 "\0\1"),
         LITERAL(GREETING "\5\1\0\1\xc0\0\2\7\x18\xeb"), PROXY_DONE, NULL},
        {"socks5://p", "::1", 6379, LITERAL("\5\0\5\0\0\3\0\0\1"),
         LITERAL(GREETING "\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x18\xeb"), PROXY_DONE, NULL},
        {"socks5://p", "primary", 6379,
         LITERAL("\5\0\5\0\0\3\4"
                 "here"
                 "\0\1"),
         LITERAL(GREETING NAMED), PROXY_DONE, NULL},
        {"socks5://me:pass@p", "primary", 6379, LITERAL("\5\2\1\0\5\0\0\1\0\0\0\0\0\0"),
         LITERAL(GREETING_WITH_USER "\1\2me\4pass" NAMED), PROXY_DONE, NULL},
        {"socks5://me:pass@p", "primary", 6379, LITERAL(socks_yes),
         LITERAL(GREETING_WITH_USER NAMED), PROXY_DONE, NULL},
        {"socks5://me:pass@p", "primary", 6379, LITERAL("\5\2\1\1"),
         LITERAL(GREETING_WITH_USER "\1\2me\4pass"), PROXY_FAILED,
         "SOCKS5: the user or the password is wrong"},
        {"socks5://p", "primary", 6379, LITERAL("\5\2"), LITERAL(GREETING), PROXY_FAILED,
         "SOCKS5: it asks for a user, and `proxy` names none"},
        {"socks5://me@p", "primary", 6379, LITERAL("\5\xff"), LITERAL(GREETING_WITH_USER),
         PROXY_FAILED, "SOCKS5: it accepts no user with a password"},
        {"socks5://p", "primary", 6379, LITERAL("\5\0\5\4\0"), LITERAL(GREETING NAMED),
         PROXY_FAILED, "SOCKS5: host unreachable"},
        {"socks5://p", "primary", 6379, LITERAL("\5\0\5\x63\0\1"), LITERAL(GREETING NAMED),
         PROXY_FAILED, "SOCKS5: unknown failure"},
        {"socks5://p", "primary", 6379, LITERAL("\5\0\5\0\0\2\0"), LITERAL(GREETING NAMED),
         PROXY_FAILED, "what answers does not speak SOCKS5"},
        {"socks5://p", "primary", 6379, LITERAL("HTTP/1.1 400"), LITERAL(GREETING), PROXY_FAILED,
         "what answers does not speak SOCKS5"},
        {"socks5://p", "primary", 6379, LITERAL("\5\0\5\0\0\1\0\0\0"), LITERAL(GREETING NAMED),
         PROXY_MORE, NULL},
    };
    for (size_t i = 0; i < LENGTH_OF(all); i++)
        assert_dialogue(&all[i]);
}

TEST(asks_for_no_byte_of_the_server)
{
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\n\n"};
    char with_more[128];
    for (size_t i = 0; i < LENGTH_OF(answers); i++) {
        int length = snprintf(with_more, sizeof(with_more), "%s+PONG\r\n", answers[i]);
        const struct dialogue dialogue = {
            .url = "http://p", .host = "a", .answers = bytes_at(with_more, (size_t)length)};
        for (size_t longest = 1; longest < 20; longest++) {
            enum proxy_result result;
            assert_int_equal(speak(&dialogue, longest, &result), strlen("+PONG\r\n"));
            assert_int_equal(result, PROXY_DONE);
        }
    }
    char socks[sizeof(socks_yes) - 1 + 3];
    memcpy(socks, socks_yes, sizeof(socks_yes) - 1);
    memcpy(socks + sizeof(socks_yes) - 1, "+OK", 3);
    const struct dialogue dialogue = {
        .url = "socks5://p", .host = "a", .answers = bytes_at(socks, sizeof(socks))};
    for (size_t longest = 1; longest < 20; longest++) {
        enum proxy_result result;
        assert_int_equal(speak(&dialogue, longest, &result), 3);
        assert_int_equal(result, PROXY_DONE);
    }
}

TEST(an_answer_without_end_is_refused)
{
    static char endless[2 * PROXY_ANSWER_MAX];
    int length = snprintf(endless, sizeof(endless), "HTTP/1.1 200 OK\r\nX: ");
    memset(endless + length, 'x', sizeof(endless) - (size_t)length);
    const struct dialogue dialogue = {
        .url = "http://p", .host = "a", .answers = bytes_at(endless, sizeof(endless))};
    enum proxy_result result;
    assert_int_equal(speak(&dialogue, SIZE_MAX, &result), sizeof(endless) - PROXY_ANSWER_MAX);
    assert_int_equal(result, PROXY_FAILED);
    assert_string_equal(handshake.error, "the answer to CONNECT is too long");
}
