/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FLUSH_BYTES = 8 * 1024 * 1024 };

#define PART "psync-relay-restore.part"

/* The files of each format, in the part folder. */
static const struct {
    const char *name; /* on the command line */
    const char *final;
    const char *rdb;
    const char *stream;   /* may be the same file */
    const char *manifest; /* NULL: none */
    bool is_folder;       /* the final name is that of the folder, else of its only file */
} formats[] = {
    [OUTPUT_AOF] = {"aof", "appendonlydir", "appendonly.aof.1.base.rdb",
                    "appendonly.aof.1.incr.aof", "appendonly.aof.manifest", true},
    [OUTPUT_AOF_LEGACY] = {"aof-legacy", "appendonly.aof", "appendonly.aof", "appendonly.aof", NULL,
                           false},
    [OUTPUT_RDB_AND_LOG] = {"rdb-and-log", "rdb-and-log", "dump.rdb", "stream.log", NULL, true},
};

static const char manifest[] = "file appendonly.aof.1.base.rdb seq 1 type b\n"
                               "file appendonly.aof.1.incr.aof seq 1 type i\n";

bool output_parse_format(const char *name, enum output_format *out)
{
    for (size_t i = 0; i < LENGTH_OF(formats); i++) {
        if (strcmp(name, formats[i].name) == 0) {
            *out = (enum output_format)i;
            return true;
        }
    }
    return false;
}

const char *output_name(enum output_format format)
{
    return formats[format].final;
}

/* ------------------------------------------------------------------ the part folder */

static void remove_part_files(int part)
{
    for (size_t i = 0; i < LENGTH_OF(formats); i++) {
        (void)unlinkat(part, formats[i].rdb, 0);
        (void)unlinkat(part, formats[i].stream, 0);
        if (formats[i].manifest != NULL)
            (void)unlinkat(part, formats[i].manifest, 0);
    }
}

static bool open_target(struct output *output, struct error *error)
{
    output->has_made_target = mkdir(output->target, 0700) == 0;
    if (!output->has_made_target && errno != EEXIST)
        return error_set_system(error, errno, "%s: cannot make the directory", output->target);
    output->directory = open(output->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output->directory == -1)
        return error_set_system(error, errno, "%s: cannot open the directory", output->target);
    const char *final = formats[output->format].final;
    if (faccessat(output->directory, final, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(error, ERROR_IN_USE,
                         "%s/%s is there already: move it away, or restore to another directory",
                         output->target, final);
    return errno == ENOENT || error_set_system(error, errno, "%s/%s", output->target, final);
}

static bool open_part(struct output *output, struct error *error)
{
    if (mkdirat(output->directory, PART, 0700) == -1 && errno != EEXIST)
        return error_set_system(error, errno, "%s/" PART ": cannot make it", output->target);
    output->part = openat(output->directory, PART, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (output->part == -1)
        return error_set_system(error, errno, "%s/" PART ": cannot open it", output->target);
    if (flock(output->part, LOCK_EX | LOCK_NB) == 0) {
        remove_part_files(output->part);
        return true;
    }
    int number = errno;
    close(output->part);
    output->part = -1;
    if (number == EWOULDBLOCK)
        return error_set(error, ERROR_IN_USE, "%s: another restore is writing to it",
                         output->target);
    return error_set_system(error, number, "%s/" PART ": cannot lock it", output->target);
}

bool output_open(struct output *output, const char *target, enum output_format format,
                 struct error *error)
{
    *output = (struct output){.format = format,
                              .target = target,
                              .directory = -1,
                              .part = -1,
                              .file = -1,
                              .is_copying = true};
    if (open_target(output, error) && open_part(output, error))
        return true;
    output_close(output);
    return false;
}

void output_close(struct output *output)
{
    if (output->file != -1)
        close(output->file);
    while (output->written_count > 0)
        close(output->written[--output->written_count]);
    if (output->part != -1) {
        remove_part_files(output->part);
        (void)unlinkat(output->directory, PART, AT_REMOVEDIR);
        close(output->part);
    }
    if (output->directory != -1)
        close(output->directory);
    if (output->has_made_target && !output->is_finished)
        (void)rmdir(output->target);
    output->file = output->part = output->directory = -1;
}

/* ------------------------------------------------------------------ files */

static bool fail_writing(const struct output *output, int number, struct error *error)
{
    return error_set_system(error, number, "%s: cannot write", output->target);
}

static bool output_begin_file(struct output *output, const char *name, struct error *error)
{
    CHECK(output->file == -1);
    output->file = openat(output->part, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    output->length = 0;
    output->flushed = 0;
    return output->file != -1 || fail_writing(output, errno, error);
}

/* It stays open: all are waited for together, at the end. */
static void output_end_file(struct output *output)
{
    CHECK(output->written_count < LENGTH_OF(output->written));
    output->written[output->written_count++] = output->file;
    output->file = -1;
}

/* The disk begins to write while the rest is read and proven, so that less is left for the fsync. */
static void flush_behind(struct output *output)
{
    if (output->length - output->flushed < FLUSH_BYTES)
        return;
    (void)sync_file_range(output->file, (off_t)output->flushed,
                          (off_t)(output->length - output->flushed), SYNC_FILE_RANGE_WRITE);
    output->flushed = output->length;
}

static bool sync_files(struct output *output, struct error *error)
{
    int number = 0;
    while (output->written_count > 0) {
        int file = output->written[--output->written_count];
        if (fsync(file) == -1 && number == 0)
            number = errno;
        if (close(file) == -1 && number == 0)
            number = errno;
    }
    return number == 0 || fail_writing(output, number, error);
}

static bool is_one_file(const struct output *output)
{
    return formats[output->format].rdb == formats[output->format].stream;
}

bool output_begin_rdb(struct output *output, struct error *error)
{
    return output_begin_file(output, formats[output->format].rdb, error);
}

void output_end_rdb(struct output *output)
{
    if (!is_one_file(output))
        output_end_file(output);
}

bool output_begin_stream(struct output *output, struct error *error)
{
    if (!is_one_file(output) && !output_begin_file(output, formats[output->format].stream, error))
        return false;
    output->stream = output->length;
    return true;
}

bool output_end_stream(struct output *output, uint64_t length, struct error *error)
{
    length += output->stream;
    CHECK(length <= output->length);
    if (length < output->length && ftruncate(output->file, (off_t)length) == -1)
        return fail_writing(output, errno, error);
    output_end_file(output);
    return true;
}

bool output_write(struct output *output, struct bytes bytes, struct error *error)
{
    while (bytes.length > 0) {
        ssize_t count = write(output->file, bytes.data, bytes.length);
        if (count == -1 && errno == EINTR)
            continue;
        if (count == -1)
            return fail_writing(output, errno, error);
        output->length += (uint64_t)count;
        bytes = bytes_skip(bytes, (size_t)count);
    }
    flush_behind(output);
    return true;
}

/* Where the two file systems do not do it together, the bytes that were read are written. */
bool output_copy(struct output *output, const struct history_view_piece *piece, struct error *error)
{
    struct bytes bytes = piece->bytes;
    off_t position = (off_t)piece->position;
    while (output->is_copying && bytes.length > 0) {
        ssize_t count =
            copy_file_range(piece->file, &position, output->file, NULL, bytes.length, 0);
        if (count == -1 && errno == EINTR)
            continue;
        if (count <= 0) {
            output->is_copying = false;
            break;
        }
        output->length += (uint64_t)count;
        bytes = bytes_skip(bytes, (size_t)count);
    }
    return output_write(output, bytes, error);
}

/* ------------------------------------------------------------------ the final name */

static bool write_manifest(struct output *output, struct error *error)
{
    const char *name = formats[output->format].manifest;
    if (name == NULL)
        return true;
    if (!output_begin_file(output, name, error) || !output_write(output, bytes_of(manifest), error))
        return false;
    output_end_file(output);
    return true;
}

/* Not over something that has come meanwhile; a file system that does not know the flag is asked without it. By its
 * number: not every C library has a function for it. */
static bool rename_new(int from, const char *name, int to, const char *final)
{
    enum { NO_REPLACE = 1 }; /* RENAME_NOREPLACE of linux/fs.h */
    if (syscall(SYS_renameat2, from, name, to, final, NO_REPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    if (faccessat(to, final, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return false;
    }
    return renameat(from, name, to, final) == 0;
}

bool output_finish(struct output *output, struct error *error)
{
    const char *final = formats[output->format].final;
    if (!write_manifest(output, error) || !sync_files(output, error))
        return false;
    if (fsync(output->part) == -1)
        return fail_writing(output, errno, error);
    bool is_folder = formats[output->format].is_folder;
    bool is_named =
        is_folder ? rename_new(output->directory, PART, output->directory, final)
                  : rename_new(output->part, formats[output->format].rdb, output->directory, final);
    if (!is_named)
        return error_set_system(error, errno, "%s/%s: cannot give it its name", output->target,
                                final);
    if (is_folder) {
        close(output->part);
        output->part = -1;
    }
    output->is_finished = true;
    return fsync(output->directory) == 0 || fail_writing(output, errno, error);
}
