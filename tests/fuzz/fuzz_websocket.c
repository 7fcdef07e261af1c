/* SPDX-License-Identifier: MIT
 *
 * WebSockets. The first byte says what the rest is: a request to a server with the frames behind it, an answer to a
 * client, or frames to either of them when it is up. However the bytes are cut, the result is the same.
 */
#include "fuzz.h"

#include "websocket_stage.h"

enum what { A_REQUEST, AN_ANSWER, FRAMES_TO_SERVER, FRAMES_TO_CLIENT, WHATS };

enum { GOT_MAX = 1024 * 1024 };

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

struct result {
    enum conn_io handshake;
    enum conn_io end; /* what was received last */
    uint8_t got[GOT_MAX];
    size_t got_length;
    char error[CHANNEL_ERROR_MAX];
};

static void take_all(struct websocket_end *end, struct result *result)
{
    while (result->end == CONN_AGAIN || result->end == CONN_OK) {
        size_t received = 0;
        size_t room = GOT_MAX - result->got_length;
        CHECK(room > 0);
        result->end =
            channel_receive(&end->channel, result->got + result->got_length, room, &received);
        CHECK((result->end == CONN_OK) == (received > 0));
        result->got_length += received;
        if (result->end == CONN_AGAIN && !channel_has_pending(&end->channel))
            return;
    }
}

static void go_on(struct websocket_end *end, struct result *result)
{
    if (result->handshake == CONN_AGAIN)
        result->handshake = channel_handshake(&end->channel);
    if (result->handshake == CONN_OK)
        take_all(end, result);
}

static void feed(enum what what, struct bytes input, struct cuts *cuts, struct result *result)
{
    struct websocket_end end;
    result->handshake = what == A_REQUEST ? CONN_AGAIN : CONN_OK;
    result->end = CONN_AGAIN;
    result->got_length = 0;
    if (what == FRAMES_TO_CLIENT) {
        websocket_stage_client(&end);
    } else if (what == FRAMES_TO_SERVER) {
        websocket_stage_server(&end);
    } else {
        websocket_stage_begin(&end);
        CHECK(transport_websocket_accept(&end.channel, &websocket_stage_rules));
    }
    while (input.length > 0) {
        struct bytes piece = cuts != NULL ? cuts_next(cuts, &input) : input;
        if (cuts == NULL)
            input = bytes_skip(input, input.length);
        text_append(&end.in, piece);
        go_on(&end, result);
    }
    CHECK(end.out.length < WEBSOCKET_STAGE_MAX);
    end.has_ended = true;
    go_on(&end, result);
    if (what == A_REQUEST && result->handshake == CONN_OK)
        CHECK(bytes_starts(text_bytes(&end.out), "HTTP/1.1 101 "));
    if (what == A_REQUEST && result->handshake == CONN_FAILED && end.out.length > 0)
        CHECK(bytes_starts(text_bytes(&end.out), "HTTP/1.1 4") ||
              bytes_starts(text_bytes(&end.out), "HTTP/1.1 5"));
    memcpy(result->error, end.channel.error, sizeof result->error);
    websocket_stage_end(&end);
}

static void check_answer(struct bytes input, struct cuts *cuts)
{
    char why[WEBSOCKET_WHY_MAX] = "";
    char cut_why[WEBSOCKET_WHY_MAX] = "";
    size_t length = 0;
    size_t cut_length = 0;
    enum websocket_verdict verdict = websocket_judge_answer(input, key, &length, why);
    enum websocket_verdict cut = WEBSOCKET_MORE;
    struct bytes rest = input;
    while (cut == WEBSOCKET_MORE && rest.length > 0) {
        (void)cuts_next(cuts, &rest);
        uint8_t *copy = exact_copy(bytes_first(input, input.length - rest.length));
        cut = websocket_judge_answer(bytes_at(copy, input.length - rest.length), key, &cut_length,
                                     cut_why);
        free(copy);
    }
    CHECK(input.length == 0 || verdict == cut);
    if (verdict == WEBSOCKET_ACCEPTED)
        CHECK(length == cut_length && length <= input.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct result whole;
    static struct result cut;
    if (size == 0)
        return 0;
    enum what what = (enum what)(data[0] % WHATS);
    struct cuts cuts = cuts_of(data, size);
    struct bytes input = bytes_at(data + 1, size - 1);
    if (what == AN_ANSWER) {
        if (input.length < WEBSOCKET_HEAD_MAX)
            check_answer(input, &cuts);
        return 0;
    }
    if (what == A_REQUEST && input.length >= WEBSOCKET_HEAD_MAX)
        return 0;
    feed(what, input, NULL, &whole);
    feed(what, input, &cuts, &cut);
    CHECK(whole.handshake == cut.handshake && whole.end == cut.end);
    CHECK(whole.got_length == cut.got_length);
    CHECK(memcmp(whole.got, cut.got, cut.got_length) == 0);
    return 0;
}
