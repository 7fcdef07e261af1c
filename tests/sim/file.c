/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <stdlib.h>

#include "disk.h"
#include "event_loop.h"
#include "network.h"
#include "relay/base/check.h"
#include "sim.h"

static int install_from(struct file *file, int from)
{
    struct process *process = process_self();
    for (int fd = from; fd < DESCRIPTORS_MAX; fd++) {
        if (process->files[fd] != NULL)
            continue;
        process->files[fd] = file;
        file->references++;
        return fd;
    }
    errno = EMFILE;
    return -1;
}

int file_install(struct file *file)
{
    return install_from(file, 0);
}

struct file *file_new(enum file_kind kind)
{
    struct file *file = calloc(1, sizeof *file);
    CHECK(file != NULL);
    file->kind = kind;
    return file;
}

struct file *file_find(int fd)
{
    struct process *process = process_self();
    if (fd >= 0 && fd < DESCRIPTORS_MAX && process->files[fd] != NULL)
        return process->files[fd];
    errno = EBADF;
    return NULL;
}

int file_duplicate(int fd, int from)
{
    struct file *file = file_find(fd);
    return file == NULL ? -1 : install_from(file, from);
}

static void let_go(struct file *file, bool is_power_loss)
{
    if (--file->references > 0)
        return;
    if (file->kind == FILE_INODE)
        disk_release(file);
    if (file->kind == FILE_SOCKET) {
        file->socket->has_lost_power = is_power_loss;
        if (is_power_loss)
            socket_vanish(file->socket);
        else
            socket_close(file->socket);
    }
    free(file);
}

int file_replace_fd(int fd, int over)
{
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    CHECK(over >= 0 && over < DESCRIPTORS_MAX);
    struct process *process = process_self();
    file->references++;
    struct file *before = process->files[over];
    process->files[over] = file;
    if (before != NULL)
        let_go(before, false);
    return over;
}

int file_close(int fd)
{
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    process_self()->files[fd] = NULL;
    let_go(file, false);
    return 0;
}

void file_close_all(struct process *process, bool is_power_loss)
{
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        struct file *file = process->files[fd];
        process->files[fd] = NULL;
        if (file != NULL)
            let_go(file, is_power_loss);
    }
}

bool file_is_readable(const struct file *file)
{
    if (file->kind == FILE_SOCKET)
        return socket_is_readable(file->socket);
    return file->kind != FILE_EVENT || file->count > 0;
}

bool file_is_writable(const struct file *file)
{
    return file->kind != FILE_SOCKET || socket_is_writable(file->socket);
}
