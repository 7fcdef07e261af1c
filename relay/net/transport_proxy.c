/* SPDX-License-Identifier: MIT */
#include "transport_proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "proxy_handshake.h"

struct session {
    struct proxy proxy;
    struct proxy_handshake handshake;
};

static enum conn_io transport_proxy_fail(struct layer *layer, const char *why)
{
    const struct session *session = layer->session;
    char words[CHANNEL_ERROR_MAX + ADDRESS_PEER_MAX];
    char where[ADDRESS_PEER_MAX];
    address_format_peer(session->proxy.host, session->proxy.port, where);
    snprintf(words, sizeof words, "proxy %s: %s", where, why);
    return channel_fail(layer->channel, words);
}

/* CONN_OK: all is said that was to be said. */
static enum conn_io proxy_send_output(struct layer *layer)
{
    struct session *session = layer->session;
    struct bytes output;
    while ((output = proxy_handshake_output(&session->handshake)).length > 0) {
        size_t sent = 0;
        enum conn_io io = layer_send(layer->below, output, false, &sent);
        proxy_handshake_sent(&session->handshake, sent);
        if (io != CONN_OK)
            return io;
    }
    return CONN_OK;
}

/* CONN_OK: the proxy has connected us. CONN_AGAIN with `*is_answered`: it is our turn to speak. */
static enum conn_io proxy_take_answer(struct layer *layer, bool *is_answered)
{
    struct session *session = layer->session;
    uint8_t piece[PROXY_ANSWER_MAX];
    size_t received = 0;
    enum conn_io io =
        layer_receive(layer->below, piece, proxy_handshake_wants(&session->handshake), &received);
    if (io != CONN_OK)
        return io;
    *is_answered = true;
    switch (proxy_handshake_feed(&session->handshake, bytes_at(piece, received))) {
    case PROXY_MORE:
        return CONN_AGAIN;
    case PROXY_DONE:
        return CONN_OK;
    case PROXY_FAILED:
        return transport_proxy_fail(layer, session->handshake.error);
    }
    UNREACHABLE("no such result");
}

static enum conn_io transport_proxy_handshake(struct layer *layer)
{
    for (;;) {
        struct channel *channel = layer->channel;
        bool is_answered = false;
        enum conn_io io = proxy_send_output(layer);
        channel->handshake_waits = WAITS_WRITE;
        if (io == CONN_OK) {
            channel->handshake_waits = WAITS_READ;
            io = proxy_take_answer(layer, &is_answered);
        }
        if (io == CONN_AGAIN && is_answered)
            continue;
        if (io == CONN_END)
            return transport_proxy_fail(layer, "it closed the connection");
        if (io == CONN_OK)
            channel_remove(layer);
        return io;
    }
}

static void transport_proxy_fini(struct layer *layer)
{
    explicit_bzero(layer->session, sizeof(struct session));
    free(layer->session);
}

static const struct transport transport_proxy = {
    .name = "proxy",
    .handshake = transport_proxy_handshake,
    .fini = transport_proxy_fini,
};

bool transport_proxy_begin(struct channel *channel, const struct proxy *proxy, const char *host,
                           uint16_t port)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return false;
    session->proxy = *proxy;
    proxy_handshake_begin(&session->handshake, &session->proxy, host, port);
    channel_add(channel, LAYER_PROXY, &transport_proxy, session);
    return true;
}
