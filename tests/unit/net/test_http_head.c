/* SPDX-License-Identifier: MIT */
#include "../../../relay/net/http_head.h"

#include "test.h"

enum { BUFFER_MAX = 1024 };

static char buffer[BUFFER_MAX];

static enum http_head_result read_head(const char *text, size_t length, struct http_head *head)
{
    assert_true(length <= sizeof(buffer));
    memcpy(buffer, text, length);
    return http_head_read(buffer, length, head);
}

static void assert_request(const struct http_head *head, const char *expected)
{
    char got[400];
    snprintf(got, sizeof(got), "%s|%s|%s|%s", head->request.path, head->request.query,
             head->request.host, head->request.authorization);
    assert_string_equal(got, expected);
}

TEST(reads_what_clients_send)
{
    static const struct {
        const char *text;
        const char *request;
        bool is_head;
        bool is_last;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "/|||", false, false},
        {"GET / HTTP/1.0\r\n\r\n", "/|||", false, true},
        {"HEAD /a/b?since=7&x=? HTTP/1.1\r\nHost: here:81\r\n\r\n", "/a/b|since=7&x=?|here|", true,
         false},
        {"GET /a? HTTP/1.1\r\nhost:[::1]:81\r\n\r\n", "/a||[::1]|", false, false},
        {"GET / HTTP/1.1\r\nHost: [::1]\r\nConnection: Close\r\n\r\n", "/||[::1]|", false, true},
        {"GET / HTTP/1.1\r\nConnection: x, close\r\n\r\n", "/|||", false, true},
        {"GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", "/|||", false,
         true},
        {"GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", "/|||", false, false},
        {"\r\n\nGET /x HTTP/1.1\nHost:\t here \t\n\n", "/x||here|", false, false},
        {"GET / HTTP/1.1\r\nAuthorization: Basic YTpi\r\nHost: a\r\n\r\n", "/||a|Basic YTpi", false,
         false},
        {"GET http://far:80/x?y HTTP/1.1\r\nHost: near\r\n\r\n", "/x|y|far|", false, false},
        {"GET http://far HTTP/1.1\r\nHost: near\r\n\r\n", "/||far|", false, false},
        {"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "/|||", false, false},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        size_t length = strlen(cases[i].text);
        struct http_head head;
        for (size_t cut = 0; cut < length; cut++)
            assert_int_equal(read_head(cases[i].text, cut, &head), HTTP_HEAD_PART);
        assert_int_equal(read_head(cases[i].text, length, &head), HTTP_HEAD_WHOLE);
        assert_request(&head, cases[i].request);
        assert_int_equal(head.length, length);
        assert_int_equal(head.code, 0);
        assert_int_equal(head.is_head, cases[i].is_head);
        assert_int_equal(head.is_last, cases[i].is_last);
    }
}

TEST(what_comes_behind_a_head_is_left)
{
    static const char two[] = "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n";
    struct http_head head;
    assert_int_equal(read_head(two, sizeof(two) - 1, &head), HTTP_HEAD_WHOLE);
    assert_request(&head, "/1|||");
    assert_int_equal(head.length, (sizeof(two) - 1) / 2);
}

TEST(refuses_what_can_be_understood_in_two_ways)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"GET\r\n", 400},
        {"GET /\r\n", 400},
        {"GET / HTTP/1.1 \r\n", 400},
        {"GET  / HTTP/1.1\r\n", 400},
        {" GET / HTTP/1.1\r\n", 400},
        {"GET x HTTP/1.1\r\n", 400},
        {"GET /\x01 HTTP/1.1\r\n", 400},
        {"GET /\r HTTP/1.1\r\n", 400},
        {"GET / http/1.1\r\n", 400},
        {"GET / HTTP/11\r\n", 400},
        {"GET / HTTP/2.0\r\n", 505},
        {"GET / HTTP/9.9\r\n", 505},
        {"*1\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : a\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon\r\n", 400},
        {"GET / HTTP/1.1\r\n: no name\r\n", 400},
        {"GET / HTTP/1.1\r\nA: 1\r\n folded\r\n", 400},
        {"GET / HTTP/1.1\r\nA: a\rb\r\n", 400},
        {"GET / HTTP/1.1\r\nAuthorization: a\r\nAuthorization: b\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: 1\r\n", 413},
        {"GET / HTTP/1.1\r\nContent-Length: -1\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n", 400},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", 413},
        {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\n\r\n", 405},
        {"OPTIONS * HTTP/1.1\r\n\r\n", 405},
        {"get / HTTP/1.1\r\n\r\n", 501},
        {"BREW / HTTP/1.1\r\n\r\n", 501},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct http_head head = {.code = -1};
        enum http_head_result result = read_head(cases[i].text, strlen(cases[i].text), &head);
        if (result != HTTP_HEAD_BAD || head.code != cases[i].code)
            fail_msg("%s: result %d code %d", cases[i].text, (int)result, head.code);
        assert_true(head.is_last);
        assert_non_null(head.why);
    }
}

TEST(a_zero_byte_ends_no_string_early)
{
    static const char path[] = "GET /a\0b HTTP/1.1\r\n\r\n";
    static const char header[] = "GET / HTTP/1.1\r\nHost: localhost\0.evil.example\r\n\r\n";
    struct http_head head;
    assert_int_equal(read_head(path, sizeof(path) - 1, &head), HTTP_HEAD_BAD);
    assert_int_equal(read_head(header, sizeof(header) - 1, &head), HTTP_HEAD_BAD);
}

TEST(a_host_has_a_limit)
{
    char text[ADDRESS_HOST_MAX + 100];
    struct http_head head;
    for (size_t length = ADDRESS_HOST_MAX - 2; length < ADDRESS_HOST_MAX + 2; length++) {
        int end =
            snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %0*d\r\n\r\n", (int)length, 0);
        enum http_head_result result = read_head(text, (size_t)end, &head);
        assert_int_equal(result, length < ADDRESS_HOST_MAX ? HTTP_HEAD_WHOLE : HTTP_HEAD_BAD);
    }
}
