/* SPDX-License-Identifier: MIT */
#include "websocket_handshake.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "http_answer.h"
#include "relay/os/random.h"

void websocket_accept_value(const char *key, char out[WEBSOCKET_ACCEPT_LENGTH + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    char joined[WEBSOCKET_KEY_LENGTH + sizeof guid];
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    int joined_length = snprintf(joined, sizeof joined, "%s%s", key, guid);
    CHECK(EVP_Digest(joined, (size_t)joined_length, hash, &length, EVP_sha1(), NULL) == 1);
    base64_encode(bytes_at(hash, length), out);
}

void websocket_make_key(char key[WEBSOCKET_KEY_LENGTH + 1])
{
    uint8_t nonce[16];
    random_bytes(nonce, sizeof nonce);
    base64_encode(bytes_at(nonce, sizeof nonce), key);
}

void websocket_format_request(const char *host, uint16_t port, bool is_tls, const char *path,
                              const char *key, struct text *out)
{
    bool has_colon = strchr(host, ':') != NULL;
    text_format(out, "GET %s HTTP/1.1\r\nHost: ", path);
    text_format(out, has_colon ? "[%s]" : "%s", host);
    if (port != (is_tls ? 443 : 80))
        text_format(out, ":%u", (unsigned)port);
    text_format(out,
                "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: " WEBSOCKET_SUBPROTOCOL "\r\n"
                "User-Agent: psync-relay/" RELAY_VERSION "\r\n\r\n",
                key);
}

/* What an answer says of the upgrade. */
struct answered {
    bool upgrades;
    bool connection_upgrades;
    bool speaks_psync;
    bool has_extensions;
    char accept[WEBSOCKET_ACCEPT_LENGTH + 1];
};

static void answered_on_header(struct bytes name, struct bytes value, void *arg)
{
    struct answered *answered = arg;
    if (bytes_is(name, "Upgrade"))
        answered->upgrades = http_lines_is_listed(value, "websocket");
    else if (bytes_is(name, "Connection"))
        answered->connection_upgrades |= http_lines_is_listed(value, "upgrade");
    else if (bytes_is(name, "Sec-WebSocket-Protocol"))
        answered->speaks_psync = bytes_equal(value, bytes_of(WEBSOCKET_SUBPROTOCOL));
    else if (bytes_is(name, "Sec-WebSocket-Extensions"))
        answered->has_extensions = true;
    else if (bytes_is(name, "Sec-WebSocket-Accept") && value.length == WEBSOCKET_ACCEPT_LENGTH)
        memcpy(answered->accept, value.data, value.length);
}

/* NULL: it is as it should be. */
static const char *answered_fault(const struct answered *answered, const char *key)
{
    char expected[WEBSOCKET_ACCEPT_LENGTH + 1];
    websocket_accept_value(key, expected);
    if (!answered->upgrades || !answered->connection_upgrades)
        return "the server's answer 101 upgrades to no WebSocket";
    if (strcmp(answered->accept, expected) != 0)
        return "the server's answer 101 is not to our request";
    if (!answered->speaks_psync)
        return "the server does not speak the subprotocol psync: it is no psync-relay";
    if (answered->has_extensions)
        return "the server wants an extension that was not offered";
    return NULL;
}

enum websocket_verdict websocket_judge_answer(struct bytes data, const char *key, size_t *length,
                                              char why[WEBSOCKET_WHY_MAX])
{
    struct http_answer answer = {.code = 0};
    struct answered answered = {.upgrades = false};
    const char *fault = NULL;
    switch (http_answer_read(data, answered_on_header, &answered, &answer)) {
    case HTTP_ANSWER_PART:
        if (data.length < WEBSOCKET_HEAD_MAX)
            return WEBSOCKET_MORE;
        fault = "the server's answer is too long";
        break;
    case HTTP_ANSWER_BAD:
        fault = "the server does not speak HTTP";
        break;
    case HTTP_ANSWER_WHOLE:
        if (answer.code != 101)
            break;
        *length = answer.length;
        fault = answered_fault(&answered, key);
        if (fault == NULL)
            return WEBSOCKET_ACCEPTED;
    }
    if (fault != NULL)
        snprintf(why, WEBSOCKET_WHY_MAX, "%s", fault);
    else
        snprintf(why, WEBSOCKET_WHY_MAX, "the server answers %d %s, and not 101", answer.code,
                 answer.reason);
    return WEBSOCKET_REFUSED;
}
