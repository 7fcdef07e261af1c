/* SPDX-License-Identifier: MIT
 *
 * CONFIG: our settings under redis.conf's names, and settings of redis.conf that tools ask every
 * server for and that have one answer here.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "pattern.h"
#include "request.h"

enum { SETTINGS_LENGTH_MAX = 1024 * 1024 };

static const struct {
    const char *name;
    const char *value;
} constants[] = {
    {"appendonly", "no"},
    {"cluster-enabled", "no"},
    {"databases", "16"},
    {"latency-monitor-threshold", "0"},
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
    const struct admin_doors *doors = &request->admin->doors;
    struct selection selection = {.request = request};
    text_init(&selection.seen, SETTINGS_LENGTH_MAX);
    text_init(&selection.pairs, SETTINGS_LENGTH_MAX);
    doors->each_setting(select_setting, &selection, doors->arg);
    for (size_t i = 0; i < LENGTH_OF(constants); i++)
        select_setting(constants[i].name, constants[i].value, &selection);
    if (selection.seen.failed || selection.pairs.failed) {
        write_error(request->writer, "ERR memory is out");
    } else {
        write_map(request->writer, selection.count);
        text_append(request->writer->out, text_bytes(&selection.pairs));
    }
    text_fini(&selection.seen);
    text_fini(&selection.pairs);
}

void on_config_resetstat(struct request *request)
{
    struct admin *admin = request->admin;
    struct link_status origin;
    link_status(admin->link, &origin);
    downstream_counts(admin->downstream, &admin->counts_at_reset);
    admin->received_upstream_at_reset = origin.received_bytes;
    admin->error_replies = 0;
    admin->error_kinds = 0;
    reply_ok(request);
}

void on_config_set(struct request *request)
{
    write_error(request->writer, "ERR psync-relay does not change settings while it runs: edit its "
                                 "ini file and start it anew, nobody needs a full sync for that");
}

void on_config_rewrite(struct request *request)
{
    const char *file = request->admin->options.config_file;
    if (file == NULL || file[0] == '\0')
        write_error(request->writer, "ERR The server is running without a config file");
    else
        write_error(request->writer, "ERR psync-relay does not write its ini file: edit %s", file);
}
