/* SPDX-License-Identifier: MIT
 *
 * What one replica is sent, in this order, and where in it we are. There is no buffer of stream bytes
 * in it: two places, one in a snapshot and one in the backlog.
 *
 *     head      replies not sent yet, "+CONTINUE ..." or "+FULLRESYNC ...", "$<length>" or "$EOF:..."
 *     RDB       bytes of the snapshot, as far as they are there
 *     mark      the end mark once more, after `$EOF:`
 *     first ACK after a mark nothing is sent until the replica has said REPLCONF ACK (docs/protocol.md 2.2)
 *     stream    from the cursor on, for ever; nothing else is ever put into it
 *
 * Parts that a replica does not get are empty and passed over.
 *
 * Where the history goes on under another id, the feed ends there (FEED_RENAMED), and not before: RDB and
 * stream up to that place are as good under the id that the replica was told.
 *
 * A replica that takes it gets RDB and stream compressed: feed_compressed.h.
 *
 * No send waits for the disk. A replica that is up to date is sent what was published in the last
 * seconds, which is in the page cache. Of all else the page cache is asked first, in pieces; what it
 * does not have makes the pump return FEED_COLD, and feed_wants says what is to be read ahead
 * (readahead.h), one piece further than what is being sent.
 *
 * Thread: that of the replica.
 */
#ifndef RELAY_DOWNSTREAM_FEED_H
#define RELAY_DOWNSTREAM_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feed_send.h"
#include "feed_state.h"
#include "relay/base/text.h"

struct conn;

/* `head` is moved into the feed: replies that are not sent yet. */
void feed_init(struct feed *feed, struct text *head);

/* Lets go of snapshot and backlog. */
void feed_fini(struct feed *feed);

/* Sends what fits, at most FEED_TURN_BYTES. */
enum feed_result feed_pump(struct feed *feed, struct conn *conn);

/* What should be read ahead now? False: nothing. */
bool feed_wants(struct feed *feed, struct feed_piece *piece);

/* The piece is in the page cache. `was_cached`: it had been before. */
void feed_note_read(struct feed *feed, const struct feed_piece *piece, bool was_cached);

/* The rate of full syncs allows so many bytes more. */
void feed_grant(struct feed *feed, size_t bytes);

/* Sends what fits of the head alone: to one that waits. */
enum feed_result feed_flush(struct feed *feed, struct conn *conn);

/* Looks whether what is still to be sent can still be sent: FEED_IDLE, or a reason why not. For
 * replicas that are blocked, whose segments the writer may be waiting for. */
enum feed_result feed_check(struct feed *feed);

/* It has all of the RDB. */
void feed_release_snapshot(struct feed *feed);

/* The replica has said REPLCONF ACK. True: it was the one that the stream waits for. */
bool feed_acknowledge(struct feed *feed);

#endif
