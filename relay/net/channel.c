/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include <stdio.h>

#include "relay/base/check.h"

/* ---- which layers there are ---- */

/* Each layer stands on the next lower one that there is. */
static void channel_stack(struct channel *channel)
{
    channel->top = NULL;
    for (unsigned place = 0; place < LAYER_PLACES; place++) {
        struct layer *layer = &channel->layers[place];
        layer->below = channel->top;
        if (layer->transport != NULL)
            channel->top = layer;
    }
}

void channel_init(struct channel *channel, const struct transport *socket)
{
    *channel = (struct channel){.fd = -1};
    channel->receive_waits = WAITS_READ;
    channel->send_waits = WAITS_WRITE;
    channel_add(channel, LAYER_SOCKET, socket, NULL);
}

void channel_add(struct channel *channel, enum layer_place place, const struct transport *transport,
                 void *session)
{
    struct layer *layer = &channel->layers[place];
    CHECK(layer->transport == NULL);
    *layer = (struct layer){.transport = transport, .session = session, .channel = channel};
    channel_stack(channel);
    /* Bytes that a layer above has taken already would pass this one by. */
    CHECK(channel->raised == 0 || (channel->raised == LAYER_PLACES && channel->top == layer));
    CHECK(channel->raised == 0 || transport->handshake == NULL);
}

void channel_remove(struct layer *layer)
{
    if (layer->transport->fini != NULL)
        layer->transport->fini(layer);
    layer->transport = NULL;
    layer->session = NULL;
    channel_stack(layer->channel);
}

bool channel_has(const struct channel *channel, enum layer_place place)
{
    return channel->layers[place].transport != NULL;
}

void channel_fini(struct channel *channel)
{
    for (unsigned place = LAYER_PLACES; place-- > 0;) {
        if (channel_has(channel, place))
            channel_remove(&channel->layers[place]);
    }
}

/* ---- all of them ---- */

/* From the socket up: what a lower layer keeps was sent before what an upper one keeps. */
static enum conn_io flush_below(struct channel *channel, unsigned end)
{
    for (unsigned place = 0; place < end; place++) {
        struct layer *layer = &channel->layers[place];
        if (layer->transport == NULL || layer->transport->flush == NULL)
            continue;
        enum conn_io io = layer->transport->flush(layer);
        if (io != CONN_OK)
            return io;
    }
    return CONN_OK;
}

/* What a layer says in its handshake may stay in one below. */
static enum conn_io raise_layer(struct channel *channel, struct layer *layer)
{
    enum conn_io io = flush_below(channel, channel->raised);
    channel->handshake_waits = 0;
    return io == CONN_OK ? layer->transport->handshake(layer) : io;
}

/* The next layer that has a handshake to do. NULL: none has. */
static struct layer *channel_next_to_raise(struct channel *channel)
{
    for (; channel->raised < LAYER_PLACES; channel->raised++) {
        struct layer *layer = &channel->layers[channel->raised];
        if (layer->transport != NULL && layer->transport->handshake != NULL)
            return layer;
    }
    return NULL;
}

enum conn_io channel_handshake(struct channel *channel)
{
    struct layer *layer;
    while ((layer = channel_next_to_raise(channel)) != NULL) {
        enum conn_io io = raise_layer(channel, layer);
        if (io != CONN_OK)
            return io;
        channel->raised++;
    }
    return CONN_OK;
}

unsigned channel_handshake_waits(const struct channel *channel)
{
    return channel->handshake_waits | (channel_has_unsent(channel) ? channel->send_waits : 0);
}

const char *channel_raising(struct channel *channel)
{
    const struct layer *layer = channel_next_to_raise(channel);
    return layer != NULL ? layer->transport->name : channel->top->transport->name;
}

enum conn_io channel_receive(struct channel *channel, void *into, size_t capacity, size_t *received)
{
    return layer_receive(channel->top, into, capacity, received);
}

enum conn_io channel_send(struct channel *channel, struct bytes view, bool more, size_t *sent)
{
    return layer_send(channel->top, view, more, sent);
}

enum conn_io channel_send_file(struct channel *channel, int file, uint64_t position, size_t length,
                               size_t *sent)
{
    return layer_send_file(channel->top, file, position, length, sent);
}

bool channel_moves_files(const struct channel *channel)
{
    const struct layer *layer = channel->top;
    while (layer->transport->send == NULL)
        layer = layer->below;
    return layer->transport->moves_files != NULL && layer->transport->moves_files(layer);
}

bool channel_has_pending(const struct channel *channel)
{
    for (const struct layer *layer = channel->top; layer != NULL; layer = layer->below) {
        if (layer->transport->has_pending != NULL && layer->transport->has_pending(layer))
            return true;
    }
    return false;
}

bool channel_has_unsent(const struct channel *channel)
{
    for (const struct layer *layer = channel->top; layer != NULL; layer = layer->below) {
        if (layer->transport->has_unsent != NULL && layer->transport->has_unsent(layer))
            return true;
    }
    return channel->ending != NULL;
}

/* From the top: the word of each layer for the end is among the last bytes of the one below. */
static enum conn_io finish_layers(struct channel *channel)
{
    for (; channel->ending != NULL; channel->ending = channel->ending->below) {
        struct layer *layer = channel->ending;
        if (layer->transport->finish != NULL && layer->transport->finish(layer) == CONN_AGAIN)
            return CONN_AGAIN;
    }
    return CONN_OK;
}

enum conn_io channel_flush(struct channel *channel)
{
    enum conn_io io = flush_below(channel, LAYER_PLACES);
    return io == CONN_OK ? finish_layers(channel) : io;
}

void channel_finish(struct channel *channel)
{
    channel->ending = channel->top;
    (void)channel_flush(channel);
}

enum conn_io channel_fail(struct channel *channel, const char *why)
{
    snprintf(channel->error, sizeof channel->error, "%s", why);
    return CONN_FAILED;
}
