/* SPDX-License-Identifier: MIT
 *
 * The bytes of a view, proven as they are read.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/crc64.h"
#include "relay/store/history_view.h"

enum { PIECE_BYTES = 1024 * 1024, FOOTER_BYTES = 8, VIEW_FILE_NAME_MAX = 160 };

/* As it is in a data directory; in an archive, as its name ends. */
static void name_file(const struct history_view *view, const char *folder, uint64_t offset,
                      const char *ending, char out[VIEW_FILE_NAME_MAX])
{
    if (view->fetch == NULL)
        snprintf(out, VIEW_FILE_NAME_MAX, "%s/%s/%" PRIu64 ".%s", view->name, folder, offset,
                 ending);
    else
        snprintf(out, VIEW_FILE_NAME_MAX, "%s: %020" PRIu64 ".%s", view->name, offset, ending);
}

/* A file that is read from its beginning to `length`, and the CRC-64 of what was read. */
struct proven_file {
    int file;
    uint64_t length;
    uint64_t crc;
    uint8_t ending[FOOTER_BYTES];
};

static bool view_read_piece(const struct proven_file *it, uint8_t *buffer, uint64_t position,
                            size_t *length, const char *name, struct error *error)
{
    uint64_t left = it->length - position;
    size_t wanted = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    size_t got = 0;
    while (got < wanted) {
        ssize_t count = pread(it->file, buffer + got, wanted - got, (off_t)(position + got));
        if (count == -1 && errno == EINTR)
            continue;
        if (count == -1)
            return error_set_system(error, errno, "%s: cannot read", name);
        if (count == 0)
            return error_set(error, ERROR_DAMAGED, "%s: it is shorter than it should be", name);
        got += (size_t)count;
    }
    *length = wanted;
    return true;
}

struct reading {
    uint64_t base; /* the offset that position 0 is */
    uint64_t from; /* `fn` is given from..until */
    uint64_t until;
    history_view_fn *fn;
    history_view_read_fn *read;
    void *arg;
};

/* What of a piece was asked for. */
static bool hand_out(const struct reading *reading, struct bytes bytes, uint64_t position, int file,
                     struct error *error)
{
    uint64_t offset = reading->base + position;
    if (offset < reading->from) {
        uint64_t before = reading->from - offset;
        if (before >= bytes.length)
            return true;
        bytes = bytes_skip(bytes, (size_t)before);
        offset = reading->from;
    }
    if (offset >= reading->until)
        return true;
    if (bytes.length > reading->until - offset)
        bytes = bytes_first(bytes, (size_t)(reading->until - offset));
    const struct history_view_piece piece = {.bytes = bytes, .position = offset, .file = file};
    return bytes.length == 0 || reading->fn(&piece, reading->arg, error);
}

static bool read_proven(struct proven_file *it, const struct reading *reading, const char *name,
                        struct error *error)
{
    uint8_t *buffer = malloc(PIECE_BYTES);
    if (buffer == NULL)
        return error_set(error, ERROR_EXHAUSTED, "out of memory");
    (void)posix_fadvise(it->file, 0, (off_t)it->length, POSIX_FADV_SEQUENTIAL);
    bool good = true;
    for (uint64_t position = 0; good && position < it->length;) {
        size_t length = 0;
        good = view_read_piece(it, buffer, position, &length, name, error);
        if (!good)
            break;
        struct bytes bytes = bytes_at(buffer, length);
        it->crc = crc64(it->crc, bytes.data, bytes.length);
        if (length >= FOOTER_BYTES)
            memcpy(it->ending, buffer + length - FOOTER_BYTES, FOOTER_BYTES);
        if (reading->read != NULL)
            reading->read(length, reading->arg);
        good = hand_out(reading, bytes, position, it->file, error);
        position += length;
    }
    free(buffer);
    return good;
}

/* A verified RDB ends with its own CRC-64, so that of the whole is 0; zeros there are no checksum. */
static bool is_snapshot_proven(const struct history_view_snapshot *snapshot,
                               const struct proven_file *it)
{
    static const uint8_t no_checksum[FOOTER_BYTES] = {0};
    if (snapshot->is_named)
        return it->crc == snapshot->crc;
    return it->crc == 0 && memcmp(it->ending, no_checksum, FOOTER_BYTES) != 0;
}

bool history_view_read_snapshot(const struct history_view *view,
                                const struct history_view_snapshot *snapshot, history_view_fn *fn,
                                void *arg, struct error *error)
{
    struct proven_file it = {.file = snapshot->file, .length = snapshot->length};
    const struct reading reading = {.until = UINT64_MAX, .fn = fn, .arg = arg};
    struct stat about;
    char name[VIEW_FILE_NAME_MAX];
    name_file(view, "snapshot", snapshot->offset, "rdb", name);
    if (fstat(it.file, &about) == -1)
        return error_set_system(error, errno, "%s: cannot look at it", name);
    if ((uint64_t)about.st_size != it.length)
        return error_set(error, ERROR_DAMAGED, "%s: it has %" PRIu64 " bytes, not %" PRIu64, name,
                         (uint64_t)about.st_size, it.length);
    if (!read_proven(&it, &reading, name, error))
        return false;
    return is_snapshot_proven(snapshot, &it) ||
           error_set(error, ERROR_DAMAGED, "%s: its checksum does not match its bytes", name);
}

/* Is any of it between the two? */
static bool segment_is_between(const struct identity_segment *segment, uint64_t from,
                               uint64_t until)
{
    return segment->first < until && segment->end > from;
}

uint64_t history_view_stream_bytes(const struct history_view *view, uint64_t from, uint64_t until)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < view->identity.segment_count; i++) {
        const struct identity_segment *segment = &view->identity.segments[i];
        if (segment_is_between(segment, from, until))
            bytes += segment->end - segment->first;
    }
    return bytes;
}

bool history_view_read_stream(const struct history_view *view, uint64_t from, uint64_t until,
                              history_view_fn *fn, history_view_read_fn *read, void *arg,
                              struct error *error)
{
    CHECK(from >= view->first && from <= until && until <= view->end);
    for (size_t i = 0; i < view->identity.segment_count; i++) {
        const struct identity_segment *segment = &view->identity.segments[i];
        if (!segment_is_between(segment, from, until))
            continue;
        char name[VIEW_FILE_NAME_MAX];
        name_file(view, "backlog", segment->first, "seg", name);
        struct proven_file it = {.file = view->files[i], .length = segment->end - segment->first};
        const struct reading reading = {.base = segment->first,
                                        .from = from,
                                        .until = until,
                                        .fn = fn,
                                        .read = read,
                                        .arg = arg};
        if (!read_proven(&it, &reading, name, error))
            return false;
        if (it.crc != segment->crc)
            return error_set(error, ERROR_DAMAGED, "%s: its checksum does not match its bytes",
                             name);
    }
    return true;
}
