/* SPDX-License-Identifier: MIT
 *
 * Descriptors of a simulated process, and what they lead to. */
#ifndef TESTS_SIM_FILE_H
#define TESTS_SIM_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "process.h"

struct inode;
struct socket;

enum file_kind { FILE_INODE, FILE_SOCKET, FILE_EVENT, FILE_LOG, FILE_NULL, FILE_TEXT };

/* What open(2) calls an open file description: shared by what was duplicated from it. */
struct file {
    enum file_kind kind;
    unsigned references;
    int flags; /* of open */
    struct inode *inode;
    uint64_t position;
    struct socket *socket;
    uint64_t count; /* of an eventfd */
    char text[64];  /* of a FILE_TEXT */
};

/* -1: errno */
int file_install(struct file *file);
struct file *file_new(enum file_kind kind);
struct file *file_find(int fd); /* NULL: errno is EBADF */
int file_duplicate(int fd, int from);
int file_replace_fd(int fd, int over);
int file_close(int fd);
/* All of a process: what a kill does. */
void file_close_all(struct process *process, bool is_power_loss);

bool file_is_readable(const struct file *file);
bool file_is_writable(const struct file *file);

#endif
