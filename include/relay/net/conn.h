/* SPDX-License-Identifier: MIT
 *
 * A connection, ours to a server or a client's to us, over layers that the rest of the relay
 * does not see: TCP, with or without TLS. Bytes go straight to and from memory that the caller names; the
 * one exception are TLS records that a full socket did not take (TLS_UNSENT_MAX).
 *
 *      conn_connect               conn_accept
 *           |                          |
 *           v        connected         v     handshake done
 *        opening ----------------> securing ----------------> up ---- conn_drain ----> draining
 *           |                          |                      |                           |
 *           +------ failed ------------+------- DOWN ---------+      peer closed, deadline |
 *                                      v                                                   v
 *                                  (DOWN event, then conn_close by the owner)           closed
 *
 * (A plain connection passes through securing without stopping.) Events come on the loop's thread,
 * never from inside a call into this file:
 *
 *   CONN_EVENT_UP        bytes can flow; once
 *   CONN_EVENT_READABLE  while conn_want(read): receive until CONN_AGAIN, or leave some for the next turn
 *   CONN_EVENT_WRITABLE  while conn_want(write): there is room to send
 *   CONN_EVENT_DOWN      failed or never came up, once; conn_error says why; the owner closes it
 *
 * The end of the peer's bytes is told by conn_receive (CONN_END), not by an event.
 *
 * Owner: who made it. Thread: that of its loop. conn_detach and conn_attach carry it to another.
 */
#ifndef RELAY_NET_CONN_H
#define RELAY_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/net/conn_io.h"

struct conn;
struct loop;
struct tls_context;
struct websocket_rules;

enum conn_event { CONN_EVENT_UP, CONN_EVENT_READABLE, CONN_EVENT_WRITABLE, CONN_EVENT_DOWN };

typedef void conn_event_fn(struct conn *conn, enum conn_event event, void *arg);

enum { CONN_CONGESTION_MAX = 16 }; /* with its end, as the kernel has it */

struct conn_options {
    int keepalive_s; /* TCP keepalive after that many idle seconds; 0: none */
    int64_t
        unanswered_ms; /* what we have sent may be unacknowledged by TCP for so long; 0: until the
                              * system gives up. Not for a peer that may stop reading for longer: it would
                              * be cut off for that, too */
    int64_t connect_ms_max;               /* at most, for one address; 0: as dialer.h says */
    char congestion[CONN_CONGESTION_MAX]; /* of TCP: conn_may_have_congestion; "": the system's */
    const char *
        proxy; /* a connecting one's: the URL of proxy.h; NULL or "": none. Not used behind the call */
    struct tls_context *tls; /* NULL: plain. The connection keeps its own hold of it */
    const char *
        websocket_path; /* a connecting one's: a WebSocket at this path; NULL: none. Not used behind the call */
    const struct websocket_rules
        *websocket_rules; /* an accepted one's: it must become one; NULL: it is none. The
                                                    * caller's, until it is up */
    bool
        accepts_plain; /* an accepted one under TLS: a client that speaks plain text comes up as well, without
                         * TLS, so that it can be told. Ask conn_is_tls first */
    int64_t
        handshake_ms; /* an accepted one's time to come up; 0: no limit. A connecting one's owner
                           * limits it */
};

/* Connects to a name or address; the name is resolved without blocking, by the proxy where there is one. Ends in UP or in DOWN, also
 * for names that nobody knows; the owner limits the time. NULL only when out of memory. */
MUST_CHECK struct conn *conn_connect(struct loop *loop, const char *host, uint16_t port,
                                     const struct conn_options *options, conn_event_fn *fn,
                                     void *arg);

/* Takes over a connected descriptor (a listener's, or a test's); also when it fails (NULL: memory is
 * out). Non-blocking and close-on-exec are set. UP is told in the next turn. */
MUST_CHECK struct conn *conn_accept(struct loop *loop, int fd, const struct conn_options *options,
                                    conn_event_fn *fn, void *arg);

/* Puts at most `capacity` bytes at `into`; capacity > 0. */
enum conn_io conn_receive(struct conn *conn, void *into, size_t capacity, size_t *received);

/* Sends what fits of `view`; view.length > 0. `more` promises that further bytes follow at once. A view of a
 * mapped file is for transports that move files (below): the kernel notices where the disk fails it, and who
 * reads it in this process gets SIGBUS. */
enum conn_io conn_send(struct conn *conn, struct bytes view, bool more, size_t *sent);

/* Sends what fits of `length` bytes at `position` of the file; length > 0. The kernel moves them
 * where the transport lets it. */
enum conn_io conn_send_file(struct conn *conn, int file, uint64_t position, size_t length,
                            size_t *sent);

/* Does the kernel move them? Then conn_send of the same bytes, for one who has them mapped, is quicker where
 * they are few. */
bool conn_moves_files(const struct conn *conn);

/* Which events shall come. Nothing is wanted before the first call. */
void conn_want(struct conn *conn, bool read, bool write);

/* What went wrong, in words, or "" . Valid while the connection lives. */
const char *conn_error(const struct conn *conn);

/* The peer as "192.0.2.7:6380", "[2001:db8::7]:6380", or "host:port" while not connected, and behind a proxy;
 * "[...]:0" where a trusted proxy has told who it is (websocket.h). */
const char *conn_peer(const struct conn *conn);

/* Our own end in the same words; "" while not connected. */
const char *conn_local(const struct conn *conn);

/* The peer's address without a port, as slaveN lines and monitors want it; the port by the other. ""
 * and 0 while not connected. Behind a proxy it is the proxy's. */
const char *conn_peer_address(const struct conn *conn);
uint16_t conn_peer_port(const struct conn *conn);

/* Is it under TLS? Settled when it is up. */
bool conn_is_tls(const struct conn *conn);

/* What it goes over: "tcp", "tls", "ws" or "wss", a constant. Settled when it is up. */
const char *conn_carrier(const struct conn *conn);

/* Are there bytes that conn_send has taken and the socket has not? conn_close would lose them; WRITABLE tells
 * when they have gone. */
bool conn_has_unsent(const struct conn *conn);

/* Another keepalive from now on, > 0. */
void conn_keep_alive(struct conn *conn, int keepalive_s);

/* From now on the socket takes no more while CONN_UNSENT_MAX bytes of what it has taken have not gone out: the rest
 * stays in files, and not in the kernel's memory. It is enough for the time in which a worker is elsewhere
 * (TURN_CHORES_US_MAX): 1 Gbit/s send 125 KB in a millisecond, and the socket is writable again at the half. Measured
 * at 100 ms and 200 Mbit/s with bbr: 186 Mbit/s with it and 175 without, 0.3 MB not sent instead of 4 MB. Buffers are
 * left to the kernel, which tunes them. */
enum { CONN_UNSENT_MAX = 256 * 1024 };
void conn_limit_unsent(struct conn *conn);

/* The congestion control from now on. Where the kernel refuses it the connection keeps the one that it has. */
void conn_set_congestion(struct conn *conn, const char *name);

/* May sockets of this process have this congestion control? False: `error` says why not, and what to do. */
MUST_CHECK bool conn_may_have_congestion(const char *name, struct error *error);

/* Is TCP waiting for an answer of the peer's system that is late? A moment of it means nothing; who finds it
 * so each time, for many seconds, has a peer that is gone. A program that is busy and does not read does not
 * make it so. False where that cannot be known. */
bool conn_is_unanswered(const struct conn *conn);

uint64_t conn_received_total(const struct conn *conn);
uint64_t conn_sent_total(const struct conn *conn);

/* What went over a connection since it began, or over several together. */
struct conn_traffic {
    uint64_t received_bytes;
    uint64_t sent_bytes;
    uint64_t reads;  /* calls of conn_receive that brought bytes */
    uint64_t writes; /* calls of conn_send and conn_send_file that took some */
};

/* All zeros where `conn` is NULL. */
struct conn_traffic conn_traffic(const struct conn *conn);

static inline void conn_traffic_add(struct conn_traffic *sum, struct conn_traffic more)
{
    sum->received_bytes += more.received_bytes;
    sum->sent_bytes += more.sent_bytes;
    sum->reads += more.reads;
    sum->writes += more.writes;
}

/* Takes the connection, which is up, off its loop: no event comes until conn_attach, which is called
 * on the new loop's thread and begins with nothing wanted. Between the two nobody uses it, but it may
 * be closed. Attaching fails when out of memory, and leaves it detached. */
void conn_detach(struct conn *conn);
MUST_CHECK bool conn_attach(struct conn *conn, struct loop *loop, conn_event_fn *fn, void *arg);

/* Closes at once; no event comes any more; the memory goes at the end of the turn. */
void conn_close(struct conn **conn);

/* Says that we send no more, throws away what still comes, and closes when the peer has closed or
 * after `limit_ms`: so that the last bytes we sent are not lost to a reset. */
void conn_drain(struct conn **conn, int64_t limit_ms);

/* How many connections of the process drain: nobody's any more, and each has a descriptor. Any thread. */
unsigned conn_draining_count(void);

#endif
