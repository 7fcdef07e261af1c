/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "file.h"
#include "network.h"
#include "relay/base/check.h"
#include "sim.h"

enum { NETWORK = 0x0a000000 }; /* 10.0.0.0 */

static int fail_with(int error)
{
    errno = error;
    return -1;
}

/* NULL: errno. */
static struct socket *find_socket(int fd)
{
    struct file *file = file_find(fd);
    if (file == NULL)
        return NULL;
    if (file->kind != FILE_SOCKET) {
        errno = ENOTSOCK;
        return NULL;
    }
    return file->socket;
}

static int install_socket(struct socket *socket)
{
    struct file *file = file_new(FILE_SOCKET);
    file->socket = socket;
    int fd = file_install(file);
    if (fd == -1) {
        socket_close(socket);
        free(file);
    }
    return fd;
}

int sim_socket(int family, int type, int protocol)
{
    (void)type;
    (void)protocol;
    sim_call("socket");
    if (family != AF_INET)
        return fail_with(EAFNOSUPPORT);
    return install_socket(socket_make(process_self(), process_self()->host));
}

static const struct sockaddr_in *in_of(const struct sockaddr *address)
{
    return (const struct sockaddr_in *)(const void *)address;
}

int sim_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)length;
    sim_call("bind");
    struct socket *socket = find_socket(fd);
    return socket == NULL ? -1 : socket_bind(socket, ntohs(in_of(address)->sin_port));
}

int sim_listen(int fd, int backlog)
{
    (void)backlog;
    sim_call("listen");
    struct socket *socket = find_socket(fd);
    if (socket == NULL)
        return -1;
    socket->state = SOCKET_LISTENS;
    return 0;
}

int sim_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    (void)address;
    (void)length;
    (void)flags;
    sim_call("accept");
    struct socket *listener = find_socket(fd);
    if (listener == NULL)
        return -1;
    if (listener->pending_count == 0)
        return fail_with(EAGAIN);
    struct socket *socket = listener->pending[0];
    int made = install_socket(socket);
    if (made == -1)
        return -1;
    listener->pending_count--;
    memmove(listener->pending, listener->pending + 1,
            listener->pending_count * sizeof listener->pending[0]);
    return made;
}

int sim_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)length;
    sim_call("connect");
    struct socket *socket = find_socket(fd);
    if (socket == NULL)
        return -1;
    uint32_t number = ntohl(in_of(address)->sin_addr.s_addr) - NETWORK;
    if (number >= HOSTS_MAX)
        return fail_with(ENETUNREACH);
    return socket_connect(socket, number, ntohs(in_of(address)->sin_port));
}

ssize_t sim_recv(int fd, void *into, size_t length, int flags)
{
    (void)flags;
    sim_call("recv");
    struct socket *socket = find_socket(fd);
    return socket == NULL ? -1 : socket_receive(socket, into, length);
}

ssize_t sim_send(int fd, const void *from, size_t length, int flags)
{
    (void)flags;
    sim_call("send");
    struct socket *socket = find_socket(fd);
    return socket == NULL ? -1 : socket_send(socket, from, length);
}

ssize_t sim_sendto(int fd, const void *from, size_t length, int flags,
                   const struct sockaddr *address, socklen_t address_length)
{
    (void)fd;
    (void)from;
    (void)flags;
    (void)address;
    (void)address_length;
    return (ssize_t)length;
}

int sim_shutdown(int fd, int how)
{
    (void)how;
    sim_call("shutdown");
    struct socket *socket = find_socket(fd);
    if (socket == NULL)
        return -1;
    if (socket->state != SOCKET_UP)
        return fail_with(ENOTCONN);
    socket_shut(socket);
    return 0;
}

static void tell_tcp(const struct socket *socket, struct tcp_info *info)
{
    const struct socket *peer = socket->peer;
    if (peer == NULL)
        return;
    info->tcpi_unacked = peer->underway > 0;
    info->tcpi_retransmits = peer->stuck_since_us != 0;
    info->tcpi_probes = (uint8_t)socket->probes;
}

int sim_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    sim_call("getsockopt");
    struct socket *socket = find_socket(fd);
    if (socket == NULL)
        return -1;
    memset(value, 0, *length);
    if (level == SOL_SOCKET && name == SO_ERROR) {
        memcpy(value, &socket->error, sizeof socket->error);
        socket->error = 0;
    } else if (level == IPPROTO_TCP && name == TCP_INFO) {
        struct tcp_info info = {0};
        tell_tcp(socket, &info);
        memcpy(value, &info, *length < sizeof info ? *length : sizeof info);
    }
    return 0;
}

/* Probes of an idle connection, as TCP_KEEPIDLE and its two fellows have them. */
static void probe(void *arg)
{
    struct socket *socket = arg;
    if (socket->is_closed || socket->state != SOCKET_UP)
        return;
    if (process_is_suspended(socket->process)) {
        alarm_in(socket->keepalive_us, probe, socket);
        return;
    }
    bool is_answered = !network_is_cut(socket->host, socket->peer_host);
    if (is_answered && socket->peer->is_closed && !socket->has_end) {
        socket_reset(socket); /* by a host that knows nothing of it */
        return;
    }
    socket->probes = is_answered ? 0 : socket->probes + 1;
    if (socket->probes > 3) {
        socket_reset(socket);
        socket->error = ETIMEDOUT;
        return;
    }
    alarm_in(is_answered ? socket->keepalive_us : socket->keepalive_us / 3, probe, socket);
}

int sim_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    sim_call("setsockopt");
    struct socket *socket = find_socket(fd);
    if (socket == NULL)
        return -1;
    int number = 0;
    if (length == sizeof number)
        memcpy(&number, value, sizeof number);
    if (level == IPPROTO_TCP && name == TCP_USER_TIMEOUT)
        socket->user_timeout_us = (int64_t)number * SIM_MS;
    if (level == IPPROTO_TCP && name == TCP_KEEPIDLE) {
        if (socket->keepalive_us == 0)
            alarm_in((int64_t)number * SIM_S, probe, socket);
        socket->keepalive_us = (int64_t)number * SIM_S;
    }
    return 0;
}

static int tell_address(unsigned host, uint16_t port, struct sockaddr *out, socklen_t *length)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    in.sin_addr.s_addr = htonl(NETWORK + host);
    CHECK(*length >= sizeof in);
    memcpy(out, &in, sizeof in);
    *length = sizeof in;
    return 0;
}

int sim_getsockname(int fd, struct sockaddr *out, socklen_t *length)
{
    struct socket *socket = find_socket(fd);
    return socket == NULL ? -1 : tell_address(socket->host, socket->port, out, length);
}

int sim_getpeername(int fd, struct sockaddr *out, socklen_t *length)
{
    struct socket *socket = find_socket(fd);
    if (socket == NULL)
        return -1;
    if (socket->state != SOCKET_UP)
        return fail_with(ENOTCONN);
    return tell_address(socket->peer_host, socket->peer_port, out, length);
}

/* "10.0.0.<number>", or the name "host<number>", which is looked up for a while. */
static bool read_host(const char *name, bool is_numeric, unsigned *host)
{
    if (sscanf(name, is_numeric ? "10.0.0.%u" : "host%u", host) == 1)
        return *host < HOSTS_MAX;
    *host = 0; /* every address of this host: 0.0.0.0 */
    return is_numeric && strcmp(name, "0.0.0.0") == 0;
}

int sim_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                    struct addrinfo **out)
{
    sim_call("getaddrinfo");
    bool is_numeric = (hints->ai_flags & AI_NUMERICHOST) != 0;
    if (!is_numeric)
        fiber_sleep(random_between(100, 20 * SIM_MS));
    unsigned host;
    if (!read_host(name, is_numeric, &host))
        return EAI_NONAME;
    struct addrinfo *found = calloc(1, sizeof *found + sizeof(struct sockaddr_in));
    CHECK(found != NULL);
    found->ai_family = AF_INET;
    found->ai_socktype = SOCK_STREAM;
    found->ai_addrlen = sizeof(struct sockaddr_in);
    found->ai_addr = (struct sockaddr *)(void *)(found + 1);
    socklen_t length = found->ai_addrlen;
    uint16_t port = service == NULL ? 0 : (uint16_t)strtoul(service, NULL, 10);
    tell_address(host, port, found->ai_addr, &length);
    *out = found;
    return 0;
}

void sim_freeaddrinfo(struct addrinfo *list)
{
    free(list);
}
