/* SPDX-License-Identifier: MIT */
#include "segment_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "relay/base/bytes.h"
#include "relay/base/crc64.h"
#include "relay/base/log.h"
#include "segment.h"

#define HEAD "psync-relay segments 1 since "
static const char prefix[] = "segments.";

enum {
    NAME_MAX_LENGTH = 40,
    LINE_MAX_LENGTH = 160,
    WHY_MAX = 256,
    FILE_LENGTH_MAX = 64 * 1024 * 1024,
    BASES_MAX = 64, /* at once: the syncer leaves two or three */
    SUM_LENGTH = 16,
};

static void name_of(uint64_t base, char name[NAME_MAX_LENGTH])
{
    snprintf(name, NAME_MAX_LENGTH, "%s%" PRIu64, prefix, base);
}

static bool parse_name(const char *name, uint64_t *base)
{
    struct bytes view = bytes_of(name);
    return bytes_starts(view, prefix) && bytes_to_u64(bytes_skip(view, sizeof(prefix) - 1), base);
}

/* ------------------------------------------------------------------ written */

void segment_log_init(struct segment_log *log, int directory)
{
    *log = (struct segment_log){.directory = directory, .file = -1};
}

void segment_log_fini(struct segment_log *log)
{
    if (log->file != -1)
        close(log->file);
    log->file = -1;
}

void segment_log_follow(struct segment_log *log, const struct segment_log_file *next)
{
    CHECK(next->base > log->base);
    segment_log_fini(log);
    log->base = next->base;
    log->since = next->since;
    log->file = next->file;
    log->length = next->length;
    log->rows = 0;
}

struct segment_log_file segment_log_next(const struct segment_log *log, bool is_cut)
{
    uint64_t base = log->base + 1;
    return (struct segment_log_file){
        .base = base,
        .since = is_cut || log->since == 0 ? base : log->since,
        .file = -1,
    };
}

bool segment_log_is_open(const struct segment_log *log)
{
    return log->file != -1;
}

bool segment_log_make_file(int directory, struct segment_log_file *next, struct error *error)
{
    char name[NAME_MAX_LENGTH];
    char head[LINE_MAX_LENGTH];
    name_of(next->base, name);
    next->file = openat(directory, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (next->file == -1)
        return error_set_system(error, errno, "%s: cannot create", name);
    int length = snprintf(head, sizeof(head), HEAD "%" PRIu64 "\n", next->since);
    next->length = (uint64_t)length;
    if (files_write_at(next->file, bytes_of(head), 0))
        return true;
    (void)error_set_system(error, errno, "%s: cannot write", name);
    segment_log_close_file(next);
    return false;
}

void segment_log_close_file(struct segment_log_file *next)
{
    if (next->file != -1)
        close(next->file);
    next->file = -1;
}

bool segment_log_add(struct segment_log *log, const struct identity_segment *row, struct text *why)
{
    struct text line;
    CHECK(segment_log_is_open(log));
    text_init(&line, LINE_MAX_LENGTH);
    identity_format_segment(row, &line);
    uint64_t sum = crc64(0, line.data, line.length);
    text_format(&line, " %016" PRIx64 "\n", sum);
    bool good = !line.failed;
    errno = ENOMEM;
    good = good && files_write_at(log->file, text_bytes(&line), log->length);
    int error = errno;
    if (good) {
        log->rows++;
        log->length += line.length;
    } else /* what was written of it in vain is overwritten the next time */
        text_format(why, "%s%" PRIu64 ": cannot write: %s", prefix, log->base, strerror(error));
    text_fini(&line);
    errno = error;
    return good;
}

/* ------------------------------------------------------------------ read */

struct listing {
    size_t count;
    uint64_t bases[BASES_MAX]; /* the oldest first; of more, the newest are left out */
    uint64_t newest;
};

static void note_name(const char *name, void *arg)
{
    struct listing *listing = arg;
    uint64_t base;
    if (!parse_name(name, &base))
        return;
    if (base > listing->newest)
        listing->newest = base;
    size_t at = listing->count;
    while (at > 0 && listing->bases[at - 1] > base)
        at--;
    if (at == BASES_MAX)
        return;
    size_t last = listing->count < BASES_MAX ? listing->count++ : BASES_MAX - 1;
    memmove(listing->bases + at + 1, listing->bases + at, (last - at) * sizeof(listing->bases[0]));
    listing->bases[at] = base;
}

static struct bytes segment_log_take_line(struct bytes *file)
{
    size_t length = bytes_find(*file, '\n');
    struct bytes line = bytes_first(*file, length);
    *file = bytes_skip(*file, length == file->length ? length : length + 1);
    return line;
}

/* False: it is cut off, or torn. */
static bool segment_log_parse_row(struct bytes line, struct identity_segment *row)
{
    char sum[SUM_LENGTH + 2];
    if (line.length <= SUM_LENGTH + 1)
        return false;
    struct bytes body = bytes_first(line, line.length - SUM_LENGTH - 1);
    snprintf(sum, sizeof(sum), " %016" PRIx64, crc64(0, body.data, body.length));
    return bytes_is(bytes_skip(line, body.length), sum) && identity_parse_segment(body, row);
}

/* Does the file go on from the identity of that base? */
static bool parse_head(struct bytes line, uint64_t base)
{
    uint64_t since;
    return bytes_starts(line, HEAD) && bytes_to_u64(bytes_skip(line, sizeof(HEAD) - 1), &since) &&
           since <= base;
}

/* False: out of memory. */
static bool apply_rows(struct bytes file, struct identity *identity)
{
    struct identity_segment row;
    while (file.length > 0 && segment_log_parse_row(segment_log_take_line(&file), &row)) {
        size_t count = identity->segment_count;
        uint64_t end = count > 0 ? identity->segments[count - 1].end : row.first;
        if (row.first < end)
            continue; /* it was written into the identity since */
        if (row.first > end)
            break;
        if (!identity_add_segment(identity, row)) {
            errno = ENOMEM;
            return false;
        }
    }
    return true;
}

/* *goes_on: the next file may be applied. False: errno and `why`. */
static bool apply_file(int directory, uint64_t base, struct identity *identity, bool *goes_on,
                       struct text *why)
{
    char name[NAME_MAX_LENGTH];
    struct text content;
    name_of(base, name);
    text_init(&content, FILE_LENGTH_MAX);
    bool good = files_read(directory, name, &content, why);
    int error = errno;
    if (good) {
        struct bytes file = text_bytes(&content);
        *goes_on = parse_head(segment_log_take_line(&file), identity->base);
        good = !*goes_on || apply_rows(file, identity);
        error = errno;
        if (!good)
            text_format(why, "out of memory");
    } else if (!files_is_refusal(error)) {
        *goes_on = false;
        text_clear(why);
        good = true;
    }
    text_fini(&content);
    errno = error;
    return good;
}

/* All of them gone is another matter, and seen to when they are proven. */
static void drop_absent(int directory, struct identity *identity)
{
    size_t count = 0;
    for (; count < identity->segment_count; count++) {
        char name[SEGMENT_NAME_MAX];
        char path[SEGMENT_NAME_MAX + sizeof("backlog/")];
        segment_name(identity->segments[count].first, name);
        snprintf(path, sizeof(path), "backlog/%s", name);
        if (faccessat(directory, path, F_OK, 0) == 0 || errno != ENOENT)
            break;
    }
    if (count < identity->segment_count)
        identity_drop_oldest(identity, count);
}

bool segment_log_apply(int directory, struct identity *identity, uint64_t *newest, struct text *why)
{
    struct listing listing = {.newest = identity->base};
    if (!files_each(directory, note_name, &listing, why))
        return false;
    *newest = listing.newest;
    bool goes_on = true;
    for (size_t i = 0; i < listing.count && goes_on; i++) {
        if (listing.bases[i] >= identity->base &&
            !apply_file(directory, listing.bases[i], identity, &goes_on, why))
            return false;
    }
    drop_absent(directory, identity);
    return true;
}

/* ------------------------------------------------------------------ kept, and removed */

struct walk {
    int directory;
    uint64_t before;
    int error;
};

static void sync_one(const char *name, void *arg)
{
    struct walk *walk = arg;
    uint64_t base;
    if (!parse_name(name, &base))
        return;
    int file = openat(walk->directory, name, O_RDONLY | O_CLOEXEC);
    if (file == -1 || fdatasync(file) == -1)
        walk->error = errno;
    if (file != -1)
        close(file);
}

bool segment_log_sync(int directory)
{
    struct walk walk = {.directory = directory};
    struct text why;
    text_init(&why, WHY_MAX);
    bool good = files_each(directory, sync_one, &walk, &why);
    text_fini(&why);
    if (good && walk.error != 0)
        errno = walk.error;
    return good && walk.error == 0;
}

static void remove_one(const char *name, void *arg)
{
    const struct walk *walk = arg;
    uint64_t base;
    if (parse_name(name, &base) && base < walk->before)
        unlinkat(walk->directory, name, 0);
}

void segment_log_remove_before(int directory, uint64_t base)
{
    struct walk walk = {.directory = directory, .before = base};
    struct text why;
    text_init(&why, WHY_MAX);
    if (!files_each(directory, remove_one, &walk, &why))
        log_warnx("store: %s", text_string(&why));
    text_fini(&why);
}
