/* SPDX-License-Identifier: MIT
 *
 * One layer of a connection: TCP, or what stands on it and changes the bytes on their way (TLS).
 * channel.h says which layers there are and in which order they stand. A layer knows the one below by
 * layer_receive and layer_send only, and nothing of those above. It never blocks.
 *
 * A layer that may not have all of what it was given out at once keeps the rest: bytes that it has
 * taken count as sent, has_unsent says so, and flush sends them. A layer that keeps received bytes, or knows that
 * the one below may have more, says so by has_pending.
 *
 * Thread: that of the connection.
 */
#ifndef RELAY_NET_TRANSPORT_H
#define RELAY_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/net/conn_io.h"

struct channel;

/* A member of a channel. */
struct layer {
    const struct transport *transport; /* NULL: the channel has no such layer */
    void *session;                     /* the transport's own; NULL: it keeps nothing */
    struct layer *below;               /* NULL: the socket's */
    struct channel *channel;
};

/* What is NULL is done by the layer below, where it is not said otherwise. receive and send keep the
 * contract of their namesakes in conn.h. */
struct transport {
    const char *name; /* in messages: "the <name> handshake was not done within ..." */
    /* One step of coming up, when the layers below are up. CONN_OK: it is up. CONN_AGAIN: call again when what
     * it has set channel.handshake_waits to has come. It reads until CONN_AGAIN, or keeps what it has
     * read too much for its receive. NULL: it is up at once. */
    enum conn_io (*handshake)(struct layer *layer);
    enum conn_io (*receive)(struct layer *layer, void *into, size_t capacity, size_t *received);
    enum conn_io (*send)(struct layer *layer, struct bytes view, bool more, size_t *sent);
    /* NULL in a layer that has its own send: the file is read, and given to that. */
    enum conn_io (*send_file)(struct layer *layer, int file, uint64_t position, size_t length,
                              size_t *sent);
    /* Does the kernel move a file's bytes? NULL in a layer that has its own send: no. */
    bool (*moves_files)(const struct layer *layer);
    /* Are there received bytes, or a failure, that the descriptor will not tell of? Not where only more from
     * below can help: the loop would turn in circles. NULL: never. */
    bool (*has_pending)(const struct layer *layer);
    /* Are there bytes that count as sent, and that the layer below did not take? `flush` sends them:
     * CONN_OK when all are gone, CONN_AGAIN: when channel.send_waits has come. NULL: never. */
    bool (*has_unsent)(const struct layer *layer);
    enum conn_io (*flush)(struct layer *layer);
    /* Says that we send no more; nothing is unsent in the layer when it is called. CONN_AGAIN: call again after
     * the next flush. After anything else it is the turn of the layer below. NULL: it has no word for it. */
    enum conn_io (*finish)(struct layer *layer);
    /* Frees the session, the layers below being there still. NULL: there is none. */
    void (*fini)(struct layer *layer);
};

enum conn_io layer_receive(struct layer *layer, void *into, size_t capacity, size_t *received);
enum conn_io layer_send(struct layer *layer, struct bytes view, bool more, size_t *sent);
enum conn_io layer_send_file(struct layer *layer, int file, uint64_t position, size_t length,
                             size_t *sent);

#endif
