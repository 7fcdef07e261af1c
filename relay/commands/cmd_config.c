/* SPDX-License-Identifier: MIT
 *
 * CONFIG: our settings under redis.conf's names, and settings of redis.conf that tools ask every
 * server for and that have one answer here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_state.h"
#include "handlers.h"
#include "pattern.h"
#include "request.h"

enum {
    SETTINGS_LENGTH_MAX = 1024 * 1024,
    SETTING_MAX = 4096, /* of a name or a value, to be set */
    PAIRS_MAX = 32,     /* of one CONFIG SET */
    WHY_MAX = 8192,
};

static const struct {
    const char *name;
    const char *value;
} constants[] = {
    {"appendonly", "no"},
    {"cluster-enabled", "no"},
    {"databases", "16"},
    {"latency-monitor-threshold", "0"},
    {"latency-tracking", "yes"},
    {"latency-tracking-info-percentiles", "50 99 99.9"},
    {"maxmemory", "0"},
    {"maxmemory-policy", "noeviction"},
    {"notify-keyspace-events", ""},
    {"replica-priority", "0"},
    {"replica-read-only", "yes"},
    {"replica-serve-stale-data", "yes"},
    {"save", ""},
    {"slave-priority", "0"},
    {"slave-read-only", "yes"},
    {"slave-serve-stale-data", "yes"},
    {"slowlog-log-slower-than", "-1"},
    {"slowlog-max-len", "0"},
};

/* Pairs that match, written aside: how many there are must be said before the first. */
struct selection {
    const struct request *request;
    struct text
        seen; /* "\nname\nname\n": two sections may have a key of one name, the first counts */
    struct text pairs;
    size_t count;
};

static bool is_asked_for(const struct request *request, const char *name)
{
    for (size_t i = 2; i < argument_count(request); i++) {
        if (pattern_matches(argument(request, i), bytes_of(name)))
            return true;
    }
    return false;
}

static void select_setting(const char *name, const char *value, void *arg)
{
    struct selection *selection = arg;
    char line[128];
    int length = snprintf(line, sizeof(line), "\n%s\n", name);
    CHECK(length > 0 && (size_t)length < sizeof(line));
    if (!is_asked_for(selection->request, name) ||
        strstr(text_string(&selection->seen), line) != NULL)
        return;
    text_append_string(&selection->seen, line);
    struct writer aside = {.out = &selection->pairs,
                           .protocol = selection->request->writer->protocol};
    write_bulk_string(&aside, name);
    write_bulk_string(&aside, value);
    selection->count++;
}

void on_config_get(struct request *request)
{
    const struct commands_callbacks *callbacks = &request->commands->callbacks;
    struct selection selection = {.request = request};
    text_init(&selection.seen, SETTINGS_LENGTH_MAX);
    text_init(&selection.pairs, SETTINGS_LENGTH_MAX);
    callbacks->each_setting(select_setting, &selection, callbacks->arg);
    for (size_t i = 0; i < LENGTH_OF(constants); i++)
        select_setting(constants[i].name, constants[i].value, &selection);
    if (selection.seen.failed || selection.pairs.failed) {
        write_error(request->writer, "ERR out of memory");
    } else {
        write_map(request->writer, selection.count);
        text_append(request->writer->out, text_bytes(&selection.pairs));
    }
    text_fini(&selection.seen);
    text_fini(&selection.pairs);
}

void on_config_resetstat(struct request *request)
{
    struct commands *commands = request->commands;
    struct link_status upstream;
    link_status(commands->link, &upstream);
    downstream_counts(commands->downstream, &commands->downstream_at_reset);
    commands->upstream_at_reset = (struct conn_traffic){.received_bytes = upstream.received_bytes,
                                                        .reads = upstream.reads,
                                                        .writes = upstream.writes};
    commands->errors = (struct error_stats){.total = 0};
    command_stats_reset(&commands->stats);
    commands->logins.denied = 0;
    commands->denied_commands = 0;
    reply_ok(request);
}

/* ---------------------------------------------------------------- CONFIG SET */

static bool is_constant(struct bytes name)
{
    for (size_t i = 0; i < LENGTH_OF(constants); i++) {
        if (bytes_is(name, constants[i].name))
            return true;
    }
    return false;
}

/* The pairs of a command as strings: what the door takes. */
struct wishes {
    struct setting_pair pairs[PAIRS_MAX];
    char *copies[PAIRS_MAX * 2];
    size_t count;
};

static char *cmd_config_copy_word(struct bytes word)
{
    if (word.length >= SETTING_MAX || bytes_find(word, '\0') != word.length)
        return NULL;
    char *copy = strndup(word.length > 0 ? (const char *)word.data : "", word.length);
    CHECK(copy != NULL);
    return copy;
}

/* False: one of them cannot be; the reply says so. */
static bool take_wishes(struct request *request, struct wishes *wishes)
{
    char shown[64];
    for (; wishes->count < (argument_count(request) - 2) / 2; wishes->count++) {
        struct bytes name = argument(request, 2 + 2 * wishes->count);
        char **copies = &wishes->copies[2 * wishes->count];
        copies[0] = cmd_config_copy_word(name);
        copies[1] = cmd_config_copy_word(argument(request, 3 + 2 * wishes->count));
        wishes->pairs[wishes->count] = (struct setting_pair){copies[0], copies[1]};
        if (copies[0] != NULL && copies[1] != NULL)
            continue;
        write_error(request->writer,
                    "ERR CONFIG SET failed (possibly related to argument '%s') - it is too long, "
                    "or contains a zero byte",
                    bytes_printable(name, shown, sizeof(shown)));
        return false;
    }
    return true;
}

static void free_wishes(struct wishes *wishes)
{
    for (size_t i = 0; i < LENGTH_OF(wishes->copies); i++)
        free(wishes->copies[i]);
}

/* In redis-server's words. */
static bool has_duplicates(struct request *request, const struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!bytes_is(bytes_of(wishes->pairs[i].name), wishes->pairs[j].name))
                continue;
            write_error(request->writer,
                        "ERR CONFIG SET failed (possibly related to argument '%s') - duplicate "
                        "parameter",
                        wishes->pairs[i].name);
            return true;
        }
    }
    return false;
}

/* What has one answer here exists as far as CONFIG GET tells. */
static bool has_constants(struct request *request, const struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count; i++) {
        if (!is_constant(bytes_of(wishes->pairs[i].name)))
            continue;
        write_error(request->writer,
                    "ERR CONFIG SET failed (possibly related to argument '%s') - can't set "
                    "immutable config",
                    wishes->pairs[i].name);
        return true;
    }
    return false;
}

static void set_all(struct request *request)
{
    const struct commands_callbacks *callbacks = &request->commands->callbacks;
    struct wishes wishes = {.count = 0};
    struct text why;
    text_init(&why, WHY_MAX);
    if (take_wishes(request, &wishes) && !has_duplicates(request, &wishes) &&
        !has_constants(request, &wishes)) {
        if (callbacks->set(wishes.pairs, wishes.count, &why, callbacks->arg))
            reply_ok(request);
        else
            write_error(request->writer, "%s", text_string(&why));
    }
    free_wishes(&wishes);
    text_fini(&why);
}

void on_config_set(struct request *request)
{
    if (argument_count(request) % 2 != 0)
        reply_syntax_error(request);
    else if ((argument_count(request) - 2) / 2 > PAIRS_MAX)
        write_error(request->writer, "ERR CONFIG SET takes at most %d settings at once", PAIRS_MAX);
    else
        set_all(request);
}

/* What REPLICAOF changes is remembered in the data directory: for Sentinel, which asks for this after each,
 * there is nothing to be written. Where there is no memory for the client's state it is not blocked, as in a
 * transaction. */
void on_config_rewrite(struct request *request)
{
    struct commands *commands = request->commands;
    struct client_state *state =
        request->is_queued ? NULL : client_state_get(&commands->client_states, request->client);
    rewrites_ask(&commands->rewrites, state != NULL ? &state->rewrite : NULL, request->client,
                 request->writer);
}
