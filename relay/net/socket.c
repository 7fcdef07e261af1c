/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
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
    /* An ACK must not wait for the primary to confirm the bytes before it: a WAIT waits for it. */
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (keepalive_s > 0)
        socket_keep_alive(fd, keepalive_s);
}

void socket_keep_alive(int fd, int keepalive_s)
{
    /* Three probes in one more period, as servers of this protocol do it. */
    int interval_s = keepalive_s / 3;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval_s > 0 ? interval_s : 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

void socket_limit_unanswered(int fd, int64_t limit_ms)
{
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, limit_ms < INT_MAX ? (int)limit_ms : INT_MAX);
}

void socket_limit_unsent(int fd, int bytes)
{
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}

bool socket_set_congestion(int fd, const char *name)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
}

bool socket_is_unanswered(int fd)
{
    struct tcp_info info = {.tcpi_unacked = 0};
    socklen_t length = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == -1)
        return false;
    /* Bytes that were sent again already, or a probe of a peer that is idle or has closed its window. */
    return (info.tcpi_unacked > 0 && info.tcpi_retransmits > 0) || info.tcpi_probes > 0;
}

typedef int name_fn(int fd, struct sockaddr *address, socklen_t *length);

static void socket_look_up(int fd, name_fn *name, struct socket_end *end)
{
    struct address address = {.length = sizeof address.storage};
    if (name(fd, (struct sockaddr *)&address.storage, &address.length) == -1)
        return;
    address_format(&address, end->address);
    end->port = address_port(&address);
}

void socket_look_up_peer(int fd, struct socket_end *end)
{
    socket_look_up(fd, getpeername, end);
}

void socket_look_up_local(int fd, struct socket_end *end)
{
    socket_look_up(fd, getsockname, end);
}
