/* SPDX-License-Identifier: MIT
 *
 * Real sockets of the loopback interface for the tests of this room, and a loop that does not hang
 * a test: what does not come within ten seconds fails it.
 */
#ifndef TESTS_UNIT_NET_SOCKETS_H
#define TESTS_UNIT_NET_SOCKETS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/net/loop.h"
#include "test.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    AWAITED_MS =
        60000 /* a busy machine may take its time; what does not come at all is a failure */
};

static inline void lose_patience(void *arg)
{
    fail_msg("waited %d ms for what did not come: %s", AWAITED_MS, (const char *)arg);
}

/* Runs until the test's callbacks call loop_stop. */
static inline void run(struct loop *loop, const char *what)
{
    char awaited[100];
    snprintf(awaited, sizeof awaited, "%s", what);
    struct timer *limit = timer_new(loop, lose_patience, awaited);
    assert_non_null(limit);
    timer_arm(limit, AWAITED_MS);
    loop_run(loop);
    timer_free(&limit);
}

static inline void stop(void *loop)
{
    loop_stop(loop);
}

/* Runs for a while: to see that something does not happen. */
static inline void run_for(struct loop *loop, int64_t duration_ms)
{
    struct timer *end = timer_new(loop, stop, loop);
    assert_non_null(end);
    timer_arm(end, duration_ms);
    loop_run(loop);
    timer_free(&end);
}

static inline struct loop *new_loop(void)
{
    struct loop *loop = loop_new(&(struct error){0});
    assert_non_null(loop);
    return loop;
}

static inline struct sockaddr_in loopback(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    return in;
}

static inline uint16_t port_of(int fd)
{
    struct sockaddr_in in;
    socklen_t length = sizeof in;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &length), 0);
    return ntohs(in.sin_port);
}

/* A blocking socket that is bound, to a free port where 0 is given. */
static inline int bound_socket(int type, const char *address, uint16_t port)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd != -1);
    struct sockaddr_in in = loopback(address, port);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static inline int listening_socket(int backlog)
{
    int fd = bound_socket(SOCK_STREAM, "127.0.0.1", 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static inline int connected_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd != -1);
    struct sockaddr_in in = loopback("127.0.0.1", port);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

/* Two ends of a TCP connection, both blocking. */
static inline void tcp_pair(int *ours, int *theirs)
{
    int listening = listening_socket(1);
    *theirs = connected_to(port_of(listening));
    *ours = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(*ours != -1);
    close(listening);
}

/* A port of which `clients` (two) connections hold the whole queue, so that a further one stays under
 * way for ever. */
static inline int full_socket(const char *address, uint16_t port, int clients[2])
{
    int fd = bound_socket(SOCK_STREAM, address, port);
    assert_int_equal(listen(fd, 0), 0);
    struct sockaddr_in in = loopback(address, port_of(fd));
    for (int i = 0; i < 2; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(clients[i] != -1);
        (void)connect(clients[i], (struct sockaddr *)&in, sizeof in);
    }
    return fd;
}

static inline void send_whole(int fd, const void *data, size_t length)
{
    const char *from = data;
    while (length > 0) {
        ssize_t sent = send(fd, from, length, MSG_NOSIGNAL);
        assert_true(sent > 0);
        from += sent;
        length -= (size_t)sent;
    }
}

/* A file in /tmp with that content, already unlinked where `path` is NULL. */
static inline int make_file(const char *content, char path[32])
{
    char name[32] = "/tmp/psync-relay-test-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd != -1);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    if (path != NULL)
        memcpy(path, name, sizeof name);
    else
        unlink(name);
    return fd;
}

#endif
