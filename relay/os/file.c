/* SPDX-License-Identifier: MIT */
#include "relay/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/os/random.h"

enum { NAME_MAX_BYTES = 4096, UNIQUE_DIGITS = 8 };

/* ---- reading ---- */

bool file_read(int directory, const char *name, struct text *out, struct error *error)
{
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file == -1)
        return error_set_system(error, errno, "%s: cannot open", name);
    char piece[4096];
    ssize_t got;
    bool is_too_long = false;
    while ((got = read(file, piece, sizeof(piece))) > 0 || (got == -1 && errno == EINTR)) {
        if (got <= 0)
            continue;
        is_too_long = is_too_long || (size_t)got > out->limit - out->length;
        text_append(out, bytes_at(piece, (size_t)got));
    }
    int number = errno;
    close(file);
    if (got == -1)
        return error_set_system(error, number, "%s: cannot read", name);
    if (is_too_long)
        return error_set(error, ERROR_DAMAGED, "%s: larger than %zu bytes", name, out->limit);
    if (out->failed)
        return error_set(error, ERROR_EXHAUSTED, "%s: out of memory", name);
    return true;
}

/* ---- replacing ---- */

static bool write_all(int file, struct bytes content)
{
    while (content.length > 0) {
        ssize_t written = write(file, content.data, content.length);
        if (written == -1 && errno != EINTR)
            return false;
        if (written > 0)
            content = bytes_skip(content, (size_t)written);
    }
    return true;
}

/* Owner first: changing it may take away bits of the mode. */
static bool copy_owner(int file, int directory, const char *from)
{
    struct stat old;
    struct stat own;
    if (fstatat(directory, from, &old, 0) == -1 || fstat(file, &own) == -1)
        return false;
    bool is_owned = own.st_uid == old.st_uid && own.st_gid == old.st_gid;
    return (is_owned || fchown(file, old.st_uid, old.st_gid) == 0) &&
           fchmod(file, old.st_mode & 07777) == 0;
}

/* In a directory of our own the name is always the same: what a crash has left is overwritten. Elsewhere it
 * is one that nobody could have prepared. */
static int open_beside(int directory, const char *name, bool is_unique, char beside[NAME_MAX_BYTES])
{
    char digits[UNIQUE_DIGITS + 1] = "";
    if (is_unique)
        random_hex(digits, UNIQUE_DIGITS);
    int length = snprintf(beside, NAME_MAX_BYTES, "%s.new%s%s", name, is_unique ? "-" : "", digits);
    if (length < 0 || length >= NAME_MAX_BYTES) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int once = is_unique ? O_EXCL : O_TRUNC;
    return openat(directory, beside, O_WRONLY | O_CREAT | O_CLOEXEC | once, 0600);
}

bool file_sync_directory(int at, const char *name)
{
    int opened = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = opened != -1 && fsync(opened) == 0;
    int number = errno;
    if (opened != -1)
        close(opened);
    errno = number;
    return is_synced;
}

/* Makes the new name survive a power failure: an fsync of the directory that it is in. */
static bool sync_parent(int directory, const char *name)
{
    const char *slash = strrchr(name, '/');
    if (slash == NULL && directory != AT_FDCWD)
        return fsync(directory) == 0;
    char parent[NAME_MAX_BYTES] = ".";
    if (slash != NULL)
        snprintf(parent, sizeof(parent), "%.*s", (int)(slash - name) + 1, name);
    return file_sync_directory(directory, parent);
}

/* Fills and closes the file. */
static bool fill_file(int file, int directory, const char *name,
                      const struct file_replacement *replacement, struct error *error)
{
    bool is_filled =
        ((!replacement->keeps_owner || copy_owner(file, directory, name)) &&
         write_all(file, replacement->content) && (!replacement->is_durable || fsync(file) == 0)) ||
        error_set_system(error, errno, "%s: cannot replace", name);
    bool is_closed = close(file) == 0;
    return is_filled && (is_closed || error_set_system(error, errno, "%s: cannot replace", name));
}

/* As late as possible: an editor may have saved the file while the disk was waited for. */
static bool is_old_content(int directory, const char *name,
                           const struct file_replacement *replacement, struct error *error)
{
    struct text now;
    if (replacement->replaces == NULL)
        return true;
    text_init(&now, replacement->replaces->length);
    bool is_read = file_read(directory, name, &now, error);
    bool is_same = is_read && bytes_equal(text_bytes(&now), *replacement->replaces);
    text_fini(&now);
    if (is_same || (!is_read && error->kind != ERROR_DAMAGED))
        return is_same;
    return error_set(error, ERROR_INVALID, "%s: somebody else has changed it meanwhile", name);
}

bool file_replace(int directory, const char *name, const struct file_replacement *replacement,
                  struct error *error)
{
    char beside[NAME_MAX_BYTES];
    int file = open_beside(directory, name, replacement->keeps_owner, beside);
    if (file == -1)
        return error_set_system(error, errno, "%s: cannot create", beside);
    /* The content before the name: whatever stops us in between leaves the old content, and a
     * file beside it that nobody reads. */
    bool good = fill_file(file, directory, name, replacement, error);
    good = good && is_old_content(directory, name, replacement, error);
    good = good && (renameat(directory, beside, directory, name) == 0 ||
                    error_set_system(error, errno, "%s: cannot replace", name));
    if (!good) {
        unlinkat(directory, beside, 0);
        return false;
    }
    return !replacement->is_durable || sync_parent(directory, name) ||
           error_set_system(error, errno, "%s: cannot replace", name);
}
