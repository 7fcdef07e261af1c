/* SPDX-License-Identifier: MIT
 *
 * A directory of its own for a test of the store, and what a test does to the files in it that the
 * store would never do: look into them, cut them, alter them. It is below $TMPDIR; without one in
 * memory, where fsync takes no time, or else below /tmp.
 */
#ifndef TESTS_UNIT_STORE_PLACE_H
#define TESTS_UNIT_STORE_PLACE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

enum { PLACE_PATH_MAX = 512 };

struct place {
    char path[PLACE_PATH_MAX];
    int directory;
};

static inline void place_init(struct place *place)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] == '\0')
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(place->path, sizeof(place->path), "%s/store-test-XXXXXX", parent);
    assert_non_null(mkdtemp(place->path));
    place->directory = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(place->directory != -1);
}

static inline int place_remove_entry(const char *path, const struct stat *about, int flag,
                                     struct FTW *where)
{
    (void)about;
    (void)flag;
    (void)where;
    return remove(path);
}

/* The directory `path` and all that is in it. */
static inline void place_remove(const char *path)
{
    assert_int_equal(nftw(path, place_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void place_fini(struct place *place)
{
    close(place->directory);
    place_remove(place->path);
}

/* The path of `name` below the place, in `out`. */
static inline const char *place_path(const struct place *place, const char *name,
                                     char out[PLACE_PATH_MAX])
{
    int length = snprintf(out, PLACE_PATH_MAX, "%s/%s", place->path, name);
    assert_in_range(length, 1, PLACE_PATH_MAX - 1);
    return out;
}

static inline bool place_has(const struct place *place, const char *name)
{
    return faccessat(place->directory, name, F_OK, 0) == 0;
}

/* Is it gone, or goes as soon as the file thread has got round to it? */
static inline bool place_loses(const struct place *place, const char *name)
{
    for (int i = 0; i < 100000 && place_has(place, name); i++)
        usleep(100);
    return !place_has(place, name);
}

/* -1: it is not there. */
static inline int64_t place_length(const struct place *place, const char *name)
{
    struct stat about;
    return fstatat(place->directory, name, &about, 0) == -1 ? -1 : (int64_t)about.st_size;
}

/* A new file, also where there was one: that may have another name as well. */
static inline void place_write(const struct place *place, const char *name, struct bytes content)
{
    unlinkat(place->directory, name, 0);
    int file = openat(place->directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file != -1);
    assert_int_equal(write(file, content.data, content.length), content.length);
    assert_int_equal(close(file), 0);
}

/* The whole file; the caller frees .data. */
static inline uint8_t *place_read(const struct place *place, const char *name, size_t *length)
{
    int64_t whole = place_length(place, name);
    if (whole == -1)
        fail_msg("%s is not there", name);
    size_t size = whole > 0 ? (size_t)whole : 0;
    uint8_t *data = malloc(size + 1);
    assert_non_null(data);
    int file = openat(place->directory, name, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(file, data, size), whole);
    close(file);
    *length = size;
    return data;
}

static inline void place_cut(const struct place *place, const char *name, int64_t length)
{
    int file = openat(place->directory, name, O_WRONLY | O_CLOEXEC);
    assert_true(file != -1);
    assert_int_equal(ftruncate(file, length), 0);
    close(file);
}

/* Changes one bit of one byte. */
static inline void place_flip(const struct place *place, const char *name, int64_t position)
{
    int file = openat(place->directory, name, O_RDWR | O_CLOEXEC);
    assert_true(file != -1);
    uint8_t byte;
    assert_int_equal(pread(file, &byte, 1, position), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(file, &byte, 1, position), 1);
    close(file);
}

#endif
