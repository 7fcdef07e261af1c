/* SPDX-License-Identifier: MIT */
#include "relay/archive/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SPACE_LEAST = 64 };

struct catalog_names {
    struct catalog *catalog;
    size_t capacity;
    const char *system;
};

/* ------------------------------------------------------------------ names */

static bool note_object(const char *name, void *arg)
{
    struct catalog_names *names = arg;
    struct catalog *catalog = names->catalog;
    struct catalog_entry entry = {.length = 0};
    bool is_manifest;
    if (!object_name_parse(bytes_of(name), &entry.name, &is_manifest) ||
        (names->system != NULL && strcmp(names->system, entry.name.system.id) != 0))
        return true;
    if (catalog->count == names->capacity) {
        size_t capacity = names->capacity == 0 ? SPACE_LEAST : 2 * names->capacity;
        struct catalog_entry *larger = realloc(catalog->entries, capacity * sizeof(*larger));
        if (larger == NULL)
            return false;
        catalog->entries = larger;
        names->capacity = capacity;
    }
    entry.has_manifest = is_manifest;
    entry.has_file = !is_manifest;
    catalog->entries[catalog->count++] = entry;
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    const struct catalog_entry *left = a;
    const struct catalog_entry *right = b;
    return object_name_compare(&left->name, &right->name);
}

/* File and manifest of one name become one entry. */
static void join_entries(struct catalog *catalog)
{
    size_t kept = 0;
    if (catalog->count > 0)
        qsort(catalog->entries, catalog->count, sizeof(catalog->entries[0]), compare_entries);
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_entry *entry = &catalog->entries[i];
        struct catalog_entry *last = kept > 0 ? &catalog->entries[kept - 1] : NULL;
        if (last != NULL && compare_entries(last, entry) == 0) {
            last->has_manifest = last->has_manifest || entry->has_manifest;
            last->has_file = last->has_file || entry->has_file;
        } else {
            catalog->entries[kept++] = *entry;
        }
    }
    catalog->count = kept;
}

/* ------------------------------------------------------------------ manifests */

static bool read_text(int file, struct text *out, const char *name, struct error *error)
{
    char piece[4096];
    ssize_t got;
    while ((got = read(file, piece, sizeof(piece))) > 0 || (got == -1 && errno == EINTR)) {
        if (got > 0)
            text_append(out, bytes_at(piece, (size_t)got));
    }
    if (got == -1)
        return error_set_system(error, errno, "%s: cannot read", name);
    return !out->failed || error_set(error, ERROR_DAMAGED, "%s: it is too long", name);
}

static bool take_manifest(struct catalog_entry *entry, const struct manifest *manifest)
{
    entry->end = manifest->end;
    entry->length = manifest->length;
    entry->crc = manifest->crc;
    entry->shipped_us = manifest->shipped_us;
    entry->history = manifest->history;
    entry->replid = manifest->replid;
    entry->earlier_count = manifest->earlier_count;
    memcpy(entry->earlier, manifest->earlier, sizeof(entry->earlier));
    entry->root = manifest->root;
    if (manifest->time_count == 0)
        return true;
    entry->times = malloc(manifest->time_count * sizeof(entry->times[0]));
    if (entry->times == NULL)
        return false;
    memcpy(entry->times, manifest->times, manifest->time_count * sizeof(entry->times[0]));
    entry->time_count = manifest->time_count;
    return true;
}

static bool read_manifest(struct catalog_entry *entry, const struct archive_source *source,
                          struct manifest *manifest, struct error *error)
{
    char name[OBJECT_NAME_MAX];
    struct text text;
    struct error inner;
    int file = archive_source_open(source, object_name_format(&entry->name, true, name), error);
    if (file == -1)
        return false;
    text_init(&text, MANIFEST_LENGTH_MAX);
    bool good = read_text(file, &text, name, error);
    close(file);
    if (good && !manifest_parse(text_bytes(&text), name, manifest, &inner))
        good = error_set(error, ERROR_DAMAGED, "%s: %.300s", name, inner.text);
    text_fini(&text);
    return good &&
           (take_manifest(entry, manifest) || error_set(error, ERROR_EXHAUSTED, "out of memory"));
}

static void read_manifests(struct catalog *catalog, const struct archive_source *source,
                           struct manifest *manifest, struct text *complaints)
{
    for (size_t i = 0; i < catalog->count; i++) {
        struct catalog_entry *entry = &catalog->entries[i];
        struct error error;
        if (!entry->has_manifest || read_manifest(entry, source, manifest, &error))
            continue;
        entry->has_manifest = false;
        entry->is_damaged = true;
        text_format(complaints, "%s\n", error.text);
    }
}

bool catalog_read(struct catalog *catalog, const struct archive_source *source, const char *system,
                  struct text *complaints, struct error *error)
{
    *catalog = (struct catalog){.count = 0};
    struct catalog_names names = {.catalog = catalog, .system = system};
    struct manifest *manifest = malloc(sizeof(*manifest));
    bool good = manifest != NULL ? archive_source_list(source, note_object, &names, error)
                                 : error_set(error, ERROR_EXHAUSTED, "out of memory");
    if (good) {
        join_entries(catalog);
        read_manifests(catalog, source, manifest, complaints);
        good = catalog->count > 0 ||
               error_set(error, ERROR_MISSING, "the archive has no file of a relay in it");
    }
    free(manifest);
    if (!good)
        catalog_free(catalog);
    return good;
}

void catalog_free(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++)
        free(catalog->entries[i].times);
    free(catalog->entries);
    *catalog = (struct catalog){.count = 0};
}

/* ------------------------------------------------------------------ timelines */

static bool is_same_timeline(const struct object_name *a, const struct object_name *b)
{
    return a->timeline == b->timeline && strcmp(a->system.id, b->system.id) == 0;
}

size_t catalog_timeline_begin(const struct catalog *catalog, size_t index)
{
    size_t begin = index;
    while (begin > 0 &&
           is_same_timeline(&catalog->entries[begin - 1].name, &catalog->entries[index].name))
        begin--;
    return begin;
}

size_t catalog_timeline_end(const struct catalog *catalog, size_t index)
{
    size_t end = index + 1;
    while (end < catalog->count &&
           is_same_timeline(&catalog->entries[end].name, &catalog->entries[index].name))
        end++;
    return end;
}

size_t catalog_find_timeline(const struct catalog *catalog, const struct archive_system *system,
                             uint64_t timeline)
{
    const struct object_name wanted = {.system = *system, .timeline = timeline};
    size_t i = 0;
    while (i < catalog->count && !is_same_timeline(&catalog->entries[i].name, &wanted))
        i++;
    return i;
}

bool catalog_timeline_root(const struct catalog *catalog, size_t index, struct timeline_root *out)
{
    size_t end = catalog_timeline_end(catalog, index);
    for (size_t i = catalog_timeline_begin(catalog, index); i < end; i++) {
        if (catalog->entries[i].has_manifest) {
            *out = catalog->entries[i].root;
            return true;
        }
    }
    return false;
}
