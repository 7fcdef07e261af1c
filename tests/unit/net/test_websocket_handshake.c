/* SPDX-License-Identifier: MIT */
#include "../../../relay/net/websocket_handshake.h"

#include "../../../relay/net/websocket_request.h"
#include "test.h"

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ=="; /* RFC 6455, 1.3 */
static const char accept_value[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

TEST(computes_what_the_rfc_computes)
{
    char accept[WEBSOCKET_ACCEPT_LENGTH + 1];
    websocket_accept_value(key, accept);
    assert_string_equal(accept, accept_value);
}

TEST(a_request_is_what_a_server_takes)
{
    struct text request;
    text_init(&request, 2048);
    websocket_format_request("::1", 8080, true, "/replication", key, &request);
    assert_string_equal(text_string(&request),
                        "GET /replication HTTP/1.1\r\nHost: [::1]:8080\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: psync\r\n"
                        "User-Agent: psync-relay/" RELAY_VERSION "\r\n\r\n");
    text_clear(&request);
    websocket_format_request("relay.test", 443, true, "/", key, &request);
    assert_non_null(strstr(text_string(&request), "\r\nHost: relay.test\r\n"));
    text_fini(&request);
}

/* ---- the answer ---- */

#define ANSWER(accept, more)                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Accept: " accept "\r\n" more "\r\n"
#define PSYNC "Sec-WebSocket-Protocol: psync\r\n"

TEST(judges_answers)
{
    static const struct {
        const char *answer;
        const char *why; /* NULL: it is right */
    } all[] = {
        {ANSWER("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", PSYNC), NULL},
        {ANSWER("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "X: y\r\n" PSYNC), NULL},
        {ANSWER("s3pPLMBiTxaQ9kYGzzhZRbK+xOO=", PSYNC),
         "the server's answer 101 is not to our request"},
        {ANSWER("", PSYNC), "the server's answer 101 is not to our request"},
        {ANSWER("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", ""),
         "the server does not speak the subprotocol psync: it is no psync-relay"},
        {ANSWER("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                PSYNC "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
         "the server wants an extension that was not offered"},
        {"HTTP/1.1 101 \r\n\r\n", "the server's answer 101 upgrades to no WebSocket"},
        {"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n", "the server answers 404 Not Found, and not 101"},
        {"HTTP/1.1 200\r\n\r\n", "the server answers 200 , and not 101"},
        {"-ERR unknown command 'GET'\r\n", "the server does not speak HTTP"},
    };
    for (size_t i = 0; i < LENGTH_OF(all); i++) {
        char why[WEBSOCKET_WHY_MAX] = "";
        size_t length = 0;
        struct bytes answer = bytes_of(all[i].answer);
        enum websocket_verdict verdict = websocket_judge_answer(answer, key, &length, why);
        assert_int_equal(verdict, all[i].why == NULL ? WEBSOCKET_ACCEPTED : WEBSOCKET_REFUSED);
        assert_string_equal(why, all[i].why != NULL ? all[i].why : "");
        for (size_t cut = 0; verdict == WEBSOCKET_ACCEPTED && cut < answer.length; cut++)
            assert_int_equal(websocket_judge_answer(bytes_first(answer, cut), key, &length, why),
                             WEBSOCKET_MORE);
    }
}

/* ---- the request ---- */

#define REQUEST(path, more)                                                                        \
    "GET " path " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" more "\r\n"

static struct websocket_rules rules_with(const char *trusted, bool local_only)
{
    struct websocket_rules rules = {.path = "/replication", .local_only = local_only};
    assert_true(networks_parse(trusted, &rules.trusted));
    return rules;
}

/* Of a request from 127.0.0.1: what it is answered, and as whom it counts. */
static void judge(const char *text, const struct websocket_rules *rules, int code,
                  const char *forwarded)
{
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        char data[1024];
        char status[32];
        struct websocket_request request;
        struct text answer;
        memcpy(data, text, cut);
        text_init(&answer, 4096);
        enum websocket_verdict verdict =
            websocket_judge_request(data, cut, "127.0.0.1", false, rules, &request, &answer);
        snprintf(status, sizeof(status), "HTTP/1.1 %d ", code);
        if (cut < strlen(text) && verdict == WEBSOCKET_MORE) {
            assert_int_equal(answer.length, 0);
        } else {
            assert_int_equal(verdict, code == 101 ? WEBSOCKET_ACCEPTED : WEBSOCKET_REFUSED);
            assert_true(bytes_starts(text_bytes(&answer), status));
            assert_string_equal(request.forwarded, forwarded);
            if (code != 101)
                assert_int_equal(strtol(strstr(request.why, "with ") + 5, NULL, 10), code);
        }
        text_fini(&answer);
    }
}

TEST(judges_requests)
{
    const struct websocket_rules rules = rules_with("", false);
    judge(REQUEST("/replication", PSYNC), &rules, 101, "");
    judge(REQUEST("/replication", "Sec-WebSocket-Protocol: a, psync\r\n"), &rules, 101, "");
    judge(REQUEST("/replication?x=y", PSYNC), &rules, 101, "");
    judge(REQUEST("/", PSYNC), &rules, 404, "");
    judge(REQUEST("/replication/", PSYNC), &rules, 404, "");
    judge(REQUEST("/replication", ""), &rules, 400, "");
    judge(REQUEST("/replication", PSYNC "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), &rules,
          400, "");
    judge("GET /replication HTTP/1.1\r\nHost: a\r\n\r\n", &rules, 426, "");
    judge("POST /replication HTTP/1.1\r\nHost: a\r\n\r\n", &rules, 405, "");
    judge("PING\r\n", &rules, 400, "");
    judge("\x16\x03\x01", &rules, 400, "");
}

TEST(a_forwarded_address_counts_where_its_teller_is_trusted)
{
    const struct websocket_rules nobody = rules_with("", false);
    const struct websocket_rules trusted = rules_with("127.0.0.1 10.0.0.0/8", false);
    const struct websocket_rules local = rules_with("", true);
#define FORWARDED(list) REQUEST("/replication", PSYNC "X-Forwarded-For: " list "\r\n")
    judge(FORWARDED("192.0.2.7"), &nobody, 101, "");
    judge(FORWARDED("rubbish"), &nobody, 101, "");
    judge(FORWARDED("192.0.2.7"), &trusted, 101, "192.0.2.7");
    judge(FORWARDED("6.6.6.6, 192.0.2.7"), &trusted, 101, "192.0.2.7");
    judge(FORWARDED("6.6.6.6, 192.0.2.7, 10.9.9.9"), &trusted, 101, "192.0.2.7");
    judge(FORWARDED("10.1.1.1, 10.9.9.9"), &trusted, 101, "10.1.1.1");
    judge(FORWARDED("192.0.2.7:4000"), &trusted, 101, "192.0.2.7");
    judge(FORWARDED("2001:db8::7"), &trusted, 101, "2001:db8::7");
    judge(FORWARDED("[2001:db8::7]:4000"), &trusted, 101, "2001:db8::7");
    judge(FORWARDED("unknown"), &trusted, 400, "");
    judge(FORWARDED(""), &trusted, 400, "");
    judge(FORWARDED("192.0.2.7,"), &trusted, 400, "");
    judge(FORWARDED("192.0.2.7"), &local, 403, "");
    judge(FORWARDED("rubbish"), &local, 400, "");
    judge(FORWARDED("127.0.0.1"), &local, 101, "");
    judge(REQUEST("/replication", PSYNC), &local, 101, "");
}
