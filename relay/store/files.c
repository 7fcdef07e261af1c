/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/crc64.h"
#include "relay/os/file.h"

enum { READ_PIECE = 256 * 1024, BOOT_ID_LENGTH = 36 };

bool files_is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

static const struct {
    int error;
    const char *advice;
} refusals[] = {
    {EMFILE, "raise the limit of open files (ulimit -n, LimitNOFILE)"},
    {ENFILE, "raise the system's limit of open files (sysctl fs.file-max)"},
    {ENOMEM, "give it more memory, or more mappings (ulimit -v, MemoryMax, sysctl "
             "vm.max_map_count)"},
    {EAGAIN, "give it more memory (ulimit -l, MemoryMax)"},
    {EACCES, "give the files to the user that runs the relay"},
    {EPERM, "give the files to the user that runs the relay"},
    {EROFS, "mount the file system for writing"},
    {EIO, "look at the disk, and at the system's log"},
    {ENOSPC, "make room on the disk"},
    {EDQUOT, "make room on the disk, or raise the quota of the user that runs the relay"},
    {EPROTONOSUPPORT,
     "start the newer version that wrote it, or give this one a data-dir of its own"},
};

/* These alone are about the file: it is not there, or it is not as it was written. */
static const int damages[] = {0, ENOENT, ENODATA, EBADMSG, EFBIG};

const char *files_advice(int error)
{
    for (size_t i = 0; i < LENGTH_OF(refusals); i++) {
        if (refusals[i].error == error)
            return refusals[i].advice;
    }
    return NULL;
}

bool files_is_refusal(int error)
{
    for (size_t i = 0; i < LENGTH_OF(damages); i++) {
        if (damages[i] == error)
            return false;
    }
    return true;
}

/* errno stays what it was. */
static void say(struct text *why, const char *name, const char *what)
{
    int error = errno;
    text_format(why, "%s: %s: %s", name, what, strerror(error));
    errno = error;
}

bool files_error(struct error *error, int number, const struct text *why)
{
    error->kind = number != 0 ? error_kind_of(number) : ERROR_SYSTEM;
    error->number = number;
    snprintf(error->text, sizeof(error->text), "%s",
             why->length > 0 ? text_string(why) : "out of memory");
    return false;
}

int files_open_directory(int at, const char *name, struct text *why)
{
    int directory = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory == -1 && errno == ENOENT) {
        if (mkdirat(at, name, 0700) == -1) {
            say(why, name, "cannot make the directory");
            return -1;
        }
        directory = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (directory == -1)
        say(why, name, "cannot open the directory");
    return directory;
}

bool files_write_at(int file, struct bytes content, uint64_t position)
{
    while (content.length > 0) {
        ssize_t count = pwrite(file, content.data, content.length, (off_t)position);
        if (count == -1 && errno == EINTR)
            continue;
        if (count == -1)
            return false;
        content = bytes_skip(content, (size_t)count);
        position += (uint64_t)count;
    }
    return true;
}

/* The kind of an error that has no errno of the system, for callers that look at errno. */
static void pass_on(const struct error *error, struct text *why)
{
    text_append_string(why, error->text);
    errno = error->number != 0 ? error->number : error->kind == ERROR_DAMAGED ? EFBIG : ENOMEM;
}

bool files_replace(int directory, const char *name, struct bytes content, bool durable,
                   struct text *why)
{
    struct error error;
    const struct file_replacement replacement = {.content = content, .is_durable = durable};
    bool good = file_replace(directory, name, &replacement, &error);
    if (!good)
        pass_on(&error, why);
    return good;
}

bool files_boot_id(char out[FILES_BOOT_ID_CAPACITY])
{
    memset(out, 0, FILES_BOOT_ID_CAPACITY);
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file == -1)
        return !files_is_refusal(errno);
    if (read(file, out, BOOT_ID_LENGTH) != BOOT_ID_LENGTH)
        memset(out, 0, FILES_BOOT_ID_CAPACITY);
    close(file);
    return true;
}

bool files_link(int file, int directory, const char *name)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    return linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW) == 0;
}

bool files_read(int directory, const char *name, struct text *out, struct text *why)
{
    struct error error;
    bool good = file_read(directory, name, out, &error);
    if (!good)
        pass_on(&error, why);
    return good;
}

int files_preallocate(int file, uint64_t length)
{
    int error;
    do {
        error = posix_fallocate(file, 0, (off_t)length);
    } while (error == EINTR);
    return error;
}

int files_create(int directory, const char *name, uint64_t length, struct text *why)
{
    if (unlinkat(directory, name, 0) == -1 && errno != ENOENT) {
        say(why, name, "cannot replace");
        return -1;
    }
    int file = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file == -1) {
        say(why, name, "cannot create");
        return -1;
    }
    int error = files_preallocate(file, length);
    if (error == 0)
        return file;
    errno = error;
    say(why, name, "cannot preallocate");
    close(file);
    unlinkat(directory, name, 0);
    errno = error;
    return -1;
}

static struct files_key files_key_of_stat(const struct stat *about)
{
    return (struct files_key){
        .inode = (uint64_t)about->st_ino,
        .length = (uint64_t)about->st_size,
        .modified_ns = (int64_t)about->st_mtim.tv_sec * 1000000000 + about->st_mtim.tv_nsec,
    };
}

bool files_key_of(int directory, const char *name, struct files_key *out)
{
    struct stat about;
    if (fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) == -1)
        return false;
    *out = files_key_of_stat(&about);
    return true;
}

bool files_is_trusted(int file, const struct files_pace *pace)
{
    struct stat about;
    if (pace == NULL || pace->trusted == NULL || fstat(file, &about) == -1)
        return false;
    const struct files_key now = files_key_of_stat(&about);
    return now.inode == pace->trusted->inode && now.length == pace->trusted->length &&
           now.modified_ns == pace->trusted->modified_ns;
}

/* How many bytes came; 0: the file ends. -1: errno. */
static ssize_t read_piece(int file, uint8_t *piece, uint64_t from, uint64_t until)
{
    uint64_t wanted = until - from < READ_PIECE ? until - from : READ_PIECE;
    ssize_t got;
    do
        got = pread(file, piece, (size_t)wanted, (off_t)from);
    while (got == -1 && errno == EINTR);
    return got;
}

bool files_crc64_from(int file, uint64_t from, uint64_t until, uint64_t *crc,
                      const struct files_pace *pace, struct text *why)
{
    uint8_t *piece = malloc(READ_PIECE);
    if (piece == NULL) {
        text_format(why, "out of memory");
        errno = ENOMEM;
        return false;
    }
    int error = 0;
    while (from < until && error == 0) {
        ssize_t got = read_piece(file, piece, from, until);
        if (got <= 0) {
            error = got == 0 ? ENODATA : errno;
            text_format(why, "%s", got == 0 ? "it is shorter than it should be" : strerror(error));
            break;
        }
        *crc = crc64(*crc, piece, (size_t)got);
        from += (uint64_t)got;
        if (pace != NULL && pace->go_on != NULL && !pace->go_on(pace->arg, (size_t)got)) {
            error = ECANCELED;
            text_format(why, "the relay ends");
        }
    }
    free(piece);
    errno = error;
    return error == 0;
}

bool files_each(int directory, files_entry_fn *fn, void *arg, struct text *why)
{
    int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = own == -1 ? NULL : fdopendir(own);
    if (stream == NULL) {
        int error = errno;
        text_format(why, "cannot list the directory: %s", strerror(error));
        if (own != -1)
            close(own);
        errno = error;
        return false;
    }
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            fn(entry->d_name, arg);
    }
    closedir(stream);
    return true;
}
