/* SPDX-License-Identifier: MIT
 *
 * LD_PRELOAD: notes each call of a program that a file system may keep waiting, with the thread that made it,
 * and delays those that a test names while the program runs.
 *
 *     SLOW_DISK_UNDER=/a/folder     only files in it count
 *     SLOW_DISK_LOG=/a/file         a line for each call: "thread<TAB>call<TAB>microseconds<TAB>path"
 *     SLOW_DISK_RULES=/a/file       lines of "call milliseconds [part of the path]"; read again with each call,
 *                                   and may be absent. `*` is any call; -1 holds it until no rule does, and
 *                                   notes it as "hold:<call>" when it begins to wait.
 *
 * The microseconds are those of the call itself, without the delay. "open" and "stat" stand for their variants;
 * an open that makes the file is "create". Thread: any.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { PATH_LENGTH = 1024, RULES_LENGTH = 4096, HOLD_LOOK_MS = 5 };

struct call {
    const char *name;
    char path[PATH_LENGTH]; /* "": it does not count */
    int64_t began_us;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool counts(const char *path)
{
    const char *under = getenv("SLOW_DISK_UNDER");
    size_t length = under != NULL ? strlen(under) : 0;
    return length > 0 && strncmp(path, under, length) == 0;
}

/* The path of an open file, "" where it cannot be told. */
static void path_of(int file, char path[PATH_LENGTH])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_LENGTH - 1);
    path[length > 0 ? length : 0] = '\0';
}

static void path_at(int directory, const char *name, char path[PATH_LENGTH])
{
    char folder[PATH_LENGTH] = "";
    if (name[0] == '/') {
        snprintf(path, PATH_LENGTH, "%s", name);
        return;
    }
    if (directory != AT_FDCWD)
        path_of(directory, folder);
    else if (getcwd(folder, sizeof(folder)) == NULL)
        folder[0] = '\0';
    size_t length = strlen(folder);
    memcpy(path, folder, length);
    snprintf(path + length, PATH_LENGTH - length, "/%s", name);
}

/* By the system calls alone: the functions of that name are ours. */
static size_t read_rules(char rules[RULES_LENGTH])
{
    const char *path = getenv("SLOW_DISK_RULES");
    long file = path != NULL ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    long length = file != -1 ? syscall(SYS_read, file, rules, RULES_LENGTH - 1) : 0;
    if (file != -1)
        syscall(SYS_close, file);
    rules[length > 0 ? length : 0] = '\0';
    return length > 0 ? (size_t)length : 0;
}

/* -1: it waits until the rules are others. */
static long delay_of(const struct call *call)
{
    char rules[RULES_LENGTH];
    long longest = 0;
    if (read_rules(rules) == 0)
        return 0;
    char *rest = NULL;
    for (char *line = strtok_r(rules, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char name[32];
        char part[256] = "";
        long ms = 0;
        if (sscanf(line, "%31s %ld %255s", name, &ms, part) < 2)
            continue;
        bool is_it = strcmp(name, "*") == 0 || strcmp(name, call->name) == 0;
        if (!is_it || strstr(call->path, part) == NULL)
            continue;
        if (ms < 0)
            return -1;
        longest = ms > longest ? ms : longest;
    }
    return longest;
}

static void pause_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) == -1 && errno == EINTR)
        continue;
}

static void note(const char *before, const struct call *call, int64_t us);

static void begin(struct call *call, const char *name)
{
    call->name = name;
    call->began_us = 0;
    if (!counts(call->path)) {
        call->path[0] = '\0';
        return;
    }
    int error = errno;
    long ms = delay_of(call);
    if (ms == -1)
        note("hold:", call, 0);
    for (; ms == -1; ms = delay_of(call))
        pause_ms(HOLD_LOOK_MS);
    if (ms > 0)
        pause_ms(ms);
    errno = error;
    call->began_us = now_us();
}

static void begin_file(struct call *call, const char *name, int file)
{
    int error = errno;
    path_of(file, call->path);
    errno = error;
    begin(call, name);
}

static void begin_at(struct call *call, const char *name, int directory, const char *path)
{
    int error = errno;
    path_at(directory, path, call->path);
    errno = error;
    begin(call, name);
}

/* One write: lines of threads do not mix. */
static void note(const char *before, const struct call *call, int64_t us)
{
    static int log = -1;
    const char *path = getenv("SLOW_DISK_LOG");
    int file = __atomic_load_n(&log, __ATOMIC_RELAXED);
    if (file == -1 && path != NULL) {
        file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
                            0600);
        __atomic_store_n(&log, file, __ATOMIC_RELAXED);
    }
    if (file != -1) {
        char thread[17] = "";
        char line[PATH_LENGTH + 100];
        prctl(PR_GET_NAME, thread);
        bool is_first = syscall(SYS_gettid) == getpid();
        int length = snprintf(line, sizeof(line), "%s\t%s%s\t%lld\t%s\n", is_first ? "0" : thread,
                              before, call->name, (long long)us, call->path);
        (void)!syscall(SYS_write, file, line, (size_t)length);
    }
}

static void end(const struct call *call)
{
    if (call->path[0] == '\0')
        return;
    int error = errno;
    note("", call, now_us() - call->began_us);
    errno = error;
}

/* ------------------------------------------------------------------ the functions that are looked at */

/* POSIX: a pointer from dlsym may be taken for one to a function. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL)                                                                              \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

/* The function of the C library, between `begins` and the end of the call. */
#define ON_CALL(type, name, parameters, arguments, begins)                                         \
    type name parameters                                                                           \
    {                                                                                              \
        REAL(name);                                                                                \
        struct call call;                                                                          \
        begins;                                                                                    \
        type result = real arguments;                                                              \
        end(&call);                                                                                \
        return result;                                                                             \
    }

/* By an open file; by a name in a directory; by a path. */
#define ON_FILE(type, name, word, parameters, arguments)                                           \
    ON_CALL(type, name, parameters, arguments, begin_file(&call, word, file))
#define ON_NAME(type, name, word, parameters, arguments)                                           \
    ON_CALL(type, name, parameters, arguments, begin_at(&call, word, directory, path))
#define ON_PATH(type, name, word, parameters, arguments)                                           \
    ON_CALL(type, name, parameters, arguments, begin_at(&call, word, AT_FDCWD, path))

ON_FILE(int, fsync, "fsync", (int file), (file))
ON_FILE(int, fdatasync, "fdatasync", (int file), (file))
ON_FILE(int, close, "close", (int file), (file))
ON_FILE(ssize_t, write, "write", (int file, const void *data, size_t length), (file, data, length))
ON_FILE(ssize_t, read, "read", (int file, void *into, size_t length), (file, into, length))
ON_FILE(int, ftruncate, "ftruncate", (int file, off_t length), (file, length))
ON_FILE(int, posix_fallocate, "fallocate", (int file, off_t from, off_t length),
        (file, from, length))
ON_FILE(ssize_t, pwrite, "pwrite", (int file, const void *data, size_t length, off_t at),
        (file, data, length, at))
ON_FILE(ssize_t, pread, "pread", (int file, void *into, size_t length, off_t at),
        (file, into, length, at))
ON_FILE(int, fstatvfs, "statvfs", (int file, struct statvfs *out), (file, out))
ON_FILE(int, fstat, "stat", (int file, struct stat *out), (file, out))
ON_NAME(int, unlinkat, "unlink", (int directory, const char *path, int flags),
        (directory, path, flags))
ON_NAME(int, mkdirat, "mkdir", (int directory, const char *path, mode_t mode),
        (directory, path, mode))
ON_NAME(int, faccessat, "stat", (int directory, const char *path, int mode, int flags),
        (directory, path, mode, flags))
ON_NAME(int, fstatat, "stat", (int directory, const char *path, struct stat *out, int flags),
        (directory, path, out, flags))
ON_NAME(int, renameat, "rename", (int directory, const char *path, int to, const char *name),
        (directory, path, to, name))
ON_NAME(int, linkat, "link", (int directory, const char *path, int to, const char *name, int flags),
        (directory, path, to, name, flags))
ON_PATH(int, unlink, "unlink", (const char *path), (path))
ON_PATH(int, rename, "rename", (const char *path, const char *name), (path, name))
ON_PATH(int, statvfs, "statvfs", (const char *path, struct statvfs *out), (path, out))
ON_PATH(int, stat, "stat", (const char *path, struct stat *out), (path, out))

#define ON_OPEN(name, parameters, directory, arguments)                                            \
    int name parameters                                                                            \
    {                                                                                              \
        REAL(name);                                                                                \
        mode_t mode = 0;                                                                           \
        if ((flags & O_CREAT) != 0) {                                                              \
            va_list list;                                                                          \
            va_start(list, flags);                                                                 \
            mode = va_arg(list, mode_t);                                                           \
            va_end(list);                                                                          \
        }                                                                                          \
        struct call call;                                                                          \
        begin_at(&call, (flags & O_CREAT) != 0 ? "create" : "open", directory, path);              \
        int result = real arguments;                                                               \
        end(&call);                                                                                \
        return result;                                                                             \
    }

ON_OPEN(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
ON_OPEN(openat, (int at, const char *path, int flags, ...), at, (at, path, flags, mode))

#define ON_TEMPLATE(name)                                                                          \
    ON_CALL(int, name, (char *path, int flags), (path, flags),                                     \
            begin_at(&call, "create", AT_FDCWD, path))

ON_TEMPLATE(mkostemp)

/* The same under the names that a C library gives them where off_t has 64 bits by choice. */
#ifdef __GLIBC__
ON_FILE(int, ftruncate64, "ftruncate", (int file, off64_t length), (file, length))
ON_FILE(int, posix_fallocate64, "fallocate", (int file, off64_t from, off64_t length),
        (file, from, length))
ON_FILE(ssize_t, pwrite64, "pwrite", (int file, const void *data, size_t length, off64_t at),
        (file, data, length, at))
ON_FILE(ssize_t, pread64, "pread", (int file, void *into, size_t length, off64_t at),
        (file, into, length, at))
ON_FILE(int, fstatvfs64, "statvfs", (int file, struct statvfs64 *out), (file, out))
ON_FILE(int, fstat64, "stat", (int file, struct stat64 *out), (file, out))
ON_NAME(int, fstatat64, "stat", (int directory, const char *path, struct stat64 *out, int flags),
        (directory, path, out, flags))
ON_PATH(int, statvfs64, "statvfs", (const char *path, struct statvfs64 *out), (path, out))
ON_PATH(int, stat64, "stat", (const char *path, struct stat64 *out), (path, out))
ON_TEMPLATE(mkostemp64)
ON_OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags, mode))
ON_OPEN(openat64, (int at, const char *path, int flags, ...), at, (at, path, flags, mode))
#endif
