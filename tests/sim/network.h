/* SPDX-License-Identifier: MIT
 *
 * Hosts 10.0.0.<number> and TCP between them. What is sent is delivered in order, a delay later that is drawn
 * for each piece; pieces of different connections overtake each other. A path between two hosts can be slow
 * or cut for a time: then segments wait and are sent again, as TCP does. What a connection's reader does not take
 * holds its writer up.
 *
 * Sockets belong to a process (socket_calls.c) or to a model, which is told of everything by a function.
 */
#ifndef TESTS_SIM_NETWORK_H
#define TESTS_SIM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "process.h"

enum { HOSTS_MAX = 32, SOCKET_WINDOW = 96 * 1024, PENDING_MAX = 64 };

enum socket_state { SOCKET_NEW, SOCKET_LISTENS, SOCKET_CONNECTING, SOCKET_UP, SOCKET_DEAD };

struct segment;
struct socket;
/* Something is to be read, to be written, or has ended. */
typedef void socket_fn(struct socket *socket, void *arg);

struct socket {
    enum socket_state state;
    unsigned number;
    unsigned host;
    uint16_t port;
    unsigned peer_host;
    uint16_t peer_port;
    struct process *process; /* NULL: of a model */
    socket_fn *fn;
    void *arg;
    struct socket *peer; /* NULL: it is gone */
    uint8_t *inbox;
    size_t inbox_length;
    bool has_end; /* the peer sends no more, behind what is in the inbox */
    bool has_sent_end;
    bool is_closed;           /* by its owner */
    bool has_lost_power;      /* with its host */
    int error;                /* pending */
    struct segment *segments; /* on their way here, in order */
    struct segment **last_segment;
    int64_t last_arrival_us;
    size_t underway; /* bytes of them */
    bool is_pump_set;
    int64_t stuck_since_us; /* the path here is cut, and something waits; 0: no */
    int64_t user_timeout_us;
    int64_t keepalive_us; /* 0: none */
    unsigned probes;      /* that nobody has answered */
    bool is_poke_set;
    struct socket *next;                 /* of all */
    struct socket *pending[PENDING_MAX]; /* to be accepted */
    size_t pending_count;
};

/* ---- hosts and paths ---- */

void network_cut(unsigned a, unsigned b, int64_t until_us);
void network_slow(unsigned a, unsigned b, int64_t most_us, int64_t until_us);
/* No host reaches it, or is told that it does not. */
void network_isolate(unsigned host, int64_t until_us);
void network_heal(void);
bool network_is_cut(unsigned a, unsigned b);

/* Called with what the socket of a process sends to a host. */
typedef void overhear_fn(const void *bytes, size_t length, void *arg);
void network_overhear(unsigned from, unsigned to, overhear_fn *fn, void *arg);

/* ---- for models ---- */

/* `fn` is called with each socket that is accepted, before anything has come. */
struct socket *socket_listen(unsigned host, uint16_t port, socket_fn *fn, void *arg);
struct socket *socket_dial(unsigned host, unsigned to, uint16_t port, socket_fn *fn, void *arg);
void socket_own(struct socket *socket, socket_fn *fn, void *arg);
/* Everything of a model's host ends: with FIN or RST, or in silence where the power goes. */
void sockets_end_host(unsigned host, bool is_power_loss);
/* A connection is reset at both ends, and what is underway is lost. */
void socket_reset(struct socket *socket);

/* ---- for both ---- */

struct socket *socket_make(struct process *process, unsigned host);
ssize_t socket_send(struct socket *socket, const void *from, size_t length); /* -1: errno */
ssize_t socket_receive(struct socket *socket, void *into, size_t length);
int socket_connect(struct socket *socket, unsigned to, uint16_t port);
int socket_bind(struct socket *socket, uint16_t port);
void socket_shut(struct socket *socket);   /* sends the end */
void socket_close(struct socket *socket);  /* with a FIN, or an RST where something was not read */
void socket_vanish(struct socket *socket); /* the host lost its power: nobody is told */
bool socket_is_readable(const struct socket *socket);
bool socket_is_writable(const struct socket *socket);
size_t socket_room(const struct socket *socket);

/* A connection between relay and others that is up, by chance. NULL: none. */
struct socket *network_draw_connection(void);

#endif
