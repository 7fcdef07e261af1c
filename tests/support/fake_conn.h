/* SPDX-License-Identifier: MIT
 *
 * Stands in for net/conn: no socket, the test is the peer. It plays by the rules of conn.h (events
 * only when wanted and never from inside a call, one UP, one DOWN, nothing after conn_close) and
 * CHECKs that the code under test keeps its own (no call on a closed or detached connection).
 *
 *     link_start(...);                         calls conn_connect
 *     struct conn *peer = fake_conn_newest();
 *     fake_conn_up(peer);                      UP is told
 *     fake_conn_run(peer);                     WRITABLE, if it is wanted
 *     assert_view(fake_conn_sent(peer), "*1\r\n$4\r\nPING\r\n");
 *     fake_conn_forget_sent(peer);
 *     fake_conn_feed(peer, bytes_of("+PO"));   arrives in two pieces
 *     fake_conn_feed(peer, bytes_of("NG\r\n"));
 *     fake_conn_run(peer);                     READABLE until nothing is left to do
 *     assert_true(fake_conn_is_closed(peer));  the test may look at closed ones, too
 *     fake_conn_reset();                       at the end of each test
 *
 * Each event is followed by the end of the loop's turn. Links with fake_loop, fake_clock and
 * base/check. One thread.
 */
#ifndef TESTS_SUPPORT_FAKE_CONN_H
#define TESTS_SUPPORT_FAKE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/net/conn.h"

/* ---- which ---- */

/* Those that the code made by conn_connect or conn_accept, closed ones too, the first as 0. */
size_t fake_conn_count(void);
struct conn *fake_conn_nth(size_t position);
struct conn *fake_conn_newest(void); /* NULL: none */

/* Forgets and frees all of them. */
void fake_conn_reset(void);

/* The next conn_connect or conn_accept returns NULL, the next conn_attach false. */
void fake_conn_refuse_next(void);

/* ---- what the peer does ---- */

/* Connects, or finishes the handshake of an accepted one. */
void fake_conn_up(struct conn *conn);

/* The connection breaks, opening or up: DOWN with that reason, as soon as events run. Bytes that were
 * fed and not received are lost, as after a reset. */
void fake_conn_down(struct conn *conn, const char *why);

/* Bytes that the peer sends. A piece is one arrival: conn_receive never reads over its end, and the
 * next one is not there before fake_conn_step. Copied. */
void fake_conn_feed(struct conn *conn, struct bytes piece);

/* The same, cut into pieces of at most `length` bytes. */
void fake_conn_feed_cut(struct conn *conn, struct bytes bytes, size_t length);

/* The peer sends no more, after what was fed. */
void fake_conn_end(struct conn *conn);

/* After what was fed, conn_receive fails with that reason, as if the peer had reset. */
void fake_conn_fail(struct conn *conn, const char *why);

/* How many more bytes fit before conn_send answers CONN_AGAIN; without limit at first. */
void fake_conn_set_room(struct conn *conn, size_t room);

/* How many bytes one conn_send or conn_send_file takes at most; without limit at first. */
void fake_conn_set_send_max(struct conn *conn, size_t length);

/* Once it is up the peer has the address 192.0.2.7, and we have 192.0.2.1:6379. */

/* ---- events ---- */

/* Tells one event if one is due: DOWN, UP, READABLE, WRITABLE in this order. False: none is. */
bool fake_conn_step(struct conn *conn);

/* Steps until none is due; gives up on what turns in circles. */
void fake_conn_run(struct conn *conn);

/* Steps all of them until none is due on any. */
void fake_conn_run_all(void);

/* ---- what the code under test did ---- */

/* Everything sent since the last fake_conn_forget_sent; valid until the next send. */
struct bytes fake_conn_sent(const struct conn *conn);
void fake_conn_forget_sent(struct conn *conn);
bool fake_conn_promised_more(const struct conn *conn); /* by the last conn_send */
uint64_t fake_conn_sent_by_file(const struct conn *conn);

bool fake_conn_wants_read(const struct conn *conn);
bool fake_conn_wants_write(const struct conn *conn);
bool fake_conn_is_up(const struct conn *conn);
bool fake_conn_is_closed(const struct conn *conn); /* by conn_close or conn_drain */
bool fake_conn_is_drained(const struct conn *conn);
bool fake_conn_is_detached(const struct conn *conn);
int64_t fake_conn_drain_limit_ms(const struct conn *conn);

/* What conn_connect was called with; "" and 0 for an accepted one. */
const char *fake_conn_host(const struct conn *conn);
uint16_t fake_conn_port(const struct conn *conn);
int fake_conn_keepalive_s(const struct conn *conn);
int64_t fake_conn_unanswered_ms_max(const struct conn *conn);
int64_t fake_conn_connect_ms_max(const struct conn *conn);

/* Its peer's system answers no more, whatever is sent. */
void fake_conn_set_unanswered(struct conn *conn, bool is_unanswered);
struct tls_context *fake_conn_tls(const struct conn *conn);

#endif
