/* SPDX-License-Identifier: MIT */
#include "transport.h"

#include <assert.h>
#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

/* Files that are sent from are larger than 4 GB, also where a pointer has 32 bits. */
static_assert(sizeof(off_t) == sizeof(uint64_t), "build with -D_FILE_OFFSET_BITS=64");

/* Of a file that a layer sends from memory, a record of TLS at a time. */
enum { FILE_PIECE = 16 * 1024 };

enum conn_io layer_receive(struct layer *layer, void *into, size_t capacity, size_t *received)
{
    while (layer->transport->receive == NULL)
        layer = layer->below;
    return layer->transport->receive(layer, into, capacity, received);
}

enum conn_io layer_send(struct layer *layer, struct bytes view, bool more, size_t *sent)
{
    while (layer->transport->send == NULL)
        layer = layer->below;
    return layer->transport->send(layer, view, more, sent);
}

static enum conn_io layer_send_read(struct layer *layer, int file, uint64_t position, size_t length,
                                    size_t *sent)
{
    uint8_t piece[FILE_PIECE];
    enum conn_io io = CONN_OK;
    *sent = 0;
    while (io == CONN_OK && *sent < length) {
        size_t left = length - *sent;
        ssize_t got;
        do
            got = pread(file, piece, left < sizeof piece ? left : sizeof piece,
                        (off_t)(position + *sent));
        while (got == -1 && errno == EINTR);
        size_t taken = 0;
        io = got > 0 ? layer->transport->send(layer, bytes_at(piece, (size_t)got),
                                              (size_t)got < left, &taken)
                     : CONN_UNREADABLE;
        *sent += taken;
    }
    return *sent > 0 ? CONN_OK : io;
}

enum conn_io layer_send_file(struct layer *layer, int file, uint64_t position, size_t length,
                             size_t *sent)
{
    while (layer->transport->send == NULL)
        layer = layer->below;
    if (layer->transport->send_file == NULL)
        return layer_send_read(layer, file, position, length, sent);
    return layer->transport->send_file(layer, file, position, length, sent);
}
