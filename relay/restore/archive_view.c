/* SPDX-License-Identifier: MIT */
#include "archive_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/crc64.h"
#include "relay/os/process.h"

enum { PIECE_BYTES = 256 * 1024, DESCRIPTORS_BESIDE = 64 };

/* What is behind a view: of each segment, and of each snapshot, the entry of the catalog. */
struct archive_rows {
    struct archive_views *views;
    struct history_view *view;
    size_t *segment;
    size_t snapshot[HISTORY_VIEW_SNAPSHOTS_MAX];
};

/* ------------------------------------------------------------------ fetched */

static int open_entry(const struct archive_views *views, const struct catalog_entry *entry,
                      struct error *error)
{
    char name[OBJECT_NAME_MAX];
    struct stat about;
    object_name_format(&entry->name, false, name);
    int file = archive_source_open(&views->source, name, error);
    if (file == -1)
        return -1;
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode) &&
        (uint64_t)about.st_size == entry->length)
        return file;
    (void)error_set(error, ERROR_DAMAGED, "%s: it has %lld bytes, and its manifest says %" PRIu64,
                    name, (long long)about.st_size, entry->length);
    close(file);
    return -1;
}

/* Only its first bytes count, up to where another timeline goes on: their checksum, if that of the whole is right. */
static bool sum_first(int file, const struct catalog_entry *entry, uint64_t length, uint64_t *crc,
                      struct error *error)
{
    uint8_t *piece = malloc(PIECE_BYTES);
    uint64_t whole = 0;
    uint64_t position = 0;
    bool good = piece != NULL || error_set(error, ERROR_EXHAUSTED, "out of memory");
    *crc = 0;
    while (good && position < entry->length) {
        uint64_t until = position < length ? length : entry->length;
        size_t wanted = until - position < PIECE_BYTES ? (size_t)(until - position) : PIECE_BYTES;
        ssize_t got = pread(file, piece, wanted, (off_t)position);
        if (got == -1 && errno == EINTR)
            continue;
        if (got <= 0)
            good = error_set_system(error, got == 0 ? ENODATA : errno, "archive: cannot read");
        else
            whole = crc64(whole, piece, (size_t)got);
        position += got > 0 ? (uint64_t)got : 0;
        if (position == length)
            *crc = whole;
    }
    free(piece);
    if (good && whole != entry->crc) {
        char name[OBJECT_NAME_MAX];
        good = error_set(error, ERROR_DAMAGED, "%s: its checksum does not match its bytes",
                         object_name_format(&entry->name, false, name));
    }
    return good;
}

static bool fetch_segment(struct archive_rows *rows, size_t at, struct error *error)
{
    struct history_view *view = rows->view;
    struct identity_segment *segment = &view->identity.segments[at];
    const struct catalog_entry *entry = &rows->views->catalog.entries[rows->segment[at]];
    if (view->files[at] != -1)
        return true;
    int file = open_entry(rows->views, entry, error);
    if (file == -1)
        return false;
    if (segment->end < entry->end &&
        !sum_first(file, entry, segment->end - segment->first, &segment->crc, error)) {
        close(file);
        return false;
    }
    view->files[at] = file;
    return true;
}

static bool archive_fetch(void *arg, const struct history_view_snapshot *snapshot, uint64_t from,
                          uint64_t until, struct error *error)
{
    struct archive_rows *rows = arg;
    struct history_view *view = rows->view;
    for (size_t i = 0; i < view->snapshot_count; i++) {
        struct history_view_snapshot *own = &view->snapshots[i];
        if (own != snapshot || own->file != -1)
            continue;
        own->file =
            open_entry(rows->views, &rows->views->catalog.entries[rows->snapshot[i]], error);
        if (own->file == -1)
            return false;
    }
    for (size_t i = 0; i < view->identity.segment_count; i++) {
        const struct identity_segment *segment = &view->identity.segments[i];
        if (segment->first < until && segment->end > from && !fetch_segment(rows, i, error))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ the chain of a timeline */

/* Of one timeline, newest first: what counts up to `limit`. */
static void add_timeline(const struct catalog *catalog, size_t index, uint64_t limit,
                         struct chain_part *parts, size_t *count)
{
    size_t begin = catalog_timeline_begin(catalog, index);
    for (size_t i = catalog_timeline_end(catalog, index); i > begin; i--) {
        const struct catalog_entry *entry = &catalog->entries[i - 1];
        bool is_segment = entry->name.kind == OBJECT_SEGMENT;
        uint64_t offset = entry->name.offset;
        if (!entry->has_manifest || (is_segment ? offset >= limit : offset > limit))
            continue;
        uint64_t end = entry->end < limit ? entry->end : limit;
        parts[(*count)++] = (struct chain_part){.entry = i - 1, .end = end};
    }
}

struct chain_part *archive_chain(const struct catalog *catalog, size_t index, size_t *count)
{
    struct chain_part *parts = malloc((catalog->count + 1) * sizeof(*parts));
    struct timeline_root root;
    uint64_t limit = UINT64_MAX;
    *count = 0;
    if (parts == NULL)
        return NULL;
    /* A parent has a smaller number, so this ends. */
    while (index < catalog->count) {
        add_timeline(catalog, index, limit, parts, count);
        if (!catalog_timeline_root(catalog, index, &root) || root.parent == 0)
            break;
        limit = root.begin < limit ? root.begin : limit;
        index = catalog_find_timeline(catalog, &catalog->entries[index].name.system, root.parent);
    }
    for (size_t i = 0; i < *count / 2; i++) {
        struct chain_part swapped = parts[i];
        parts[i] = parts[*count - 1 - i];
        parts[*count - 1 - i] = swapped;
    }
    return parts;
}

/* ------------------------------------------------------------------ views */

struct view_builder {
    struct archive_views *views;
    const struct chain_part *parts;
    size_t count;
    size_t timeline; /* an entry of it */
    struct text *notes;
    bool has_failed;
};

static const struct catalog_entry *entry_of(const struct view_builder *builder, size_t part)
{
    return &builder->views->catalog.entries[builder->parts[part].entry];
}

static bool is_segment(const struct view_builder *builder, size_t part)
{
    return entry_of(builder, part)->name.kind == OBJECT_SEGMENT;
}

/* The newest manifest of the timeline says under which ids its bytes are known. */
static void take_ids(const struct view_builder *builder, struct identity *identity)
{
    const struct catalog *catalog = &builder->views->catalog;
    size_t begin = catalog_timeline_begin(catalog, builder->timeline);
    size_t i = catalog_timeline_end(catalog, builder->timeline);
    while (i > begin && !catalog->entries[i - 1].has_manifest)
        i--;
    CHECK(i > begin);
    const struct catalog_entry *entry = &catalog->entries[i - 1];
    identity_init(identity, &entry->replid);
    identity->earlier_count = entry->earlier_count;
    memcpy(identity->earlier, entry->earlier, sizeof(identity->earlier));
}

static bool take_segment(const struct view_builder *builder, struct archive_rows *rows, size_t part)
{
    struct history_view *view = rows->view;
    const struct catalog_entry *entry = entry_of(builder, part);
    const struct identity_segment row = {entry->name.offset, builder->parts[part].end, entry->crc,
                                         0};
    rows->segment[view->identity.segment_count] = builder->parts[part].entry;
    view->files[view->identity.segment_count] = -1;
    for (size_t i = 0; i < entry->time_count; i++) {
        if (entry->times[i].offset <= row.end && !time_index_add(&view->times, entry->times[i]))
            return false;
    }
    return identity_add_segment(&view->identity, row);
}

static void take_snapshots(const struct view_builder *builder, struct archive_rows *rows)
{
    struct history_view *view = rows->view;
    for (size_t i = builder->count; i > 0; i--) {
        const struct catalog_entry *entry = entry_of(builder, i - 1);
        uint64_t offset = entry->name.offset;
        if (is_segment(builder, i - 1) || offset < view->first || offset > view->end ||
            view->snapshot_count == HISTORY_VIEW_SNAPSHOTS_MAX)
            continue;
        rows->snapshot[view->snapshot_count] = builder->parts[i - 1].entry;
        view->snapshots[view->snapshot_count++] =
            (struct history_view_snapshot){.offset = offset,
                                           .length = entry->length,
                                           .is_named = true,
                                           .crc = entry->crc,
                                           .file = -1};
    }
}

/* That of a snapshot at `offset`, with which the view begins. */
static bool take_first_time(const struct view_builder *builder, struct history_view *view,
                            uint64_t offset)
{
    for (size_t i = 0; i < builder->count; i++) {
        const struct catalog_entry *entry = entry_of(builder, i);
        if (!is_segment(builder, i) && entry->name.offset == offset && entry->time_count > 0)
            return time_index_add(&view->times, entry->times[0]);
    }
    return true;
}

/* The segments among the parts begin..end join; or there is none, and `offset` is that of a snapshot. */
static bool add_view(struct view_builder *builder, size_t begin, size_t end, uint64_t offset)
{
    struct archive_views *views = builder->views;
    const struct object_name *name = &views->catalog.entries[builder->timeline].name;
    struct history_view *view = &views->view[views->count];
    struct archive_rows *rows = calloc(1, sizeof(*rows));
    if (rows == NULL)
        return false;
    *view = (struct history_view){.number = name->timeline};
    views->rows[views->count++] = rows;
    *rows = (struct archive_rows){.views = views, .view = view};
    snprintf(view->name, sizeof(view->name), "timeline-%" PRIu64 " of %s", name->timeline,
             name->system.id);
    view->fetch = archive_fetch;
    view->fetch_arg = rows;
    take_ids(builder, &view->identity);
    time_index_init(&view->times);
    view->files = malloc((end - begin + 1) * sizeof(*view->files));
    rows->segment = malloc((end - begin + 1) * sizeof(*rows->segment));
    if (begin < end)
        offset = entry_of(builder, begin)->name.offset;
    if (view->files == NULL || rows->segment == NULL || !take_first_time(builder, view, offset))
        return false;
    for (size_t i = begin; i < end; i++) {
        if (is_segment(builder, i) && !take_segment(builder, rows, i))
            return false;
    }
    size_t count = view->identity.segment_count;
    view->first = count > 0 ? view->identity.segments[0].first : offset;
    view->end = count > 0 ? view->identity.segments[count - 1].end : offset;
    view->boundary = view->end;
    take_snapshots(builder, rows);
    return true;
}

/* Where the run that ends before part `end` begins. */
static size_t begin_of_run(struct view_builder *builder, size_t end, uint64_t *missing_from,
                           uint64_t *missing_to)
{
    size_t begin = end;
    uint64_t first = 0;
    bool is_found = false;
    *missing_from = *missing_to = 0;
    for (size_t i = end; i > 0; i--) {
        if (!is_segment(builder, i - 1))
            continue;
        if (is_found && builder->parts[i - 1].end != first) {
            *missing_from = builder->parts[i - 1].end;
            *missing_to = first;
            break;
        }
        is_found = true;
        first = entry_of(builder, i - 1)->name.offset;
        begin = i - 1;
    }
    return begin;
}

static void note_hole(struct view_builder *builder, uint64_t from, uint64_t to)
{
    const struct object_name *name = &builder->views->catalog.entries[builder->timeline].name;
    builder->views->has_holes = true;
    if (from < to)
        text_format(builder->notes,
                    "timeline-%" PRIu64 " of %s: offsets %" PRIu64 " to %" PRIu64
                    " are missing in the archive\n",
                    name->timeline, name->system.id, from, to);
    else
        text_format(builder->notes,
                    "timeline-%" PRIu64 " of %s: two files have the bytes from offset %" PRIu64
                    " to %" PRIu64 "\n",
                    name->timeline, name->system.id, to, from);
}

/* A view for each run, the newest first. */
static bool add_runs(struct view_builder *builder)
{
    size_t end = builder->count;
    bool has_run = false;
    uint64_t own = builder->views->catalog.entries[builder->timeline].name.timeline;
    while (end > 0) {
        uint64_t missing_from;
        uint64_t missing_to;
        size_t begin = begin_of_run(builder, end, &missing_from, &missing_to);
        /* What lies in a timeline before this one alone is that one's. */
        bool is_own = !has_run || entry_of(builder, end - 1)->name.timeline == own;
        if (begin == end || !is_own)
            break;
        if (!add_view(builder, begin, end, 0))
            return false;
        has_run = true;
        if (missing_from == missing_to)
            break;
        note_hole(builder, missing_from, missing_to);
        end = begin;
    }
    return has_run || builder->count == 0 ||
           add_view(builder, 0, 0, entry_of(builder, builder->count - 1)->name.offset);
}

/* Each timeline, the newest first. */
static bool add_views(struct archive_views *views, uint64_t timeline, struct text *notes)
{
    const struct catalog *catalog = &views->catalog;
    bool good = true;
    for (size_t i = catalog->count; i > 0 && good;) {
        struct timeline_root root;
        struct view_builder builder = {.views = views, .timeline = i - 1, .notes = notes};
        i = catalog_timeline_begin(catalog, i - 1);
        if ((timeline != 0 && timeline != catalog->entries[i].name.timeline) ||
            !catalog_timeline_root(catalog, i, &root))
            continue;
        struct chain_part *parts = archive_chain(catalog, i, &builder.count);
        builder.parts = parts;
        good = parts != NULL && add_runs(&builder);
        free(parts);
    }
    return good;
}

bool archive_views_open(struct archive_views *views, const struct archive_source *source,
                        const char *system, uint64_t timeline, struct text *notes,
                        struct error *error)
{
    *views = (struct archive_views){.source = *source};
    if (!catalog_read(&views->catalog, source, system, notes, error))
        return false;
    (void)process_raise_descriptors(2 * views->catalog.count + DESCRIPTORS_BESIDE);
    /* A view has a part of its own timeline, or is the only one of that. */
    size_t most = 2 * views->catalog.count + 1;
    views->view = calloc(most, sizeof(*views->view));
    views->rows = calloc(most, sizeof(struct archive_rows *));
    if (views->view != NULL && views->rows != NULL && add_views(views, timeline, notes))
        return true;
    archive_views_close(views);
    return error_set(error, ERROR_EXHAUSTED, "out of memory");
}

/* How far a timeline reaches; 0: nothing of its stream is there. */
static uint64_t end_of_timeline(const struct catalog *catalog, size_t index)
{
    uint64_t end = 0;
    for (size_t i = catalog_timeline_begin(catalog, index);
         i < catalog_timeline_end(catalog, index); i++) {
        const struct catalog_entry *entry = &catalog->entries[i];
        if (entry->has_manifest && entry->end > end)
            end = entry->end;
    }
    return end;
}

void archive_views_tell_gaps(const struct archive_views *views, struct text *out)
{
    const struct catalog *catalog = &views->catalog;
    for (size_t i = 0; i < catalog->count; i = catalog_timeline_end(catalog, i)) {
        const struct catalog_entry *entry = &catalog->entries[i];
        if (i == 0 || !entry->has_manifest || entry->root.parent != 0)
            continue;
        const struct catalog_entry *before = &catalog->entries[i - 1];
        uint64_t end = end_of_timeline(catalog, i - 1);
        if (before->has_manifest && before->history == entry->history &&
            strcmp(before->name.system.id, entry->name.system.id) == 0 && end < entry->root.begin)
            text_format(out,
                        "gap: offsets %" PRIu64 " to %" PRIu64 ", between timeline-%" PRIu64
                        " and timeline-%" PRIu64 " of %s\n",
                        end, entry->root.begin, before->name.timeline, entry->name.timeline,
                        entry->name.system.id);
    }
}

void archive_views_close(struct archive_views *views)
{
    for (size_t i = 0; i < views->count; i++) {
        history_view_close(&views->view[i]);
        free(views->rows[i]->segment);
        free(views->rows[i]);
    }
    free(views->view);
    free(views->rows);
    catalog_free(&views->catalog);
    *views = (struct archive_views){.count = 0};
}
