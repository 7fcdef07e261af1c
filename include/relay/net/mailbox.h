/* SPDX-License-Identifier: MIT
 *
 * Letters between threads: any thread posts, the owner's loop opens them in the order in which they
 * came. Without a lock: a stack of letters that the owner takes whole, and a bell. A letter is a
 * member of what is sent; posting gives it away.
 */
#ifndef RELAY_NET_MAILBOX_H
#define RELAY_NET_MAILBOX_H

#include "relay/base/check.h"

struct loop;
struct mailbox;

struct letter {
    struct letter *next; /* the mailbox's while it is under way */
};

typedef void mailbox_fn(struct letter *letter, void *arg);

/* NULL when descriptors or memory are out. Thread: the owner's. */
MUST_CHECK struct mailbox *mailbox_new(struct loop *loop, mailbox_fn *fn, void *arg);

/* Any thread. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

/* Opens what is still there, then frees. Nobody may post any more. Thread: the owner's. */
void mailbox_free(struct mailbox **mailbox);

#endif
