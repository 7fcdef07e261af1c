/* SPDX-License-Identifier: MIT
 *
 * Calls on descriptors. Data that is not in the page cache (a file is cold after a power failure) makes a
 * reader wait, and is what preadv2 and mincore tell. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "clock.h"
#include "disk.h"
#include "event_loop.h"
#include "file.h"
#include "network.h"
#include "relay/base/check.h"
#include "sim.h"

enum { READ_US_MAX = 5 * SIM_MS, MAPPINGS_MAX = 512 };

struct mapping {
    struct process *process; /* NULL: free */
    struct inode *inode;
    void *at;
    size_t length;
};

static struct mapping mappings[MAPPINGS_MAX];

static int fail_with(int error)
{
    errno = error;
    return -1;
}

/* ---- reading ---- */

static ssize_t read_inode(struct inode *inode, void *into, size_t length, uint64_t position)
{
    int error = 0;
    if (inode->is_cold) {
        error = disk_wait(inode->disk, READ_US_MAX);
        if (random_is_one_in(4))
            inode->is_cold = false;
    } else {
        error = disk_touch(inode->disk);
    }
    if (error != 0)
        return fail_with(error == ENOSPC ? EIO : error);
    if (position >= inode->size)
        return 0;
    uint64_t left = inode->size - position;
    size_t count = length < left ? length : (size_t)left;
    memcpy(into, inode->data + position, count);
    return (ssize_t)count;
}

ssize_t sim_pread64(int fd, void *into, size_t length, off_t position)
{
    sim_call("pread");
    struct file *file = file_find(fd);
    return file == NULL ? -1 : read_inode(file->inode, into, length, (uint64_t)position);
}

ssize_t sim_preadv64v2(int fd, const struct iovec *into, int count, off_t position, int flags)
{
    sim_call("preadv2");
    CHECK(count == 1);
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    if ((flags & RWF_NOWAIT) != 0 && file->inode->is_cold)
        return fail_with(EAGAIN);
    return read_inode(file->inode, into->iov_base, into->iov_len, (uint64_t)position);
}

ssize_t sim_read(int fd, void *into, size_t length)
{
    sim_call("read");
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    if (file->kind == FILE_EVENT) {
        if (file->count == 0)
            return fail_with(EAGAIN);
        memcpy(into, &file->count, sizeof file->count);
        file->count = 0;
        return sizeof file->count;
    }
    if (file->kind == FILE_TEXT) {
        size_t count = strlen(file->text) < length ? strlen(file->text) : length;
        memcpy(into, file->text, count);
        return (ssize_t)count;
    }
    if (file->kind != FILE_INODE)
        return 0;
    if (file->inode->is_directory)
        return fail_with(EISDIR);
    ssize_t got = read_inode(file->inode, into, length, file->position);
    if (got > 0)
        file->position += (uint64_t)got;
    return got;
}

/* ---- writing ---- */

static ssize_t write_inode(struct inode *inode, const void *from, size_t length, uint64_t position)
{
    int error = disk_touch(inode->disk);
    if (error != 0)
        return fail_with(error);
    if (length == 0)
        return 0;
    /* What fits is written, as a full disk does. */
    while (length > 0 && !inode_reserve(inode, position + length))
        length = length > DISK_PAGE ? length - DISK_PAGE : 0;
    if (length == 0)
        return fail_with(ENOSPC);
    if (position + length > inode->size)
        inode_resize(inode, position + length);
    memcpy(inode->data + position, from, length);
    inode_note_write(inode, position, length);
    inode->modified_us = host_wall_us(inode->disk->host);
    return (ssize_t)length;
}

ssize_t sim_pwrite64(int fd, const void *from, size_t length, off_t position)
{
    sim_call("pwrite");
    struct file *file = file_find(fd);
    return file == NULL ? -1 : write_inode(file->inode, from, length, (uint64_t)position);
}

/* A line of the relay's log. */
static ssize_t write_log(const char *from, size_t length)
{
    size_t shown = length > 0 && from[length - 1] == '\n' ? length - 1 : length;
    size_t skipped = shown > 25 && from[4] == '-' && from[10] == 'T' ? 25 : 0; /* its own time */
    char line[1024];
    snprintf(line, sizeof line, "%.*s", (int)(shown - skipped), from + skipped);
    trace("%s: %s", process_self()->name, line);
    if (process_self()->on_log != NULL)
        process_self()->on_log(line);
    return (ssize_t)length;
}

ssize_t sim_write(int fd, const void *from, size_t length)
{
    sim_call("write");
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    if (file->kind == FILE_LOG)
        return write_log(from, length);
    if (file->kind == FILE_EVENT) {
        uint64_t more;
        CHECK(length == sizeof more);
        memcpy(&more, from, sizeof more);
        file->count += more;
        event_loops_poke(process_self());
        return sizeof more;
    }
    if (file->kind != FILE_INODE)
        return (ssize_t)length;
    ssize_t written = write_inode(file->inode, from, length, file->position);
    if (written > 0)
        file->position += (uint64_t)written;
    return written;
}

int sim___dprintf_chk(int fd, int flag, const char *format, ...)
{
    (void)flag;
    char line[1024];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    ssize_t written = sim_write(fd, line, strnlen(line, sizeof line));
    return written < 0 ? -1 : length;
}

int sim_ftruncate64(int fd, off_t length)
{
    sim_call("ftruncate");
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    int error = disk_touch(file->inode->disk);
    if (error != 0)
        return fail_with(error);
    inode_resize(file->inode, (uint64_t)length);
    return 0;
}

int sim_posix_fallocate64(int fd, off_t from, off_t length)
{
    sim_call("fallocate");
    struct file *file = file_find(fd);
    if (file == NULL)
        return errno;
    uint64_t until = (uint64_t)(from + length);
    int error = disk_touch(file->inode->disk);
    if (error != 0)
        return error;
    if (!inode_reserve(file->inode, until))
        return ENOSPC;
    if (until > file->inode->size)
        inode_resize(file->inode, until);
    return 0;
}

int sim_posix_fadvise64(int fd, off_t from, off_t length, int advice)
{
    (void)from;
    (void)length;
    (void)advice;
    return file_find(fd) == NULL ? EBADF : 0;
}

/* ---- mappings ---- */

static struct mapping *find_mapping(const void *at)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        if (at == NULL ? mappings[i].process == NULL : mappings[i].at == at)
            return &mappings[i];
    }
    return NULL;
}

void *sim_mmap64(void *at, size_t length, int protection, int flags, int fd, off_t from)
{
    sim_call("mmap");
    if ((flags & MAP_ANONYMOUS) != 0)
        return mmap(at, length, protection, flags, fd, from);
    struct file *file = file_find(fd);
    struct mapping *mapping = find_mapping(NULL);
    CHECK(mapping != NULL);
    if (file == NULL)
        return MAP_FAILED;
    void *got = mmap(at, length, protection, flags, file->inode->memory, from);
    CHECK(got != MAP_FAILED);
    *mapping = (struct mapping){process_self(), file->inode, got, length};
    inode_use(file->inode);
    return got;
}

int sim_munmap(void *at, size_t length)
{
    sim_call("munmap");
    struct mapping *mapping = find_mapping(at);
    if (mapping != NULL) {
        CHECK(mapping->length == length);
        inode_leave(mapping->inode);
        *mapping = (struct mapping){0};
    }
    return munmap(at, length);
}

void mappings_forget(struct process *process)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        if (mappings[i].process != process)
            continue;
        if (mappings[i].inode->uses > 0)
            inode_leave(mappings[i].inode);
        munmap(mappings[i].at, mappings[i].length);
        mappings[i] = (struct mapping){0};
    }
}

int sim_mincore(void *at, size_t length, unsigned char *pages)
{
    sim_call("mincore");
    const struct mapping *mapping = find_mapping(at);
    CHECK(mapping != NULL);
    memset(pages, mapping->inode->is_cold ? 0 : 1, (length + DISK_PAGE - 1) / DISK_PAGE);
    return 0;
}

/* ---- descriptors ---- */

ssize_t sim_sendfile64(int to, int from, off_t *position, size_t length)
{
    sim_call("sendfile");
    struct file *target = file_find(to);
    struct file *source = target == NULL ? NULL : file_find(from);
    if (source == NULL)
        return -1;
    struct inode *inode = source->inode;
    int error = disk_touch(inode->disk);
    if (error != 0)
        return fail_with(EIO);
    uint64_t left = (uint64_t)*position < inode->size ? inode->size - (uint64_t)*position : 0;
    if (left == 0)
        return 0;
    ssize_t sent =
        socket_send(target->socket, inode->data + *position, length < left ? length : left);
    if (sent > 0)
        *position += sent;
    return sent;
}

int sim_close(int fd)
{
    sim_call("close");
    return file_close(fd);
}

int sim_dup3(int fd, int over, int flags)
{
    (void)flags;
    sim_call("dup3");
    return file_replace_fd(fd, over);
}

int sim_fcntl64(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    int value = va_arg(list, int);
    va_end(list);
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    if (command == F_DUPFD_CLOEXEC || command == F_DUPFD) {
        sim_call("dup");
        return file_duplicate(fd, value);
    }
    if (command == F_GETFL)
        return file->flags;
    if (command == F_SETFL)
        file->flags = value;
    return 0;
}

int sim_eventfd(unsigned count, int flags)
{
    sim_call("eventfd");
    struct file *file = file_new(FILE_EVENT);
    file->count = count;
    file->flags = flags;
    int fd = file_install(file);
    if (fd == -1)
        free(file);
    return fd;
}
