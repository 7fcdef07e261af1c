/* SPDX-License-Identifier: MIT */
#include "transport_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "channel.h"

/* What Linux moves at most in one call; a longer length would be cut there anyway. */
static const size_t LENGTH_MAX = 0x7ffff000;

static size_t bounded(size_t length)
{
    return length < LENGTH_MAX ? length : LENGTH_MAX;
}

/* What a system call that moves bytes has answered; `number` is its errno. */
static enum conn_io socket_judge(struct channel *channel, ssize_t moved, int number, size_t *count)
{
    *count = moved > 0 ? (size_t)moved : 0;
    if (moved > 0)
        return CONN_OK;
    if (number == EAGAIN || number == EWOULDBLOCK)
        return CONN_AGAIN;
    if (number == EFAULT) /* of a mapped file, where the disk fails */
        return CONN_UNREADABLE;
    return channel_fail(channel, strerror(number));
}

static enum conn_io socket_receive(struct layer *layer, void *into, size_t capacity,
                                   size_t *received)
{
    ssize_t moved;
    do
        moved = recv(layer->channel->fd, into, bounded(capacity), 0);
    while (moved == -1 && errno == EINTR);
    if (moved == 0) {
        *received = 0;
        return CONN_END;
    }
    return socket_judge(layer->channel, moved, errno, received);
}

static enum conn_io socket_send(struct layer *layer, struct bytes view, bool more, size_t *sent)
{
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    ssize_t moved;
    do
        moved = send(layer->channel->fd, view.data, bounded(view.length), flags);
    while (moved == -1 && errno == EINTR);
    return socket_judge(layer->channel, moved, errno, sent);
}

/* Is it the file that failed, and not the socket? */
static bool is_unreadable(int file, uint64_t position)
{
    uint8_t byte;
    ssize_t got;
    do
        got = pread(file, &byte, 1, (off_t)position);
    while (got == -1 && errno == EINTR);
    return got != 1;
}

static enum conn_io socket_send_file(struct layer *layer, int file, uint64_t position,
                                     size_t length, size_t *sent)
{
    off_t from = (off_t)position;
    ssize_t moved;
    do
        moved = sendfile(layer->channel->fd, file, &from, bounded(length));
    while (moved == -1 && errno == EINTR);
    int number = moved == 0 ? EIO : errno; /* 0: the file is shorter than it was */
    if (moved <= 0 && number != EAGAIN && is_unreadable(file, position)) {
        *sent = 0;
        return CONN_UNREADABLE;
    }
    return socket_judge(layer->channel, moved, number, sent);
}

static bool socket_moves_files(const struct layer *layer)
{
    (void)layer;
    return true;
}

/* Fails where the peer has gone already, which the reader that drains finds out. */
static enum conn_io socket_finish(struct layer *layer)
{
    (void)shutdown(layer->channel->fd, SHUT_WR);
    return CONN_OK;
}

const struct transport transport_socket = {
    .name = "TCP",
    .receive = socket_receive,
    .send = socket_send,
    .send_file = socket_send_file,
    .moves_files = socket_moves_files,
    .finish = socket_finish,
};
