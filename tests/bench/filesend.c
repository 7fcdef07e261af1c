/* SPDX-License-Identifier: MIT
 *
 * The floor of full syncs: sends a file to whoever says PSYNC, by sendfile(2), and knows nothing else.
 *
 *     filesend PORT FILE              says "ready"
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

enum { SHARE = 1024 * 1024, EVENTS = 64 };

struct peer {
    int fd;
    bool is_greeted;
    off_t position;
    struct handshake handshake;
};

static int epoll;
static int file;
static uint64_t file_bytes;

static void watch(int operation, struct peer *peer, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};
    CHECK(epoll_ctl(epoll, operation, peer->fd, &event) == 0);
}

static void lose(struct peer *peer)
{
    close(peer->fd);
    free(peer);
}

static void greet(struct peer *peer)
{
    char head[128];
    switch (handshake_read(&peer->handshake, peer->fd)) {
    case HANDSHAKE_MORE:
        return;
    case HANDSHAKE_GONE:
        lose(peer);
        return;
    case HANDSHAKE_DONE:
        break;
    }
    size_t length = format_full_sync(head, sizeof head, 0, file_bytes);
    peer->is_greeted = send_all(peer->fd, head, length);
    watch(EPOLL_CTL_MOD, peer, EPOLLIN | EPOLLOUT);
}

/* A turn's share, then others have theirs: as the relay does it. */
static void send_some(struct peer *peer)
{
    size_t share = SHARE;
    while (share > 0 && (uint64_t)peer->position < file_bytes) {
        ssize_t sent = sendfile(peer->fd, file, &peer->position, share);
        if (sent <= 0)
            break;
        share -= (size_t)sent;
    }
    if ((uint64_t)peer->position == file_bytes)
        watch(EPOLL_CTL_MOD, peer, EPOLLIN);
}

static void on_peer(struct peer *peer, uint32_t events)
{
    if (!peer->is_greeted) {
        greet(peer);
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !discard_input(peer->fd)) {
        lose(peer);
        return;
    }
    if ((events & EPOLLOUT) != 0)
        send_some(peer);
}

static void take_peer(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd == -1)
        return;
    set_nonblocking(fd);
    struct peer *peer = calloc(1, sizeof *peer);
    CHECK(peer != NULL);
    peer->fd = fd;
    handshake_init(&peer->handshake);
    watch(EPOLL_CTL_ADD, peer, EPOLLIN);
}

int main(int argc, char **argv)
{
    struct stat status;
    struct epoll_event events[EVENTS];
    if (argc != 3)
        die("usage: filesend PORT FILE");
    file = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (file == -1 || fstat(file, &status) == -1)
        die("%s", argv[2]);
    file_bytes = (uint64_t)status.st_size;
    struct peer listener = {.fd = listen_at(port_of(argv[1]))};
    set_nonblocking(listener.fd);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(EPOLL_CTL_ADD, &listener, EPOLLIN);
    tell("ready");
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &listener)
                take_peer(listener.fd);
            else
                on_peer(events[i].data.ptr, events[i].events);
        }
    }
}
