/* SPDX-License-Identifier: MIT
 *
 * What the other files of this component need of a loop, and nobody else may see.
 */
#ifndef RELAY_NET_LOOP_PRIVATE_H
#define RELAY_NET_LOOP_PRIVATE_H

#include "relay/net/loop.h"

struct event_base;
struct connect_timeout;

struct event_base *loop_base(struct loop *loop);

/* With the addresses that its connections could not reach. */
struct connect_timeout *loop_patience(struct loop *loop);

/* Something that winds up on its own, since its owner has let go of it: a connection that drains, a
 * name lookup that was cancelled. Nobody else could end it when the loop is freed, so the loop knows
 * it. `hurry` makes it leave at once; NULL: it leaves within the next turns by itself. A member of
 * what winds up. */
struct orphan {
    struct orphan *next;
    struct orphan **link; /* what points here; NULL: not with a loop */
    loop_fn *hurry;
    void *arg;
};

void loop_adopt(struct loop *loop, struct orphan *orphan, loop_fn *hurry, void *arg);

/* Does nothing for one that was never adopted. */
void orphan_leave(struct orphan *orphan);

#endif
