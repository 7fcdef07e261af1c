/* SPDX-License-Identifier: MIT */
#include "part_note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/crc64.h"

static const char heading[] = "psync-relay partial 1\n";

enum { SUM_LINE = sizeof("sum 0123456789abcdef\n") - 1 };

static void format_sum(struct bytes lines, struct text *out)
{
    text_format(out, "sum %016" PRIx64 "\n", crc64(0, lines.data, lines.length));
}

void part_note_format(const struct part_note *note, struct text *out)
{
    text_append_string(out, heading);
    text_append_string(out, "rdb ");
    rdb_part_format(&note->part, out);
    text_format(out, "\nboot %s\nsynced %s\n", note->boot_id[0] != '\0' ? note->boot_id : "-",
                note->is_synced ? "yes" : "no");
    format_sum(text_bytes(out), out);
}

/* Takes "name value\n" off the front. */
static bool take_line(struct bytes *content, const char *name, struct bytes *value)
{
    if (!bytes_starts(*content, name))
        return false;
    struct bytes rest = bytes_skip(*content, strlen(name));
    size_t length = bytes_find(rest, '\n');
    if (length == rest.length)
        return false;
    *value = bytes_first(rest, length);
    *content = bytes_skip(rest, length + 1);
    return true;
}

static bool read_boot_id(struct bytes value, struct part_note *note)
{
    bool is_none = bytes_equal(value, bytes_of("-"));
    if (value.length == 0 || value.length >= sizeof(note->boot_id) ||
        memchr(value.data, '\0', value.length) != NULL)
        return false;
    memset(note->boot_id, 0, sizeof(note->boot_id));
    if (!is_none)
        memcpy(note->boot_id, value.data, value.length);
    return true;
}

static bool read_synced(struct bytes value, struct part_note *note)
{
    note->is_synced = bytes_equal(value, bytes_of("yes"));
    return note->is_synced || bytes_equal(value, bytes_of("no"));
}

static bool has_sum(struct bytes content)
{
    if (content.length < SUM_LINE)
        return false;
    struct text sum;
    text_init(&sum, SUM_LINE);
    format_sum(bytes_first(content, content.length - SUM_LINE), &sum);
    bool good = bytes_equal(text_bytes(&sum), bytes_skip(content, content.length - SUM_LINE));
    text_fini(&sum);
    return good;
}

bool part_note_parse(struct bytes content, struct part_note *out)
{
    struct part_note note;
    struct bytes word;
    struct bytes boot_id;
    struct bytes synced;
    if (content.length > PART_NOTE_LENGTH_MAX || !has_sum(content) ||
        !bytes_starts(content, heading))
        return false;
    content = bytes_skip(content, strlen(heading));
    if (!take_line(&content, "rdb ", &word) || !take_line(&content, "boot ", &boot_id) ||
        !take_line(&content, "synced ", &synced) || content.length != SUM_LINE ||
        !rdb_part_parse(word, &note.part) || !read_boot_id(boot_id, &note) ||
        !read_synced(synced, &note))
        return false;
    *out = note;
    return true;
}

bool part_note_is_of_boot(const struct part_note *note, const char *boot_id)
{
    return boot_id[0] != '\0' && strcmp(note->boot_id, boot_id) == 0;
}

bool part_note_counts(const struct part_note *note, const char *boot_id)
{
    return note->is_synced || part_note_is_of_boot(note, boot_id);
}
