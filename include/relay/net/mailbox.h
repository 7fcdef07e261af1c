/* SPDX-License-Identifier: MIT
 *
 * Letters between threads: any thread posts, the owner's loop opens them in the order in which they
 * came. Without a lock: a stack of messages that the owner takes whole, and a notifier. A message is a
 * member of what is sent; posting gives it away.
 */
#ifndef RELAY_NET_MAILBOX_H
#define RELAY_NET_MAILBOX_H

#include "relay/base/check.h"

struct loop;
struct mailbox;

struct message {
    struct message *next; /* the mailbox's while it is under way */
};

typedef void mailbox_fn(struct message *message, void *arg);

/* NULL when descriptors or memory are out. Thread: the owner's. */
MUST_CHECK struct mailbox *mailbox_new(struct loop *loop, mailbox_fn *fn, void *arg);

/* Any thread. */
void mailbox_post(struct mailbox *mailbox, struct message *message);

/* Opens what is still there, then frees. Nobody may post any more. Thread: the owner's. */
void mailbox_free(struct mailbox **mailbox);

#endif
