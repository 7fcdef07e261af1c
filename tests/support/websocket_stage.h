/* SPDX-License-Identifier: MIT
 *
 * One end of a WebSocket on a wire that gives and takes as many bytes as the test lets it.
 *
 *     struct websocket_end end;
 *     websocket_stage_begin(&end);
 *     CHECK(transport_websocket_accept(&end.channel, &rules));
 *     text_append(&end.in, request);
 *     channel_handshake(&end.channel);          the answer is in end.out
 *     websocket_stage_end(&end);
 */
#ifndef TESTS_SUPPORT_WEBSOCKET_STAGE_H
#define TESTS_SUPPORT_WEBSOCKET_STAGE_H

#include <string.h>

#include "../../relay/net/channel.h"
#include "../../relay/net/transport_websocket.h"
#include "../../relay/net/websocket_handshake.h"
#include "relay/base/text.h"

enum { WEBSOCKET_STAGE_MAX = 4 * 1024 * 1024 };

static const char websocket_request_text[] =
    "GET /replication HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: psync\r\n\r\n";

static const struct websocket_rules websocket_stage_rules = {.path = "/replication"};

struct websocket_end {
    struct channel channel;
    struct text in;
    struct text out;
    size_t room;    /* how many bytes it takes yet */
    size_t longest; /* that one receive gives */
    bool has_ended; /* behind `in` */
    bool has_finished;
};

static inline enum conn_io websocket_wire_receive(struct layer *layer, void *into, size_t capacity,
                                                  size_t *received)
{
    struct websocket_end *end = layer->session;
    size_t length = end->in.length < capacity ? end->in.length : capacity;
    length = length < end->longest ? length : end->longest;
    *received = length;
    if (length == 0)
        return end->has_ended ? CONN_END : CONN_AGAIN;
    memcpy(into, end->in.data, length);
    text_skip(&end->in, length);
    return CONN_OK;
}

static inline enum conn_io websocket_wire_send(struct layer *layer, struct bytes view, bool more,
                                               size_t *sent)
{
    struct websocket_end *end = layer->session;
    (void)more;
    *sent = view.length < end->room ? view.length : end->room;
    end->room -= *sent;
    text_append(&end->out, bytes_first(view, *sent));
    CHECK(!end->out.failed);
    return *sent > 0 ? CONN_OK : CONN_AGAIN;
}

static inline enum conn_io websocket_wire_finish(struct layer *layer)
{
    struct websocket_end *end = layer->session;
    end->has_finished = true;
    return CONN_OK;
}

static const struct transport websocket_wire = {.name = "wire",
                                                .receive = websocket_wire_receive,
                                                .send = websocket_wire_send,
                                                .finish = websocket_wire_finish};

static inline void websocket_stage_begin(struct websocket_end *end)
{
    *end = (struct websocket_end){.room = SIZE_MAX, .longest = SIZE_MAX};
    text_init(&end->in, WEBSOCKET_STAGE_MAX);
    text_init(&end->out, WEBSOCKET_STAGE_MAX);
    channel_init(&end->channel, &websocket_wire);
    end->channel.layers[LAYER_SOCKET].session = end;
}

static inline void websocket_stage_end(struct websocket_end *end)
{
    channel_fini(&end->channel);
    text_fini(&end->in);
    text_fini(&end->out);
}

/* A server that is up. */
static inline void websocket_stage_server(struct websocket_end *end)
{
    websocket_stage_begin(end);
    CHECK(transport_websocket_accept(&end->channel, &websocket_stage_rules));
    text_append_string(&end->in, websocket_request_text);
    CHECK(channel_handshake(&end->channel) == CONN_OK);
    text_clear(&end->out);
}

/* The answer to the request that stands in `request`. */
static inline void websocket_stage_answer(const struct text *request, struct text *answer)
{
    static const char header[] = "Sec-WebSocket-Key: ";
    char key[WEBSOCKET_KEY_LENGTH + 1] = "";
    char accept[WEBSOCKET_ACCEPT_LENGTH + 1];
    const char *at = strstr(text_string(request), header);
    CHECK(at != NULL);
    memcpy(key, at + sizeof header - 1, WEBSOCKET_KEY_LENGTH);
    websocket_accept_value(key, accept);
    text_format(answer,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n"
                "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: psync\r\n\r\n",
                accept);
}

/* A client that is up. */
static inline void websocket_stage_client(struct websocket_end *end)
{
    websocket_stage_begin(end);
    CHECK(transport_websocket_connect(&end->channel, "relay.test", 80, "/replication"));
    CHECK(channel_handshake(&end->channel) == CONN_AGAIN);
    websocket_stage_answer(&end->out, &end->in);
    CHECK(channel_handshake(&end->channel) == CONN_OK);
    text_clear(&end->out);
}

#endif
