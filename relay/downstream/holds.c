/* SPDX-License-Identifier: MIT */
#include "holds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "delay.h"
#include "relay/downstream/known.h"

static const char *const kind_names[] = {
    [HOLD_NONE] = "no",
    [HOLD_PAUSED] = "paused",
    [HOLD_TARGET] = "target",
};

const char *hold_kind_name(enum hold_kind kind)
{
    CHECK(kind < LENGTH_OF(kind_names));
    return kind_names[kind];
}

static bool hold_is_alike(const struct hold *hold, const struct replica_stats *stats)
{
    return strcmp(hold->address, stats->address) == 0 && strcmp(hold->user, stats->user) == 0 &&
           strcmp(hold->announced, stats->terms.address) == 0 &&
           hold->port == stats->terms.listening_port;
}

struct hold *holds_edit(struct holds *holds, const struct hold *hold)
{
    return hold != NULL ? &holds->at[hold - holds->at] : NULL;
}

const struct hold *holds_find(const struct holds *holds, const struct replica_stats *stats)
{
    for (size_t i = 0; i < holds->count && stats->runs_behind; i++) {
        if (hold_is_alike(&holds->at[i], stats))
            return &holds->at[i];
    }
    return NULL;
}

struct hold *holds_take(struct holds *holds, const struct replica_stats *stats)
{
    struct hold *hold = holds_edit(holds, holds_find(holds, stats));
    if (hold != NULL)
        return hold;
    if (holds->count == HOLDS_MAX)
        return NULL;
    hold = &holds->at[holds->count++];
    *hold = (struct hold){.kind = HOLD_PAUSED, .port = stats->terms.listening_port};
    snprintf(hold->address, sizeof(hold->address), "%s", stats->address);
    snprintf(hold->user, sizeof(hold->user), "%s", stats->user);
    snprintf(hold->announced, sizeof(hold->announced), "%s", stats->terms.address);
    holds->has_changed = true;
    return hold;
}

void holds_remove(struct holds *holds, struct hold *hold)
{
    size_t place = (size_t)(hold - holds->at);
    CHECK(place < holds->count);
    holds->count--;
    memmove(hold, hold + 1, (holds->count - place) * sizeof(*hold));
    holds->has_changed = true;
}

bool hold_limit(const struct hold *hold, const struct delay *delay, uint64_t *limit)
{
    bool is_of_now = hold != NULL && hold->history_number == delay->history_number;
    bool has_target = is_of_now && hold->kind == HOLD_TARGET;
    if (hold == NULL)
        *limit = delay->has_due ? delay->due : 0;
    else
        *limit = has_target ? hold->until : 0;
    return hold == NULL ? delay->has_due : has_target;
}

void holds_note_place(struct holds *holds, struct hold *hold, uint64_t history_number,
                      uint64_t offset)
{
    if (hold->history_number == history_number && hold->from == offset)
        return;
    /* A target that was of another history means nothing any more. */
    if (hold->history_number != history_number)
        hold->kind = HOLD_PAUSED;
    hold->history_number = history_number;
    hold->from = offset;
    holds->has_changed = true;
}

void holds_cut(struct holds *holds, uint64_t history_number, uint64_t offset)
{
    for (size_t i = 0; i < holds->count; i++) {
        struct hold *hold = &holds->at[i];
        if (hold->history_number != history_number ||
            (hold->until <= offset && hold->from <= offset))
            continue;
        hold->until = hold->until < offset ? hold->until : offset;
        hold->from = hold->from < offset ? hold->from : offset;
        holds->has_changed = true;
    }
}

uint64_t holds_needed_from(const struct holds *holds, uint64_t history_number)
{
    uint64_t from = UINT64_MAX;
    for (size_t i = 0; i < holds->count; i++) {
        const struct hold *hold = &holds->at[i];
        if (hold->history_number == history_number && hold->from < from)
            from = hold->from;
    }
    return from;
}

bool hold_is(const struct hold *hold, const struct known_who *who)
{
    const char *address = hold->announced[0] != '\0' ? hold->announced : hold->address;
    return who->address.length > 0 && bytes_equal(who->address, bytes_of(address)) &&
           (!who->has_port || who->port == hold->port);
}

/* ------------------------------------------------------------------ the note */

/* Whatever a replica has announced: in hexadecimal, "-" where it is empty. */
static void append_hex(struct text *out, const char *string)
{
    static const char digits[] = "0123456789abcdef";
    text_append_string(out, string[0] == '\0' ? " -" : " ");
    for (const char *at = string; *at != '\0'; at++) {
        const char pair[] = {digits[(unsigned char)*at >> 4], digits[(unsigned char)*at & 15]};
        text_append(out, bytes_at((const uint8_t *)pair, sizeof(pair)));
    }
}

void holds_format(const struct holds *holds, struct text *out)
{
    for (size_t i = 0; i < holds->count; i++) {
        const struct hold *hold = &holds->at[i];
        text_format(out, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %u", hold_kind_name(hold->kind),
                    hold->history_number, hold->until, hold->from, hold->port);
        append_hex(out, hold->address);
        append_hex(out, hold->user);
        append_hex(out, hold->announced);
        text_append_string(out, "\n");
    }
}

static struct bytes take_word(struct bytes *line)
{
    size_t length = 0;
    while (length < line->length && line->data[length] != ' ')
        length++;
    struct bytes word = bytes_first(*line, length);
    *line = bytes_skip(*line, length < line->length ? length + 1 : length);
    return word;
}

static int digit_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool take_hex(struct bytes *line, char *out, size_t capacity)
{
    struct bytes word = take_word(line);
    out[0] = '\0';
    if (bytes_is(word, "-"))
        return true;
    if (word.length == 0 || word.length % 2 != 0 || word.length / 2 >= capacity)
        return false;
    for (size_t i = 0; i < word.length / 2; i++) {
        int high = digit_of(word.data[2 * i]);
        int low = digit_of(word.data[2 * i + 1]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return false;
        out[i] = (char)(high * 16 + low);
    }
    out[word.length / 2] = '\0';
    return true;
}

static bool parse_hold(struct bytes line, struct hold *hold)
{
    struct bytes kind = take_word(&line);
    uint64_t port;
    *hold = (struct hold){.kind = bytes_is(kind, "target") ? HOLD_TARGET : HOLD_PAUSED};
    if ((hold->kind == HOLD_PAUSED && !bytes_is(kind, "paused")) ||
        !bytes_to_u64(take_word(&line), &hold->history_number) ||
        !bytes_to_u64(take_word(&line), &hold->until) ||
        !bytes_to_u64(take_word(&line), &hold->from) || !bytes_to_u64(take_word(&line), &port) ||
        port > UINT16_MAX)
        return false;
    hold->port = (uint16_t)port;
    return take_hex(&line, hold->address, sizeof(hold->address)) &&
           take_hex(&line, hold->user, sizeof(hold->user)) &&
           take_hex(&line, hold->announced, sizeof(hold->announced)) && line.length == 0;
}

bool holds_parse(struct holds *holds, struct bytes note)
{
    bool is_whole = true;
    *holds = (struct holds){.count = 0};
    while (note.length > 0) {
        const uint8_t *end = memchr(note.data, '\n', note.length);
        size_t length = end != NULL ? (size_t)(end - note.data) : note.length;
        struct bytes line = bytes_first(note, length);
        note = bytes_skip(note, end != NULL ? length + 1 : length);
        if (end != NULL && holds->count < HOLDS_MAX && parse_hold(line, &holds->at[holds->count]))
            holds->count++;
        else
            is_whole = false;
    }
    return is_whole;
}
