/* SPDX-License-Identifier: MIT */
#include "relay/archive/manifest.h"

#include <inttypes.h>
#include <string.h>

#include "lines.h"

static const char first_line[] = "psync-relay archive 1";

enum { SHOWN_MAX = 80 };

/* ------------------------------------------------------------------ written */

void manifest_take_times(struct manifest *manifest, const struct time_index *times, uint64_t from)
{
    const struct time_entry *entries = time_index_oldest(times);
    size_t first = 0;
    size_t end = 0;
    manifest->time_count = 0;
    for (size_t i = 0; i < times->count; i++) {
        first += entries[i].offset <= from;
        end += entries[i].offset <= manifest->end;
    }
    if (first >= end)
        return;
    size_t step = (end - first + MANIFEST_TIMES_MAX - 1) / MANIFEST_TIMES_MAX;
    /* The last one is among them. */
    for (size_t i = first + (end - 1 - first) % step; i < end; i += step)
        manifest->times[manifest->time_count++] = entries[i];
}

void manifest_format(const struct manifest *manifest, struct text *out)
{
    char name[OBJECT_NAME_MAX];
    text_format(out, "%s\n", first_line);
    text_format(out, "name %s\n", object_name_format(&manifest->name, false, name));
    text_format(out, "end %" PRIu64 "\n", manifest->end);
    text_format(out, "length %" PRIu64 "\n", manifest->length);
    text_format(out, "crc %016" PRIx64 "\n", manifest->crc);
    text_format(out, "shipped %" PRIi64 "\n", manifest->shipped_us);
    text_format(out, "history %" PRIu64 "\n", manifest->history);
    text_format(out, "replid %s\n", manifest->replid.hex);
    for (size_t i = 0; i < manifest->earlier_count; i++)
        text_format(out, "earlier %s %" PRIu64 "\n", manifest->earlier[i].replid.hex,
                    manifest->earlier[i].limit);
    text_format(out, "begin %" PRIu64 "\n", manifest->root.begin);
    if (manifest->root.parent != 0)
        text_format(out, "parent %" PRIu64 "\n", manifest->root.parent);
    for (size_t i = 0; i < manifest->time_count; i++)
        text_format(out, "time %" PRIu64 " %" PRIi64 "\n", manifest->times[i].offset,
                    manifest->times[i].wall_us);
    lines_seal(out);
}

/* ------------------------------------------------------------------ read */

/* The lines that stand in it once, as bits. */
enum manifest_line {
    LINE_NAME = 1,
    LINE_END = 2,
    LINE_LENGTH = 4,
    LINE_CRC = 8,
    LINE_SHIPPED = 16,
    LINE_HISTORY = 32,
    LINE_REPLID = 64,
    LINE_BEGIN = 128,
    LINE_PARENT = 256,
    LINES_NEEDED = LINE_PARENT - 1,
};

static bool manifest_parse_name(struct manifest *manifest, const struct bytes *words)
{
    bool is_manifest;
    return object_name_parse(words[1], &manifest->name, &is_manifest) && !is_manifest;
}

static bool manifest_to_offset(struct bytes word, uint64_t *out)
{
    return bytes_to_u64(word, out) && *out <= OFFSET_MAX;
}

static bool manifest_parse_end(struct manifest *manifest, const struct bytes *words)
{
    return manifest_to_offset(words[1], &manifest->end);
}

static bool manifest_parse_length(struct manifest *manifest, const struct bytes *words)
{
    return manifest_to_offset(words[1], &manifest->length);
}

static bool manifest_parse_crc(struct manifest *manifest, const struct bytes *words)
{
    return lines_to_sum(words[1], &manifest->crc);
}

static bool manifest_parse_shipped(struct manifest *manifest, const struct bytes *words)
{
    return bytes_to_i64(words[1], &manifest->shipped_us);
}

static bool manifest_parse_history(struct manifest *manifest, const struct bytes *words)
{
    return bytes_to_u64(words[1], &manifest->history);
}

static bool manifest_parse_replid(struct manifest *manifest, const struct bytes *words)
{
    return replid_parse(words[1], &manifest->replid);
}

static bool manifest_parse_earlier(struct manifest *manifest, const struct bytes *words)
{
    if (manifest->earlier_count == IDENTITY_EARLIER_MAX)
        return false;
    struct identity_earlier *earlier = &manifest->earlier[manifest->earlier_count++];
    return replid_parse(words[1], &earlier->replid) &&
           manifest_to_offset(words[2], &earlier->limit);
}

static bool manifest_parse_begin(struct manifest *manifest, const struct bytes *words)
{
    return manifest_to_offset(words[1], &manifest->root.begin);
}

static bool manifest_parse_parent(struct manifest *manifest, const struct bytes *words)
{
    return bytes_to_u64(words[1], &manifest->root.parent) && manifest->root.parent > 0;
}

static bool manifest_parse_time(struct manifest *manifest, const struct bytes *words)
{
    if (manifest->time_count == MANIFEST_TIMES_MAX)
        return false;
    struct time_entry *entry = &manifest->times[manifest->time_count];
    if (!manifest_to_offset(words[1], &entry->offset) || !bytes_to_i64(words[2], &entry->wall_us))
        return false;
    manifest->time_count++;
    return manifest->time_count == 1 || entry[-1].offset < entry->offset;
}

static const struct manifest_line_kind {
    const char *name;
    size_t words;
    unsigned line; /* 0: it may stand there more than once */
    bool (*parse)(struct manifest *manifest, const struct bytes *words);
} line_kinds[] = {
    {"name", 2, LINE_NAME, manifest_parse_name},
    {"end", 2, LINE_END, manifest_parse_end},
    {"length", 2, LINE_LENGTH, manifest_parse_length},
    {"crc", 2, LINE_CRC, manifest_parse_crc},
    {"shipped", 2, LINE_SHIPPED, manifest_parse_shipped},
    {"history", 2, LINE_HISTORY, manifest_parse_history},
    {"replid", 2, LINE_REPLID, manifest_parse_replid},
    {"earlier", 3, 0, manifest_parse_earlier},
    {"begin", 2, LINE_BEGIN, manifest_parse_begin},
    {"parent", 2, LINE_PARENT, manifest_parse_parent},
    {"time", 3, 0, manifest_parse_time},
};

static bool manifest_take_line(struct manifest *manifest, const struct line_words *line,
                               unsigned *seen)
{
    for (size_t i = 0; i < LENGTH_OF(line_kinds); i++) {
        const struct manifest_line_kind *kind = &line_kinds[i];
        if (!bytes_equal(line->word[0], bytes_of(kind->name)))
            continue;
        if (line->count != kind->words || (*seen & kind->line) != 0)
            return false;
        *seen |= kind->line;
        return kind->parse(manifest, line->word);
    }
    return false;
}

/* What it says goes together: a checksum proves no more than who wrote it. */
static bool manifest_is_consistent(const struct manifest *manifest, const char *file_name,
                                   struct error *error)
{
    char own_name[OBJECT_NAME_MAX];
    const struct timeline_root *root = &manifest->root;
    uint64_t offset = manifest->name.offset;
    bool is_segment = manifest->name.kind == OBJECT_SEGMENT;
    if (strcmp(object_name_format(&manifest->name, true, own_name), file_name) != 0)
        return error_set(error, ERROR_DAMAGED, "it is the manifest of another file, %s", own_name);
    bool good = is_segment ? manifest->end > offset && manifest->end - offset == manifest->length
                           : manifest->end == offset && manifest->length > 0;
    if (!good)
        return error_set(error, ERROR_DAMAGED, "its offset, end and length do not fit together");
    if (is_segment && offset < root->begin)
        return error_set(error, ERROR_DAMAGED, "it is from before its timeline began");
    if (root->parent >= manifest->name.timeline)
        return error_set(error, ERROR_DAMAGED, "its timeline cannot come from timeline %" PRIu64,
                         root->parent);
    if (manifest->time_count > 0 &&
        (manifest->times[0].offset < offset + is_segment ||
         manifest->times[manifest->time_count - 1].offset > manifest->end))
        return error_set(error, ERROR_DAMAGED, "its times are those of other bytes");
    return true;
}

bool manifest_parse(struct bytes file, const char *file_name, struct manifest *out,
                    struct error *error)
{
    unsigned seen = 0;
    memset(out, 0, sizeof(*out));
    if (!lines_open(&file, first_line, error))
        return false;
    while (file.length > 0) {
        struct line_words line;
        char shown[SHOWN_MAX];
        if (!lines_next(&file, &line, error))
            return false;
        if (!manifest_take_line(out, &line, &seen))
            return error_set(error, ERROR_DAMAGED, "it says what cannot be in line \"%s ...\"",
                             bytes_printable(line.word[0], shown, sizeof(shown)));
    }
    if ((seen & LINES_NEEDED) != LINES_NEEDED)
        return error_set(error, ERROR_DAMAGED, "lines are missing in it");
    return manifest_is_consistent(out, file_name, error);
}
