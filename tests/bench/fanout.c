/* SPDX-License-Identifier: MIT
 *
 * The floor of streaming: one reader, N writers, memory only, nothing looked at. What the kernel asks for
 * at the least when the bytes of one connection are sent to N others. One thread: more would cost more.
 *
 *     fanout PORT ORIGIN-PORT         says "ready" when the primary's stream can come
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"

enum { RING_BYTES = 2 * 1024 * 1024, PEERS_MAX = 12000, EVENTS = 256 };

struct peer {
    int fd; /* -1: this place is free */
    bool is_attached;
    bool is_blocked;
    uint64_t offset;
    struct handshake *handshake;
};

static struct {
    int epoll;
    int upstream;
    int listener;
    bool reads; /* upstream: there is room in the ring */
    uint64_t head;
    uint8_t ring[RING_BYTES];
    struct peer peers[PEERS_MAX];
    unsigned used; /* places that were ever taken */
} fan;

static void watch(int operation, int fd, uint32_t events, uint64_t number)
{
    struct epoll_event event = {.events = events, .data.u64 = number};
    CHECK(epoll_ctl(fan.epoll, operation, fd, &event) == 0);
}

enum { UPSTREAM = PEERS_MAX, LISTENER };

/* ---- downstream ---- */

static void lose(struct peer *peer)
{
    close(peer->fd);
    free(peer->handshake);
    *peer = (struct peer){.fd = -1};
}

static void block(struct peer *peer, bool is_blocked)
{
    if (peer->is_blocked == is_blocked)
        return;
    peer->is_blocked = is_blocked;
    watch(EPOLL_CTL_MOD, peer->fd, EPOLLIN | (is_blocked ? (uint32_t)EPOLLOUT : 0),
          (uint64_t)(peer - fan.peers));
}

static void feed(struct peer *peer)
{
    while (peer->offset < fan.head) {
        size_t at = (size_t)(peer->offset % RING_BYTES);
        uint64_t left = fan.head - peer->offset;
        size_t length = left < RING_BYTES - at ? (size_t)left : RING_BYTES - at;
        ssize_t sent = send(peer->fd, fan.ring + at, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == -1) {
            if (errno == EAGAIN)
                block(peer, true);
            return;
        }
        peer->offset += (uint64_t)sent;
    }
    block(peer, false);
}

static void greet(struct peer *peer)
{
    char head[128];
    uint8_t rdb[EMPTY_RDB_BYTES];
    enum handshake_result result = handshake_read(peer->handshake, peer->fd);
    if (result == HANDSHAKE_GONE) {
        lose(peer);
        return;
    }
    if (result == HANDSHAKE_MORE)
        return;
    empty_rdb(rdb);
    size_t length = format_full_sync(head, sizeof head, fan.head, sizeof rdb);
    peer->is_attached = send_all(peer->fd, head, length) && send_all(peer->fd, rdb, sizeof rdb);
    peer->offset = fan.head;
}

static void on_peer(struct peer *peer, uint32_t events)
{
    if (peer->fd == -1)
        return;
    if (!peer->is_attached) {
        greet(peer);
        return;
    }
    if ((events & EPOLLIN) != 0 && !discard_input(peer->fd)) {
        lose(peer);
        return;
    }
    if ((events & EPOLLOUT) != 0)
        feed(peer);
}

static struct peer *free_place(void)
{
    for (unsigned i = 0; i < fan.used; i++) {
        if (fan.peers[i].fd == -1)
            return &fan.peers[i];
    }
    CHECK(fan.used < PEERS_MAX);
    return &fan.peers[fan.used++];
}

static void take_peer(void)
{
    int fd = accept4(fan.listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd == -1)
        return;
    set_nonblocking(fd);
    struct peer *peer = free_place();
    *peer = (struct peer){.fd = fd, .handshake = malloc(sizeof *peer->handshake)};
    CHECK(peer->handshake != NULL);
    handshake_init(peer->handshake);
    watch(EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)(peer - fan.peers));
}

/* ---- upstream ---- */

static size_t room(void)
{
    uint64_t slowest = fan.head;
    for (unsigned i = 0; i < fan.used; i++) {
        const struct peer *peer = &fan.peers[i];
        if (peer->fd != -1 && peer->is_attached && peer->offset < slowest)
            slowest = peer->offset;
    }
    size_t at = (size_t)(fan.head % RING_BYTES);
    size_t left = RING_BYTES - (size_t)(fan.head - slowest);
    size_t straight = RING_BYTES - at;
    size_t least = left < straight ? left : straight;
    return least < PIECE ? least : PIECE;
}

static void listen_upstream(bool reads)
{
    if (fan.reads != reads)
        watch(EPOLL_CTL_MOD, fan.upstream, reads ? EPOLLIN : 0, UPSTREAM);
    fan.reads = reads;
}

static void read_upstream(void)
{
    size_t capacity = room();
    listen_upstream(capacity > 0);
    if (capacity == 0)
        return;
    ssize_t got = recv(fan.upstream, fan.ring + fan.head % RING_BYTES, capacity, MSG_DONTWAIT);
    if (got == 0)
        exit(EXIT_SUCCESS);
    if (got == -1)
        return;
    fan.head += (uint64_t)got;
    for (unsigned i = 0; i < fan.used; i++) {
        struct peer *peer = &fan.peers[i];
        if (peer->fd != -1 && peer->is_attached && !peer->is_blocked)
            feed(peer);
    }
}

static void ask_upstream(uint16_t port)
{
    static const char psync[] = "PSYNC ? -1\r\n";
    char head[128];
    uint8_t skipped[512];
    fan.upstream = connect_to(port);
    CHECK(send_all(fan.upstream, psync, strlen(psync)));
    size_t wanted = format_full_sync(head, sizeof head, 0, EMPTY_RDB_BYTES) + EMPTY_RDB_BYTES;
    for (ssize_t got; wanted > 0; wanted -= (size_t)got) {
        got = recv(fan.upstream, skipped, wanted, 0);
        if (got <= 0)
            die("the primary does not answer");
    }
    set_nonblocking(fan.upstream);
}

static void turn(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(fan.epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == UPSTREAM)
            read_upstream();
        else if (events[i].data.u64 == LISTENER)
            take_peer();
        else
            on_peer(&fan.peers[events[i].data.u64], events[i].events);
    }
    if (!fan.reads)
        listen_upstream(room() > 0);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage: fanout PORT ORIGIN-PORT");
    fan.epoll = epoll_create1(EPOLL_CLOEXEC);
    fan.listener = listen_at(port_of(argv[1]));
    set_nonblocking(fan.listener);
    ask_upstream(port_of(argv[2]));
    watch(EPOLL_CTL_ADD, fan.listener, EPOLLIN, LISTENER);
    watch(EPOLL_CTL_ADD, fan.upstream, EPOLLIN, UPSTREAM);
    fan.reads = true;
    tell("ready");
    for (;;)
        turn();
}
