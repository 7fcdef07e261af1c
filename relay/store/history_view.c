/* SPDX-License-Identifier: MIT */
#include "relay/store/history_view.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "history_private.h"
#include "rdb_aux.h"
#include "relay/base/text.h"
#include "relay/os/file.h"
#include "relay/os/process.h"
#include "segment.h"
#include "segment_log.h"
#include "snapshot_private.h"
#include "syncer.h"
#include "tail.h"
#include "time_log.h"

enum {
    IDENTITY_LENGTH_MAX = 64 * 1024 * 1024,
    WHY_MAX = 512,
    TRIES_MAX = 100, /* beside a relay that seals a segment at each of them */
    TRY_AGAIN_NS = 10 * 1000 * 1000,
    DESCRIPTORS_BESIDE = 64,
    PATH_LENGTH_MAX = 128,
    RDB_SUM_BYTES = 8,
};

/* ------------------------------------------------------------------ what there is */

struct number_list {
    uint64_t *numbers;
    size_t count;
    bool has_failed;
};

static void note_number(const char *name, void *arg)
{
    struct number_list *list = arg;
    uint64_t number;
    if (list->has_failed || !history_parse_name(name, &number))
        return;
    uint64_t *larger = realloc(list->numbers, (list->count + 1) * sizeof(number));
    list->has_failed = larger == NULL;
    if (list->has_failed)
        return;
    list->numbers = larger;
    size_t at = list->count++;
    for (; at > 0 && larger[at - 1] < number; at--)
        larger[at] = larger[at - 1];
    larger[at] = number;
}

bool history_view_list(const char *data_dir, uint64_t **numbers, size_t *count, struct error *error)
{
    struct number_list list = {.numbers = NULL};
    struct text why;
    int directory = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory == -1)
        return error_set_system(error, errno, "data directory %s: cannot open", data_dir);
    text_init(&why, WHY_MAX);
    bool good = files_each(directory, note_number, &list, &why);
    int number = errno;
    close(directory);
    if (!good)
        (void)error_set_system(error, number, "data directory %s", data_dir);
    text_fini(&why);
    if (good && list.has_failed)
        good = error_set(error, ERROR_EXHAUSTED, "out of memory");
    if (good) {
        *numbers = list.numbers;
        *count = list.count;
    } else {
        free(list.numbers);
    }
    return good;
}

/* ------------------------------------------------------------------ identity and tail */

static bool read_view_identity(int directory, const char *name, struct identity *out,
                               struct error *error)
{
    struct text file;
    struct text why;
    text_init(&file, IDENTITY_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    bool good = file_read(directory, name, &file, error);
    if (good && !identity_parse(text_bytes(&file), out, &why))
        good = error_set(error, ERROR_DAMAGED, "%s: %s", name, text_string(&why));
    text_fini(&file);
    text_fini(&why);
    return good;
}

/* The identity, or the copy of it, with the rows that were written behind it. */
static bool read_identity_and_rows(int directory, struct identity *out, struct error *error)
{
    struct error first;
    uint64_t newest;
    if (!read_view_identity(directory, "identity", out, &first) &&
        !read_view_identity(directory, SYNCER_IDENTITY_KEPT, out, error)) {
        *error = first;
        return false;
    }
    struct text why;
    text_init(&why, WHY_MAX);
    bool good = segment_log_apply(directory, out, &newest, &why);
    if (!good) {
        (void)error_set_system(error, errno, "segments behind the identity");
        identity_fini(out);
    }
    text_fini(&why);
    return good;
}

/* The mark that reaches farthest behind the sealed segments. False: there is none, or the two are of different
 * moments. */
static bool find_view_mark(int directory, const struct identity *identity, struct tail_mark *out,
                           struct error *error)
{
    struct text why;
    text_init(&why, WHY_MAX);
    struct tail *tail = tail_look(directory, &why);
    struct tail_mark marks[TAIL_MARKS_MAX];
    size_t count = tail == NULL ? 0 : tail_read(tail, marks);
    bool is_found = false;
    for (size_t i = 0; i < count && !is_found; i++) {
        size_t sealed = identity->segment_count;
        is_found = sealed == 0 || identity->segments[sealed - 1].end == marks[i].segment_first;
        *out = marks[i];
    }
    if (!is_found)
        (void)error_set(error, ERROR_DAMAGED, "%s",
                        tail == NULL ? text_string(&why)
                                     : "tail: no mark in it fits the sealed segments");
    tail_close(&tail);
    text_fini(&why);
    return is_found;
}

/* ------------------------------------------------------------------ files */

static int open_in(int directory, const char *folder, const char *name, struct error *error)
{
    char path[PATH_LENGTH_MAX];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int file = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file == -1)
        (void)error_set_system(error, errno, "%s: cannot open", path);
    return file;
}

static bool open_segments(struct history_view *view, int directory, struct error *error)
{
    size_t count = view->identity.segment_count;
    (void)process_raise_descriptors(count + DESCRIPTORS_BESIDE);
    view->files = malloc((count + 1) * sizeof(*view->files));
    if (view->files == NULL)
        return error_set(error, ERROR_EXHAUSTED, "out of memory");
    for (size_t i = 0; i < count; i++)
        view->files[i] = -1;
    for (size_t i = 0; i < count; i++) {
        const struct identity_segment *segment = &view->identity.segments[i];
        char name[SEGMENT_NAME_MAX];
        segment_name(segment->first, name);
        view->files[i] = open_in(directory, "backlog", name, error);
        if (view->files[i] == -1)
            return false;
    }
    return true;
}

/* Does an RDB that the identity does not name say itself that it is of this history, and has it a checksum that
 * proves it? Servers with `rdbchecksum no` write zeros there. */
static bool may_prove_itself(const struct history_view *view, int file, uint64_t offset,
                             off_t length)
{
    static const uint8_t none[RDB_SUM_BYTES] = {0};
    uint8_t sum[RDB_SUM_BYTES];
    if (pread(file, sum, sizeof(sum), length - RDB_SUM_BYTES) != RDB_SUM_BYTES ||
        memcmp(sum, none, sizeof(sum)) == 0)
        return false;
    struct rdb_aux primary;
    uint8_t head[RDB_AUX_HEAD];
    ssize_t got = pread(file, head, sizeof(head), 0);
    return got > 0 && rdb_aux_read(bytes_at(head, (size_t)got), &primary) &&
           primary.offset == offset &&
           identity_may_continue(&view->identity, view->first, view->end, &primary.replid,
                                 offset) == CONTINUITY_YES;
}

struct snapshot_walk {
    struct history_view *view;
    int directory;
};

static void note_snapshot(const char *name, void *arg)
{
    const struct snapshot_walk *walk = arg;
    struct history_view *view = walk->view;
    struct history_view_snapshot found = {.file = -1};
    char whole[SNAPSHOT_NAME_MAX];
    if (!snapshot_parse_name(name, &found.offset))
        return;
    snapshot_name(found.offset, whole);
    bool is_usable =
        strcmp(name, whole) == 0 && found.offset >= view->first && found.offset <= view->boundary;
    if (!is_usable || view->snapshot_count == HISTORY_VIEW_SNAPSHOTS_MAX)
        return;
    struct error error;
    struct stat about;
    const struct identity_snapshot *named = &view->identity.snapshot;
    found.is_named = named->exists && named->offset == found.offset;
    found.crc = named->crc;
    found.file = open_in(walk->directory, "snapshot", name, &error);
    if (found.file == -1)
        return;
    if (fstat(found.file, &about) == -1 || !S_ISREG(about.st_mode) ||
        (!found.is_named && !may_prove_itself(view, found.file, found.offset, about.st_size))) {
        close(found.file);
        return;
    }
    found.length = found.is_named ? named->length : (uint64_t)about.st_size;
    size_t at = view->snapshot_count++;
    for (; at > 0 && view->snapshots[at - 1].offset < found.offset; at--)
        view->snapshots[at] = view->snapshots[at - 1];
    view->snapshots[at] = found;
}

static bool open_snapshots(struct history_view *view, int directory, struct error *error)
{
    struct snapshot_walk walk = {.view = view, .directory = directory};
    int folder = openat(directory, "snapshot", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder == -1)
        return error_set_system(error, errno, "snapshot: cannot open");
    struct text why;
    text_init(&why, WHY_MAX);
    bool good = files_each(folder, note_snapshot, &walk, &why);
    if (!good)
        (void)error_set_system(error, errno, "snapshot: cannot list");
    text_fini(&why);
    close(folder);
    return good;
}

/* ------------------------------------------------------------------ the view */

void history_view_close(struct history_view *view)
{
    for (size_t i = 0; view->files != NULL && i < view->identity.segment_count; i++) {
        if (view->files[i] != -1)
            close(view->files[i]);
    }
    for (size_t i = 0; i < view->snapshot_count; i++) {
        if (view->snapshots[i].file != -1)
            close(view->snapshots[i].file);
    }
    free(view->files);
    identity_fini(&view->identity);
    time_index_fini(&view->times);
    struct history_view empty = {.number = view->number};
    memcpy(empty.name, view->name, sizeof(empty.name));
    *view = empty;
}

/* The newest segment becomes a row like the others, if there is anything in it. */
static bool add_newest(struct history_view *view, const struct tail_mark *mark, struct error *error)
{
    const struct identity_segment row = {mark->segment_first, mark->end, mark->crc, mark->boundary};
    if (row.end > row.first && !identity_add_segment(&view->identity, row))
        return error_set(error, ERROR_EXHAUSTED, "out of memory");
    bool has_stream = view->identity.segment_count > 0;
    view->first = has_stream ? view->identity.segments[0].first : mark->end;
    view->end = mark->end;
    view->boundary = mark->boundary;
    return true;
}

/* After a failover the history goes on under another id. What the tail told before this is of the id that was read
 * first only if the identity still has that id now: no byte comes under a new one before it is written. */
static bool has_same_id(int directory, const struct identity *identity, struct error *error)
{
    struct identity now;
    if (!read_identity_and_rows(directory, &now, error))
        return false;
    bool is_same = replid_equal(&now.replid, &identity->replid);
    identity_fini(&now);
    return is_same || error_set(error, ERROR_DAMAGED, "identity: it has got another id meanwhile");
}

/* The relay may be sealing, trimming and refreshing meanwhile: then what was read does not fit together. */
static bool open_once(struct history_view *view, int directory, struct error *error)
{
    struct tail_mark mark;
    if (!read_identity_and_rows(directory, &view->identity, error))
        return false;
    bool good = find_view_mark(directory, &view->identity, &mark, error) &&
                has_same_id(directory, &view->identity, error) && add_newest(view, &mark, error) &&
                open_segments(view, directory, error) && open_snapshots(view, directory, error);
    if (!good)
        history_view_close(view);
    return good;
}

static bool may_fit_later(const struct error *error)
{
    return error->kind == ERROR_DAMAGED || error->kind == ERROR_MISSING;
}

static int open_history(const char *data_dir, const char *name, struct error *error)
{
    int parent = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int directory = parent == -1 ? -1 : openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int number = errno;
    if (parent != -1)
        close(parent);
    if (directory == -1) /* whatever is missing there, it is not the identity */
        (void)error_set(error, ERROR_SYSTEM, "%s: cannot open: %s", name, strerror(number));
    return directory;
}

/* Its RDB is still arriving: what makes a history is its identity. */
static bool has_identity(int directory)
{
    return faccessat(directory, "identity", F_OK, 0) == 0 ||
           faccessat(directory, SYNCER_IDENTITY_KEPT, F_OK, 0) == 0;
}

static bool open_until_it_fits(struct history_view *view, int directory, const char *name,
                               struct error *error)
{
    struct error inner;
    bool good = open_once(view, directory, &inner);
    for (int tries = 1; !good && may_fit_later(&inner) && tries < TRIES_MAX; tries++) {
        const struct timespec pause = {.tv_nsec = TRY_AGAIN_NS};
        nanosleep(&pause, NULL);
        good = open_once(view, directory, &inner);
    }
    enum error_kind kind = !good && inner.kind == ERROR_MISSING ? ERROR_DAMAGED : inner.kind;
    return good || error_set(error, kind, "%s: %.400s", name, inner.text);
}

/* Out of memory: times are not known. */
static void read_times(struct history_view *view, int directory)
{
    struct time_log_files *files = malloc(sizeof(*files));
    time_index_init(&view->times);
    if (files != NULL)
        time_log_read(directory, &view->identity, view->boundary, &view->times, files);
    free(files);
}

bool history_view_open(struct history_view *view, const char *data_dir, uint64_t number,
                       struct error *error)
{
    *view = (struct history_view){.number = number};
    char name[HISTORY_NAME_MAX];
    history_name(number, name);
    snprintf(view->name, sizeof(view->name), "%s", name);
    int directory = open_history(data_dir, name, error);
    if (directory == -1)
        return false;
    bool good = has_identity(directory)
                    ? open_until_it_fits(view, directory, name, error)
                    : error_set(error, ERROR_MISSING, "%s: its RDB is still arriving", name);
    if (good)
        read_times(view, directory);
    close(directory);
    return good;
}

bool history_view_fetch(const struct history_view *view,
                        const struct history_view_snapshot *snapshot, uint64_t from, uint64_t until,
                        struct error *error)
{
    return view->fetch == NULL || view->fetch(view->fetch_arg, snapshot, from, until, error);
}

bool history_view_stream_db(const struct history_view_snapshot *snapshot, uint64_t *db)
{
    uint8_t head[RDB_AUX_HEAD];
    ssize_t got = pread(snapshot->file, head, sizeof(head), 0);
    return got > 0 && rdb_aux_stream_db(bytes_at(head, (size_t)got), db);
}
