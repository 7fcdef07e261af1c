/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fault wanted; /* as it was begun */
static atomic_uint nth;     /* 0: nothing fails any more */
static atomic_uint calls;
static atomic_uint count;
static _Atomic(const char *) first_name = "";
static atomic_bool reserves_nothing;

static atomic_bool held;
static pthread_t holder;
static atomic_uint own_fsyncs;
static atomic_uint waiting_fsyncs;
static atomic_uint own_frees;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER; /* held, under the lock */

enum { SYNCED_MAX = 4096 };

/* Files and directories that were fsynced. */
static struct file_key {
    dev_t device;
    ino_t number;
} synced[SYNCED_MAX];
static unsigned synced_count; /* under the lock */

void fault_begin(const struct fault *fault)
{
    wanted = *fault;
    calls = 0;
    count = 0;
    first_name = "";
    pthread_mutex_lock(&lock);
    synced_count = 0;
    pthread_mutex_unlock(&lock);
    nth = fault->nth;
}

unsigned fault_lift(void)
{
    nth = 0;
    return count;
}

unsigned fault_count(void)
{
    return count;
}

unsigned fault_calls(void)
{
    return calls;
}

const char *fault_first(void)
{
    return first_name;
}

void fault_reserve_nothing(bool on)
{
    reserves_nothing = on;
}

/* Without a lock: the threads of the store would queue here, and take longer over that than over their calls. */
static bool fails(const char *name)
{
    unsigned call = atomic_fetch_add(&calls, 1) + 1;
    unsigned first = nth;
    if (first == 0 || (wanted.stays ? call < first : call != first))
        return false;
    if (wanted.kills)
        (void)kill(getpid(), SIGKILL);
    if (atomic_fetch_add(&count, 1) == 0)
        first_name = name;
    return true;
}

/* ------------------------------------------------------------------ a disk that does not answer */

void fault_hold_disk(void)
{
    holder = pthread_self();
    own_fsyncs = 0;
    own_frees = 0;
    held = true;
}

void fault_release_disk(void)
{
    pthread_mutex_lock(&lock);
    held = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

unsigned fault_own_fsyncs(void)
{
    return own_fsyncs;
}

unsigned fault_waiting_fsyncs(void)
{
    return waiting_fsyncs;
}

unsigned fault_own_frees(void)
{
    return own_frees;
}

/* `waiting` NULL: nobody wants to know how many wait. */
static void wait_for_disk(atomic_uint *own, atomic_uint *waiting)
{
    if (!held)
        return;
    if (pthread_equal(holder, pthread_self())) {
        (*own)++;
        return;
    }
    pthread_mutex_lock(&lock);
    if (waiting != NULL)
        (*waiting)++;
    while (held)
        pthread_cond_wait(&changed, &lock);
    if (waiting != NULL)
        (*waiting)--;
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------ what has reached the disk */

static struct file_key key_of(const struct stat *status)
{
    return (struct file_key){.device = status->st_dev, .number = status->st_ino};
}

static void note_synced(int file)
{
    struct stat status;
    if (fstat(file, &status) == -1)
        return;
    const struct file_key key = key_of(&status);
    pthread_mutex_lock(&lock);
    if (synced_count < SYNCED_MAX)
        synced[synced_count++] = key;
    pthread_mutex_unlock(&lock);
}

bool fault_was_synced(const char *path)
{
    struct stat status;
    bool found = false;
    if (stat(path, &status) == -1)
        return false;
    const struct file_key key = key_of(&status);
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < synced_count && !found; i++)
        found = synced[i].device == key.device && synced[i].number == key.number;
    pthread_mutex_unlock(&lock);
    return found;
}

/* By its name, or by the number that it has in the trash. */
static bool is_large(const char *name)
{
    return strstr(name, ".seg") != NULL || strstr(name, ".rdb") != NULL ||
           strspn(name, "0123456789-") == strlen(name);
}

/* ------------------------------------------------------------------ what the linker sends here */

/* A function and the real one behind it. */
#define WRAPPED(type, name, ...)                                                                   \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

#define REFUSE(name, error, result)                                                                \
    do {                                                                                           \
        if (fails(name)) {                                                                         \
            errno = (error);                                                                       \
            return result;                                                                         \
        }                                                                                          \
    } while (0)

WRAPPED(void *, malloc, size_t size)
{
    REFUSE("malloc", ENOMEM, NULL);
    return __real_malloc(size);
}

WRAPPED(void *, calloc, size_t number, size_t size)
{
    REFUSE("calloc", ENOMEM, NULL);
    return __real_calloc(number, size);
}

WRAPPED(void *, realloc, void *memory, size_t size)
{
    REFUSE("realloc", ENOMEM, NULL);
    return __real_realloc(memory, size);
}

WRAPPED(void *, mmap, void *address, size_t length, int protection, int flags, int file, off_t from)
{
    REFUSE("mmap", ENOMEM, MAP_FAILED);
    return __real_mmap(address, length, protection, flags, file, from);
}

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    REFUSE("openat", wanted.open_error, -1);
    return __real_openat(directory, path, flags, mode);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    REFUSE("open", wanted.open_error, -1);
    return __real_open(path, flags, mode);
}

/* The duplicates of descriptors that the syncer is given. */
int __real_fcntl(int file, int command, ...);
int __wrap_fcntl(int file, int command, ...);
int __wrap_fcntl(int file, int command, ...)
{
    va_list list;
    va_start(list, command);
    int argument = va_arg(list, int);
    va_end(list);
    if (command == F_DUPFD_CLOEXEC)
        REFUSE("fcntl", wanted.open_error, -1);
    return __real_fcntl(file, command, argument);
}

WRAPPED(int, mkdirat, int directory, const char *path, mode_t mode)
{
    REFUSE("mkdirat", wanted.disk_error, -1);
    return __real_mkdirat(directory, path, mode);
}

int __real_ftruncate(int file, off_t length);

WRAPPED(int, posix_fallocate, int file, off_t from, off_t length)
{
    if (fails("posix_fallocate"))
        return wanted.disk_error;
    struct stat now;
    if (reserves_nothing && fstat(file, &now) == 0)
        return now.st_size < from + length && __real_ftruncate(file, from + length) == -1 ? errno
                                                                                          : 0;
    return __real_posix_fallocate(file, from, length);
}

WRAPPED(ssize_t, write, int file, const void *data, size_t length)
{
    /* Half of it is written, as a full disk does it. */
    if (file > STDERR_FILENO && fails("write")) {
        if (length > 1 && __real_write(file, data, length / 2) == -1)
            return -1;
        errno = wanted.disk_error;
        return -1;
    }
    return __real_write(file, data, length);
}

WRAPPED(ssize_t, pwrite, int file, const void *data, size_t length, off_t at)
{
    REFUSE("pwrite", wanted.disk_error, -1);
    return __real_pwrite(file, data, length, at);
}

WRAPPED(int, ftruncate, int file, off_t length)
{
    REFUSE("ftruncate", wanted.disk_error, -1);
    return __real_ftruncate(file, length);
}

WRAPPED(int, renameat, int from, const char *old, int to, const char *name)
{
    REFUSE("renameat", wanted.disk_error, -1);
    return __real_renameat(from, old, to, name);
}

WRAPPED(int, linkat, int from, const char *old, int to, const char *name, int flags)
{
    REFUSE("linkat", wanted.disk_error, -1);
    return __real_linkat(from, old, to, name, flags);
}

WRAPPED(int, unlinkat, int directory, const char *name, int flags)
{
    struct stat about;
    if (is_large(name) && fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) == 0)
        wait_for_disk(&own_frees, NULL);
    REFUSE("unlinkat", EIO, -1);
    return __real_unlinkat(directory, name, flags);
}

WRAPPED(int, close, int file)
{
    struct stat about;
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 0)
        wait_for_disk(&own_frees, NULL);
    return __real_close(file);
}

WRAPPED(int, fsync, int file)
{
    wait_for_disk(&own_fsyncs, &waiting_fsyncs);
    REFUSE("fsync", wanted.disk_error, -1);
    int result = __real_fsync(file);
    if (result == 0)
        note_synced(file);
    return result;
}

WRAPPED(int, fdatasync, int file)
{
    wait_for_disk(&own_fsyncs, &waiting_fsyncs);
    REFUSE("fdatasync", wanted.disk_error, -1);
    int result = __real_fdatasync(file);
    if (result == 0)
        note_synced(file);
    return result;
}

WRAPPED(int, msync, void *address, size_t length, int flags)
{
    wait_for_disk(&own_fsyncs, &waiting_fsyncs);
    REFUSE("msync", wanted.disk_error, -1);
    return __real_msync(address, length, flags);
}
