/* SPDX-License-Identifier: MIT
 *
 * Bytes on their way to a client: written at the one end, sent at the other as the peer takes them. Holds
 * no memory while it is empty.
 *
 * Owner: the client. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_OUTBOX_H
#define RELAY_DOWNSTREAM_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct conn;

struct outbox {
    struct text text; /* sent bytes stay at its front for a while */
    size_t sent;
};

void outbox_init(struct outbox *outbox, size_t limit);
void outbox_fini(struct outbox *outbox);

/* How many bytes are not sent yet. */
size_t outbox_left(const struct outbox *outbox);

/* Sends what fits. False: the connection is broken. */
MUST_CHECK bool outbox_send(struct outbox *outbox, struct conn *conn);

/* Takes what was sent out of the text. */
void outbox_forget_sent(struct outbox *outbox);

/* Takes back what was written since the text had that length; none of it has been sent. */
void outbox_take_back(struct outbox *outbox, size_t length);

#endif
