/* SPDX-License-Identifier: MIT */
#include "announced_version.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/store/store.h"

enum {
    NOTE_LENGTH_MAX = 4096,
    WHY_MAX = 512,
    NEWS_MS = 60 * 60 * 1000, /* a note may be so much older than what it tells of */
};

static const char first_line[] = "psync-relay versions 1\n";

/* From which version on a Valkey writes another format for who announces it (docs/protocol.md
 * 7.4, 9). */
static const uint32_t steps[] = {
    ANNOUNCED_DEFAULT,
    SERVER_VERSION(9, 0, 0),
    SERVER_VERSION(9, 2, 0),
};

/* A clock that was set back makes nothing last for ever. */
static bool announced_version_is_kept(int64_t since_ms, int64_t wall_ms)
{
    return wall_ms - since_ms < ANNOUNCED_KEPT_MS && since_ms - wall_ms < ANNOUNCED_KEPT_MS;
}

static size_t announced_version_place_of(const struct announced_version *announced,
                                         uint32_t version)
{
    size_t oldest = 0;
    for (size_t i = 0; i < announced->count; i++) {
        if (announced->replica[i].version == version)
            return i;
        if (announced->replica[i].seen_ms < announced->replica[oldest].seen_ms)
            oldest = i;
    }
    return announced->count < ANNOUNCED_PLACES ? announced->count : oldest;
}

bool announced_version_note(struct announced_version *announced, uint32_t version, int64_t wall_ms)
{
    if (version == 0)
        version = ANNOUNCED_DEFAULT;
    size_t place = announced_version_place_of(announced, version);
    bool is_known = place < announced->count && announced->replica[place].version == version;
    if (is_known && wall_ms - announced->replica[place].seen_ms >= 0 &&
        wall_ms - announced->replica[place].seen_ms < NEWS_MS)
        return false;
    announced->replica[place].version = version;
    announced->replica[place].seen_ms = wall_ms;
    if (place == announced->count)
        announced->count++;
    return true;
}

uint32_t announced_version_lowest(const struct announced_version *announced, int64_t wall_ms)
{
    uint32_t lowest = 0;
    for (size_t i = 0; i < announced->count; i++) {
        uint32_t version = announced->replica[i].version;
        if (announced_version_is_kept(announced->replica[i].seen_ms, wall_ms) &&
            (lowest == 0 || version < lowest))
            lowest = version;
    }
    return lowest;
}

uint32_t announced_version_now(const struct announced_version *announced, int64_t wall_ms)
{
    if (announced->fixed != 0)
        return announced->fixed;
    uint32_t lowest = announced_version_lowest(announced, wall_ms);
    if (lowest == 0)
        lowest = ANNOUNCED_DEFAULT;
    bool has_least =
        announced->least > lowest && announced_version_is_kept(announced->least_ms, wall_ms);
    return has_least ? announced->least : lowest;
}

/* The lowest version that brings another format than `version` does; 0: the primary has none. */
static uint32_t next_step(const struct primary_choice *primary, uint32_t version)
{
    for (size_t i = 0; i < LENGTH_OF(steps); i++) {
        bool is_offered = primary->version == 0 || steps[i] <= primary->version;
        if (steps[i] > version && is_offered)
            return steps[i];
    }
    return 0;
}

bool announced_version_cut_off(struct announced_version *announced,
                               const struct primary_choice *primary, uint32_t version,
                               int64_t wall_ms)
{
    if (!primary->may_choose || announced->fixed != 0)
        return false;
    uint32_t before = announced_version_now(announced, wall_ms);
    announced->least = next_step(primary, version);
    announced->least_ms = wall_ms;
    return announced_version_now(announced, wall_ms) != before;
}

/* ------------------------------------------------------------------ the note */

static void format_line(const char *word, uint32_t version, int64_t wall_ms, struct text *out)
{
    char shown[SERVER_VERSION_MAX];
    text_format(out, "%s %s %" PRId64 "\n", word, server_version_format(version, shown), wall_ms);
}

void announced_version_format(const struct announced_version *announced, struct text *out)
{
    text_append_string(out, first_line);
    for (size_t i = 0; i < announced->count; i++)
        format_line("replica", announced->replica[i].version, announced->replica[i].seen_ms, out);
    if (announced->least != 0)
        format_line("least", announced->least, announced->least_ms, out);
}

static bool announced_version_parse_line(struct bytes line, struct announced_version *out)
{
    bool is_replica = bytes_starts(line, "replica ");
    uint32_t version;
    int64_t wall_ms;
    if (!is_replica && !bytes_starts(line, "least "))
        return false;
    struct bytes rest = bytes_skip(line, bytes_find(line, ' ') + 1);
    size_t length = bytes_find(rest, ' ');
    if (length == rest.length || !server_version_parse(bytes_first(rest, length), &version) ||
        !bytes_to_i64(bytes_skip(rest, length + 1), &wall_ms))
        return false;
    if (is_replica) {
        if (out->count == ANNOUNCED_PLACES)
            return false;
        out->replica[out->count].version = version;
        out->replica[out->count].seen_ms = wall_ms;
        out->count++;
    } else {
        out->least = version;
        out->least_ms = wall_ms;
    }
    return true;
}

bool announced_version_parse(struct bytes note, struct announced_version *out)
{
    *out = (struct announced_version){0};
    if (!bytes_starts(note, first_line))
        return false;
    struct bytes rest = bytes_skip(note, strlen(first_line));
    while (rest.length > 0) {
        size_t length = bytes_find(rest, '\n');
        if (length == rest.length ||
            !announced_version_parse_line(bytes_first(rest, length), out)) {
            *out = (struct announced_version){0};
            return false;
        }
        rest = bytes_skip(rest, length + 1);
    }
    return true;
}

void announced_version_recall(const struct store *store, struct announced_version *announced)
{
    struct text note;
    struct text why;
    struct announced_version noted = {0};
    text_init(&note, NOTE_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    if (!store_read_note(store, STORE_NOTE_VERSIONS, &note, &why))
        log_warnx("upstream: cannot read which versions the replicas had: %s", text_string(&why));
    else if (note.length > 0 && !announced_version_parse(text_bytes(&note), &noted))
        log_warnx("upstream: the note of which versions the replicas had is broken: it is begun "
                  "anew");
    noted.fixed = announced->fixed;
    *announced = noted;
    text_fini(&note);
    text_fini(&why);
}

void announced_version_keep(struct store *store, const struct announced_version *announced)
{
    struct text note;
    struct text why;
    text_init(&note, NOTE_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    announced_version_format(announced, &note);
    if (!store_jot_note(store, STORE_NOTE_VERSIONS, text_bytes(&note), &why))
        log_warnx("upstream: a restart will not know which versions the replicas have: %s",
                  text_string(&why));
    text_fini(&note);
    text_fini(&why);
}
