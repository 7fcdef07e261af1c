/* SPDX-License-Identifier: MIT */
#include "../../../relay/base/log_line.h"

#include "test.h"

#define TIME "2026-11-21T20:34:26.123Z"

static struct log_line line;

static struct bytes text_of(const char *message)
{
    const struct log_event event = {.time = TIME, .level = "info", .message = message};
    log_line_text(&line, &event);
    return bytes_at(line.data, line.length);
}

static struct bytes json_of(const char *message)
{
    const struct log_event event = {.time = TIME, .level = "info", .message = message};
    log_line_json(&line, &event);
    return bytes_at(line.data, line.length);
}

/* The message comes out of JSON like this. */
static void expect_json(const char *message, const char *escaped)
{
    char expected[512];
    snprintf(expected, sizeof(expected),
             "{\"ts\":\"" TIME "\",\"level\":\"info\",\"component\":\"net\",\"message\":\"%s\"}\n",
             escaped);
    char whole[512];
    snprintf(whole, sizeof(whole), "net: %s", message);
    assert_view(json_of(whole), expected);
}

TEST(a_text_line_is_padded_to_its_message)
{
    assert_view(text_of("store: a b"), TIME " info    store: a b\n");
    assert_view(text_of(""), TIME " info    \n");
}

TEST(the_room_is_a_field_of_its_own)
{
    assert_view(json_of("upstream: link state=up: well"),
                "{\"ts\":\"" TIME "\",\"level\":\"info\",\"component\":\"upstream\","
                "\"message\":\"link state=up: well\"}\n");
    static const char *const without[] = {
        "no colon here",
        ": nothing before it",
        "relay/base/log.c:12: CHECK failed",
        "Upper: case",
        "aroomwhosenameislongerthananyroomhas: x",
        "room:without a blank",
    };
    for (size_t i = 0; i < LENGTH_OF(without); i++) {
        char expected[256];
        snprintf(expected, sizeof(expected),
                 "{\"ts\":\"" TIME "\",\"level\":\"info\",\"component\":\"\",\"message\":\"%s\"}\n",
                 without[i]);
        assert_view(json_of(without[i]), expected);
    }
}

TEST(control_characters_are_escaped)
{
    for (unsigned byte = 1; byte < 256; byte++) {
        char message[2] = {(char)byte, '\0'};
        char escaped[8];
        bool is_control = byte < ' ' || byte == 127;
        snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
        if (is_control)
            expect_json(message, escaped);
        else if (byte == '"' || byte == '\\')
            expect_json(message, byte == '"' ? "\\\"" : "\\\\");
        else
            expect_json(message, byte > 127 ? "\\ufffd" : message);
        char shown[64];
        snprintf(shown, sizeof(shown), TIME " info    %s\n", is_control ? "?" : message);
        assert_view(text_of(message), shown);
    }
}

TEST(letters_stay_and_nonsense_does_not)
{
    static const struct {
        const char *message;
        const char *escaped;
    } cases[] = {
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc2\x80\xdf\xbf", "\xc2\x80\xdf\xbf"},
        {"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
         "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"},
        {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
        {"\xc3", "\\ufffd"},                                  /* ends in the middle */
        {"\xc3(", "\\ufffd("},                                /* not continued */
        {"\xe2\x82", "\\ufffd\\ufffd"},                       /* ends in the middle */
        {"\xc0\x80", "\\ufffd\\ufffd"},                       /* a zero, too long */
        {"\xc1\xbf", "\\ufffd\\ufffd"},                       /* too long */
        {"\xe0\x9f\xbf", "\\ufffd\\ufffd\\ufffd"},            /* too long */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},            /* a surrogate */
        {"\xf0\x8f\xbf\xbf", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* too long */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* behind the last one */
        {"\xf5\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xe2\x82\xc3\xa9", "\\ufffd\\ufffd\xc3\xa9"}, /* goes on with what is right */
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        expect_json(cases[i].message, cases[i].escaped);
}

/* Up to the limit and beyond it at every length, far beyond it at some: never longer, whole to its end, and
 * nothing cut in two. */
TEST(long_messages_are_cut_between_letters)
{
    static const char *const units[] = {"x", "\"", "\xe2\x82\xac", "\x01", "\xff"};
    static const char *const escaped[] = {"x", "\\\"", "\xe2\x82\xac", "\\u0001", "\\ufffd"};
    static char message[4 * LOG_LINE_MAX];
    for (size_t i = 0; i < LENGTH_OF(units); i++) {
        message[0] = '\0';
        size_t length = 0;
        for (unsigned count = 1; length < 3 * LOG_LINE_MAX; count++) {
            length += (size_t)snprintf(message + length, sizeof(message) - length, "%s", units[i]);
            if (length > LOG_LINE_MAX + 100 && count % 101 != 0)
                continue;
            struct bytes got = json_of(message);
            assert_true(got.length <= LOG_LINE_MAX);
            const char *at = strstr((const char *)got.data, "\"message\":\"") + 11;
            unsigned kept = 0;
            for (; strncmp(at, escaped[i], strlen(escaped[i])) == 0; kept++)
                at += strlen(escaped[i]);
            struct bytes end = bytes_skip(got, (size_t)(at - (const char *)got.data));
            assert_view(end, kept == count ? "\"}\n" : "...\"}\n");
            assert_true(kept == count || got.length > LOG_LINE_MAX - 16);
        }
    }
}
