/* SPDX-License-Identifier: MIT
 *
 * Publish/subscribe between the clients of this relay: channels and patterns of channels, each with the clients that
 * subscribe to it (its audience). It exists as long as somebody subscribes to it. What one subscriber can make us hold is
 * bounded (SUBSCRIPTIONS_MAX, TOPIC_NAME_MAX).
 *
 * Owner: struct commands. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_PUBSUB_H
#define RELAY_COMMANDS_PUBSUB_H

#include <stddef.h>

#include "relay/base/bounds.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/queue.h"

struct client;
struct subscription;
struct audience;

enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN, PUBSUB_KINDS };

TAILQ_HEAD(audience_list, audience);
TAILQ_HEAD(subscription_list, subscription);

struct pubsub {
    void *index; /* by kind and name; see tsearch(3) */
    struct audience_list list[PUBSUB_KINDS];
    size_t count[PUBSUB_KINDS];
};

/* The subscriptions of one client. */
struct subscriber {
    struct client *client;
    struct subscription_list list[PUBSUB_KINDS]; /* in the order in which they came */
    size_t count[PUBSUB_KINDS];
};

void pubsub_init(struct pubsub *pubsub);
void subscriber_init(struct subscriber *subscriber, struct client *client);
size_t subscriber_count(const struct subscriber *subscriber); /* of both kinds */

/* No effect where it subscribes already. NULL: done; otherwise the error reply, without its dash. */
MUST_CHECK const char *pubsub_subscribe(struct pubsub *pubsub, struct subscriber *subscriber,
                                        enum pubsub_kind kind, struct bytes name);

/* No effect where it does not subscribe. `name` may be that of subscriber_first. */
void pubsub_unsubscribe(struct pubsub *pubsub, struct subscriber *subscriber, enum pubsub_kind kind,
                        struct bytes name);

/* The oldest subscription's name; data NULL: there is none. Valid until the last subscription of that name ends. */
struct bytes subscriber_first(const struct subscriber *subscriber, enum pubsub_kind kind);

/* Ends all subscriptions. */
void pubsub_leave(struct pubsub *pubsub, struct subscriber *subscriber);

/* Sends the message to all subscribers of the channel and of patterns that match it. Returns how often it was sent. */
size_t pubsub_publish(struct pubsub *pubsub, struct bytes channel, struct bytes message);

size_t pubsub_count(const struct pubsub *pubsub, enum pubsub_kind kind);
size_t pubsub_subscribers(const struct pubsub *pubsub, enum pubsub_kind kind, struct bytes name);

typedef void pubsub_fn(struct bytes name, void *arg);
void pubsub_each(const struct pubsub *pubsub, enum pubsub_kind kind, pubsub_fn *fn, void *arg);

#endif
