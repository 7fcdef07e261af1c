/* SPDX-License-Identifier: MIT */
#include "proxy_handshake.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base64.h"

enum {
    SOCKS_VERSION = 5,
    SOCKS_LOGIN_VERSION = 1, /* of RFC 1929 */
    SOCKS_METHOD_NONE = 0,
    SOCKS_METHOD_PASSWORD = 2,
    SOCKS_CONNECT = 1,
    SOCKS_IPV4 = 1,
    SOCKS_NAME = 3,
    SOCKS_IPV6 = 4,
};

static enum proxy_result proxy_fail(struct proxy_handshake *handshake, const char *why)
{
    snprintf(handshake->error, sizeof handshake->error, "%s", why);
    return PROXY_FAILED;
}

/* ---- what we say ---- */

static void proxy_put(struct proxy_handshake *handshake, const void *data, size_t length)
{
    CHECK(length <= sizeof handshake->output - handshake->output_length);
    memcpy(handshake->output + handshake->output_length, data, length);
    handshake->output_length += length;
}

static void proxy_put_byte(struct proxy_handshake *handshake, size_t byte)
{
    uint8_t narrow = (uint8_t)byte;
    CHECK(narrow == byte);
    proxy_put(handshake, &narrow, 1);
}

static void proxy_put_string(struct proxy_handshake *handshake, const char *string)
{
    proxy_put(handshake, string, strlen(string));
}

/* A byte with the length, then the bytes. */
static void proxy_put_counted(struct proxy_handshake *handshake, const char *string)
{
    proxy_put_byte(handshake, strlen(string));
    proxy_put_string(handshake, string);
}

/* What was said before has gone. */
static void proxy_begin_step(struct proxy_handshake *handshake, enum proxy_step step, size_t wanted)
{
    handshake->step = step;
    handshake->output_length = handshake->output_sent = 0;
    handshake->answer_length = 0;
    handshake->answer_wanted = wanted;
}

static void proxy_put_basic(struct proxy_handshake *handshake)
{
    const struct proxy *proxy = handshake->proxy;
    char login[2 * PROXY_WORD_MAX];
    char encoded[BASE64_LENGTH(sizeof login)];
    snprintf(login, sizeof login, "%s:%s", proxy->user, proxy->password);
    base64_encode(bytes_of(login), encoded);
    proxy_put_string(handshake, "Proxy-Authorization: Basic ");
    proxy_put_string(handshake, encoded);
    proxy_put_string(handshake, "\r\n");
    explicit_bzero(login, sizeof login);
    explicit_bzero(encoded, sizeof encoded);
}

static void proxy_say_connect(struct proxy_handshake *handshake)
{
    char server[PROXY_HOST_MAX + 16];
    bool has_colon = strchr(handshake->host, ':') != NULL;
    snprintf(server, sizeof server, has_colon ? "[%s]:%u" : "%s:%u", handshake->host,
             (unsigned)handshake->port);
    proxy_begin_step(handshake, PROXY_STEP_ANSWER, 0);
    proxy_put_string(handshake, "CONNECT ");
    proxy_put_string(handshake, server);
    proxy_put_string(handshake, " HTTP/1.1\r\nHost: ");
    proxy_put_string(handshake, server);
    proxy_put_string(handshake, "\r\n");
    if (handshake->proxy->user[0] != '\0')
        proxy_put_basic(handshake);
    proxy_put_string(handshake, "\r\n");
}

static void socks_say_methods(struct proxy_handshake *handshake)
{
    bool has_user = handshake->proxy->user[0] != '\0';
    proxy_begin_step(handshake, PROXY_STEP_METHOD, 2);
    proxy_put_byte(handshake, SOCKS_VERSION);
    proxy_put_byte(handshake, has_user ? 2 : 1);
    proxy_put_byte(handshake, SOCKS_METHOD_NONE);
    if (has_user)
        proxy_put_byte(handshake, SOCKS_METHOD_PASSWORD);
}

static void socks_say_login(struct proxy_handshake *handshake)
{
    proxy_begin_step(handshake, PROXY_STEP_LOGIN, 2);
    proxy_put_byte(handshake, SOCKS_LOGIN_VERSION);
    proxy_put_counted(handshake, handshake->proxy->user);
    proxy_put_counted(handshake, handshake->proxy->password);
}

static void socks_say_request(struct proxy_handshake *handshake)
{
    struct in_addr v4;
    struct in6_addr v6;
    proxy_begin_step(handshake, PROXY_STEP_REPLY, 5);
    proxy_put_byte(handshake, SOCKS_VERSION);
    proxy_put_byte(handshake, SOCKS_CONNECT);
    proxy_put_byte(handshake, 0);
    if (inet_pton(AF_INET, handshake->host, &v4) == 1) {
        proxy_put_byte(handshake, SOCKS_IPV4);
        proxy_put(handshake, &v4, sizeof v4);
    } else if (inet_pton(AF_INET6, handshake->host, &v6) == 1) {
        proxy_put_byte(handshake, SOCKS_IPV6);
        proxy_put(handshake, &v6, sizeof v6);
    } else {
        proxy_put_byte(handshake, SOCKS_NAME);
        proxy_put_counted(handshake, handshake->host);
    }
    proxy_put_byte(handshake, handshake->port >> 8);
    proxy_put_byte(handshake, handshake->port & 0xff);
}

/* ---- what it answers ---- */

static enum proxy_result connect_look_at(struct proxy_handshake *handshake)
{
    struct http_answer answer;
    switch (http_answer_read(bytes_at(handshake->answer, handshake->answer_length), NULL, NULL,
                             &answer)) {
    case HTTP_ANSWER_PART:
        if (handshake->answer_length < sizeof handshake->answer)
            return PROXY_MORE;
        return proxy_fail(handshake, "the answer to CONNECT is too long");
    case HTTP_ANSWER_BAD:
        return proxy_fail(handshake, "what answers does not speak HTTP");
    case HTTP_ANSWER_WHOLE:
        break;
    }
    /* Any answer of 2xx is a yes (RFC 9110, 9.3.6). */
    if (answer.code >= 200 && answer.code < 300)
        return PROXY_DONE;
    snprintf(handshake->error, sizeof handshake->error, "CONNECT was refused: %d %s%s", answer.code,
             answer.reason,
             answer.code == 407 || answer.code == 401
                 ? " (`proxy` needs a user and a password that it accepts)"
                 : "");
    return PROXY_FAILED;
}

static enum proxy_result socks_look_at_method(struct proxy_handshake *handshake)
{
    bool has_user = handshake->proxy->user[0] != '\0';
    uint8_t method = handshake->answer[1];
    if (handshake->answer[0] != SOCKS_VERSION)
        return proxy_fail(handshake, "what answers does not speak SOCKS5");
    if (method == SOCKS_METHOD_PASSWORD && has_user)
        socks_say_login(handshake);
    else if (method == SOCKS_METHOD_NONE)
        socks_say_request(handshake);
    else
        return proxy_fail(handshake, has_user
                                         ? "SOCKS5: it accepts no user with a password"
                                         : "SOCKS5: it asks for a user, and `proxy` names none");
    return PROXY_MORE;
}

static enum proxy_result socks_look_at_login(struct proxy_handshake *handshake)
{
    if (handshake->answer[0] != SOCKS_LOGIN_VERSION)
        return proxy_fail(handshake, "what answers does not speak SOCKS5");
    if (handshake->answer[1] != 0)
        return proxy_fail(handshake, "SOCKS5: the user or the password is wrong");
    socks_say_request(handshake);
    return PROXY_MORE;
}

/* RFC 1928, 6 */
static const char *socks_reason(uint8_t reply)
{
    static const char *const reasons[] = {
        [1] = "SOCKS5: general failure",
        [2] = "SOCKS5: not allowed by its rules",
        [3] = "SOCKS5: network unreachable",
        [4] = "SOCKS5: host unreachable",
        [5] = "SOCKS5: connection refused",
        [6] = "SOCKS5: TTL expired",
        [7] = "SOCKS5: it does not know CONNECT",
        [8] = "SOCKS5: it does not know this kind of address",
    };
    return reply < LENGTH_OF(reasons) ? reasons[reply] : "SOCKS5: unknown failure";
}

/* The address that it connects from follows, of which the first byte has come: the length where it is a
 * name. */
static enum proxy_result socks_look_at_reply(struct proxy_handshake *handshake)
{
    const uint8_t *answer = handshake->answer;
    if (answer[0] != SOCKS_VERSION)
        return proxy_fail(handshake, "what answers does not speak SOCKS5");
    if (answer[1] != 0)
        return proxy_fail(handshake, socks_reason(answer[1]));
    size_t left = 2; /* the port */
    if (answer[3] == SOCKS_IPV4)
        left += 4 - 1;
    else if (answer[3] == SOCKS_IPV6)
        left += 16 - 1;
    else if (answer[3] == SOCKS_NAME)
        left += answer[4];
    else
        return proxy_fail(handshake, "what answers does not speak SOCKS5");
    proxy_begin_step(handshake, PROXY_STEP_ADDRESS, left);
    return PROXY_MORE;
}

/* A refusal may be cut behind its code. */
static bool socks_is_refused(const struct proxy_handshake *handshake)
{
    return handshake->step == PROXY_STEP_REPLY && handshake->answer_length >= 2 &&
           handshake->answer[1] != 0;
}

/* ---- both ---- */

void proxy_handshake_begin(struct proxy_handshake *handshake, const struct proxy *proxy,
                           const char *host, uint16_t port)
{
    CHECK(strlen(host) < sizeof handshake->host);
    handshake->proxy = proxy;
    handshake->port = port;
    handshake->error[0] = '\0';
    snprintf(handshake->host, sizeof handshake->host, "%s", host);
    if (proxy->kind == PROXY_HTTP)
        proxy_say_connect(handshake);
    else
        socks_say_methods(handshake);
}

struct bytes proxy_handshake_output(const struct proxy_handshake *handshake)
{
    return bytes_at(handshake->output + handshake->output_sent,
                    handshake->output_length - handshake->output_sent);
}

void proxy_handshake_sent(struct proxy_handshake *handshake, size_t count)
{
    CHECK(count <= handshake->output_length - handshake->output_sent);
    handshake->output_sent += count;
}

size_t proxy_handshake_wants(const struct proxy_handshake *handshake)
{
    size_t room = sizeof handshake->answer - handshake->answer_length;
    size_t wants = handshake->answer_wanted - handshake->answer_length;
    if (handshake->step == PROXY_STEP_ANSWER)
        wants = http_answer_lacks(bytes_at(handshake->answer, handshake->answer_length));
    return wants < room ? wants : room;
}

enum proxy_result proxy_handshake_feed(struct proxy_handshake *handshake, struct bytes view)
{
    CHECK(view.length <= proxy_handshake_wants(handshake));
    if (view.length > 0)
        memcpy(handshake->answer + handshake->answer_length, view.data, view.length);
    handshake->answer_length += view.length;
    if (handshake->step == PROXY_STEP_ANSWER)
        return connect_look_at(handshake);
    if (handshake->answer_length < handshake->answer_wanted && !socks_is_refused(handshake))
        return PROXY_MORE;
    switch (handshake->step) {
    case PROXY_STEP_METHOD:
        return socks_look_at_method(handshake);
    case PROXY_STEP_LOGIN:
        return socks_look_at_login(handshake);
    case PROXY_STEP_REPLY:
        return socks_look_at_reply(handshake);
    case PROXY_STEP_ADDRESS:
        return PROXY_DONE;
    case PROXY_STEP_ANSWER:
        break;
    }
    UNREACHABLE("a step without a case");
}
