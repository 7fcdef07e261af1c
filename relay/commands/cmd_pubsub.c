/* SPDX-License-Identifier: MIT
 *
 * SUBSCRIBE and its like, PUBLISH and PUBSUB: messages between the clients of this relay, as Sentinels
 * exchange them through every server that they watch (docs/protocol.md 5.2). What is published at the primary is
 * part of the stream, and not told here.
 */
#include <string.h>

#include "client_state.h"
#include "handlers.h"
#include "pattern.h"
#include "request.h"

enum { NAMES_LENGTH_MAX = 8 * 1024 * 1024 };

static void cmd_pubsub_confirm(struct request *request, const char *word, struct bytes name,
                               size_t count)
{
    struct writer *writer = request->writer;
    write_push(writer, 3);
    write_bulk_string(writer, word);
    if (name.data != NULL)
        write_bulk(writer, name);
    else
        write_null(writer);
    write_integer(writer, (int64_t)count);
}

static void note_listener(struct request *request, const struct client_state *client_state)
{
    request->session->is_listener = subscriber_count(&client_state->subscriber) > 0;
}

/* One confirmation for each name, or an error in its place. */
static void subscribe(struct request *request, enum pubsub_kind kind)
{
    struct client_state *client_state =
        client_state_get(&request->commands->client_states, request->client);
    if (client_state == NULL) {
        write_error(request->writer, "ERR out of memory");
        return;
    }
    for (size_t i = 1; i < argument_count(request); i++) {
        struct bytes name = argument(request, i);
        const char *why =
            pubsub_subscribe(&request->commands->pubsub, &client_state->subscriber, kind, name);
        if (why != NULL)
            write_error(request->writer, "%s", why);
        else
            cmd_pubsub_confirm(request, request->row->name, name,
                               subscriber_count(&client_state->subscriber));
    }
    note_listener(request, client_state);
}

static void unsubscribe_one(struct request *request, struct client_state *client_state,
                            enum pubsub_kind kind, struct bytes name)
{
    pubsub_unsubscribe(&request->commands->pubsub, &client_state->subscriber, kind, name);
    cmd_pubsub_confirm(request, request->row->name, name,
                       subscriber_count(&client_state->subscriber));
}

static void unsubscribe_all(struct request *request, struct client_state *client_state,
                            enum pubsub_kind kind)
{
    const struct subscriber *subscriber = &client_state->subscriber;
    if (subscriber->count[kind] == 0)
        cmd_pubsub_confirm(request, request->row->name, bytes_at(NULL, 0),
                           subscriber_count(subscriber));
    while (subscriber->count[kind] > 0) {
        uint8_t copy[TOPIC_NAME_MAX]; /* the topic may go with its last subscriber */
        struct bytes name = subscriber_first(subscriber, kind);
        CHECK(name.length <= sizeof(copy));
        memcpy(copy, name.data, name.length);
        unsubscribe_one(request, client_state, kind, bytes_at(copy, name.length));
    }
}

static void unsubscribe(struct request *request, enum pubsub_kind kind)
{
    struct client_state *client_state =
        client_state_get(&request->commands->client_states, request->client);
    if (client_state == NULL) {
        write_error(request->writer, "ERR out of memory");
        return;
    }
    if (argument_count(request) == 1)
        unsubscribe_all(request, client_state, kind);
    for (size_t i = 1; i < argument_count(request); i++)
        unsubscribe_one(request, client_state, kind, argument(request, i));
    note_listener(request, client_state);
}

void on_subscribe(struct request *request)
{
    subscribe(request, PUBSUB_CHANNEL);
}

void on_psubscribe(struct request *request)
{
    subscribe(request, PUBSUB_PATTERN);
}

void on_unsubscribe(struct request *request)
{
    unsubscribe(request, PUBSUB_CHANNEL);
}

void on_punsubscribe(struct request *request)
{
    unsubscribe(request, PUBSUB_PATTERN);
}

void on_publish(struct request *request)
{
    size_t sent =
        pubsub_publish(&request->commands->pubsub, argument(request, 1), argument(request, 2));
    write_integer(request->writer, (int64_t)sent);
}

/* ---------------------------------------------------------------- PUBSUB */

/* Names that match, written aside: how many there are must be said first. */
struct name_list {
    const struct bytes *pattern; /* NULL: all */
    struct writer aside;
    size_t count;
};

static void list_name(struct bytes name, void *arg)
{
    struct name_list *list = arg;
    if (list->pattern != NULL && !pattern_matches_exactly(*list->pattern, name))
        return;
    write_bulk(&list->aside, name);
    list->count++;
}

void on_pubsub_channels(struct request *request)
{
    if (argument_count(request) > 3) {
        write_error(request->writer, "ERR unknown subcommand or wrong number of arguments for "
                                     "'channels'. Try PUBSUB HELP.");
        return;
    }
    struct text names;
    struct name_list list = {.aside = {.out = &names, .protocol = request->writer->protocol}};
    text_init(&names, NAMES_LENGTH_MAX);
    if (argument_count(request) == 3)
        list.pattern = &request->command->argument[2];
    pubsub_each(&request->commands->pubsub, PUBSUB_CHANNEL, list_name, &list);
    if (names.failed) {
        write_error(request->writer, "ERR there are too many channels to list: give a pattern");
    } else {
        write_array(request->writer, list.count);
        text_append(request->writer->out, text_bytes(&names));
    }
    text_fini(&names);
}

void on_pubsub_numsub(struct request *request)
{
    write_array(request->writer, (argument_count(request) - 2) * 2);
    for (size_t i = 2; i < argument_count(request); i++) {
        struct bytes name = argument(request, i);
        size_t count = pubsub_subscribers(&request->commands->pubsub, PUBSUB_CHANNEL, name);
        write_bulk(request->writer, name);
        write_integer(request->writer, (int64_t)count);
    }
}

void on_pubsub_numpat(struct request *request)
{
    write_integer(request->writer,
                  (int64_t)pubsub_count(&request->commands->pubsub, PUBSUB_PATTERN));
}
