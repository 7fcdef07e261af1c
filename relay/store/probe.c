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
    VERDICT_REFUSED, /* or end: `error` */
};

static enum verdict probe_judge(const struct error *error)
{
    return files_is_refusal(error->number) ? VERDICT_REFUSED : VERDICT_PASS;
}

static bool probe_read_identity(int directory, const char *name, struct text *file,
                                struct identity *identity, struct text *why)
{
    text_format(why, "%s: ", name);
    if (!files_read(directory, name, file, why))
        return false;
    errno = 0; /* of what parsing does, only a refusal sets it */
    return identity_parse(text_bytes(file), identity, why);
}

static enum verdict look_at_identity(int directory, const char *name, struct error *error)
{
    struct text file;
    struct text why;
    struct identity identity;
    text_init(&file, IDENTITY_MAX);
    text_init(&why, WHY_MAX);
    bool good = probe_read_identity(directory, name, &file, &identity, &why) ||
                files_error(error, errno, &why);
    if (good)
        identity_fini(&identity);
    text_fini(&why);
    text_fini(&file);
    return good ? VERDICT_GOOD : probe_judge(error);
}

/* Files of one directory, and how a start would open them. */
struct look {
    int directory;
    int flags;
    bool is_refused;
    struct error *error; /* of the first that cannot be opened so */
};

static void try_file(const char *name, void *arg)
{
    struct look *look = arg;
    if (look->is_refused)
        return;
    int file = openat(look->directory, name, look->flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file != -1) {
        close(file);
    } else if (files_is_refusal(errno)) {
        look->is_refused = true;
        (void)error_set_system(look->error, errno, "%s: cannot open", name);
    }
}

static enum verdict look_at_tail(int history, struct error *error)
{
    struct look look = {.directory = history, .flags = O_RDWR, .error = error};
    try_file("tail", &look);
    return look.is_refused ? VERDICT_REFUSED : VERDICT_GOOD;
}

static enum verdict probe_look_at_files(int history, const char *folder, int flags,
                                        struct error *error)
{
    struct text why;
    struct look look = {.flags = flags, .error = error};
    look.directory = openat(history, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (look.directory == -1) {
        (void)error_set_system(error, errno, "%s: cannot open the directory", folder);
        return probe_judge(error);
    }
    text_init(&why, WHY_MAX);
    bool is_listed =
        files_each(look.directory, try_file, &look, &why) || files_error(error, errno, &why);
    text_fini(&why);
    close(look.directory);
    return is_listed && !look.is_refused ? VERDICT_GOOD : probe_judge(error);
}

static enum verdict look_inside(int history, struct error *error)
{
    enum verdict verdict = look_at_identity(history, "identity", error);
    if (verdict == VERDICT_PASS)
        verdict = look_at_identity(history, SYNCER_IDENTITY_KEPT, error);
    if (verdict == VERDICT_GOOD)
        verdict = look_at_tail(history, error);
    if (verdict == VERDICT_GOOD)
        verdict = probe_look_at_files(history, "backlog", O_RDWR, error);
    if (verdict == VERDICT_GOOD)
        verdict = probe_look_at_files(history, "snapshot", O_RDONLY, error);
    return verdict;
}

static enum verdict look_at_history(int data_dir, uint64_t number, struct error *error)
{
    char name[HISTORY_NAME_MAX];
    history_name(number, name);
    int history = openat(data_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (history == -1) {
        (void)error_set_system(error, errno, "cannot open the directory");
        return error->number == ENOTDIR ? VERDICT_PASS : probe_judge(error);
    }
    enum verdict verdict = look_inside(history, error);
    close(history);
    return verdict;
}

static bool look_at_histories(const struct data_dir *data_dir, const char *path, struct text *why)
{
    enum verdict verdict = VERDICT_PASS;
    struct error error;
    for (size_t i = 0; i < data_dir->count && verdict == VERDICT_PASS; i++) {
        verdict = look_at_history(data_dir->directory, data_dir->numbers[i], &error);
        if (verdict == VERDICT_REFUSED) {
            const char *advice = files_advice(error.number);
            text_format(why, "data-dir %s: history-%" PRIu64 ": %s: %s\n", path,
                        data_dir->numbers[i], error.text,
                        advice != NULL ? advice : "look at the disk");
        }
    }
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
