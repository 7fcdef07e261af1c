/* SPDX-License-Identifier: MIT */
#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(struct text *why)
{
    text_append_string(why, strerror(errno));
    return false;
}

static bool read_all(int file, struct text *out, struct text *why)
{
    char block[4096];
    ssize_t length;
    while ((length = read(file, block, sizeof(block))) != 0) {
        if (length == -1 && errno == EINTR)
            continue;
        if (length == -1)
            return refuse(why);
        text_append(out, bytes_at(block, (size_t)length));
    }
    if (out->failed)
        text_append_string(why, "the path is too long");
    return !out->failed;
}

bool replace_read(const char *path, struct text *out, struct text *why)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file == -1)
        return refuse(why);
    bool good = read_all(file, out, why);
    close(file);
    return good;
}

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
static bool dress(int file, const char *like)
{
    struct stat status;
    struct stat own;
    if (stat(like, &status) == -1 || fstat(file, &own) == -1)
        return false;
    bool is_owned = own.st_uid == status.st_uid && own.st_gid == status.st_gid;
    return (is_owned || fchown(file, status.st_uid, status.st_gid) == 0) &&
           fchmod(file, status.st_mode & 07777) == 0;
}

static bool fill(int file, const char *like, struct bytes content, struct text *why)
{
    return (dress(file, like) && write_all(file, content) && fsync(file) == 0) || refuse(why);
}

/* So that the new name survives, too. */
static bool sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    CHECK(directory != NULL);
    int opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    bool good = opened != -1 && fsync(opened) == 0;
    if (opened != -1)
        close(opened);
    return good;
}

bool replace_file(const char *path, struct bytes content, replace_check_fn *check, void *arg,
                  struct text *why)
{
    char *other = NULL;
    CHECK(asprintf(&other, "%s.new-XXXXXX", path) > 0);
    int file = mkostemp(other, O_CLOEXEC);
    bool good = file != -1 ? fill(file, path, content, why) : refuse(why);
    bool is_named = file != -1;
    if (file != -1)
        close(file);
    if (good)
        good = check(other, arg, why);
    if (good && rename(other, path) == -1)
        good = refuse(why);
    else if (good)
        is_named = false;
    if (is_named)
        unlink(other);
    free(other);
    return good && (sync_directory(path) || refuse(why));
}
