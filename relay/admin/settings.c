/* SPDX-License-Identifier: MIT
 *
 * CONFIG: our settings under redis.conf's names, and settings of redis.conf that tools ask every
 * server for and that have one answer here.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "pattern.h"
#include "relay/base/log.h"
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

/* ---------------------------------------------------------------- CONFIG SET */

/* A setting's value before CONFIG SET, so that all of it takes effect or nothing. */
struct earlier {
    struct bytes name;
    struct text value;
    bool is_known;
};

static void note_earlier(const char *name, const char *value, void *arg)
{
    struct earlier *earlier = arg;
    if (earlier->is_known || !bytes_is(earlier->name, name))
        return;
    earlier->is_known = true;
    text_append_string(&earlier->value, value);
}

static bool is_constant(struct bytes name)
{
    for (size_t i = 0; i < LENGTH_OF(constants); i++) {
        if (bytes_is(name, constants[i].name))
            return true;
    }
    return false;
}

/* Names and values are no longer than this, and hold no zeros. */
static bool copy_word(struct bytes word, char out[SETTING_MAX])
{
    if (word.length >= SETTING_MAX || bytes_find(word, '\0') != word.length)
        return false;
    if (word.length > 0)
        memcpy(out, word.data, word.length);
    out[word.length] = '\0';
    return true;
}

static bool set(const struct admin *admin, struct bytes name_word, struct bytes value_word,
                struct text *why)
{
    char name[SETTING_MAX];
    char value[SETTING_MAX];
    char shown[64];
    if (!copy_word(name_word, name) || !copy_word(value_word, value)) {
        text_format(why,
                    "ERR CONFIG SET failed (possibly related to argument '%s') - it is too long, "
                    "or holds a zero byte",
                    bytes_printable(name_word, shown, sizeof(shown)));
        return false;
    }
    if (admin->doors.set(name, value, why, admin->doors.arg))
        return true;
    if (!is_constant(name_word))
        return false;
    /* It exists as far as CONFIG GET tells. */
    text_clear(why);
    text_format(why,
                "ERR CONFIG SET failed (possibly related to argument '%s') - can't set immutable "
                "config",
                name);
    return false;
}

static bool is_same_name(struct bytes a, struct bytes b)
{
    char name[SETTING_MAX];
    return copy_word(a, name) && bytes_is(b, name);
}

/* In redis-server's words. */
static bool has_duplicates(struct request *request)
{
    char shown[64];
    for (size_t i = 2; i < argument_count(request); i += 2) {
        for (size_t j = 2; j < i; j += 2) {
            if (!is_same_name(argument(request, i), argument(request, j)))
                continue;
            write_error(request->writer,
                        "ERR CONFIG SET failed (possibly related to argument '%s') - duplicate "
                        "parameter",
                        bytes_printable(argument(request, i), shown, sizeof(shown)));
            return true;
        }
    }
    return false;
}

/* Sets back the first `count` of the pairs. A value that was allowed is so again. */
static void take_back(struct request *request, const struct earlier *earlier, size_t count)
{
    struct text why;
    text_init(&why, WHY_MAX);
    for (size_t i = 0; i < count; i++) {
        if (earlier[i].is_known &&
            !set(request->admin, earlier[i].name, text_bytes(&earlier[i].value), &why))
            log_warnx("admin: CONFIG SET: a setting could not be set back: %s", text_string(&why));
        text_clear(&why);
    }
    text_fini(&why);
}

static void set_all(struct request *request, struct earlier *earlier, size_t pairs)
{
    const struct admin_doors *doors = &request->admin->doors;
    struct text why;
    size_t done = 0;
    text_init(&why, WHY_MAX);
    for (; done < pairs; done++) {
        struct bytes name = argument(request, 2 + 2 * done);
        earlier[done] = (struct earlier){.name = name};
        text_init(&earlier[done].value, SETTING_MAX);
        doors->each_setting(note_earlier, &earlier[done], doors->arg);
        if (!set(request->admin, name, argument(request, 3 + 2 * done), &why))
            break;
    }
    if (done == pairs) {
        reply_ok(request);
    } else {
        take_back(request, earlier, done);
        write_error(request->writer, "%s", text_string(&why));
    }
    for (size_t i = 0; i < pairs && i <= done; i++)
        text_fini(&earlier[i].value);
    text_fini(&why);
}

void on_config_set(struct request *request)
{
    struct earlier earlier[PAIRS_MAX];
    size_t pairs = (argument_count(request) - 2) / 2;
    if (argument_count(request) % 2 != 0)
        reply_syntax_error(request);
    else if (pairs > PAIRS_MAX)
        write_error(request->writer, "ERR psync-relay sets up to %d settings at once", PAIRS_MAX);
    else if (!has_duplicates(request))
        set_all(request, earlier, pairs);
}

/* What REPLICAOF and CONFIG SET change is remembered by whoever does it, if it is: nothing is left to be
 * written. Sentinel asks for this after each REPLICAOF. */
void on_config_rewrite(struct request *request)
{
    reply_ok(request);
}
