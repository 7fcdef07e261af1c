/* SPDX-License-Identifier: MIT */
#include "archive_prune.h"

#include <stdlib.h>
#include <string.h>

#include "archive_view.h"

/* The moment that the data of an entry are of, at the latest. */
static int64_t moment_of_entry(const struct catalog_entry *entry)
{
    return entry->time_count > 0 ? entry->times[entry->time_count - 1].wall_us : entry->shipped_us;
}

static bool is_of_newest_timeline(const struct catalog *catalog, size_t index)
{
    size_t end = catalog_timeline_end(catalog, index);
    return end == catalog->count || strcmp(catalog->entries[end].name.system.id,
                                           catalog->entries[index].name.system.id) != 0;
}

/* The place of the newest RDB of the chain that is before the time, or of the oldest; `count`: there is none. */
static size_t base_of_chain(const struct catalog *catalog, const struct chain_part *parts,
                            size_t count, int64_t since_us)
{
    size_t found = count;
    for (size_t i = count; i > 0; i--) {
        const struct catalog_entry *entry = &catalog->entries[parts[i - 1].entry];
        if (entry->name.kind != OBJECT_SNAPSHOT)
            continue;
        found = i - 1;
        if (moment_of_entry(entry) <= since_us)
            break;
    }
    return found;
}

static void mark_chain(const struct catalog *catalog, const struct chain_part *parts, size_t count,
                       int64_t since_us, bool *is_needed)
{
    size_t base = base_of_chain(catalog, parts, count, since_us);
    uint64_t from = base < count ? catalog->entries[parts[base].entry].name.offset : 0;
    for (size_t i = 0; i < count; i++) {
        const struct object_name *name = &catalog->entries[parts[i].entry].name;
        bool is_before = name->kind == OBJECT_SNAPSHOT ? name->offset < from : parts[i].end <= from;
        is_needed[parts[i].entry] = is_needed[parts[i].entry] || !is_before;
    }
}

static bool is_chain_alive(const struct catalog *catalog, const struct chain_part *parts,
                           size_t count, int64_t since_us)
{
    for (size_t i = 0; i < count; i++) {
        if (moment_of_entry(&catalog->entries[parts[i].entry]) >= since_us)
            return true;
    }
    return false;
}

/* A file whose manifest has not come stays, unless one behind it in its timeline has; so does one whose manifest cannot be
 * read: a person has to look at that. */
static void mark_strays(const struct catalog *catalog, size_t begin, size_t end, bool *is_needed)
{
    bool has_later = false;
    for (size_t i = end; i > begin; i--) {
        const struct catalog_entry *entry = &catalog->entries[i - 1];
        if (entry->is_damaged || (!entry->has_manifest && !has_later))
            is_needed[i - 1] = true;
        has_later = has_later || entry->has_manifest;
    }
}

static bool mark_needed(const struct catalog *catalog, int64_t since_us, bool *is_needed)
{
    for (size_t begin = 0; begin < catalog->count;) {
        size_t end = catalog_timeline_end(catalog, begin);
        size_t count;
        struct chain_part *parts = archive_chain(catalog, begin, &count);
        if (parts == NULL)
            return false;
        if (is_of_newest_timeline(catalog, begin) ||
            is_chain_alive(catalog, parts, count, since_us))
            mark_chain(catalog, parts, count, since_us, is_needed);
        mark_strays(catalog, begin, end, is_needed);
        free(parts);
        begin = end;
    }
    return true;
}

bool archive_prune(const struct catalog *catalog, int64_t since_us, archive_prune_fn *fn, void *arg,
                   struct error *error)
{
    bool *is_needed = calloc(catalog->count + 1, sizeof(*is_needed));
    bool good = (is_needed != NULL && mark_needed(catalog, since_us, is_needed)) ||
                error_set(error, ERROR_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < catalog->count && good; i++) {
        const struct catalog_entry *entry = &catalog->entries[i];
        char name[OBJECT_NAME_MAX];
        if (is_needed[i])
            continue;
        good = (!entry->has_manifest || fn(object_name_format(&entry->name, true, name), arg)) &&
               (!entry->has_file || fn(object_name_format(&entry->name, false, name), arg));
    }
    free(is_needed);
    return good;
}
