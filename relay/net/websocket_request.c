/* SPDX-License-Identifier: MIT */
#include "websocket_request.h"

#include <stdio.h>
#include <string.h>

#include "http_head.h"
#include "http_reply.h"
#include "relay/base/clock.h"
#include "relay/net/tls.h"

/* ---- what a request offers ---- */

struct offer {
    bool upgrades;
    bool connection_upgrades;
    bool has_version;
    bool speaks_psync;
    unsigned keys;
    char key[WEBSOCKET_KEY_LENGTH + 1]; /* "": it is none */
    const struct networks *trusted;
    bool is_forwarded;
    bool has_bad_forwarded;
    char forwarded[ADDRESS_TEXT_MAX];
};

/* "192.0.2.7", "192.0.2.7:40000", "2001:db8::7", "[2001:db8::7]:40000" */
static bool forwarded_read_one(struct bytes word, char out[ADDRESS_TEXT_MAX])
{
    struct address parsed;
    char text[ADDRESS_TEXT_MAX];
    size_t colon = bytes_find(word, ':');
    if (word.length > 0 && word.data[0] == '[') {
        word = bytes_skip(word, 1);
        word = bytes_first(word, bytes_find(word, ']'));
    } else if (colon < word.length &&
               bytes_find(bytes_skip(word, colon + 1), ':') == word.length - colon - 1) {
        word = bytes_first(word, colon);
    }
    if (word.length == 0 || word.length >= sizeof text)
        return false;
    memcpy(text, word.data, word.length);
    text[word.length] = '\0';
    if (strlen(text) != word.length || strchr(text, '%') != NULL ||
        !address_parse(text, 0, &parsed))
        return false;
    address_format(&parsed, out);
    return true;
}

/* "client, proxy, proxy": each proxy has added at the end where the request came to it from. They are read from the
 * right, as long as the one that is named is a trusted proxy itself: what stands to the left of another one is what
 * that one says of itself. */
static bool forwarded_read(struct bytes list, const struct networks *trusted,
                           char out[ADDRESS_TEXT_MAX])
{
    bool more = true;
    while (more) {
        size_t begin = list.length;
        while (begin > 0 && list.data[begin - 1] != ',')
            begin--;
        if (!forwarded_read_one(bytes_trim(bytes_skip(list, begin)), out))
            return false;
        more = begin > 0 && networks_have(trusted, out);
        list = bytes_first(list, begin > 0 ? begin - 1 : 0);
    }
    return true;
}

/* Of several headers the last one is the newest; where all that it names are trusted the one before is not looked at. */
static void offer_on_header(struct bytes name, struct bytes value, void *arg)
{
    struct offer *offer = arg;
    if (bytes_is(name, "Upgrade")) {
        offer->upgrades |= http_lines_is_listed(value, "websocket");
    } else if (bytes_is(name, "Connection")) {
        offer->connection_upgrades |= http_lines_is_listed(value, "upgrade");
    } else if (bytes_is(name, "Sec-WebSocket-Version")) {
        offer->has_version = bytes_equal(value, bytes_of("13"));
    } else if (bytes_is(name, "Sec-WebSocket-Protocol")) {
        offer->speaks_psync |= http_lines_is_listed(value, WEBSOCKET_SUBPROTOCOL);
    } else if (bytes_is(name, "Sec-WebSocket-Key")) {
        offer->keys++;
        if (value.length == WEBSOCKET_KEY_LENGTH &&
            bytes_equal(bytes_skip(value, 22), bytes_of("==")))
            memcpy(offer->key, value.data, value.length);
    } else if (bytes_is(name, "X-Forwarded-For")) {
        offer->is_forwarded = true;
        offer->has_bad_forwarded = !forwarded_read(value, offer->trusted, offer->forwarded);
    }
}

/* ---- what it is answered ---- */

struct refusal {
    int code; /* 0: it is none */
    const char *why;
};

static struct refusal judge_upgrade(const struct http_head *head, const struct offer *offer)
{
    if (head->is_head || !offer->upgrades || !offer->connection_upgrades)
        return (struct refusal){426, "this is a WebSocket, with the subprotocol psync\n"};
    if (!offer->has_version)
        return (struct refusal){426, "only version 13 of WebSocket is spoken here\n"};
    if (offer->keys != 1 || offer->key[0] == '\0')
        return (struct refusal){400, "Sec-WebSocket-Key must be 16 bytes in base64, once\n"};
    if (!offer->speaks_psync)
        return (struct refusal){400, "only the subprotocol psync is spoken here\n"};
    return (struct refusal){0, NULL};
}

/* In protected mode also one that is not trusted is believed that it forwards. */
static struct refusal judge_caller(const struct offer *offer, const char *peer,
                                   const struct websocket_rules *rules)
{
    bool counts = rules->local_only || networks_have(&rules->trusted, peer);
    if (offer->is_forwarded && counts && offer->has_bad_forwarded)
        return (struct refusal){400, "X-Forwarded-For has something that is no address\n"};
    if (rules->local_only && offer->is_forwarded && !networks_is_loopback(offer->forwarded))
        return (struct refusal){403, "protected mode is enabled and no password is set: only this "
                                     "machine may connect\n"};
    return (struct refusal){0, NULL};
}

static struct refusal judge_head(const struct http_head *head, const struct offer *offer,
                                 const char *peer, bool is_tls, const struct websocket_rules *rules)
{
    if (rules->needs_tls && !is_tls)
        return (struct refusal){400, "this port speaks TLS: use wss://\n"};
    if (strcmp(head->request.path, rules->path) != 0)
        return (struct refusal){404, "there is nothing here: see [downstream] ws-path\n"};
    struct refusal refusal = judge_upgrade(head, offer);
    return refusal.code != 0 ? refusal : judge_caller(offer, peer, rules);
}

static void websocket_format_refusal(const struct refusal *refusal, bool is_head,
                                     struct text *answer)
{
    struct http_reply reply = {
        .code = refusal->code,
        .type = "text/plain; charset=utf-8",
        .policy = "default-src 'none'; frame-ancestors 'none'",
    };
    text_init(&reply.body, WEBSOCKET_HEAD_MAX);
    text_append_string(&reply.body, refusal->why);
    http_reply_format_head(&reply, true, clock_wall_us(), answer);
    if (!is_head)
        text_append(answer, text_bytes(&reply.body));
    text_fini(&reply.body);
}

static enum websocket_verdict websocket_refuse(struct refusal refusal, bool is_head,
                                               struct websocket_request *request,
                                               struct text *answer)
{
    snprintf(request->why, sizeof request->why, "refused with %d: %.*s", refusal.code,
             (int)strcspn(refusal.why, "\n"), refusal.why);
    websocket_format_refusal(&refusal, is_head, answer);
    return WEBSOCKET_REFUSED;
}

static enum websocket_verdict websocket_accept(const struct offer *offer, struct text *answer)
{
    char accept[WEBSOCKET_ACCEPT_LENGTH + 1];
    websocket_accept_value(offer->key, accept);
    text_format(answer,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: %s\r\n"
                "Sec-WebSocket-Protocol: " WEBSOCKET_SUBPROTOCOL "\r\n\r\n",
                accept);
    return WEBSOCKET_ACCEPTED;
}

enum websocket_verdict websocket_judge_request(char *data, size_t length, const char *peer,
                                               bool is_tls, const struct websocket_rules *rules,
                                               struct websocket_request *request,
                                               struct text *answer)
{
    struct http_head head = {.is_head = false};
    struct offer offer = {.trusted = &rules->trusted};
    struct refusal refusal = {400, "this port speaks plain HTTP: use ws://\n"};
    *request = (struct websocket_request){.length = 0};
    if (!is_tls && tls_is_hello(bytes_at(data, length)))
        return websocket_refuse(refusal, false, request, answer);
    switch (http_head_read_with(data, length, offer_on_header, &offer, &head)) {
    case HTTP_HEAD_PART:
        if (length < WEBSOCKET_HEAD_MAX)
            return WEBSOCKET_MORE;
        refusal = (struct refusal){400, "the request is too long\n"};
        break;
    case HTTP_HEAD_BAD:
        refusal = (struct refusal){head.code, head.why};
        break;
    case HTTP_HEAD_WHOLE:
        refusal = judge_head(&head, &offer, peer, is_tls, rules);
        break;
    }
    if (refusal.code != 0)
        return websocket_refuse(refusal, head.is_head, request, answer);
    request->length = head.length;
    if (offer.is_forwarded && networks_have(&rules->trusted, peer))
        snprintf(request->forwarded, sizeof request->forwarded, "%s", offer.forwarded);
    return websocket_accept(&offer, answer);
}
