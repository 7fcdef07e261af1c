/* SPDX-License-Identifier: MIT
 *
 * An RDB on its way from a connection into a snapshot: the framing is taken off (resp/payload.h), the
 * bytes are written and summed. Used by the link for a full sync, and by the fetch of a snapshot.
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_DELIVERY_H
#define RELAY_UPSTREAM_DELIVERY_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/text.h"
#include "relay/resp/payload.h"
#include "relay/store/snapshot.h"

struct delivery {
    struct payload payload;
    struct snapshot *snapshot; /* the store's; it must be arriving as long as this is fed */
};

enum delivery_result {
    DELIVERY_MORE,
    DELIVERY_DONE, /* all bytes are in the snapshot; whether they are an RDB is the store's to prove */
    DELIVERY_FAILED, /* `why` */
};

void delivery_begin(struct delivery *delivery, struct snapshot *snapshot);

/* Takes what belongs to the RDB from `input` and shortens it by that. */
enum delivery_result delivery_feed(struct delivery *delivery, struct bytes *input,
                                   struct text *why);

/* Did the origin end the RDB by a mark? Then it waits for our first ACK (protocol 2.2). */
bool delivery_had_mark(const struct delivery *delivery);

#endif
