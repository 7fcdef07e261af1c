/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "relay/base/check.h"

static void set_option(int fd, int level, int name, int value)
{
    /* Not every socket knows them (a test's is no TCP), and none of them is worth a refusal. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

void socket_tune(int fd, int keepalive_s)
{
    int flags = fcntl(fd, F_GETFL);
    CHECK(flags != -1);
    CHECK(fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1);
    CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) != -1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (keepalive_s <= 0)
        return;
    /* Three probes in one more period, as servers of this protocol do it. */
    int interval_s = keepalive_s / 3;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s > 0 ? interval_s : 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

typedef int name_fn(int fd, struct sockaddr *address, socklen_t *length);

static void look_up(int fd, name_fn *name, struct socket_end *end)
{
    struct address address = {.length = sizeof address.storage};
    if (name(fd, (struct sockaddr *)&address.storage, &address.length) == -1)
        return;
    address_format(&address, end->address);
    end->port = address_port(&address);
}

void socket_look_up_peer(int fd, struct socket_end *end)
{
    look_up(fd, getpeername, end);
}

void socket_look_up_local(int fd, struct socket_end *end)
{
    look_up(fd, getsockname, end);
}
