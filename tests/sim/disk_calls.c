/* SPDX-License-Identifier: MIT
 *
 * Calls that name files. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "calls.h"
#include "disk.h"
#include "file.h"
#include "relay/base/check.h"
#include "sim.h"

enum { SYNC_US_MAX = 12 * SIM_MS };

static int fail_with(int error)
{
    errno = error;
    return -1;
}

static struct disk *own_disk(void)
{
    return process_self()->disk;
}

/* The directory that a path begins at. NULL: errno. */
static struct inode *base_of(int directory, const char *path)
{
    if (path[0] == '/' || directory == AT_FDCWD)
        return own_disk()->root;
    struct file *file = file_find(directory);
    if (file == NULL)
        return NULL;
    if (file->kind != FILE_INODE || !file->inode->is_directory) {
        errno = ENOTDIR;
        return NULL;
    }
    return file->inode;
}

/* NULL: errno. */
static struct inode *walk(int directory, const char *path, char *name)
{
    struct inode *base = base_of(directory, path);
    return base == NULL ? NULL : disk_walk(base, path, name);
}

/* What a path leads to. NULL: errno. */
static struct inode *look_up(int directory, const char *path)
{
    char name[ENTRY_NAME_MAX];
    struct inode *parent = walk(directory, path, name);
    if (parent == NULL || name[0] == '\0')
        return parent;
    struct inode *found = disk_find(parent, name);
    if (found == NULL)
        errno = ENOENT;
    return found;
}

static int open_special(const char *path, int flags)
{
    struct file *file = NULL;
    if (strcmp(path, "/dev/null") == 0)
        file = file_new(FILE_NULL);
    else if (strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) {
        file = file_new(FILE_TEXT);
        memcpy(file->text, own_disk()->boot_id, sizeof own_disk()->boot_id);
    }
    if (file == NULL)
        return fail_with(ENOENT);
    file->flags = flags;
    int fd = file_install(file);
    if (fd == -1)
        free(file);
    return fd;
}

static int open_inode(struct inode *inode, int flags)
{
    struct file *file = file_new(FILE_INODE);
    file->inode = inode;
    file->flags = flags;
    int fd = file_install(file);
    if (fd == -1) {
        free(file);
        return -1;
    }
    inode_use(inode);
    return fd;
}

static int open_path(int directory, const char *path, int flags)
{
    sim_call("open");
    if (strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0)
        return open_special(path, flags);
    char name[ENTRY_NAME_MAX];
    struct inode *parent = walk(directory, path, name);
    if (parent == NULL)
        return -1;
    struct inode *inode = name[0] == '\0' ? parent : disk_find(parent, name);
    bool is_new = inode == NULL;
    int error = disk_touch(own_disk());
    if (error == 0 && is_new && (flags & O_CREAT) == 0)
        error = ENOENT;
    if (error == 0 && is_new && disk_is_full(own_disk()))
        error = ENOSPC;
    if (error == 0 && !is_new && (flags & O_EXCL) != 0)
        error = EEXIST;
    if (error == 0 && !is_new && (flags & O_DIRECTORY) != 0 && !inode->is_directory)
        error = ENOTDIR;
    if (error != 0)
        return fail_with(error);
    if (is_new) {
        inode = disk_make(own_disk(), false);
        disk_add(parent, name, inode);
    }
    if ((flags & O_TRUNC) != 0 && !inode->is_directory)
        inode_resize(inode, 0);
    return open_inode(inode, flags);
}

int sim_open64(const char *path, int flags, ...)
{
    return open_path(AT_FDCWD, path, flags);
}

int sim_openat64(int directory, const char *path, int flags, ...)
{
    return open_path(directory, path, flags);
}

int sim___openat64_2(int directory, const char *path, int flags)
{
    return open_path(directory, path, flags);
}

int sim_mkdirat(int directory, const char *path, mode_t mode)
{
    (void)mode;
    sim_call("mkdir");
    char name[ENTRY_NAME_MAX];
    struct inode *parent = walk(directory, path, name);
    if (parent == NULL)
        return -1;
    if (name[0] == '\0' || disk_find(parent, name) != NULL)
        return fail_with(EEXIST);
    int error = disk_touch(own_disk());
    if (error == 0 && disk_is_full(own_disk()))
        error = ENOSPC;
    if (error != 0)
        return fail_with(error);
    disk_add(parent, name, disk_make(own_disk(), true));
    return 0;
}

int sim_mkdir(const char *path, mode_t mode)
{
    return sim_mkdirat(AT_FDCWD, path, mode);
}

int sim_unlinkat(int directory, const char *path, int flags)
{
    sim_call("unlink");
    char name[ENTRY_NAME_MAX];
    struct inode *parent = walk(directory, path, name);
    if (parent == NULL)
        return -1;
    struct inode *inode = disk_find(parent, name);
    if (inode == NULL)
        return fail_with(ENOENT);
    bool wants_directory = (flags & AT_REMOVEDIR) != 0;
    if (wants_directory != inode->is_directory)
        return fail_with(wants_directory ? ENOTDIR : EISDIR);
    if (inode->is_directory && inode->entries != NULL)
        return fail_with(ENOTEMPTY);
    int error = disk_touch(own_disk());
    if (error != 0)
        return fail_with(error);
    disk_remove(parent, name);
    return 0;
}

int sim_unlink(const char *path)
{
    return sim_unlinkat(AT_FDCWD, path, 0);
}

int sim_rmdir(const char *path)
{
    return sim_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int sim_linkat(int from, const char *path, int to, const char *new_path, int flags)
{
    (void)flags;
    sim_call("link");
    struct inode *inode = look_up(from, path);
    if (inode == NULL)
        return -1;
    char name[ENTRY_NAME_MAX];
    struct inode *parent = walk(to, new_path, name);
    if (parent == NULL)
        return -1;
    if (disk_find(parent, name) != NULL)
        return fail_with(EEXIST);
    int error = disk_touch(own_disk());
    if (error != 0)
        return fail_with(error);
    disk_add(parent, name, inode);
    return 0;
}

int sim_renameat(int from, const char *path, int to, const char *new_path)
{
    sim_call("rename");
    char name[ENTRY_NAME_MAX];
    char new_name[ENTRY_NAME_MAX];
    struct inode *parent = walk(from, path, name);
    struct inode *target = parent == NULL ? NULL : walk(to, new_path, new_name);
    if (target == NULL)
        return -1;
    if (disk_find(parent, name) == NULL)
        return fail_with(ENOENT);
    struct inode *over = disk_find(target, new_name);
    if (over != NULL && over->is_directory && over->entries != NULL)
        return fail_with(ENOTEMPTY);
    int error = disk_touch(own_disk());
    if (error != 0)
        return fail_with(error);
    disk_rename(parent, name, target, new_name);
    return 0;
}

/* ---- what is told of files ---- */

static void tell_inode(const struct inode *inode, struct stat *out)
{
    memset(out, 0, sizeof *out);
    out->st_dev = 1;
    out->st_ino = inode->number;
    out->st_mode = inode->is_directory ? S_IFDIR | 0700 : S_IFREG | 0600;
    out->st_nlink = inode->links;
    out->st_uid = 1000;
    out->st_gid = 1000;
    out->st_size = (off_t)inode->size;
    out->st_blksize = DISK_PAGE;
    out->st_blocks = (blkcnt_t)(inode->reserved / DISK_SECTOR);
    out->st_mtim.tv_sec = (time_t)(inode->modified_us / SIM_S);
    out->st_mtim.tv_nsec = (long)(inode->modified_us % SIM_S * 1000);
}

int sim_fstatat64(int directory, const char *path, struct stat *out, int flags)
{
    (void)flags;
    sim_call("stat");
    struct inode *inode = look_up(directory, path);
    if (inode == NULL)
        return -1;
    tell_inode(inode, out);
    return 0;
}

int sim_stat64(const char *path, struct stat *out)
{
    return sim_fstatat64(AT_FDCWD, path, out, 0);
}

int sim_fstat64(int fd, struct stat *out)
{
    sim_call("fstat");
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    if (file->kind == FILE_INODE)
        tell_inode(file->inode, out);
    else
        memset(out, 0, sizeof *out);
    return 0;
}

int sim_fstatvfs64(int fd, struct statvfs *out)
{
    (void)fd;
    sim_call("statvfs");
    struct disk *disk = own_disk();
    int error = disk_touch(disk);
    if (error != 0)
        return fail_with(error);
    bool is_full = disk->trouble.full_until_us > sim_now_us() || disk->used > disk->capacity;
    memset(out, 0, sizeof *out);
    out->f_bsize = DISK_PAGE;
    out->f_frsize = DISK_PAGE;
    out->f_blocks = disk->capacity / DISK_PAGE;
    out->f_bfree = is_full ? 0 : (disk->capacity - disk->used) / DISK_PAGE;
    out->f_bavail = out->f_bfree;
    return 0;
}

int sim_faccessat(int directory, const char *path, int mode, int flags)
{
    (void)mode;
    (void)flags;
    sim_call("access");
    return look_up(directory, path) == NULL ? -1 : 0;
}

int sim_access(const char *path, int mode)
{
    return sim_faccessat(AT_FDCWD, path, mode, 0);
}

int sim_fchmod(int fd, mode_t mode)
{
    (void)mode;
    return file_find(fd) == NULL ? -1 : 0;
}

int sim_fchown(int fd, uid_t user, gid_t group)
{
    (void)user;
    (void)group;
    return file_find(fd) == NULL ? -1 : 0;
}

int sim_flock(int fd, int how)
{
    sim_call("flock");
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    CHECK((how & LOCK_EX) != 0);
    if (file->inode->lock_owner != NULL && file->inode->lock_owner != file)
        return fail_with(EWOULDBLOCK);
    file->inode->lock_owner = file;
    return 0;
}

char *sim_realpath(const char *path, char *out)
{
    (void)path;
    (void)out;
    errno = ENOENT;
    return NULL;
}

ssize_t sim_readlink(const char *path, char *out, size_t size)
{
    static const char program[] = "/usr/bin/psync-relay";
    (void)path;
    CHECK(size >= sizeof program);
    memcpy(out, program, sizeof program - 1);
    return sizeof program - 1;
}

FILE *sim_fopen64(const char *path, const char *mode)
{
    (void)path;
    (void)mode;
    errno = ENOENT;
    return NULL;
}

/* ---- lists of directories ---- */

struct __dirstream {
    int fd;
    size_t next;
    size_t count;
    struct dirent entries[];
};

DIR *sim_fdopendir(int fd)
{
    sim_call("opendir");
    struct file *file = file_find(fd);
    if (file == NULL)
        return NULL;
    size_t count = 0;
    for (struct entry *entry = file->inode->entries; entry != NULL; entry = entry->next)
        count++;
    DIR *stream = calloc(1, sizeof *stream + count * sizeof stream->entries[0]);
    CHECK(stream != NULL);
    stream->fd = fd;
    for (struct entry *entry = file->inode->entries; entry != NULL; entry = entry->next) {
        size_t at = (size_t)random_below(stream->count + 1); /* a directory has no order */
        stream->entries[stream->count++] = stream->entries[at];
        memcpy(stream->entries[at].d_name, entry->name, ENTRY_NAME_MAX);
    }
    return stream;
}

DIR *sim_opendir(const char *path)
{
    (void)path;
    errno = ENOENT;
    return NULL;
}

struct dirent *sim_readdir64(DIR *stream)
{
    return stream->next < stream->count ? &stream->entries[stream->next++] : NULL;
}

int sim_closedir(DIR *stream)
{
    int fd = stream->fd;
    free(stream);
    return file_close(fd);
}

/* ---- fsync ---- */

static int sync_file(int fd, const char *name)
{
    sim_call(name);
    struct file *file = file_find(fd);
    if (file == NULL)
        return -1;
    struct inode *inode = file->inode;
    struct image image = {0};
    if (!inode->is_directory)
        inode_copy(inode, &image);
    int error = disk_wait(inode->disk, SYNC_US_MAX);
    inode->disk->syncs++;
    if (error == 0 && inode->is_directory)
        inode_sync_directory(inode);
    else if (error == 0)
        inode_make_durable(inode, &image);
    else
        free(image.data);
    if (error != 0 && !inode->is_directory && random_is_one_in(2))
        inode_give_up(inode);
    return error == 0 ? 0 : fail_with(error);
}

int sim_fsync(int fd)
{
    return sync_file(fd, "fsync");
}

int sim_fdatasync(int fd)
{
    return sync_file(fd, "fdatasync");
}
