/* SPDX-License-Identifier: MIT
 *
 * A disk: what is in the page cache, and what would be left after a power failure.
 *
 * Each file has two images. The calls read and write the first; an fsync makes the second what the first was
 * when the fsync began. Each change of a directory is an operation in a list until an fsync of that directory
 * makes it durable. disk_lose_power() draws what is left: of the unsynced pages some (a page may be torn at 512
 * bytes), of the sizes the old or the new one, of the operations some, or only those before a point, as a
 * file system with a journal has it. That is what POSIX allows, and more than most file systems do.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file.h"
#include "process.h"

enum { ENTRY_NAME_MAX = 64, DISK_PAGE = 4096, DISK_SECTOR = 512 };

struct entry {
    struct entry *next;
    char name[ENTRY_NAME_MAX];
    struct inode *inode;
};

struct image {
    uint8_t *data;
    uint64_t size;
    uint64_t capacity;
};

struct inode {
    struct disk *disk;
    struct inode *next;
    uint64_t number;
    bool is_directory;
    struct inode *parent; /* of a directory */
    struct entry *entries;
    struct entry *durable_entries;
    int memory;    /* the page cache: a descriptor of the real system, since it is mapped */
    uint8_t *data; /* the same, mapped here */
    uint64_t size;
    uint64_t reserved; /* bytes that count against the space of the disk */
    struct image durable;
    uint8_t *
        given_up; /* one for each page: an fsync has failed, and the kernel takes it for clean. NULL: none */
    unsigned uses; /* open files and mappings */
    unsigned links;
    int64_t modified_us; /* by the wall clock of the host */
    const struct file *lock_owner;
    unsigned shared_locks;
    bool is_cold; /* not in the page cache until it was read */
};

enum operation_kind { OPERATION_ADD, OPERATION_REMOVE, OPERATION_RENAME };

/* A change of a directory that is not durable yet. */
struct operation {
    struct operation *next;
    enum operation_kind kind;
    struct inode *directory;
    char name[ENTRY_NAME_MAX];
    struct inode *to; /* of a rename */
    char new_name[ENTRY_NAME_MAX];
    struct inode *inode;
};

struct disk_trouble {
    int64_t slow_until_us; /* each call that waits for the disk may take seconds */
    int64_t fails_until_us;
    unsigned fails_one_in;
    int error; /* with which */
    int64_t full_until_us;
};

struct disk {
    unsigned host;
    struct inode *root;
    struct inode *inodes;
    struct operation *operations;
    uint64_t inode_numbers;
    uint64_t capacity;
    uint64_t used;
    struct disk_trouble trouble;
    char boot_id[40];
    uint64_t syncs;
    uint64_t errors; /* that calls had, but for want of space */
};

struct disk *disk_new(unsigned host, uint64_t capacity);
void disk_lose_power(struct disk *disk);
void disk_list(const struct disk *disk); /* each file, in the trace */
void disk_release(struct file *file);    /* an open file is closed */
void disk_forget_process(struct process *process);

/* ---- for the calls ---- */

/* NULL: errno. `name` (ENTRY_NAME_MAX) becomes the last part of the path, "" of one that is a directory by
 * itself; returned is the directory that it is in. */
struct inode *disk_walk(struct inode *from, const char *path, char *name);
struct inode *disk_find(const struct inode *directory, const char *name);
struct inode *disk_make(struct disk *disk, bool is_directory);
void disk_add(struct inode *directory, const char *name, struct inode *inode);
void disk_remove(struct inode *directory, const char *name);
void disk_rename(struct inode *from, const char *name, struct inode *to, const char *new_name);

void inode_use(struct inode *inode);
void inode_leave(struct inode *inode);
/* Is it held full? Of no error, since it costs nothing that was acknowledged. */
bool disk_is_full(struct disk *disk);
/* False: no space. */
bool inode_reserve(struct inode *inode, uint64_t until);
void inode_resize(struct inode *inode, uint64_t size);
void inode_copy(const struct inode *inode, struct image *image);
/* An fsync has failed: of what differs from the durable image the kernel forgets that it does, until it is
 * written again. Later fsyncs succeed without it. */
void inode_give_up(struct inode *inode);
void inode_note_write(struct inode *inode, uint64_t position, uint64_t length);
void inode_make_durable(struct inode *inode, struct image *image);
void inode_sync_directory(struct inode *directory); /* what was done in it is durable */

/* A call that waits for the disk: time passes, and it may fail. 0, or an errno. */
int disk_wait(struct disk *disk, int64_t most_us);
/* The same of a call that only the page cache answers. */
int disk_touch(struct disk *disk);

/* Mappings of a process (data_calls.c). */
void mappings_forget(struct process *process);

#endif
