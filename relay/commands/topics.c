/* SPDX-License-Identifier: MIT */
#include "topics.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "relay/base/text.h"
#include "relay/downstream/client.h"
#include "relay/resp/writer.h"

/* Room for the message and what is around it. */
enum { MESSAGE_MAX = COMMAND_LENGTH_MAX + 2 * TOPIC_NAME_MAX + 256 };

struct topic_key {
    enum topic_kind kind;
    struct bytes name;
};

struct topic {
    struct topic_key key; /* first: the index compares keys */
    TAILQ_ENTRY(topic) entry;
    struct subscription_list list;
    size_t count;
    uint8_t name[];
};

struct subscription {
    TAILQ_ENTRY(subscription) of_topic;
    TAILQ_ENTRY(subscription) of_subscriber;
    struct topic *topic;
    struct subscriber *subscriber;
};

void topics_init(struct topics *topics)
{
    *topics = (struct topics){.index = NULL};
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        TAILQ_INIT(&topics->list[kind]);
}

void subscriber_init(struct subscriber *subscriber, struct client *client)
{
    *subscriber = (struct subscriber){.client = client};
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        TAILQ_INIT(&subscriber->list[kind]);
}

size_t subscriber_count(const struct subscriber *subscriber)
{
    return subscriber->count[TOPIC_CHANNEL] + subscriber->count[TOPIC_PATTERN];
}

/* ---------------------------------------------------------------- the index */

static int compare(const void *left, const void *right)
{
    const struct topic_key *a = left;
    const struct topic_key *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->name.length != b->name.length)
        return a->name.length < b->name.length ? -1 : 1;
    return a->name.length > 0 ? memcmp(a->name.data, b->name.data, a->name.length) : 0;
}

static struct topic *find(const struct topics *topics, enum topic_kind kind, struct bytes name)
{
    const struct topic_key key = {.kind = kind, .name = name};
    struct topic *const *found = tfind(&key, &topics->index, compare);
    return found != NULL ? *found : NULL;
}

/* NULL: out of memory. */
static struct topic *make(struct topics *topics, enum topic_kind kind, struct bytes name)
{
    struct topic *topic = malloc(sizeof(*topic) + name.length);
    if (topic == NULL)
        return NULL;
    if (name.length > 0)
        memcpy(topic->name, name.data, name.length);
    topic->key = (struct topic_key){.kind = kind, .name = bytes_at(topic->name, name.length)};
    topic->count = 0;
    TAILQ_INIT(&topic->list);
    if (tsearch(topic, &topics->index, compare) == NULL) {
        free(topic);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&topics->list[kind], topic, entry);
    topics->count[kind]++;
    return topic;
}

static void drop_if_unused(struct topics *topics, struct topic *topic)
{
    if (topic->count > 0)
        return;
    TAILQ_REMOVE(&topics->list[topic->key.kind], topic, entry);
    topics->count[topic->key.kind]--;
    (void)tdelete(topic, &topics->index, compare);
    free(topic);
}

/* ---------------------------------------------------------------- subscriptions */

/* A subscriber has few, a topic may have many. */
static struct subscription *find_subscription(const struct subscriber *subscriber,
                                              enum topic_kind kind, struct bytes name)
{
    struct subscription *subscription;
    TAILQ_FOREACH(subscription, &subscriber->list[kind], of_subscriber)
    {
        if (bytes_equal(subscription->topic->key.name, name))
            return subscription;
    }
    return NULL;
}

const char *topics_subscribe(struct topics *topics, struct subscriber *subscriber,
                             enum topic_kind kind, struct bytes name)
{
    if (name.length > TOPIC_NAME_MAX)
        return "ERR psync-relay takes names of channels and patterns of up to 512 bytes";
    if (find_subscription(subscriber, kind, name) != NULL)
        return NULL;
    if (subscriber->count[kind] == SUBSCRIPTIONS_MAX)
        return "ERR psync-relay lets a connection subscribe to 256 channels and 256 patterns";
    struct topic *topic = find(topics, kind, name);
    if (topic == NULL)
        topic = make(topics, kind, name);
    struct subscription *subscription = malloc(sizeof(*subscription));
    if (topic == NULL || subscription == NULL) {
        free(subscription);
        if (topic != NULL)
            drop_if_unused(topics, topic);
        return "ERR out of memory";
    }
    subscription->topic = topic;
    subscription->subscriber = subscriber;
    TAILQ_INSERT_TAIL(&topic->list, subscription, of_topic);
    topic->count++;
    TAILQ_INSERT_TAIL(&subscriber->list[kind], subscription, of_subscriber);
    subscriber->count[kind]++;
    return NULL;
}

static void end(struct topics *topics, struct subscription *subscription)
{
    struct topic *topic = subscription->topic;
    struct subscriber *subscriber = subscription->subscriber;
    TAILQ_REMOVE(&subscriber->list[topic->key.kind], subscription, of_subscriber);
    subscriber->count[topic->key.kind]--;
    TAILQ_REMOVE(&topic->list, subscription, of_topic);
    topic->count--;
    free(subscription);
    drop_if_unused(topics, topic);
}

void topics_unsubscribe(struct topics *topics, struct subscriber *subscriber, enum topic_kind kind,
                        struct bytes name)
{
    struct subscription *subscription = find_subscription(subscriber, kind, name);
    if (subscription != NULL)
        end(topics, subscription);
}

struct bytes subscriber_first(const struct subscriber *subscriber, enum topic_kind kind)
{
    const struct subscription *first = TAILQ_FIRST(&subscriber->list[kind]);
    return first != NULL ? first->topic->key.name : bytes_at(NULL, 0);
}

void topics_leave(struct topics *topics, struct subscriber *subscriber)
{
    for (int kind = 0; kind < TOPIC_KINDS; kind++) {
        struct subscription *next;
        for (struct subscription *at = TAILQ_FIRST(&subscriber->list[kind]); at != NULL;
             at = next) {
            next = TAILQ_NEXT(at, of_subscriber);
            end(topics, at);
        }
    }
}

/* ---------------------------------------------------------------- messages */

/* One message as the subscribers of one topic get it, written once for each protocol in use. */
struct letter_out {
    const struct topic *topic;
    struct bytes channel;
    struct bytes message;
    struct text text[2];
};

static struct bytes wording(struct letter_out *letter, int protocol)
{
    struct text *text = &letter->text[protocol - 2];
    if (text->length > 0)
        return text_bytes(text);
    bool is_pattern = letter->topic->key.kind == TOPIC_PATTERN;
    struct writer writer = {.out = text, .protocol = protocol};
    write_push(&writer, is_pattern ? 4 : 3);
    write_bulk_string(&writer, is_pattern ? "pmessage" : "message");
    if (is_pattern)
        write_bulk(&writer, letter->topic->key.name);
    write_bulk(&writer, letter->channel);
    write_bulk(&writer, letter->message);
    return text_bytes(text);
}

/* client_push closes nobody before the end of the turn, so the list stays as it is. */
static size_t send_to_all(const struct topic *topic, struct bytes channel, struct bytes message)
{
    struct letter_out letter = {.topic = topic, .channel = channel, .message = message};
    size_t sent = 0;
    text_init(&letter.text[0], MESSAGE_MAX);
    text_init(&letter.text[1], MESSAGE_MAX);
    const struct subscription *subscription;
    TAILQ_FOREACH(subscription, &topic->list, of_topic)
    {
        struct client *client = subscription->subscriber->client;
        int protocol = client_session(client)->protocol;
        struct bytes whole = wording(&letter, protocol);
        if (letter.text[protocol - 2].failed)
            continue; /* out of memory */
        client_push(client, whole);
        sent++;
    }
    text_fini(&letter.text[0]);
    text_fini(&letter.text[1]);
    return sent;
}

size_t topics_publish(struct topics *topics, struct bytes channel, struct bytes message)
{
    size_t sent = 0;
    const struct topic *topic = find(topics, TOPIC_CHANNEL, channel);
    if (topic != NULL)
        sent += send_to_all(topic, channel, message);
    TAILQ_FOREACH(topic, &topics->list[TOPIC_PATTERN], entry)
    {
        if (pattern_matches_exactly(topic->key.name, channel))
            sent += send_to_all(topic, channel, message);
    }
    return sent;
}

size_t topics_count(const struct topics *topics, enum topic_kind kind)
{
    return topics->count[kind];
}

size_t topics_subscribers(const struct topics *topics, enum topic_kind kind, struct bytes name)
{
    const struct topic *topic = find(topics, kind, name);
    return topic != NULL ? topic->count : 0;
}

void topics_each(const struct topics *topics, enum topic_kind kind, topic_fn *fn, void *arg)
{
    const struct topic *topic;
    TAILQ_FOREACH(topic, &topics->list[kind], entry)
    {
        fn(topic->key.name, arg);
    }
}
