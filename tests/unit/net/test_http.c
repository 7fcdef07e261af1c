/* SPDX-License-Identifier: MIT */
#include "relay/net/http.h"

#include "relay/base/error.h"

#include "sockets.h"

enum { HEARD_MAX = 64 * 1024, CALLERS_MAX = HTTP_CONNECTIONS_MAX + 8 };

/* Who asks: what it has heard, until the other side closes. */
struct caller {
    int fd;
    char heard[HEARD_MAX];
    size_t length;
    bool is_over;
};

struct house {
    struct loop *loop;
    struct http *http;
    struct timer *look;
    struct caller *callers[CALLERS_MAX];
    size_t count;
    size_t over_awaited;
    size_t asked;
    char last[200];
};

static void on_request(const struct http_request *request, struct http_reply *reply, void *arg)
{
    struct house *house = arg;
    house->asked++;
    snprintf(house->last, sizeof(house->last), "%s|%s|%s", request->path, request->query,
             request->host);
    if (strcmp(request->path, "/long") == 0) {
        while (!reply->body.failed)
            text_append_string(&reply->body, "0123456789abcdef0123456789abcdef");
    } else if (strcmp(request->path, "/big") == 0) {
        while (reply->body.length < HTTP_REPLY_MAX / 2)
            text_append_string(&reply->body, "0123456789abcdef0123456789abcdef");
    } else {
        text_append_string(&reply->body, "hello\n");
    }
}

static size_t count_over(struct house *house)
{
    size_t over = 0;
    for (size_t i = 0; i < house->count; i++)
        over += house->callers[i]->is_over;
    return over;
}

static void hear(struct caller *caller)
{
    while (!caller->is_over && caller->length < HEARD_MAX - 1) {
        ssize_t got = recv(caller->fd, caller->heard + caller->length,
                           HEARD_MAX - 1 - caller->length, MSG_DONTWAIT);
        if (got == -1 && errno == EAGAIN)
            return;
        if (got <= 0)
            caller->is_over = true;
        else
            caller->length += (size_t)got;
    }
}

static void look(void *arg)
{
    struct house *house = arg;
    for (size_t i = 0; i < house->count; i++)
        hear(house->callers[i]);
    if (count_over(house) >= house->over_awaited)
        loop_stop(house->loop);
    timer_arm(house->look, 1);
}

static void begin(struct house *house, int64_t timeout_ms)
{
    const struct http_options options = {
        .addresses = "127.0.0.1", .has_port = true, .timeout_ms = timeout_ms};
    struct error error = {.text = ""};
    *house = (struct house){.loop = new_loop(), .over_awaited = SIZE_MAX};
    house->http = http_open(house->loop, &options, on_request, house, &error);
    assert_string_equal(error.text, "");
    assert_non_null(house->http);
    assert_true(http_is_local(house->http));
    house->look = timer_new(house->loop, look, house);
    timer_arm(house->look, 1);
}

static struct caller *call(struct house *house, const char *words)
{
    struct caller *caller = calloc(1, sizeof(*caller));
    assert_non_null(caller);
    assert_in_range(house->count, 0, CALLERS_MAX - 1);
    caller->fd = connected_to(http_port(house->http));
    house->callers[house->count++] = caller;
    send_whole(caller->fd, words, strlen(words));
    return caller;
}

static void await_over(struct house *house, size_t count)
{
    house->over_awaited = count;
    run(house->loop, "connections that end");
    house->over_awaited = SIZE_MAX;
}

static void await_asked(struct house *house, size_t count)
{
    int64_t until_ms = clock_ms() + CONNECT_TIMEOUT_MS;
    while (house->asked < count && clock_ms() < until_ms)
        run_for(house->loop, 2);
    assert_int_equal(house->asked, count);
}

static void end(struct house *house)
{
    timer_free(&house->look);
    http_close(&house->http);
    assert_null(house->http);
    for (size_t i = 0; i < house->count; i++) {
        close(house->callers[i]->fd);
        free(house->callers[i]);
    }
    loop_free(&house->loop);
}

static void expect(const struct caller *caller, const char *part)
{
    if (strstr(caller->heard, part) == NULL)
        fail_msg("expected \"%s\" in: %s", part, caller->heard);
}

/* One request, and what came until the connection was closed. */
static struct caller *ask(struct house *house, const char *request)
{
    struct caller *caller = call(house, request);
    await_over(house, house->count);
    return caller;
}

#define CLOSE "Connection: close\r\n\r\n"

TEST(answers_get_and_head)
{
    struct house house;
    begin(&house, CONNECT_TIMEOUT_MS);
    struct caller *got = ask(&house, "GET /a/b?since=7 HTTP/1.1\r\nHost: here:81\r\n" CLOSE);
    expect(got, "HTTP/1.1 200 OK\r\n");
    expect(got, "\r\nContent-Length: 6\r\n");
    expect(got, "\r\nContent-Security-Policy: default-src 'none'");
    expect(got, "\r\nX-Content-Type-Options: nosniff\r\n");
    expect(got, "\r\n\r\nhello\n");
    assert_string_equal(house.last, "/a/b|since=7|here");

    got = ask(&house, "HEAD / HTTP/1.1\r\nHost: [::1]:81\r\n" CLOSE);
    expect(got, "\r\nContent-Length: 6\r\n");
    assert_null(strstr(got->heard, "hello"));
    assert_string_equal(house.last, "/||[::1]");

    got = ask(&house, "GET / HTTP/1.0\r\n\r\n");
    expect(got, "\r\n\r\nhello\n");
    assert_string_equal(house.last, "/||");
    end(&house);
}

TEST(refuses_what_is_no_question)
{
    static const struct {
        const char *request;
        const char *answer;
    } cases[] = {
        {"PUT / HTTP/1.1\r\nHost: x\r\n" CLOSE,
         "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" CLOSE "12345", "HTTP/1.1 413"},
        {"BREW / HTTP/1.1\r\nHost: x\r\n" CLOSE, "HTTP/1.1 501"},
        {"GET\r\n\r\n", "HTTP/1.1 400"},
        {"*1\r\n$4\r\nPING\r\n", "HTTP/1.1 400"},
        {"GET / HTTP/9.9\r\n\r\n", ""},
        {"\r\n\r\n\r\n", ""},
    };
    struct house house;
    begin(&house, 1000);
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        expect(ask(&house, cases[i].request), cases[i].answer);
    assert_int_equal(house.asked, 0);
    end(&house);
}

TEST(a_request_has_a_limit)
{
    struct house house;
    char request[2 * HTTP_REQUEST_MAX] = "GET / HTTP/1.1\r\nHost: x\r\nLong: ";
    size_t length = strlen(request);
    memset(request + length, 'x', sizeof(request) - length - 1);
    begin(&house, CONNECT_TIMEOUT_MS);
    struct caller *got = ask(&house, request);
    expect(got, "HTTP/1.1 400");
    assert_int_equal(house.asked, 0);
    end(&house);
}

TEST(a_reply_has_a_limit)
{
    struct house house;
    begin(&house, CONNECT_TIMEOUT_MS);
    struct caller *got = ask(&house, "GET /long HTTP/1.1\r\nHost: x\r\n" CLOSE);
    expect(got, "HTTP/1.1 500");
    expect(got, "the reply is too long");
    end(&house);
}

/* The kernel keeps those who are too many, and all have their turn. */
TEST(connections_have_a_limit)
{
    struct house house;
    begin(&house, CONNECT_TIMEOUT_MS);
    for (size_t i = 0; i < CALLERS_MAX; i++)
        call(&house, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await_asked(&house, HTTP_CONNECTIONS_MAX);
    run_for(house.loop, 50);
    assert_int_equal(house.asked, HTTP_CONNECTIONS_MAX);
    for (size_t i = 0; i < 8; i++)
        shutdown(house.callers[i]->fd, SHUT_RDWR);
    await_asked(&house, CALLERS_MAX);
    end(&house);
}

/* One that sends byte after byte, one that says nothing, and one that does not take its reply. */
TEST(the_slow_are_cut)
{
    struct house house;
    begin(&house, 1000);
    call(&house, "GET / HT");
    call(&house, "");
    struct caller *greedy = call(&house, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    greedy->length = HEARD_MAX - 1; /* it reads nothing */
    await_over(&house, 2);
    assert_int_equal(house.asked, 1);
    /* Its slot is free, too: there is room for all. */
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        call(&house, "GET / HTTP/1.1\r\nHost: x\r\n" CLOSE);
    await_over(&house, 2 + HTTP_CONNECTIONS_MAX);
    assert_int_equal(house.asked, 1 + HTTP_CONNECTIONS_MAX);
    end(&house);
}

TEST(many_requests_on_one_connection)
{
    static const char one[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct house house;
    begin(&house, CONNECT_TIMEOUT_MS);
    struct caller *caller = call(&house, "");
    for (unsigned i = 0; i < 20; i++)
        send_whole(caller->fd, one, sizeof(one) - 1);
    send_whole(caller->fd, "GET / HTTP/1.1\r\n" CLOSE, strlen("GET / HTTP/1.1\r\n" CLOSE));
    await_over(&house, 1);
    assert_int_equal(house.asked, 21);
    end(&house);
}

TEST(a_taken_port_is_told)
{
    struct house house;
    begin(&house, CONNECT_TIMEOUT_MS);
    struct error error = {.text = ""};
    char expected[100];
    uint16_t port = http_port(house.http);
    const struct http_options taken = {
        .addresses = "127.0.0.1", .has_port = true, .port = port, .timeout_ms = 1000};
    assert_null(http_open(house.loop, &taken, on_request, NULL, &error));
    snprintf(expected, sizeof(expected), "bind 127.0.0.1 port %u: Address already in use", port);
    assert_string_equal(error.text, expected);

    const struct http_options wrong = {
        .addresses = "nowhere", .has_port = true, .timeout_ms = 1000};
    assert_null(http_open(house.loop, &wrong, on_request, NULL, &error));
    assert_string_equal(error.text, "bind nowhere port 0: not a numeric address");

    /* An address that this machine does not have, and may lack. */
    const struct http_options missing = {
        .addresses = "-192.0.2.1 0.0.0.0", .has_port = true, .timeout_ms = 1000};
    struct http *everywhere = http_open(house.loop, &missing, on_request, NULL, &error);
    assert_non_null(everywhere);
    assert_false(http_is_local(everywhere));
    http_close(&everywhere);
    end(&house);
}

/* The owner goes while a request is half there, and a reply half sent. */
TEST(closes_with_connections_open)
{
    struct house house;
    begin(&house, CONNECT_TIMEOUT_MS);
    call(&house, "GET / HT");
    struct caller *greedy = call(&house, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    greedy->length = HEARD_MAX - 1;
    await_asked(&house, 1);
    end(&house);
}
