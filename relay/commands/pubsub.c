/* SPDX-License-Identifier: MIT */
#include "pubsub.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "relay/base/text.h"
#include "relay/downstream/client.h"
#include "relay/resp/writer.h"

/* Room for the message and what is around it. */
enum { MESSAGE_MAX = COMMAND_LENGTH_MAX + 2 * TOPIC_NAME_MAX + 256 };

struct audience_key {
    enum pubsub_kind kind;
    struct bytes name;
};

/* The subscribers of one channel or of one pattern. */
struct audience {
    struct audience_key key; /* first: the index compares keys */
    TAILQ_ENTRY(audience) entry;
    struct subscription_list list;
    size_t count;
    uint8_t name[];
};

struct subscription {
    TAILQ_ENTRY(subscription) of_audience;
    TAILQ_ENTRY(subscription) of_subscriber;
    struct audience *audience;
    struct subscriber *subscriber;
};

void pubsub_init(struct pubsub *pubsub)
{
    *pubsub = (struct pubsub){.index = NULL};
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        TAILQ_INIT(&pubsub->list[kind]);
}

void subscriber_init(struct subscriber *subscriber, struct client *client)
{
    *subscriber = (struct subscriber){.client = client};
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        TAILQ_INIT(&subscriber->list[kind]);
}

size_t subscriber_count(const struct subscriber *subscriber)
{
    return subscriber->count[PUBSUB_CHANNEL] + subscriber->count[PUBSUB_PATTERN];
}

/* ---------------------------------------------------------------- the index */

static int compare_audiences(const void *left, const void *right)
{
    const struct audience_key *a = left;
    const struct audience_key *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->name.length != b->name.length)
        return a->name.length < b->name.length ? -1 : 1;
    return a->name.length > 0 ? memcmp(a->name.data, b->name.data, a->name.length) : 0;
}

static struct audience *find_audience(const struct pubsub *pubsub, enum pubsub_kind kind,
                                      struct bytes name)
{
    const struct audience_key key = {.kind = kind, .name = name};
    struct audience *const *found = tfind(&key, &pubsub->index, compare_audiences);
    return found != NULL ? *found : NULL;
}

/* NULL: out of memory. */
static struct audience *make_audience(struct pubsub *pubsub, enum pubsub_kind kind,
                                      struct bytes name)
{
    struct audience *audience = malloc(sizeof(*audience) + name.length);
    if (audience == NULL)
        return NULL;
    if (name.length > 0)
        memcpy(audience->name, name.data, name.length);
    audience->key =
        (struct audience_key){.kind = kind, .name = bytes_at(audience->name, name.length)};
    audience->count = 0;
    TAILQ_INIT(&audience->list);
    if (tsearch(audience, &pubsub->index, compare_audiences) == NULL) {
        free(audience);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&pubsub->list[kind], audience, entry);
    pubsub->count[kind]++;
    return audience;
}

static void drop_unused_audience(struct pubsub *pubsub, struct audience *audience)
{
    if (audience->count > 0)
        return;
    TAILQ_REMOVE(&pubsub->list[audience->key.kind], audience, entry);
    pubsub->count[audience->key.kind]--;
    (void)tdelete(audience, &pubsub->index, compare_audiences);
    free(audience);
}

/* ---------------------------------------------------------------- subscriptions */

/* Searched from the side of the subscriber, which has few subscriptions; a channel may have many subscribers. */
static struct subscription *find_subscription(const struct subscriber *subscriber,
                                              enum pubsub_kind kind, struct bytes name)
{
    struct subscription *subscription;
    TAILQ_FOREACH(subscription, &subscriber->list[kind], of_subscriber)
    {
        if (bytes_equal(subscription->audience->key.name, name))
            return subscription;
    }
    return NULL;
}

const char *pubsub_subscribe(struct pubsub *pubsub, struct subscriber *subscriber,
                             enum pubsub_kind kind, struct bytes name)
{
    if (name.length > TOPIC_NAME_MAX)
        return "ERR a channel or pattern has at most 512 bytes";
    if (find_subscription(subscriber, kind, name) != NULL)
        return NULL;
    if (subscriber->count[kind] == SUBSCRIPTIONS_MAX)
        return "ERR a connection may subscribe to at most 256 channels and 256 patterns";
    struct audience *audience = find_audience(pubsub, kind, name);
    if (audience == NULL)
        audience = make_audience(pubsub, kind, name);
    struct subscription *subscription = malloc(sizeof(*subscription));
    if (audience == NULL || subscription == NULL) {
        free(subscription);
        if (audience != NULL)
            drop_unused_audience(pubsub, audience);
        return "ERR out of memory";
    }
    subscription->audience = audience;
    subscription->subscriber = subscriber;
    TAILQ_INSERT_TAIL(&audience->list, subscription, of_audience);
    audience->count++;
    TAILQ_INSERT_TAIL(&subscriber->list[kind], subscription, of_subscriber);
    subscriber->count[kind]++;
    return NULL;
}

static void end_subscription(struct pubsub *pubsub, struct subscription *subscription)
{
    struct audience *audience = subscription->audience;
    struct subscriber *subscriber = subscription->subscriber;
    TAILQ_REMOVE(&subscriber->list[audience->key.kind], subscription, of_subscriber);
    subscriber->count[audience->key.kind]--;
    TAILQ_REMOVE(&audience->list, subscription, of_audience);
    audience->count--;
    free(subscription);
    drop_unused_audience(pubsub, audience);
}

void pubsub_unsubscribe(struct pubsub *pubsub, struct subscriber *subscriber, enum pubsub_kind kind,
                        struct bytes name)
{
    struct subscription *subscription = find_subscription(subscriber, kind, name);
    if (subscription != NULL)
        end_subscription(pubsub, subscription);
}

struct bytes subscriber_first(const struct subscriber *subscriber, enum pubsub_kind kind)
{
    const struct subscription *first = TAILQ_FIRST(&subscriber->list[kind]);
    return first != NULL ? first->audience->key.name : bytes_at(NULL, 0);
}

void pubsub_leave(struct pubsub *pubsub, struct subscriber *subscriber)
{
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        struct subscription *next;
        for (struct subscription *at = TAILQ_FIRST(&subscriber->list[kind]); at != NULL;
             at = next) {
            next = TAILQ_NEXT(at, of_subscriber);
            end_subscription(pubsub, at);
        }
    }
}

/* ---------------------------------------------------------------- messages */

/* One message as one audience gets it, written once for each protocol in use. */
struct published_message {
    const struct audience *audience;
    struct bytes channel;
    struct bytes message;
    struct text text[2];
};

static struct bytes message_in_protocol(struct published_message *published, int protocol)
{
    /* A thousand subscribers get the same bytes: formatted once, not a thousand times. */
    struct text *text = &published->text[protocol - 2];
    if (text->length > 0)
        return text_bytes(text);
    bool is_pattern = published->audience->key.kind == PUBSUB_PATTERN;
    struct writer writer = {.out = text, .protocol = protocol};
    write_push(&writer, is_pattern ? 4 : 3);
    write_bulk_string(&writer, is_pattern ? "pmessage" : "message");
    if (is_pattern)
        write_bulk(&writer, published->audience->key.name);
    write_bulk(&writer, published->channel);
    write_bulk(&writer, published->message);
    return text_bytes(text);
}

/* client_push closes nobody before the end of the turn, so the list stays as it is. */
static size_t send_to_audience(const struct audience *audience, struct bytes channel,
                               struct bytes message)
{
    struct published_message published = {
        .audience = audience, .channel = channel, .message = message};
    size_t sent = 0;
    text_init(&published.text[0], MESSAGE_MAX);
    text_init(&published.text[1], MESSAGE_MAX);
    const struct subscription *subscription;
    TAILQ_FOREACH(subscription, &audience->list, of_audience)
    {
        struct client *client = subscription->subscriber->client;
        int protocol = client_session(client)->protocol;
        struct bytes whole = message_in_protocol(&published, protocol);
        if (published.text[protocol - 2].failed)
            continue; /* out of memory */
        client_push(client, whole);
        sent++;
    }
    text_fini(&published.text[0]);
    text_fini(&published.text[1]);
    return sent;
}

size_t pubsub_publish(struct pubsub *pubsub, struct bytes channel, struct bytes message)
{
    size_t sent = 0;
    const struct audience *audience = find_audience(pubsub, PUBSUB_CHANNEL, channel);
    if (audience != NULL)
        sent += send_to_audience(audience, channel, message);
    TAILQ_FOREACH(audience, &pubsub->list[PUBSUB_PATTERN], entry)
    {
        if (pattern_matches_exactly(audience->key.name, channel))
            sent += send_to_audience(audience, channel, message);
    }
    return sent;
}

size_t pubsub_count(const struct pubsub *pubsub, enum pubsub_kind kind)
{
    return pubsub->count[kind];
}

size_t pubsub_subscribers(const struct pubsub *pubsub, enum pubsub_kind kind, struct bytes name)
{
    const struct audience *audience = find_audience(pubsub, kind, name);
    return audience != NULL ? audience->count : 0;
}

void pubsub_each(const struct pubsub *pubsub, enum pubsub_kind kind, pubsub_fn *fn, void *arg)
{
    const struct audience *audience;
    TAILQ_FOREACH(audience, &pubsub->list[kind], entry)
    {
        fn(audience->key.name, arg);
    }
}
