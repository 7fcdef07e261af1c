/* SPDX-License-Identifier: MIT
 *
 * Clients that are blocked in CONFIG REWRITE, until the ini is on the disk or could not be put there. One rewrite
 * is under way at a time. A client that asks meanwhile may have set something that this one lacks: it waits for
 * the next one, which begins when this one ends and answers all who have come by then.
 *
 *     ask --> begins --> ends: answers those who waited for it
 *     ask, ask (meanwhile) ----> begins --> ends: answers these
 *
 * A client that leaves is not answered; its rewrite goes on. In a transaction nobody is blocked: where something
 * would have to be written the client gets an error and nothing is.
 *
 * Owner: struct commands has the rewrites, the client's state its place among them. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_REWRITES_H
#define RELAY_COMMANDS_REWRITES_H

#include <stdbool.h>
#include <stddef.h>

#include "error_stats.h"
#include "relay/base/queue.h"
#include "relay/commands/options.h"
#include "relay/resp/writer.h"

struct client;

struct rewrite_waiter {
    TAILQ_ENTRY(rewrite_waiter) entry; /* while it is blocked, oldest first */
    struct client *client;
    bool is_blocked;
    bool waits_for_next; /* else for the rewrite that is under way */
};

TAILQ_HEAD(rewrite_waiter_list, rewrite_waiter);

struct rewrites {
    const struct commands_callbacks *callbacks;
    struct error_stats *errors; /* late replies that are errors are counted here */
    struct rewrite_waiter_list list;
    size_t count;
    bool is_under_way;
};

/* Both live longer. */
void rewrites_init(struct rewrites *rewrites, const struct commands_callbacks *callbacks,
                   struct error_stats *errors);

/* CONFIG REWRITE by `client`: writes the reply, or blocks the client. `waiter` NULL: it is not blocked in any case. */
void rewrites_ask(struct rewrites *rewrites, struct rewrite_waiter *waiter, struct client *client,
                  struct writer *writer);

/* The rewrite that was under way has ended: answers its clients, and begins the next one if somebody waits for
 * that. `why` NULL: the ini is in place; else an error reply without its dash. Closes nobody. */
void rewrites_end(struct rewrites *rewrites, const char *why);

/* The client goes: it is not answered. */
void rewrites_forget(struct rewrites *rewrites, struct rewrite_waiter *waiter);

#endif
