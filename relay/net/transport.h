/* SPDX-License-Identifier: MIT
 *
 * How bytes cross a connected descriptor: plain TCP, or TLS. conn.c owns the descriptor, the
 * state and the events; a transport only moves bytes and says what it waits for. It never blocks.
 */
#ifndef RELAY_NET_TRANSPORT_H
#define RELAY_NET_TRANSPORT_H

#include <assert.h>
#include <sys/types.h>

#include "relay/net/conn.h"

/* Files that are sent from are larger than 4 GB, also where a pointer has 32 bits. */
static_assert(sizeof(off_t) == sizeof(uint64_t), "build with -D_FILE_OFFSET_BITS=64");

enum { WAITS_READ = 1, WAITS_WRITE = 2 };

enum { CHANNEL_ERROR_MAX = 384 };

/* A descriptor and what a transport keeps about it. A member of a conn. */
struct channel {
    const struct transport *transport;
    int fd;
    void *session; /* the transport's own; NULL: it keeps nothing */
    bool
        accepts_plain; /* a server's handshake makes it plain where the client does not speak TLS */
    /* What the descriptor must be ready for until the next receive (or step of the handshake), and
     * until the next send: a TLS record may have to be read before bytes can be sent, and the other
     * way round. Set by the transport. */
    unsigned receive_waits;
    unsigned send_waits;
    char error[CHANNEL_ERROR_MAX]; /* in words, set with CONN_FAILED */
};

/* The functions keep the contract of their namesakes in conn.h. */
struct transport {
    const char *name;
    /* CONN_OK: bytes can flow. CONN_AGAIN: call again when `receive_waits` has come. */
    enum conn_io (*handshake)(struct channel *channel);
    enum conn_io (*receive)(struct channel *channel, void *into, size_t capacity, size_t *received);
    enum conn_io (*send)(struct channel *channel, struct bytes view, bool more, size_t *sent);
    enum conn_io (*send_file)(struct channel *channel, int file, uint64_t position, size_t length,
                              size_t *sent);
    /* Does the kernel move a file's bytes? */
    bool (*moves_files)(const struct channel *channel);
    /* Are there received bytes that the descriptor will not tell of? */
    bool (*has_pending)(const struct channel *channel);
    /* Are there bytes that count as sent, and that the descriptor did not take? `flush` sends them:
     * CONN_OK when all are gone, CONN_AGAIN: when `send_waits` has come. */
    bool (*has_unsent)(const struct channel *channel);
    enum conn_io (*flush)(struct channel *channel);
    /* Says that we send no more; where the descriptor is full, the flush does. */
    void (*finish)(struct channel *channel);
    /* Frees the session; the descriptor stays. */
    void (*fini)(struct channel *channel);
};

extern const struct transport transport_plain;

#endif
