/* SPDX-License-Identifier: MIT */
#include "clean_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/bytes.h"
#include "relay/base/crc64.h"

enum { WHY_MAX = 256, WORDS = 5, SUM_LINE = 4 + 16 + 1, LENGTH_MAX = 64 * 1024 * 1024 };

static const char first_line[] = "psync-relay clean 1\n";

static const char *const kinds[] = {[CLEAN_SEGMENT] = "segment", [CLEAN_SNAPSHOT] = "snapshot"};

void clean_mark_fini(struct clean_mark *mark)
{
    free(mark->entries);
    *mark = (struct clean_mark){.count = 0};
}

static bool clean_mark_add_file(struct clean_mark *mark, struct clean_entry entry)
{
    /* Doubled at each power of two. */
    if ((mark->count & (mark->count - 1)) == 0) {
        size_t capacity = mark->count == 0 ? 1 : mark->count * 2;
        struct clean_entry *larger = realloc(mark->entries, capacity * sizeof(entry));
        if (larger == NULL)
            return false;
        mark->entries = larger;
    }
    mark->entries[mark->count++] = entry;
    return true;
}

static bool parse_kind(struct bytes word, enum clean_kind *out)
{
    for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
        if (!bytes_equal(word, bytes_of(kinds[i])))
            continue;
        *out = (enum clean_kind)i;
        return true;
    }
    return false;
}

static bool clean_mark_parse_line(struct clean_mark *mark, struct bytes line)
{
    struct bytes words[WORDS];
    for (size_t i = 0; i < WORDS; i++) {
        size_t length = bytes_find(line, ' ');
        words[i] = bytes_first(line, length);
        line = bytes_skip(line, length < line.length ? length + 1 : length);
    }
    struct clean_entry entry;
    uint64_t modified;
    if (line.length > 0 || !parse_kind(words[0], &entry.kind) ||
        !bytes_to_u64(words[1], &entry.offset) || !bytes_to_u64(words[2], &entry.key.inode) ||
        !bytes_to_u64(words[3], &entry.key.length) || !bytes_to_u64(words[4], &modified) ||
        modified > INT64_MAX)
        return false;
    entry.key.modified_ns = (int64_t)modified;
    return clean_mark_add_file(mark, entry);
}

static void clean_mark_format_sum(const struct text *body, char out[SUM_LINE + 1])
{
    snprintf(out, SUM_LINE + 1, "sum %016" PRIx64 "\n", crc64(0, body->data, body->length));
}

/* The lines between the first and the sum. False: it is not as it was written. */
static bool take_body(struct text *file, struct bytes *body)
{
    if (file->length < strlen(first_line) + SUM_LINE)
        return false;
    char sum[SUM_LINE + 1];
    struct bytes found = bytes_skip(text_bytes(file), file->length - SUM_LINE);
    const struct text rest = {.data = file->data, .length = file->length - SUM_LINE};
    clean_mark_format_sum(&rest, sum);
    if (!bytes_equal(found, bytes_of(sum)) || !bytes_starts(text_bytes(file), first_line))
        return false;
    *body = bytes_skip(bytes_first(text_bytes(file), rest.length), strlen(first_line));
    return true;
}

void clean_mark_read(struct clean_mark *mark, int directory)
{
    *mark = (struct clean_mark){.count = 0};
    struct text file;
    struct text why;
    text_init(&file, LENGTH_MAX);
    text_init(&why, WHY_MAX);
    struct bytes body;
    bool good = files_read(directory, CLEAN_MARK_NAME, &file, &why) && take_body(&file, &body);
    while (good && body.length > 0) {
        size_t length = bytes_find(body, '\n');
        good = length < body.length && clean_mark_parse_line(mark, bytes_first(body, length));
        body = bytes_skip(body, length < body.length ? length + 1 : length);
    }
    if (!good)
        clean_mark_fini(mark);
    text_fini(&file);
    text_fini(&why);
}

const struct files_key *clean_mark_find(const struct clean_mark *mark, enum clean_kind kind,
                                        uint64_t offset)
{
    for (size_t i = 0; i < mark->count; i++) {
        if (mark->entries[i].kind == kind && mark->entries[i].offset == offset)
            return &mark->entries[i].key;
    }
    return NULL;
}

bool clean_mark_add(struct clean_mark *mark, enum clean_kind kind, uint64_t offset, int directory,
                    const char *name)
{
    struct clean_entry entry = {.kind = kind, .offset = offset};
    return files_key_of(directory, name, &entry.key) && clean_mark_add_file(mark, entry);
}

bool clean_mark_write(const struct clean_mark *mark, int directory, struct text *why)
{
    struct text file;
    text_init(&file, LENGTH_MAX);
    text_append_string(&file, first_line);
    for (size_t i = 0; i < mark->count; i++) {
        const struct clean_entry *entry = &mark->entries[i];
        text_format(&file, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIi64 "\n",
                    kinds[entry->kind], entry->offset, entry->key.inode, entry->key.length,
                    entry->key.modified_ns);
    }
    char sum[SUM_LINE + 1];
    clean_mark_format_sum(&file, sum);
    text_append_string(&file, sum);
    bool good = !file.failed;
    if (!good)
        text_format(why, "out of memory");
    good = good && files_replace(directory, CLEAN_MARK_NAME, text_bytes(&file), true, why);
    text_fini(&file);
    return good;
}

void clean_mark_remove(int directory)
{
    unlinkat(directory, CLEAN_MARK_NAME, 0);
}
