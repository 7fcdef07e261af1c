/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "relay/base/check.h"
#include "sim.h"

enum { FILE_BYTES_MAX = 64 * 1024 * 1024 };

struct disk *disk_new(unsigned host, uint64_t capacity)
{
    struct disk *disk = calloc(1, sizeof *disk);
    CHECK(disk != NULL);
    disk->host = host;
    disk->capacity = capacity;
    disk->root = disk_make(disk, true);
    disk->root->parent = disk->root;
    disk->root->links = 1;
    random_hex_digits(disk->boot_id, 36);
    return disk;
}

/* ---- inodes ---- */

struct inode *disk_make(struct disk *disk, bool is_directory)
{
    struct inode *inode = calloc(1, sizeof *inode);
    CHECK(inode != NULL);
    inode->disk = disk;
    inode->is_directory = is_directory;
    inode->number = ++disk->inode_numbers;
    inode->memory = -1;
    inode->modified_us = host_wall_us(disk->host);
    inode->next = disk->inodes;
    disk->inodes = inode;
    if (is_directory)
        return inode;
    inode->memory = memfd_create("inode", MFD_CLOEXEC);
    CHECK(inode->memory != -1);
    inode->data = mmap(NULL, FILE_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                       inode->memory, 0);
    CHECK(inode->data != MAP_FAILED);
    return inode;
}

static void forget_inode(struct inode *inode)
{
    struct inode **link = &inode->disk->inodes;
    while (*link != inode)
        link = &(*link)->next;
    *link = inode->next;
    inode->disk->used -= inode->reserved;
    if (inode->data != NULL)
        munmap(inode->data, FILE_BYTES_MAX);
    if (inode->memory != -1)
        close(inode->memory);
    inode->memory = -1;
    inode->data = NULL;
    free(inode->durable.data);
    free(inode->given_up);
    inode->given_up = NULL;
    inode->durable = (struct image){0};
}

static bool is_named(const struct entry *entries, const struct inode *inode)
{
    for (; entries != NULL; entries = entries->next) {
        if (entries->inode == inode)
            return true;
    }
    return false;
}

/* Its space is free as soon as it has no name and no user, but what it was may come back with a power
 * failure, so its images are kept. */
static void note_unused(struct inode *inode)
{
    if (inode->uses > 0 || inode->links > 0)
        return;
    inode->disk->used -= inode->reserved;
    inode->reserved = 0;
}

void inode_use(struct inode *inode)
{
    inode->uses++;
}

void inode_leave(struct inode *inode)
{
    CHECK(inode->uses > 0);
    inode->uses--;
    note_unused(inode);
}

bool disk_is_full(struct disk *disk)
{
    return disk->trouble.full_until_us > sim_now_us();
}

bool inode_reserve(struct inode *inode, uint64_t until)
{
    uint64_t wanted = (until + DISK_PAGE - 1) / DISK_PAGE * DISK_PAGE;
    if (wanted <= inode->reserved)
        return true;
    struct disk *disk = inode->disk;
    uint64_t more = wanted - inode->reserved;
    if (disk_is_full(disk) || disk->used + more > disk->capacity)
        return false;
    disk->used += more;
    inode->reserved = wanted;
    return true;
}

void inode_resize(struct inode *inode, uint64_t size)
{
    CHECK(size <= FILE_BYTES_MAX);
    CHECK(ftruncate(inode->memory, (off_t)size) == 0);
    inode->size = size;
    inode->modified_us = host_wall_us(inode->disk->host);
    uint64_t kept = (size + DISK_PAGE - 1) / DISK_PAGE * DISK_PAGE;
    if (kept < inode->reserved) {
        inode->disk->used -= inode->reserved - kept;
        inode->reserved = kept;
    }
}

void inode_copy(const struct inode *inode, struct image *image)
{
    *image = (struct image){.size = inode->size, .capacity = inode->size + 1};
    image->data = malloc(image->capacity);
    CHECK(image->data != NULL);
    memcpy(image->data, inode->data, inode->size);
}

enum { PAGES_MAX = FILE_BYTES_MAX / DISK_PAGE };

void inode_give_up(struct inode *inode)
{
    if (inode->given_up == NULL)
        inode->given_up = calloc(1, PAGES_MAX);
    CHECK(inode->given_up != NULL);
    for (uint64_t at = 0; at < inode->size; at += DISK_PAGE) {
        uint64_t end = at + DISK_PAGE < inode->size ? at + DISK_PAGE : inode->size;
        if (end > inode->durable.size ||
            memcmp(inode->data + at, inode->durable.data + at, end - at) != 0)
            inode->given_up[at / DISK_PAGE] = 1;
    }
}

void inode_note_write(struct inode *inode, uint64_t position, uint64_t length)
{
    if (inode->given_up == NULL || length == 0)
        return;
    for (uint64_t page = position / DISK_PAGE; page <= (position + length - 1) / DISK_PAGE; page++)
        inode->given_up[page] = 0;
}

/* The pages that were given up stay on the disk as they are there. */
static void keep_given_up(const struct inode *inode, struct image *image)
{
    for (uint64_t at = 0; at < image->size; at += DISK_PAGE) {
        if (!inode->given_up[at / DISK_PAGE])
            continue;
        uint64_t end = at + DISK_PAGE < image->size ? at + DISK_PAGE : image->size;
        uint64_t known = inode->durable.size > at ? inode->durable.size - at : 0;
        uint64_t count = known < end - at ? known : end - at;
        memset(image->data + at, 0, end - at);
        if (count > 0)
            memcpy(image->data + at, inode->durable.data + at, count);
    }
}

void inode_make_durable(struct inode *inode, struct image *image)
{
    if (inode->given_up != NULL)
        keep_given_up(inode, image);
    free(inode->durable.data);
    inode->durable = *image;
    *image = (struct image){0};
}

/* ---- directories ---- */

struct inode *disk_find(const struct inode *directory, const char *name)
{
    for (const struct entry *entry = directory->entries; entry != NULL; entry = entry->next) {
        if (strcmp(entry->name, name) == 0)
            return entry->inode;
    }
    return NULL;
}

static void set_entry(struct entry **entries, const char *name, struct inode *inode)
{
    struct entry **link = entries;
    while (*link != NULL && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    if (*link == NULL) {
        *link = calloc(1, sizeof **link);
        CHECK(*link != NULL);
        snprintf((*link)->name, ENTRY_NAME_MAX, "%s", name);
    }
    (*link)->inode = inode;
}

static struct inode *take_entry(struct entry **entries, const char *name)
{
    struct entry **link = entries;
    while (*link != NULL && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    if (*link == NULL)
        return NULL;
    struct entry *entry = *link;
    struct inode *inode = entry->inode;
    *link = entry->next;
    free(entry);
    return inode;
}

static struct operation *note_operation(struct inode *directory, enum operation_kind kind,
                                        const char *name, struct inode *inode)
{
    struct operation *operation = calloc(1, sizeof *operation);
    CHECK(operation != NULL);
    operation->kind = kind;
    operation->directory = directory;
    operation->inode = inode;
    snprintf(operation->name, ENTRY_NAME_MAX, "%s", name);
    struct operation **link = &directory->disk->operations;
    while (*link != NULL)
        link = &(*link)->next;
    *link = operation;
    return operation;
}

void disk_add(struct inode *directory, const char *name, struct inode *inode)
{
    set_entry(&directory->entries, name, inode);
    inode->links++;
    if (inode->is_directory)
        inode->parent = directory;
    note_operation(directory, OPERATION_ADD, name, inode);
}

void disk_remove(struct inode *directory, const char *name)
{
    struct inode *inode = take_entry(&directory->entries, name);
    CHECK(inode != NULL);
    note_operation(directory, OPERATION_REMOVE, name, inode);
    inode->links--;
    note_unused(inode);
}

void disk_rename(struct inode *from, const char *name, struct inode *to, const char *new_name)
{
    struct inode *inode = take_entry(&from->entries, name);
    CHECK(inode != NULL);
    struct inode *before = disk_find(to, new_name);
    set_entry(&to->entries, new_name, inode);
    if (inode->is_directory)
        inode->parent = to;
    struct operation *operation = note_operation(from, OPERATION_RENAME, name, inode);
    operation->to = to;
    snprintf(operation->new_name, ENTRY_NAME_MAX, "%s", new_name);
    if (before != NULL && before != inode) {
        before->links--;
        note_unused(before);
    }
}

static void apply_operation(const struct operation *operation)
{
    struct entry **entries = &operation->directory->durable_entries;
    if (operation->kind == OPERATION_ADD) {
        set_entry(entries, operation->name, operation->inode);
        return;
    }
    (void)take_entry(entries, operation->name);
    if (operation->kind == OPERATION_RENAME)
        set_entry(&operation->to->durable_entries, operation->new_name, operation->inode);
}

void inode_sync_directory(struct inode *directory)
{
    struct operation **link = &directory->disk->operations;
    while (*link != NULL) {
        struct operation *operation = *link;
        if (operation->directory != directory && operation->to != directory) {
            link = &operation->next;
            continue;
        }
        apply_operation(operation);
        *link = operation->next;
        free(operation);
    }
}

struct inode *disk_walk(struct inode *from, const char *path, char *name)
{
    struct inode *at = path[0] == '/' ? from->disk->root : from;
    name[0] = '\0';
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        char part[ENTRY_NAME_MAX];
        CHECK(length < sizeof part);
        memcpy(part, path, length);
        part[length] = '\0';
        path += length;
        path += strspn(path, "/");
        if (length == 0 || strcmp(part, ".") == 0)
            continue;
        if (strcmp(part, "..") == 0) {
            at = at->parent;
            continue;
        }
        if (*path == '\0') {
            memcpy(name, part, length + 1);
            return at;
        }
        struct inode *next = disk_find(at, part);
        if (next == NULL || !next->is_directory) {
            errno = next == NULL ? ENOENT : ENOTDIR;
            return NULL;
        }
        at = next;
    }
    return at;
}

static void list_directory(const struct inode *directory, const char *path)
{
    for (const struct entry *entry = directory->entries; entry != NULL; entry = entry->next) {
        const struct inode *inode = entry->inode;
        trace("disk %s/%s bytes=%llu reserved=%llu", path, entry->name,
              (unsigned long long)inode->size, (unsigned long long)inode->reserved);
        if (inode->is_directory)
            list_directory(inode, entry->name);
    }
}

void disk_list(const struct disk *disk)
{
    trace("disk %llu of %llu bytes are used", (unsigned long long)disk->used,
          (unsigned long long)disk->capacity);
    list_directory(disk->root, "");
}

/* ---- waiting ---- */

static int draw_error(struct disk *disk)
{
    const struct disk_trouble *trouble = &disk->trouble;
    if (trouble->fails_until_us <= sim_now_us() || !random_is_one_in(trouble->fails_one_in))
        return 0;
    disk->errors++;
    return trouble->error;
}

int disk_wait(struct disk *disk, int64_t most_us)
{
    int64_t delay_us = random_between(20, most_us);
    if (disk->trouble.slow_until_us > sim_now_us() && random_is_one_in(3))
        delay_us = random_between(most_us, 8 * SIM_S);
    if (fiber_self() != NULL)
        fiber_sleep(delay_us);
    return draw_error(disk);
}

int disk_touch(struct disk *disk)
{
    if (disk->trouble.slow_until_us > sim_now_us() && random_is_one_in(40))
        fiber_sleep(random_between(1000, 2 * SIM_S));
    return draw_error(disk);
}

/* ---- closing, kills ---- */

void disk_release(struct file *file)
{
    struct inode *inode = file->inode;
    if (inode->lock_owner == file)
        inode->lock_owner = NULL;
    inode_leave(inode);
}

void disk_forget_process(struct process *process)
{
    mappings_forget(process);
}

/* ---- power ---- */

static bool is_given_up(const struct inode *inode, uint64_t at)
{
    return inode->given_up != NULL && inode->given_up[at / DISK_PAGE] != 0;
}

/* Of a file, what is left: of what differs from the durable image, some. */
static void lose_pages(struct inode *inode)
{
    struct image *old = &inode->durable;
    uint64_t size = random_is_one_in(2) ? inode->size : old->size;
    uint8_t *left = calloc(1, size + 1);
    CHECK(left != NULL);
    unsigned kept_in_8 = (unsigned)random_below(9);
    for (uint64_t at = 0; at < size; at += DISK_SECTOR) {
        static bool is_page_kept;
        if (at % DISK_PAGE == 0)
            is_page_kept = random_below(8) < kept_in_8;
        bool is_kept = is_page_kept != random_is_one_in(16); /* torn */
        is_kept = is_kept && !is_given_up(inode, at);
        uint64_t end = at + DISK_SECTOR < size ? at + DISK_SECTOR : size;
        uint64_t limit = is_kept ? inode->size : old->size;
        const uint8_t *from = is_kept ? inode->data : old->data;
        if (at < limit)
            memcpy(left + at, from + at, (limit < end ? limit : end) - at);
    }
    inode_resize(inode, size);
    memcpy(inode->data, left, size);
    free(inode->given_up);
    inode->given_up = NULL;
    struct image image = {.data = left, .size = size, .capacity = size + 1};
    inode_make_durable(inode, &image);
}

/* The pages that users of before had mapped stay as they are: a fresh file stands for the disk's. */
static void renew_memory(struct inode *inode)
{
    uint8_t *data = inode->data;
    int memory = memfd_create("inode", MFD_CLOEXEC);
    CHECK(memory != -1);
    CHECK(ftruncate(memory, (off_t)inode->size) == 0);
    inode->data =
        mmap(NULL, FILE_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory, 0);
    CHECK(inode->data != MAP_FAILED);
    memcpy(inode->data, data, inode->size);
    munmap(data, FILE_BYTES_MAX);
    close(inode->memory);
    inode->memory = memory;
}

static void lose_operations(struct disk *disk)
{
    bool has_journal = random_is_one_in(2);
    unsigned kept_in_8 = (unsigned)random_below(9);
    bool goes_on = true;
    while (disk->operations != NULL) {
        struct operation *operation = disk->operations;
        disk->operations = operation->next;
        bool is_kept = random_below(8) < kept_in_8;
        goes_on = goes_on && (is_kept || !random_is_one_in(4));
        if (has_journal ? goes_on : is_kept)
            apply_operation(operation);
        else
            trace("disk loses %s of %s%s%s",
                  operation->kind == OPERATION_ADD      ? "the creation"
                  : operation->kind == OPERATION_REMOVE ? "the removal"
                                                        : "the rename",
                  operation->name, operation->to != NULL ? " to " : "", operation->new_name);
        free(operation);
    }
}

static void free_entries(struct inode *directory)
{
    while (directory->entries != NULL) {
        struct entry *entry = directory->entries;
        directory->entries = entry->next;
        free(entry);
    }
}

/* What is on the disk is what there is. */
static void read_directory(struct inode *directory)
{
    free_entries(directory);
    for (struct entry *entry = directory->durable_entries; entry != NULL; entry = entry->next) {
        set_entry(&directory->entries, entry->name, entry->inode);
        entry->inode->links++;
        if (entry->inode->is_directory && entry->inode->links == 1) {
            entry->inode->parent = directory;
            read_directory(entry->inode);
        }
    }
}

void disk_lose_power(struct disk *disk)
{
    lose_operations(disk);
    for (struct inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        inode->links = 0;
        inode->uses = 0;
        inode->lock_owner = NULL;
        inode->shared_locks = 0;
    }
    disk->root->links = 1;
    read_directory(disk->root);
    disk->used = 0;
    struct inode *next;
    for (struct inode *inode = disk->inodes; inode != NULL; inode = next) {
        next = inode->next;
        inode->reserved = 0;
        if (inode->links == 0 && !is_named(inode->durable_entries, inode)) {
            forget_inode(inode);
            continue;
        }
        if (inode->is_directory)
            continue;
        lose_pages(inode);
        renew_memory(inode);
        inode->reserved = (inode->size + DISK_PAGE - 1) / DISK_PAGE * DISK_PAGE;
        disk->used += inode->reserved;
        inode->is_cold = true;
    }
    disk->trouble = (struct disk_trouble){0};
    random_hex_digits(disk->boot_id, 36);
}
