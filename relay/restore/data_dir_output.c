/* SPDX-License-Identifier: MIT */
#include "data_dir_output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "relay/resp/command_scanner.h"
#include "relay/store/store.h"

#define PART "psync-relay-restore.part"
#define HISTORY "history-1"

enum {
    PATH_LENGTH_MAX = 4096,
    WHY_MAX = 512,
    WAIT_NS = 1000 * 1000,
    SEGMENT_BYTES = 64 * 1024 * 1024,
    WALK_DESCRIPTORS = 16,
};

struct data_dir_work {
    const struct restore_plan *plan;
    struct progress *progress;
    struct store *store;
    struct command_scanner scanner;
    uint64_t commands;
    struct text why;
};

/* ------------------------------------------------------------------ the store */

/* The store's threads do something that the next step waits for. */
static void wait_for_store(struct data_dir_work *work)
{
    const struct timespec pause = {.tv_nsec = WAIT_NS};
    (void)store_publish(work->store);
    nanosleep(&pause, NULL);
}

static bool fail_store(struct data_dir_work *work, struct error *error)
{
    return error_set(error, ERROR_SYSTEM, "data directory: %.400s",
                     work->why.length > 0 ? text_string(&work->why) : "the disk refuses it");
}

static bool take_data_dir_rdb(const struct history_view_piece *piece, void *arg,
                              struct error *error)
{
    struct data_dir_work *work = arg;
    struct snapshot *snapshot = history_arriving_snapshot(store_arriving(work->store));
    progress_add(work->progress, piece->bytes.length);
    bool good = snapshot != NULL && snapshot_write(snapshot, piece->bytes, &work->why);
    while (good && snapshot_owes(snapshot)) {
        wait_for_store(work);
        good = snapshot_write_owed(snapshot, &work->why);
    }
    return good || fail_store(work, error);
}

static bool make_rdb(struct data_dir_work *work, struct error *error)
{
    const struct restore_plan *plan = work->plan;
    struct history *history = store_begin_history(work->store, &plan->view->identity.replid,
                                                  plan->base->offset, &work->why);
    if (history == NULL)
        return fail_store(work, error);
    snapshot_expect(history_arriving_snapshot(history), plan->base->length);
    if (!history_view_read_snapshot(plan->view, plan->base, take_data_dir_rdb, work, error))
        return false;
    enum disk_step step = store_promote(work->store, &work->why);
    while (step == DISK_STEP_PENDING) {
        wait_for_store(work);
        step = store_promote(work->store, &work->why);
    }
    return step == DISK_STEP_DONE || fail_store(work, error);
}

/* All boundaries in it are looked at: the relay asks its upstream for what comes behind the last. */
static bool scan_boundary(struct data_dir_work *work, struct bytes bytes, struct error *error)
{
    for (;;) {
        switch (command_scanner_next(&work->scanner, &bytes)) {
        case COMMAND_SCAN_COMMAND:
            work->commands++;
            break;
        case COMMAND_SCAN_MORE:
            return true;
        case COMMAND_SCAN_BROKEN:
            return error_set(error, ERROR_DAMAGED, "the stream is none: %s", work->scanner.error);
        }
    }
}

static bool append_some(struct data_dir_work *work, struct bytes bytes, struct error *error)
{
    struct history *history = store_current(work->store);
    enum backlog_space space = history_make_ready(history);
    while (space == BACKLOG_HELD) {
        wait_for_store(work);
        space = history_make_ready(history);
    }
    if (space == BACKLOG_SPACE)
        space = history_append(history, bytes);
    while (space == BACKLOG_HELD) {
        wait_for_store(work);
        space = history_make_ready(history);
    }
    if (space != BACKLOG_SPACE) {
        text_append_string(&work->why, history_stream_error(history));
        return fail_store(work, error);
    }
    history_set_boundary(history, work->scanner.boundary);
    (void)store_publish(work->store);
    return true;
}

static bool take_data_dir_stream(const struct history_view_piece *piece, void *arg,
                                 struct error *error)
{
    struct data_dir_work *work = arg;
    struct bytes rest = piece->bytes;
    while (rest.length > 0) {
        size_t length = rest.length < BACKLOG_APPEND_MAX ? rest.length : BACKLOG_APPEND_MAX;
        struct bytes bytes = bytes_first(rest, length);
        rest = bytes_skip(rest, length);
        if (!scan_boundary(work, bytes, error) || !append_some(work, bytes, error))
            return false;
    }
    return true;
}

static void note_data_dir_read(uint64_t bytes, void *arg)
{
    struct data_dir_work *work = arg;
    progress_add(work->progress, bytes);
}

static bool fill_store(struct data_dir_work *work, struct error *error)
{
    const struct restore_plan *plan = work->plan;
    uint64_t from = plan->base->offset;
    command_scanner_init(&work->scanner, from, bytes_at(NULL, 0));
    progress_begin(work->progress, "restoring",
                   plan->base->length + history_view_stream_bytes(plan->view, from, plan->until));
    bool good = history_view_fetch(plan->view, plan->base, from, plan->until, error) &&
                make_rdb(work, error) &&
                history_view_read_stream(plan->view, from, plan->until, take_data_dir_stream,
                                         note_data_dir_read, work, error);
    progress_end(work->progress);
    return good;
}

/* ------------------------------------------------------------------ files */

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_part(const char *part)
{
    (void)nftw(part, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

static bool may_use_target(const char *target, struct error *error)
{
    if (mkdir(target, 0700) == -1 && errno != EEXIST)
        return error_set_system(error, errno, "%.300s: cannot make the directory", target);
    DIR *stream = opendir(target);
    if (stream == NULL)
        return error_set_system(error, errno, "%.300s: cannot open the directory", target);
    const struct dirent *entry;
    bool is_used = false;
    while ((entry = readdir(stream)) != NULL)
        is_used = is_used || strncmp(entry->d_name, "history-", strlen("history-")) == 0;
    closedir(stream);
    return !is_used || error_set(error, ERROR_IN_USE,
                                 "%.300s: there is a history in it already: restore to an empty "
                                 "directory",
                                 target);
}

static bool name_history(const char *target, const char *part, struct error *error)
{
    char from[PATH_LENGTH_MAX + sizeof(HISTORY) + 2];
    char to[PATH_LENGTH_MAX + sizeof(HISTORY) + 2];
    snprintf(from, sizeof(from), "%s/" HISTORY, part);
    snprintf(to, sizeof(to), "%.4000s/" HISTORY, target);
    if (rename(from, to) == -1)
        return error_set_system(error, errno, "%.300s: cannot give it its name", to);
    int directory = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = directory != -1 && fsync(directory) == 0;
    if (!good)
        (void)error_set_system(error, errno, "%.300s: cannot write", target);
    if (directory != -1)
        close(directory);
    return good;
}

static bool make_data_dir(struct data_dir_work *work, const char *part, struct error *error)
{
    const struct restore_plan *plan = work->plan;
    uint64_t bytes = plan->until - plan->base->offset + 4 * (uint64_t)SEGMENT_BYTES;
    const struct store_options options = {.data_dir = part,
                                          .window_bytes = bytes,
                                          .window_bytes_max = 2 * bytes,
                                          .segment_bytes = SEGMENT_BYTES,
                                          .fsync = STORE_FSYNC_EVERYSEC};
    work->store = store_open(&options, &work->why);
    if (work->store == NULL)
        return fail_store(work, error);
    bool good = fill_store(work, error);
    if (!good)
        store_abandon(work->store);
    store_close(&work->store);
    return good;
}

bool data_dir_output(const struct restore_plan *plan, const char *target, struct progress *progress,
                     struct restore_result *result, struct error *error)
{
    char part[PATH_LENGTH_MAX];
    struct data_dir_work work = {.plan = plan, .progress = progress};
    if (snprintf(part, sizeof(part), "%s/" PART, target) >= (int)sizeof(part))
        return error_set(error, ERROR_INVALID, "the path is too long");
    if (!may_use_target(target, error))
        return false;
    text_init(&work.why, WHY_MAX);
    remove_part(part);
    bool good = make_data_dir(&work, part, error) && name_history(target, part, error);
    remove_part(part);
    text_fini(&work.why);
    result->offset = work.scanner.boundary;
    result->commands = work.commands;
    if (!good)
        (void)rmdir(target);
    return good;
}
