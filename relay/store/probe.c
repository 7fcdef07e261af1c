/* SPDX-License-Identifier: MIT
 *
 * What store_open would refuse, found without taking, making or changing anything: the lock, the rights to
 * the files of the newest history, the version that wrote it. What is damaged ends no start, and is not
 * looked for: store_verify does that.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "data_dir.h"
#include "files.h"
#include "history_private.h"
#include "relay/store/identity.h"
#include "relay/store/store.h"
#include "syncer.h"

enum { WHY_MAX = 512, IDENTITY_MAX = 64 * 1024 * 1024 };

enum verdict {
    VERDICT_GOOD,    /* a start would take this one */
    VERDICT_PASS,    /* or would go on to the one before */
    VERDICT_REFUSED, /* or end: errno and `why` */
};

static enum verdict probe_judge(bool good)
{
    if (good)
        return VERDICT_GOOD;
    return files_is_refusal(errno) ? VERDICT_REFUSED : VERDICT_PASS;
}

static enum verdict look_at_identity(int directory, const char *name, struct text *why)
{
    struct text file;
    struct identity identity;
    text_init(&file, IDENTITY_MAX);
    text_format(why, "%s: ", name);
    bool good = files_read(directory, name, &file, why);
    if (good) {
        errno = 0; /* of what parsing does, only a refusal sets it */
        good = identity_parse(text_bytes(&file), &identity, why);
    }
    enum verdict verdict = probe_judge(good);
    int error = errno;
    if (good)
        identity_fini(&identity);
    text_fini(&file);
    errno = error;
    return verdict;
}

/* Files of one directory, and how a start would open them. */
struct look {
    int directory;
    int flags;
    int error; /* of the first that cannot be opened so; 0: none */
    struct text *why;
};

static void try_file(const char *name, void *arg)
{
    struct look *look = arg;
    if (look->error != 0)
        return;
    int file = openat(look->directory, name, look->flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file != -1) {
        close(file);
    } else if (files_is_refusal(errno)) {
        look->error = errno;
        text_format(look->why, "%s: cannot open: %s", name, strerror(errno));
    }
}

static enum verdict look_at_tail(int history, struct text *why)
{
    struct look look = {.directory = history, .flags = O_RDWR, .why = why};
    try_file("tail", &look);
    errno = look.error;
    return look.error == 0 ? VERDICT_GOOD : VERDICT_REFUSED;
}

static enum verdict probe_look_at_files(int history, const char *folder, int flags,
                                        struct text *why)
{
    struct look look = {.flags = flags, .why = why};
    look.directory = openat(history, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (look.directory == -1) {
        text_format(why, "%s: cannot open the directory: %s", folder, strerror(errno));
        return probe_judge(false);
    }
    bool is_listed = files_each(look.directory, try_file, &look, why);
    if (is_listed)
        errno = look.error;
    enum verdict verdict = probe_judge(is_listed && look.error == 0);
    int error = errno;
    close(look.directory);
    errno = error;
    return verdict;
}

static enum verdict look_inside(int history, struct text *why)
{
    enum verdict verdict = look_at_identity(history, "identity", why);
    if (verdict == VERDICT_PASS) {
        text_clear(why);
        verdict = look_at_identity(history, SYNCER_IDENTITY_KEPT, why);
    }
    if (verdict == VERDICT_GOOD)
        verdict = look_at_tail(history, why);
    if (verdict == VERDICT_GOOD)
        verdict = probe_look_at_files(history, "backlog", O_RDWR, why);
    if (verdict == VERDICT_GOOD)
        verdict = probe_look_at_files(history, "snapshot", O_RDONLY, why);
    return verdict;
}

static enum verdict look_at_history(int data_dir, uint64_t number, struct text *why)
{
    char name[HISTORY_NAME_MAX];
    history_name(number, name);
    int history = openat(data_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (history == -1) {
        text_format(why, "cannot open the directory: %s", strerror(errno));
        return errno == ENOTDIR ? VERDICT_PASS : probe_judge(false);
    }
    enum verdict verdict = look_inside(history, why);
    int error = errno;
    close(history);
    errno = error;
    return verdict;
}

static bool look_at_histories(const struct data_dir *data_dir, const char *path, struct text *why)
{
    enum verdict verdict = VERDICT_PASS;
    struct text reason;
    text_init(&reason, WHY_MAX);
    for (size_t i = 0; i < data_dir->count && verdict == VERDICT_PASS; i++) {
        text_clear(&reason);
        verdict = look_at_history(data_dir->directory, data_dir->numbers[i], &reason);
        if (verdict == VERDICT_REFUSED) {
            const char *advice = files_advice(errno);
            text_format(why, "data-dir %s: history-%" PRIu64 ": %s: %s\n", path,
                        data_dir->numbers[i], text_string(&reason),
                        advice != NULL ? advice : "look at the disk");
        }
    }
    text_fini(&reason);
    return verdict != VERDICT_REFUSED;
}

bool store_probe(const struct store_options *options, struct text *taken, struct text *why)
{
    struct data_dir data_dir;
    if (access(options->data_dir, F_OK) == -1 && errno == ENOENT)
        return true;
    if (!data_dir_look(&data_dir, options->data_dir, taken, why)) {
        text_append_string(why, "\n");
        return false;
    }
    bool good = look_at_histories(&data_dir, options->data_dir, why);
    data_dir_close(&data_dir);
    return good;
}
