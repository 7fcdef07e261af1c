/* SPDX-License-Identifier: MIT
 *
 * What the other files of this room need of a loop, and nobody else may see.
 */
#ifndef RELAY_NET_LOOP_PRIVATE_H
#define RELAY_NET_LOOP_PRIVATE_H

#include "relay/net/loop.h"

struct event_base;

struct event_base *loop_base(struct loop *loop);

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

/* Work that keeps the thread for a while and may come in crowds: a step of a client's TLS handshake.
 * First come, first served, and a few milliseconds of it a turn, so that whatever else is ready is
 * looked after in between. A member of what has the work, and waiting at most once. */
struct chore {
    struct chore *next;
    struct chore **link; /* what points here; NULL: not with a loop */
    loop_fn *fn;
    void *arg;
};

/* `fn(arg)` is run once, in this turn or a later one, before the turn's hook. */
void loop_put_off(struct loop *loop, struct chore *chore, loop_fn *fn, void *arg);

/* Does nothing for one that does not wait. */
void chore_leave(struct loop *loop, struct chore *chore);

#endif
