/* SPDX-License-Identifier: MIT */
#include "transport.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

/* What Linux moves at most in one call; a longer length would be cut there anyway. */
static const size_t LENGTH_MAX = 0x7ffff000;

static size_t bounded(size_t length)
{
    return length < LENGTH_MAX ? length : LENGTH_MAX;
}

/* What a system call that moves bytes has answered. */
static enum conn_io transport_plain_judge(struct channel *channel, ssize_t moved, size_t *count)
{
    if (moved > 0) {
        *count = (size_t)moved;
        return CONN_OK;
    }
    *count = 0;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return CONN_AGAIN;
    if (errno == EFAULT) /* of a mapped file, where the disk fails */
        return CONN_UNREADABLE;
    snprintf(channel->error, sizeof channel->error, "%s", strerror(errno));
    return CONN_FAILED;
}

static enum conn_io plain_handshake(struct channel *channel)
{
    channel->receive_waits = WAITS_READ;
    channel->send_waits = WAITS_WRITE;
    return CONN_OK;
}

static enum conn_io plain_receive(struct channel *channel, void *into, size_t capacity,
                                  size_t *received)
{
    ssize_t moved;
    do
        moved = recv(channel->fd, into, bounded(capacity), 0);
    while (moved == -1 && errno == EINTR);
    if (moved == 0) {
        *received = 0;
        return CONN_END;
    }
    return transport_plain_judge(channel, moved, received);
}

static enum conn_io plain_send(struct channel *channel, struct bytes view, bool more, size_t *sent)
{
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    ssize_t moved;
    do
        moved = send(channel->fd, view.data, bounded(view.length), flags);
    while (moved == -1 && errno == EINTR);
    return transport_plain_judge(channel, moved, sent);
}

/* Is it the file that failed, and not the socket? */
static bool is_unreadable(int file, uint64_t position)
{
    int error = errno;
    uint8_t byte;
    ssize_t got;
    do
        got = pread(file, &byte, 1, (off_t)position);
    while (got == -1 && errno == EINTR);
    errno = error;
    return got != 1;
}

static enum conn_io plain_send_file(struct channel *channel, int file, uint64_t position,
                                    size_t length, size_t *sent)
{
    off_t from = (off_t)position;
    ssize_t moved;
    do {
        errno = 0;
        moved = sendfile(channel->fd, file, &from, bounded(length));
    } while (moved == -1 && errno == EINTR);
    if (moved <= 0 && errno != EAGAIN && is_unreadable(file, position)) {
        *sent = 0;
        return CONN_UNREADABLE;
    }
    if (moved == 0)
        errno = EIO;
    return transport_plain_judge(channel, moved, sent);
}

static bool plain_moves_files(const struct channel *channel)
{
    (void)channel;
    return true;
}

static bool plain_has_pending(const struct channel *channel)
{
    (void)channel;
    return false;
}

static bool plain_has_unsent(const struct channel *channel)
{
    (void)channel;
    return false;
}

static enum conn_io plain_flush(struct channel *channel)
{
    (void)channel;
    return CONN_OK;
}

/* Fails where the peer has gone already, which the reader that drains finds out. */
static void plain_finish(struct channel *channel)
{
    (void)shutdown(channel->fd, SHUT_WR);
}

static void plain_fini(struct channel *channel)
{
    CHECK(channel->session == NULL);
}

const struct transport transport_plain = {
    .name = "plain",
    .handshake = plain_handshake,
    .receive = plain_receive,
    .send = plain_send,
    .send_file = plain_send_file,
    .moves_files = plain_moves_files,
    .has_pending = plain_has_pending,
    .has_unsent = plain_has_unsent,
    .flush = plain_flush,
    .finish = plain_finish,
    .fini = plain_fini,
};
