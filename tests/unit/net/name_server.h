/* SPDX-License-Identifier: MIT
 *
 * A name server of one thread on a loopback port. It knows two names: "known.test" has the address
 * 192.0.2.44, "silent.test" gets no answer; of every other it says that there is no such name.
 */
#ifndef TESTS_UNIT_NET_NAME_SERVER_H
#define TESTS_UNIT_NET_NAME_SERVER_H

#include "sockets.h"

struct name_server {
    int fd;
    pthread_t thread;
    uint16_t port;
};

static inline bool asks_for(const uint8_t *query, const char *name_on_wire)
{
    return strcmp((const char *)query + 12, name_on_wire) == 0;
}

/* Turns the query into its answer; returns the length of it, 0: none. */
static inline size_t answer(uint8_t *message, size_t length)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 44};
    if (asks_for(message, "\6silent\4test"))
        return 0;
    bool known = asks_for(message, "\5known\4test");
    bool asks_for_ipv4 = message[length - 3] == 1; /* the type, before the class */
    message[2] = 0x81;                             /* an answer, with recursion */
    message[3] = known ? 0x80 : 0x83;
    if (!known || !asks_for_ipv4)
        return length;
    message[7] = 1;
    memcpy(message + length, record, sizeof record);
    return length + sizeof record;
}

static inline void *serve_names(void *arg)
{
    const struct name_server *server = arg;
    uint8_t message[600];
    struct sockaddr_in from;
    socklen_t from_length = sizeof from;
    ssize_t length;
    while ((length = recvfrom(server->fd, message, 512, 0, (struct sockaddr *)&from,
                              &from_length)) > 12) {
        size_t answered = answer(message, (size_t)length);
        if (answered > 0)
            (void)sendto(server->fd, message, answered, 0, (struct sockaddr *)&from, from_length);
    }
    return NULL;
}

static inline void name_server_start(struct name_server *server)
{
    server->fd = bound_socket(SOCK_DGRAM, "127.0.0.1", 0);
    server->port = port_of(server->fd);
    assert_int_equal(pthread_create(&server->thread, NULL, serve_names, server), 0);
}

/* A message that is too short ends it. */
static inline void name_server_stop(struct name_server *server)
{
    int fd = bound_socket(SOCK_DGRAM, "127.0.0.1", 0);
    struct sockaddr_in to = loopback("127.0.0.1", server->port);
    assert_int_equal(sendto(fd, "stop", 4, 0, (struct sockaddr *)&to, sizeof to), 4);
    pthread_join(server->thread, NULL);
    close(fd);
    close(server->fd);
}

#endif
