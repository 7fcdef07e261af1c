/* SPDX-License-Identifier: MIT
 *
 * Who listens to what: channels, and patterns of them, each with those who subscribe to it. A topic is
 * there as long as somebody subscribes to it. What one subscriber can make us hold is bounded.
 *
 * Owner: struct commands. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_TOPICS_H
#define RELAY_COMMANDS_TOPICS_H

#include <stddef.h>

#include "relay/base/bounds.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/queue.h"

struct client;
struct subscription;
struct topic;

enum topic_kind { TOPIC_CHANNEL, TOPIC_PATTERN, TOPIC_KINDS };

TAILQ_HEAD(topic_list, topic);
TAILQ_HEAD(subscription_list, subscription);

struct topics {
    void *index; /* by kind and name; see tsearch(3) */
    struct topic_list list[TOPIC_KINDS];
    size_t count[TOPIC_KINDS];
};

/* A client's part of it. */
struct subscriber {
    struct client *client;
    struct subscription_list list[TOPIC_KINDS]; /* in the order in which they came */
    size_t count[TOPIC_KINDS];
};

void topics_init(struct topics *topics);
void subscriber_init(struct subscriber *subscriber, struct client *client);
size_t subscriber_count(const struct subscriber *subscriber); /* of both kinds */

/* Who subscribes already goes on to. NULL: done; else why not, an error reply without its dash. */
MUST_CHECK const char *topics_subscribe(struct topics *topics, struct subscriber *subscriber,
                                        enum topic_kind kind, struct bytes name);

/* No effect where it does not subscribe. `name` may be that of topics_first. */
void topics_unsubscribe(struct topics *topics, struct subscriber *subscriber, enum topic_kind kind,
                        struct bytes name);

/* The oldest subscription's name; data NULL: there is none. Valid until the topic has gone. */
struct bytes subscriber_first(const struct subscriber *subscriber, enum topic_kind kind);

/* Ends all subscriptions. */
void topics_leave(struct topics *topics, struct subscriber *subscriber);

/* Sends it to all who listen, and tells how many times. */
size_t topics_publish(struct topics *topics, struct bytes channel, struct bytes message);

size_t topics_count(const struct topics *topics, enum topic_kind kind);
size_t topics_subscribers(const struct topics *topics, enum topic_kind kind, struct bytes name);

typedef void topic_fn(struct bytes name, void *arg);
void topics_each(const struct topics *topics, enum topic_kind kind, topic_fn *fn, void *arg);

#endif
