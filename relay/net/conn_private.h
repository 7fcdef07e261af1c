/* SPDX-License-Identifier: MIT
 *
 * A connection between the files that it is made of:
 *
 *   conn.c         its states, what its descriptor is watched for, and its bytes
 *   conn_open.c    how it begins: the layers it has, connecting or accepting, the handshake
 *   conn_drain.c   how it ends when its last bytes shall arrive
 *   conn_status.c  what is known of it
 *
 * Thread: that of the connection.
 */
#ifndef RELAY_NET_CONN_PRIVATE_H
#define RELAY_NET_CONN_PRIVATE_H

#include "address.h"
#include "channel.h"
#include "loop_private.h"
#include "relay/net/conn.h"
#include "socket.h"

struct dialer;

/* The drawing in the header, with the moment between a failure and the owner's conn_close. */
enum conn_state {
    CONN_STATE_OPENING,
    CONN_STATE_SECURING,
    CONN_STATE_UP,
    CONN_STATE_BROKEN,
    CONN_STATE_DRAINING,
    CONN_STATE_CLOSED,
};

struct conn {
    enum conn_state state;
    struct loop *loop;      /* NULL: detached */
    struct dialer *dialer;  /* while opening */
    struct channel channel; /* its fd is -1 while opening */
    struct event *on_read;  /* NULL: no descriptor, or detached */
    struct event *on_write;
    unsigned listening;       /* which of the two are added: WAITS_READ, WAITS_WRITE */
    struct timer *ping_timer; /* up, with a WebSocket; else NULL */
    struct timer *timer;      /* what it is for depends on the state: see on_timer */
    int64_t accepted_ms;
    bool is_client;  /* ours, with a handshake */
    bool wants_read; /* conn_want's */
    bool wants_write;
    bool has_ended;    /* the peer sends no more; to wait for it would be to turn in circles */
    conn_event_fn *fn; /* not called after conn_close and conn_drain */
    void *arg;
    struct conn_options options;
    struct orphan orphan; /* while draining */
    struct chore chore;   /* while securing: a step of the handshake that is due */
    struct socket_end peer;
    struct conn_traffic traffic;
    char peer_text[ADDRESS_PEER_MAX];
    char local_text[ADDRESS_PEER_MAX];
};

/* The only function that changes the state. */
void conn_enter(struct conn *conn, enum conn_state state);

/* The last thing that a callback does: the owner may have closed the connection meanwhile, or given
 * it to another thread. */
void conn_tell(struct conn *conn, enum conn_event event);

/* ---- conn.c ---- */

/* Makes the timer and, where there is a descriptor, its events. False: out of memory; conn_unwatch takes back
 * what there is. */
MUST_CHECK bool conn_watch(struct conn *conn);
void conn_unwatch(struct conn *conn);

/* Waits for a readiness of the descriptor: WAITS_READ, WAITS_WRITE, or both. False: the kernel has no room to
 * watch it. */
bool conn_listen_for(struct conn *conn, unsigned waits);
void conn_listen_or_fail(struct conn *conn, unsigned waits);

/* A WebSocket that is up, on its loop, says something now and then. */
void conn_start_pings(struct conn *conn);

/* For what the owner and the layers want. */
void conn_listen_for_wants(struct conn *conn);

/* It is broken, with channel.error: the owner hears of it in the next turn, whether or not it has looked at what
 * a call returned. */
void conn_break_off(struct conn *conn);
void conn_fail(struct conn *conn, const char *why);

/* Frees everything but the memory, which goes at the end of the turn. */
void conn_close_now(struct conn *conn);

/* ---- conn_open.c ---- */

/* The descriptor is ready for the next step of the handshake. */
void conn_secure_in_line(struct conn *conn);

/* The timer of the handshake: the first turn after conn_accept, and the deadline. */
void conn_secure_in_time(struct conn *conn);

/* ---- conn_drain.c ---- */

/* The descriptor is ready while draining. */
void conn_drain_on(struct conn *conn);

/* A state changes: is one more draining, or one less? */
void conn_count_draining(enum conn_state before, enum conn_state after);

#endif
