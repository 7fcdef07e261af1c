/* SPDX-License-Identifier: MIT
 *
 * What a feed (feed.h) sends by, plain or compressed: what is there to be read without a wait for the disk, what the
 * rate of full syncs allows, and what the connection has taken.
 *
 * Thread: that of the replica.
 */
#ifndef RELAY_DOWNSTREAM_FEED_SEND_H
#define RELAY_DOWNSTREAM_FEED_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feed_state.h"
#include "relay/base/bytes.h"
#include "relay/net/conn.h"

/* Is it behind: does it get anything but what was published in the last seconds? */
bool feed_is_behind(struct feed *feed);

/* The disk cannot read what comes next: the store is told. */
void feed_note_unreadable(struct feed *feed);

/* How many of `length` bytes, of which `at` is the first, may be sent without a wait for the disk; they
 * are at `position` of the file. */
size_t feed_cached_length(struct feed *feed, int file, uint64_t position, uint64_t at,
                          size_t length);

/* How much of `length` bytes of the RDB the rate of full syncs allows now; `sent` of them have gone. */
size_t feed_rated_length(const struct feed *feed, size_t length);
void feed_note_rated(struct feed *feed, size_t sent);

/* Books what the connection took. FEED_NEXT: something went, go on; also when it was less than was given,
 * since the next attempt costs one call and says AGAIN. */
enum feed_result feed_book(struct feed *feed, enum conn_io io, size_t sent, size_t *share);

/* Sends `part` from *position on. FEED_NEXT: all of it has gone. */
enum feed_result feed_send_part(struct feed *feed, struct conn *conn, struct bytes part,
                                size_t *position, size_t *share);

/* All of the RDB has been sent. */
void feed_end_rdb(struct feed *feed);

/* FEED_IDLE: it can. */
enum feed_result feed_cannot_read(enum cursor_view view);

/* Has all been sent that may be? Of one that does not run behind: no. */
bool feed_is_at_limit(const struct feed *feed);

/* Looks at what comes next in the stream. FEED_NEXT: *view can be sent now, and is not empty. */
enum feed_result feed_look(struct feed *feed, size_t share, struct bytes *view);

#endif
