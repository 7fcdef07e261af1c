/* SPDX-License-Identifier: MIT
 *
 * How bytes cross a connected descriptor: a stack of layers (transport.h), the socket's at the bottom. conn
 * owns the state and the events, and sees the channel; nobody above net/ sees either.
 *
 *      conn_send     conn_receive
 *          v              ^
 *      (compression)            each layer has one place, and the order never changes: what is
 *      (WebSocket)              compressed is not compressed again by what is below, a WebSocket's frames
 *       TLS                     are what TLS protects, and TLS stands on the socket itself, since the kernel
 *       proxy                   may make its records (kTLS) and move files; the proxy's layer has left
 *       socket                  before (transport_proxy.h)
 *
 * The two in brackets are places for layers that nothing in the relay adds today. Compressed replication is no layer:
 * it is made above the connection (relay/codec/), since many connections are sent the same compressed bytes.
 *
 * A handshake that comes before TLS has its place between socket and TLS: it takes no byte from the socket that is
 * not its own, and leaves the channel when it is done (channel_remove).
 *
 * Thread: that of the connection.
 */
#ifndef RELAY_NET_CHANNEL_H
#define RELAY_NET_CHANNEL_H

#include "transport.h"

enum { WAITS_READ = 1, WAITS_WRITE = 2 };

enum { CHANNEL_ERROR_MAX = 384 };

enum layer_place {
    LAYER_SOCKET,
    LAYER_PROXY,
    LAYER_TLS,
    LAYER_WEBSOCKET,
    LAYER_COMPRESSION,
    LAYER_PLACES,
};

/* A member of a conn; its layers point into it, so it never moves. */
struct channel {
    int fd; /* -1: not connected yet. The conn's, which closes it */
    struct layer layers[LAYER_PLACES];
    struct layer *top;
    unsigned raised;      /* the layers below that place are up */
    struct layer *ending; /* which says next that we send no more; NULL: not asked, or all have */
    /* What the descriptor must be ready for until the next step of the handshake, until the next receive,
     * and until the next send: a TLS record may have to be read before bytes can be sent, and the other
     * way round. Set by the layers. */
    unsigned handshake_waits;
    unsigned receive_waits;
    unsigned send_waits;
    char error[CHANNEL_ERROR_MAX]; /* in words, set with CONN_FAILED */
};

/* With the layer at the bottom alone. */
void channel_init(struct channel *channel, const struct transport *socket);

/* Puts a layer in its place, which is free. One that is added when the channel is up comes on top, and is up:
 * the bytes that follow pass it. The channel frees the session (transport.fini). */
void channel_add(struct channel *channel, enum layer_place place, const struct transport *transport,
                 void *session);

/* Takes out a layer that has no part in what follows, and frees its session. */
void channel_remove(struct layer *layer);

bool channel_has(const struct channel *channel, enum layer_place place);

/* Raises the layers, from the socket up. CONN_OK: bytes can flow. CONN_AGAIN: again when
 * channel_handshake_waits has come. */
enum conn_io channel_handshake(struct channel *channel);
unsigned channel_handshake_waits(const struct channel *channel);

/* The name of the layer whose handshake is not done. */
const char *channel_raising(struct channel *channel);

/* As their namesakes in conn.h. */
enum conn_io channel_receive(struct channel *channel, void *into, size_t capacity,
                             size_t *received);
enum conn_io channel_send(struct channel *channel, struct bytes view, bool more, size_t *sent);
enum conn_io channel_send_file(struct channel *channel, int file, uint64_t position, size_t length,
                               size_t *sent);
bool channel_moves_files(const struct channel *channel);

/* Is there something to receive that the descriptor will not tell of? */
bool channel_has_pending(const struct channel *channel);

/* Is there something that counts as sent and has not left, the end that channel_finish asks for among it? */
bool channel_has_unsent(const struct channel *channel);

/* Sends that. CONN_AGAIN: when `send_waits` has come. */
enum conn_io channel_flush(struct channel *channel);

/* We send no more. What cannot be said at once, the flush says. */
void channel_finish(struct channel *channel);

/* Frees all sessions, from the top; the descriptor stays. */
void channel_fini(struct channel *channel);

/* Sets channel.error. Returns CONN_FAILED. */
enum conn_io channel_fail(struct channel *channel, const char *why);

#endif
