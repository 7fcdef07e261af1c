/* SPDX-License-Identifier: MIT */
#include "staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/crc64.h"
#include "relay/base/log.h"
#include "relay/os/file.h"
#include "relay/store/archive_folder.h"

enum { STATE_LENGTH_MAX = 4096, PIECE_BYTES = 256 * 1024, PATH_LENGTH_MAX = 4096 };

static const char state_name[] = "state";

int staging_open(const char *data_dir, struct error *error)
{
    char path[PATH_LENGTH_MAX];
    if (snprintf(path, sizeof(path), "%s/" STORE_ARCHIVE_FOLDER, data_dir) >= (int)sizeof(path)) {
        (void)error_set(error, ERROR_INVALID, "%.200s: the path is too long", data_dir);
        return -1;
    }
    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        (void)error_set_system(error, errno, "%.200s: cannot make the folder", path);
        return -1;
    }
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder == -1)
        (void)error_set_system(error, errno, "%.200s: cannot open the folder", path);
    return folder;
}

void staging_remove(int folder, const struct object_name *name)
{
    char file[OBJECT_NAME_MAX];
    (void)unlinkat(folder, object_name_format(name, true, file), 0);
    (void)unlinkat(folder, object_name_format(name, false, file), 0);
}

bool staging_save(int folder, const struct archive_state *state, struct error *error)
{
    struct text text;
    text_init(&text, STATE_LENGTH_MAX);
    archive_state_format(state, &text);
    const struct file_replacement replacement = {.content = text_bytes(&text), .is_durable = true};
    bool good = !text.failed ? file_replace(folder, state_name, &replacement, error)
                             : error_set(error, ERROR_EXHAUSTED, "out of memory");
    text_fini(&text);
    return good;
}

/* ------------------------------------------------------------------ found at a start */

static bool find_state(int folder, struct archive_state *out, struct error *error)
{
    struct text text;
    *out = (struct archive_state){.timeline = 0};
    text_init(&text, STATE_LENGTH_MAX);
    bool good = file_read(folder, state_name, &text, error);
    bool is_missing = !good && error->kind == ERROR_MISSING;
    if (good)
        good = archive_state_parse(text_bytes(&text), out, error);
    text_fini(&text);
    if (!good && !is_missing && error->kind != ERROR_DAMAGED)
        return false;
    if (!good && !is_missing)
        log_warnx(
            "archive: the note of how far the archive is cannot be read: %s: the archive goes "
            "on under another system id",
            error->text);
    if (!good)
        *out = (struct archive_state){.timeline = 0};
    return true;
}

/* The RDB may have any length; it was made durable long before, and it is not read here. */
static bool is_as_manifest_says(int folder, const struct manifest *manifest)
{
    char name[OBJECT_NAME_MAX];
    struct stat about;
    object_name_format(&manifest->name, false, name);
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file == -1)
        return false;
    bool good = fstat(file, &about) == 0 && S_ISREG(about.st_mode) &&
                (uint64_t)about.st_size == manifest->length;
    uint8_t *piece = malloc(PIECE_BYTES);
    uint64_t crc = 0;
    ssize_t got = 0;
    good = good && piece != NULL;
    while (good && manifest->name.kind == OBJECT_SEGMENT &&
           (got = read(file, piece, PIECE_BYTES)) > 0)
        crc = crc64(crc, piece, (size_t)got);
    if (good && manifest->name.kind == OBJECT_SEGMENT)
        good = got == 0 && crc == manifest->crc;
    free(piece);
    close(file);
    return good;
}

/* Is it what the state says comes next? */
static bool comes_next(const struct archive_state *state, const struct manifest *manifest)
{
    const struct object_name *name = &manifest->name;
    return strcmp(name->system.id, state->system.id) == 0 && name->timeline == state->timeline &&
           (name->kind == OBJECT_SNAPSHOT
                ? !state->has_snapshot || name->offset > state->snapshot_offset
                : name->offset == state->archived);
}

/* Of one that waits, both files stay; there is one at the most. One whose file is lost had been begun all the same. */
static void look_at_waiting(int folder, const char *name, struct shipment *shipment)
{
    struct text text;
    struct error error;
    text_init(&text, MANIFEST_LENGTH_MAX);
    bool is_next = file_read(folder, name, &text, &error) &&
                   manifest_parse(text_bytes(&text), name, &shipment->manifest, &error) &&
                   comes_next(&shipment->note, &shipment->manifest);
    text_fini(&text);
    shipment->is_staged = is_next && is_as_manifest_says(folder, &shipment->manifest);
    shipment->has_lost_file = is_next && !shipment->is_staged;
}

static void find_waiting(int folder, DIR *stream, struct shipment *shipment)
{
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL && !shipment->is_staged && !shipment->has_lost_file) {
        struct object_name name;
        bool is_manifest;
        if (object_name_parse(bytes_of(entry->d_name), &name, &is_manifest) && is_manifest)
            look_at_waiting(folder, entry->d_name, shipment);
    }
}

static void remove_others(int folder, DIR *stream, const struct shipment *shipment)
{
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        struct object_name name;
        bool is_manifest;
        bool is_waiting = shipment->is_staged &&
                          object_name_parse(bytes_of(entry->d_name), &name, &is_manifest) &&
                          object_name_compare(&name, &shipment->manifest.name) == 0;
        if (!is_waiting && entry->d_name[0] != '.' && strcmp(entry->d_name, state_name) != 0)
            (void)unlinkat(folder, entry->d_name, 0);
    }
}

bool staging_find(int folder, struct shipment *shipment, struct error *error)
{
    shipment->is_staged = false;
    shipment->has_lost_file = false;
    if (!find_state(folder, &shipment->note, error))
        return false;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy == -1 ? NULL : fdopendir(copy);
    if (stream == NULL) {
        (void)error_set_system(error, errno, "archive: cannot list the folder");
        if (copy != -1)
            close(copy);
        return false;
    }
    if (shipment->note.timeline != 0)
        find_waiting(folder, stream, shipment);
    rewinddir(stream);
    remove_others(folder, stream, shipment);
    closedir(stream);
    return true;
}

/* ------------------------------------------------------------------ made */

/* Does the piece hold nothing but PING? */
struct idle_check {
    bool is_idle;
    size_t at;
};

static void idle_check_feed(struct idle_check *check, struct bytes bytes)
{
    static const char ping[] = "*1\r\n$4\r\nPING\r\n";
    for (size_t i = 0; i < bytes.length && check->is_idle; i++) {
        check->is_idle = bytes.data[i] == (uint8_t)ping[check->at];
        check->at = (check->at + 1) % (sizeof(ping) - 1);
    }
}

static bool write_whole(int file, struct bytes bytes, struct error *error)
{
    while (bytes.length > 0) {
        ssize_t count = write(file, bytes.data, bytes.length);
        if (count == -1 && errno == EINTR)
            continue;
        if (count == -1)
            return error_set_system(error, errno, "archive: cannot write the copy");
        bytes = bytes_skip(bytes, (size_t)count);
    }
    return true;
}

struct piece_copy {
    struct shipment *shipment;
    int file;
    uint8_t *buffer;
    struct idle_check idle;
    bool is_over;
};

/* Some bytes of what the cursor sees, read and not mapped: a disk that fails is an error then. */
static bool copy_some(struct piece_copy *copy, struct bytes view, struct error *error)
{
    struct shipment *shipment = copy->shipment;
    uint64_t left = shipment->manifest.end - shipment->cursor.offset;
    size_t length = view.length < PIECE_BYTES ? view.length : PIECE_BYTES;
    if (length > left)
        length = (size_t)left;
    struct bytes bytes = bytes_at(copy->buffer, length);
    if (!cursor_read(&shipment->cursor, copy->buffer, length)) {
        cursor_note_unreadable(&shipment->cursor);
        return error_set_system(error, errno, "archive: cannot read the backlog");
    }
    if (!write_whole(copy->file, bytes, error))
        return false;
    shipment->manifest.crc = crc64(shipment->manifest.crc, bytes.data, length);
    idle_check_feed(&copy->idle, bytes);
    cursor_advance(&shipment->cursor, length);
    return true;
}

static bool copy_next(struct piece_copy *copy, struct error *error)
{
    struct shipment *shipment = copy->shipment;
    struct bytes view;
    switch (cursor_peek(&shipment->cursor, &view)) {
    case CURSOR_BYTES:
        return copy_some(copy, view, error);
    case CURSOR_AT_END:
    case CURSOR_REWOUND:
    case CURSOR_RENAMED:
        copy->is_over = shipment->is_read_to_end;
        break;
    case CURSOR_LAGGED:
    case CURSOR_DISK_FULL:
    case CURSOR_UNREADABLE:
        break;
    }
    return copy->is_over ||
           error_set(error, ERROR_MISSING, "the backlog has given up offset %" PRIu64,
                     shipment->cursor.offset);
}

static bool copy_piece(struct piece_copy *copy, struct error *error)
{
    struct shipment *shipment = copy->shipment;
    struct manifest *manifest = &shipment->manifest;
    manifest->crc = 0;
    while (shipment->cursor.offset < manifest->end && !copy->is_over) {
        if (!copy_next(copy, error))
            return false;
    }
    manifest->end = shipment->cursor.offset;
    manifest->length = manifest->end - manifest->name.offset;
    shipment->is_idle_only = shipment->skips_idle && copy->idle.is_idle;
    return manifest->length > 0 ||
           error_set(error, ERROR_MISSING, "there is nothing to be shipped any more");
}

static bool stage_segment(int folder, const char *name, struct shipment *shipment,
                          struct error *error)
{
    struct piece_copy copy = {.shipment = shipment, .idle = {.is_idle = true}};
    copy.file = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (copy.file == -1)
        return error_set_system(error, errno, "archive: cannot make the copy");
    copy.buffer = malloc(PIECE_BYTES);
    bool good = copy.buffer != NULL ? copy_piece(&copy, error)
                                    : error_set(error, ERROR_EXHAUSTED, "out of memory");
    free(copy.buffer);
    if (close(copy.file) == -1 && good)
        good = error_set_system(error, errno, "archive: cannot write the copy");
    return good;
}

static bool copy_whole(int from, int to, uint64_t length, struct error *error)
{
    off_t position = 0;
    uint8_t *buffer = malloc(PIECE_BYTES);
    bool good = buffer != NULL || error_set(error, ERROR_EXHAUSTED, "out of memory");
    while (good && (uint64_t)position < length) {
        ssize_t got = pread(from, buffer, PIECE_BYTES, position);
        if (got == -1 && errno == EINTR)
            continue;
        if (got <= 0)
            good =
                error_set_system(error, got == 0 ? ENODATA : errno, "archive: cannot read the RDB");
        else
            good = write_whole(to, bytes_at(buffer, (size_t)got), error);
        position += got > 0 ? got : 0;
    }
    free(buffer);
    return good;
}

/* Another name of the same file, which keeps it when the store gives it up; where the file system has no such names, or
 * it has none any more, a copy. */
static bool stage_snapshot(int folder, const char *name, const struct shipment *shipment,
                           struct error *error)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", shipment->file);
    (void)unlinkat(folder, name, 0);
    if (linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) == 0)
        return true;
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file == -1)
        return error_set_system(error, errno, "archive: cannot make the copy");
    bool good = copy_whole(shipment->file, file, shipment->manifest.length, error);
    if (good && fsync(file) == -1)
        good = error_set_system(error, errno, "archive: cannot write the copy");
    if (close(file) == -1 && good)
        good = error_set_system(error, errno, "archive: cannot write the copy");
    return good;
}

static bool stage_manifest(int folder, const struct manifest *manifest, struct error *error)
{
    char name[OBJECT_NAME_MAX];
    struct text text;
    text_init(&text, MANIFEST_LENGTH_MAX);
    manifest_format(manifest, &text);
    const struct file_replacement replacement = {.content = text_bytes(&text), .is_durable = true};
    bool good = !text.failed ? file_replace(folder, object_name_format(&manifest->name, true, name),
                                            &replacement, error)
                             : error_set(error, ERROR_EXHAUSTED, "out of memory");
    text_fini(&text);
    return good;
}

bool staging_make(int folder, struct shipment *shipment, struct error *error)
{
    char name[OBJECT_NAME_MAX];
    struct manifest *manifest = &shipment->manifest;
    object_name_format(&manifest->name, false, name);
    bool good = manifest->name.kind == OBJECT_SEGMENT
                    ? stage_segment(folder, name, shipment, error)
                    : stage_snapshot(folder, name, shipment, error);
    if (good && !shipment->is_idle_only)
        good = stage_manifest(folder, manifest, error);
    if (!good || shipment->is_idle_only)
        staging_remove(folder, &manifest->name);
    shipment->is_staged = good && !shipment->is_idle_only;
    return good;
}
