/* SPDX-License-Identifier: MIT */
#include "data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "history_private.h"
#include "notes.h"
#include "partial_rdb.h"
#include "reclaimer.h"
#include "relay/base/log.h"
#include "relay/os/file.h"
#include "relay/store/archive_folder.h"

static bool open_directory(struct data_dir *data_dir, const char *path, bool make, struct text *why)
{
    bool is_new = make && mkdir(path, 0700) == 0;
    if (make && !is_new && errno != EEXIST) {
        text_format(why, "data-dir %s: cannot make it: %s", path, strerror(errno));
        return false;
    }
    data_dir->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Its own name, for what is kept in it before there is a history (syncer.c sees to those). */
    if (is_new && data_dir->directory != -1 && !file_sync_directory(data_dir->directory, ".."))
        log_warn("store: data-dir %s was made, but a power failure may cost it", path);
    if (data_dir->directory == -1)
        text_format(why, "data-dir %s: cannot open it: %s", path, strerror(errno));
    return data_dir->directory != -1;
}

static bool open_lock(struct data_dir *data_dir, const char *path, bool make, struct text *why)
{
    int flags = O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0);
    data_dir->lock = openat(data_dir->directory, "lock", flags, 0600);
    if (data_dir->lock != -1 || (!make && errno == ENOENT))
        return true;
    text_format(why, "data-dir %s: cannot write in it: %s: give it to the user that runs the relay",
                path, strerror(errno));
    return false;
}

/* False: another one has it, which is said in `taken`; or it cannot be had at all. */
static bool lock(const struct data_dir *data_dir, const char *path, int how, struct text *taken,
                 struct text *why)
{
    if (flock(data_dir->lock, how | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        text_format(taken,
                    "data-dir %s: another psync-relay uses it: stop that one, or give this one a "
                    "data-dir of its own",
                    path);
    else
        text_format(why, "data-dir %s: cannot lock it: %s", path, strerror(errno));
    return false;
}

static bool data_dir_take_lock(struct data_dir *data_dir, const char *path, struct text *why)
{
    return open_lock(data_dir, path, true, why) && lock(data_dir, path, LOCK_EX, why, why);
}

/* Shared, and only for a moment: two that look do not see each other. */
static bool look_at_lock(struct data_dir *data_dir, const char *path, struct text *taken,
                         struct text *why)
{
    if (!open_lock(data_dir, path, false, why))
        return false;
    if (data_dir->lock == -1)
        return true;
    bool good = lock(data_dir, path, LOCK_SH, taken, why) || taken->length > 0;
    close(data_dir->lock);
    data_dir->lock = -1;
    return good;
}

/* What else belongs there. */
static bool is_ours(const char *name)
{
    return strcmp(name, "lock") == 0 || strcmp(name, RECLAIMER_TRASH) == 0 ||
           strcmp(name, STORE_ARCHIVE_FOLDER) == 0 || notes_is_name(name) || notes_is_half(name) ||
           partial_rdb_is_name(name);
}

struct search {
    struct data_dir *data_dir;
    bool failed;
    bool has_others; /* something in it is not ours */
};

static void note_entry(const char *name, void *arg)
{
    struct search *search = arg;
    struct data_dir *data_dir = search->data_dir;
    uint64_t number;
    if (!history_parse_name(name, &number)) {
        if (!is_ours(name)) {
            search->has_others = true;
            log_warnx("store: %s in the data directory is not ours and is left alone", name);
        }
        return;
    }
    uint64_t *larger = realloc(data_dir->numbers, (data_dir->count + 1) * sizeof(number));
    if (larger == NULL) {
        search->failed = true;
        return;
    }
    data_dir->numbers = larger;
    data_dir->numbers[data_dir->count++] = number;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

/* Nobody else has any business there. One that holds other things, or is somebody else's, may be a place
 * like /tmp: what we make in it is closed to others anyway, but who may write there may put something else
 * in its place. */
static void close_to_others(const struct data_dir *data_dir, const char *path, bool has_others)
{
    struct stat status;
    if (fstat(data_dir->directory, &status) == -1 || (status.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return;
    unsigned mode = (unsigned)status.st_mode & 07777;
    bool is_ours_alone = !has_others && status.st_uid == geteuid();
    if (is_ours_alone && fchmod(data_dir->directory, S_IRWXU) == 0)
        log_info("store: data-dir %s was open to others than its owner (mode %04o) and is not any "
                 "more",
                 path, mode);
    else
        log_warnx("store: data-dir %s is open to others than its owner (mode %04o): chmod 700 %s, "
                  "or give the relay one of its own",
                  path, mode, path);
}

static bool find_histories(struct search *search, struct text *why)
{
    struct data_dir *data_dir = search->data_dir;
    if (!files_each(data_dir->directory, note_entry, search, why))
        return false;
    if (search->failed)
        text_format(why, "out of memory");
    if (data_dir->count > 0)
        qsort(data_dir->numbers, data_dir->count, sizeof(data_dir->numbers[0]), newest_first);
    return !search->failed;
}

bool data_dir_open(struct data_dir *data_dir, const char *path, bool make, struct text *why)
{
    *data_dir = (struct data_dir){.directory = -1, .lock = -1};
    struct search search = {.data_dir = data_dir};
    if (open_directory(data_dir, path, make, why) && data_dir_take_lock(data_dir, path, why) &&
        find_histories(&search, why)) {
        if (make)
            close_to_others(data_dir, path, search.has_others);
        return true;
    }
    data_dir_close(data_dir);
    return false;
}

bool data_dir_look(struct data_dir *data_dir, const char *path, struct text *taken,
                   struct text *why)
{
    *data_dir = (struct data_dir){.directory = -1, .lock = -1};
    struct search search = {.data_dir = data_dir};
    if (open_directory(data_dir, path, false, why) && look_at_lock(data_dir, path, taken, why) &&
        find_histories(&search, why))
        return true;
    data_dir_close(data_dir);
    return false;
}

void data_dir_close(struct data_dir *data_dir)
{
    free(data_dir->numbers);
    if (data_dir->lock != -1)
        close(data_dir->lock);
    if (data_dir->directory != -1)
        close(data_dir->directory);
    *data_dir = (struct data_dir){.directory = -1, .lock = -1};
}
