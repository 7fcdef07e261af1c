/* SPDX-License-Identifier: MIT */
#include "transport_websocket.h"

#ifdef HAVE_WSLAY

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "socket.h"
#include "websocket_session.h"

enum { DISCARDS_PER_STEP = 16 };

static enum conn_io transport_websocket_fail(struct layer *layer, const char *why)
{
    char words[CHANNEL_ERROR_MAX];
    snprintf(words, sizeof words, "WebSocket: %s", why);
    return channel_fail(layer->channel, words);
}

/* ---- handshake ---- */

static enum conn_io opening_say(struct layer *layer)
{
    struct websocket *websocket = layer->session;
    struct websocket_opening *opening = websocket->opening;
    while (opening->said_sent < opening->said.length) {
        size_t sent = 0;
        enum conn_io io = layer_send(
            layer->below, bytes_skip(text_bytes(&opening->said), opening->said_sent), false, &sent);
        opening->said_sent += sent;
        layer->channel->handshake_waits = layer->channel->send_waits;
        if (io != CONN_OK)
            return io;
    }
    return CONN_OK;
}

static void opening_judge_request(struct layer *layer)
{
    struct websocket *websocket = layer->session;
    struct websocket_opening *opening = websocket->opening;
    struct websocket_request request;
    struct socket_end peer = {.port = 0};
    socket_look_up_peer(layer->channel->fd, &peer);
    enum websocket_verdict verdict = websocket_judge_request(
        opening->heard, opening->heard_length, peer.address, channel_has(layer->channel, LAYER_TLS),
        opening->rules, &request, &opening->said);
    opening->is_judged = verdict != WEBSOCKET_MORE;
    opening->is_refused = verdict == WEBSOCKET_REFUSED;
    if (verdict == WEBSOCKET_REFUSED)
        snprintf(opening->why, sizeof opening->why, "%s", request.why);
    if (verdict != WEBSOCKET_ACCEPTED)
        return;
    websocket->early_taken = request.length;
    snprintf(websocket->forwarded, sizeof websocket->forwarded, "%s", request.forwarded);
}

static void opening_judge_answer(struct layer *layer)
{
    struct websocket *websocket = layer->session;
    struct websocket_opening *opening = websocket->opening;
    enum websocket_verdict verdict =
        websocket_judge_answer(bytes_at(opening->heard, opening->heard_length), opening->key,
                               &websocket->early_taken, opening->why);
    opening->is_judged = verdict != WEBSOCKET_MORE;
    opening->is_refused = verdict == WEBSOCKET_REFUSED;
}

static enum conn_io opening_hear(struct layer *layer)
{
    struct websocket *websocket = layer->session;
    struct websocket_opening *opening = websocket->opening;
    size_t received = 0;
    enum conn_io io = layer_receive(layer->below, opening->heard + opening->heard_length,
                                    sizeof opening->heard - opening->heard_length, &received);
    opening->heard_length += received;
    layer->channel->handshake_waits = layer->channel->receive_waits;
    if (io == CONN_END)
        return transport_websocket_fail(layer, "the peer closed the connection in the handshake");
    if (io != CONN_OK)
        return io;
    if (websocket->is_server)
        opening_judge_request(layer);
    else
        opening_judge_answer(layer);
    return CONN_OK;
}

/* The client was refused, and told so: until it has closed, what it says is thrown away. */
static enum conn_io opening_linger(struct layer *layer)
{
    struct websocket *websocket = layer->session;
    struct websocket_opening *opening = websocket->opening;
    for (struct layer *below = layer->below; below != NULL && !opening->has_ended;
         below = below->below) {
        if (below->transport->finish != NULL)
            (void)below->transport->finish(below);
    }
    opening->has_ended = true;
    enum conn_io io = CONN_OK;
    for (unsigned i = 0; i < DISCARDS_PER_STEP && io == CONN_OK; i++) {
        size_t received;
        io = layer_receive(layer->below, opening->heard, sizeof opening->heard, &received);
    }
    layer->channel->handshake_waits = layer->channel->receive_waits;
    return io == CONN_OK || io == CONN_AGAIN ? CONN_AGAIN
                                             : transport_websocket_fail(layer, opening->why);
}

static void opening_free(struct websocket *websocket)
{
    text_fini(&websocket->opening->said);
    free(websocket->opening);
    websocket->opening = NULL;
}

static enum conn_io websocket_come_up(struct layer *layer)
{
    static const struct wslay_frame_callbacks callbacks = {
        .send_callback = websocket_on_send,
        .recv_callback = websocket_on_receive,
        .genmask_callback = websocket_on_mask,
    };
    struct websocket *websocket = layer->session;
    if (wslay_frame_context_init(&websocket->frames, &callbacks, websocket) != 0)
        return transport_websocket_fail(layer, "out of memory");
    websocket->is_up = true;
    websocket->has_more = websocket->early_taken < websocket->opening->heard_length;
    if (!websocket->has_more)
        opening_free(websocket);
    return CONN_OK;
}

static enum conn_io websocket_handshake(struct layer *layer)
{
    struct websocket *websocket = layer->session;
    struct websocket_opening *opening = websocket->opening;
    for (;;) {
        enum conn_io io = opening->has_ended ? CONN_OK : opening_say(layer);
        if (io != CONN_OK)
            return io;
        if (opening->said.failed)
            return transport_websocket_fail(layer, "out of memory");
        if (opening->is_refused && !websocket->is_server)
            return transport_websocket_fail(layer, opening->why);
        if (opening->is_refused)
            return opening_linger(layer);
        if (opening->is_judged)
            return websocket_come_up(layer);
        io = opening_hear(layer);
        if (io != CONN_OK)
            return io;
    }
}

/* ---- the end ---- */

static bool websocket_has_pending(const struct layer *layer)
{
    const struct websocket *websocket = layer->session;
    return websocket->has_more;
}

static bool websocket_has_unsent(const struct layer *layer)
{
    const struct websocket *websocket = layer->session;
    return websocket->out_length > 0;
}

/* Within a frame there is no room for a close, and the peer sees a connection that broke off. */
static void websocket_say_close(struct websocket *websocket, uint16_t code)
{
    if (!websocket->is_up || websocket->has_closed || websocket->has_failed)
        return;
    websocket->owes_close = true;
    websocket->close_code = code;
    websocket_put_control(websocket);
}

static enum conn_io websocket_finish(struct layer *layer)
{
    websocket_say_close(layer->session, WSLAY_CODE_NORMAL_CLOSURE);
    return websocket_flush(layer);
}

static void websocket_fini(struct layer *layer)
{
    struct websocket *websocket = layer->session;
    if (websocket->out_length == 0) {
        websocket_say_close(websocket, WSLAY_CODE_GOING_AWAY);
        (void)websocket_flush(layer);
    }
    if (websocket->opening != NULL)
        opening_free(websocket);
    if (websocket->frames != NULL)
        wslay_frame_context_free(websocket->frames);
    free(websocket->out);
    free(websocket);
}

static const struct transport transport_websocket = {
    .name = "WebSocket",
    .handshake = websocket_handshake,
    .receive = websocket_receive,
    .send = websocket_send,
    .send_file = websocket_send_file,
    .has_pending = websocket_has_pending,
    .has_unsent = websocket_has_unsent,
    .flush = websocket_flush,
    .finish = websocket_finish,
    .fini = websocket_fini,
};

/* ---- beginning ---- */

static struct websocket *websocket_new(bool is_server)
{
    struct websocket *websocket = calloc(1, sizeof *websocket);
    if (websocket == NULL)
        return NULL;
    websocket->is_server = is_server;
    websocket->opening = calloc(1, sizeof *websocket->opening);
    if (websocket->opening == NULL) {
        free(websocket);
        return NULL;
    }
    text_init(&websocket->opening->said, WEBSOCKET_HEAD_MAX);
    return websocket;
}

bool transport_websocket_connect(struct channel *channel, const char *host, uint16_t port,
                                 const char *path)
{
    struct websocket *websocket = websocket_new(false);
    if (websocket == NULL)
        return false;
    websocket_make_key(websocket->opening->key);
    websocket_format_request(host, port, channel_has(channel, LAYER_TLS), path,
                             websocket->opening->key, &websocket->opening->said);
    channel_add(channel, LAYER_WEBSOCKET, &transport_websocket, websocket);
    return true;
}

bool transport_websocket_accept(struct channel *channel, const struct websocket_rules *rules)
{
    struct websocket *websocket = websocket_new(true);
    if (websocket == NULL)
        return false;
    websocket->opening->rules = rules;
    channel_add(channel, LAYER_WEBSOCKET, &transport_websocket, websocket);
    return true;
}

const char *transport_websocket_forwarded(const struct channel *channel)
{
    const struct websocket *websocket = channel->layers[LAYER_WEBSOCKET].session;
    return websocket != NULL ? websocket->forwarded : "";
}

void transport_websocket_keep_alive(struct channel *channel)
{
    struct layer *layer = &channel->layers[LAYER_WEBSOCKET];
    struct websocket *websocket = layer->session;
    if (websocket == NULL || websocket->has_failed)
        return;
    websocket->layer = layer;
    websocket_keep_alive(layer);
}

bool websocket_is_built(void)
{
    return true;
}

#else

bool transport_websocket_connect(struct channel *channel, const char *host, uint16_t port,
                                 const char *path)
{
    (void)channel;
    (void)host;
    (void)port;
    (void)path;
    return false;
}

bool transport_websocket_accept(struct channel *channel, const struct websocket_rules *rules)
{
    (void)channel;
    (void)rules;
    return false;
}

const char *transport_websocket_forwarded(const struct channel *channel)
{
    (void)channel;
    return "";
}

void transport_websocket_keep_alive(struct channel *channel)
{
    (void)channel;
}

bool websocket_is_built(void)
{
    return false;
}

#endif
