/* SPDX-License-Identifier: MIT */
#include "relay/store/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data_dir.h"
#include "files.h"
#include "history_private.h"
#include "relay/store/identity.h"
#include "segment.h"
#include "segment_log.h"
#include "snapshot_private.h"
#include "tail.h"

enum { WHY_MAX = 512, SPAN_MAX = 24 };

struct check {
    struct text *table;
    char history[HISTORY_NAME_MAX];
    int directory;
    struct identity identity;
    bool good; /* so far */
    store_verify_fn *tell;
    void *arg;
    const char *part; /* the file that is read */
    uint64_t done;    /* bytes of the history */
    uint64_t total;
};

static void row(struct check *check, const char *part, const char *from, const char *to, bool good,
                const char *what)
{
    text_format(check->table, "%-12s %-9s %20s %20s  %-5s  %s\n", check->history, part, from, to,
                good ? "good" : "BAD", what);
    check->good = check->good && good;
}

static void span_row(struct check *check, const char *part, uint64_t from, uint64_t to, bool good,
                     const char *what)
{
    char first[SPAN_MAX];
    char last[SPAN_MAX];
    snprintf(first, sizeof(first), "%" PRIu64, from);
    snprintf(last, sizeof(last), "%" PRIu64, to);
    row(check, part, first, last, good, what);
}

static bool note_read(void *arg, size_t bytes)
{
    struct check *check = arg;
    check->done += bytes;
    if (check->total < check->done) /* the newest segment */
        check->total = check->done;
    char part[HISTORY_NAME_MAX + 128];
    snprintf(part, sizeof(part), "%s/%s", check->history, check->part);
    if (check->tell != NULL)
        check->tell(part, check->done, check->total, check->arg);
    return true;
}

/* The newest segment is not in it: nobody knows its length before it is looked at. */
static uint64_t bytes_of_all(const struct identity *identity)
{
    uint64_t bytes = identity->snapshot.exists ? identity->snapshot.length : 0;
    for (size_t i = 0; i < identity->segment_count; i++)
        bytes += identity->segments[i].end - identity->segments[i].first;
    return bytes;
}

/* Do the first `length` bytes of a file have this CRC-64? `exact`: and is that all of it? */
static bool verify_file(struct check *check, const char *folder, const char *name, uint64_t length,
                        bool exact, uint64_t crc, struct text *why)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int file = openat(check->directory, path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (file == -1 || fstat(file, &about) == -1) {
        text_format(why, "%s", strerror(errno));
        if (file != -1)
            close(file);
        return false;
    }
    uint64_t found = 0;
    const struct files_pace pace = {.go_on = note_read, .arg = check};
    check->part = path;
    bool good = !exact || (uint64_t)about.st_size == length;
    if (!good)
        text_format(why, "it has %" PRIu64 " bytes, not %" PRIu64, (uint64_t)about.st_size, length);
    good = good && files_crc64_from(file, 0, length, &found, &pace, why);
    close(file);
    if (good && found != crc)
        text_format(why, "its checksum does not match its bytes");
    return good && found == crc;
}

static bool check_identity(struct check *check)
{
    enum { IDENTITY_LENGTH_MAX = 64 * 1024 * 1024 };
    struct text file;
    struct text why;
    text_init(&file, IDENTITY_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    bool good = files_read(check->directory, "identity", &file, &why) &&
                identity_parse(text_bytes(&file), &check->identity, &why);
    uint64_t newest;
    if (good && !segment_log_apply(check->directory, &check->identity, &newest, &why)) {
        identity_fini(&check->identity);
        good = false;
    }
    if (good)
        text_format(&why, "replid %s, %zu earlier", check->identity.replid.hex,
                    check->identity.earlier_count);
    row(check, "identity", "-", "-", good, text_string(&why));
    text_fini(&file);
    text_fini(&why);
    return good;
}

static void check_sealed(struct check *check)
{
    for (size_t i = 0; i < check->identity.segment_count; i++) {
        const struct identity_segment *segment = &check->identity.segments[i];
        char name[SEGMENT_NAME_MAX];
        segment_name(segment->first, name);
        struct text why;
        text_init(&why, WHY_MAX);
        bool good = verify_file(check, "backlog", name, segment->end - segment->first, false,
                                segment->crc, &why);
        span_row(check, "segment", segment->first, segment->end, good, text_string(&why));
        text_fini(&why);
    }
}

/* The mark that reaches farthest behind the sealed segments; false: none. */
static bool find_mark(const struct check *check, struct tail_mark *out, struct text *why)
{
    struct tail *tail = tail_look(check->directory, why);
    if (tail == NULL)
        return false;
    struct tail_mark marks[TAIL_MARKS_MAX];
    size_t count = tail_read(tail, marks);
    tail_close(&tail);
    size_t sealed = check->identity.segment_count;
    for (size_t i = 0; i < count; i++) {
        *out = marks[i];
        if (sealed == 0 || check->identity.segments[sealed - 1].end == marks[i].segment_first)
            return true;
    }
    text_format(why, "the tail has no mark of it that counts");
    return false;
}

/* One that its mark does not prove falls back to another mark at the next start, or is dropped. */
static void check_newest(struct check *check)
{
    struct text why;
    text_init(&why, WHY_MAX);
    struct tail_mark mark;
    if (find_mark(check, &mark, &why)) {
        char name[SEGMENT_NAME_MAX];
        segment_name(mark.segment_first, name);
        uint64_t length = mark.end - mark.segment_first;
        check->total += length;
        bool good =
            length == 0 || verify_file(check, "backlog", name, length, false, mark.crc, &why);
        if (good)
            text_format(&why, "boundary %" PRIu64, mark.boundary);
        span_row(check, "newest", mark.segment_first, mark.end, good, text_string(&why));
    } else {
        row(check, "newest", "-", "-", false, text_string(&why));
    }
    text_fini(&why);
}

static void check_snapshot(struct check *check)
{
    const struct identity_snapshot *snapshot = &check->identity.snapshot;
    if (!snapshot->exists) {
        row(check, "snapshot", "-", "-", true, "none");
        return;
    }
    char name[SNAPSHOT_NAME_MAX];
    snapshot_name(snapshot->offset, name);
    struct text why;
    text_init(&why, WHY_MAX);
    bool good = verify_file(check, "snapshot", name, snapshot->length, true, snapshot->crc, &why);
    if (good)
        text_format(&why, "%" PRIu64 " bytes, %s", snapshot->length,
                    snapshot->verified ? "crc64" : "the primary's checksums are off");
    span_row(check, "snapshot", snapshot->offset, snapshot->offset, good, text_string(&why));
    text_fini(&why);
}

static bool check_history(int data_dir, uint64_t number, store_verify_fn *tell, void *arg,
                          struct text *table)
{
    struct check check = {.table = table, .good = true, .tell = tell, .arg = arg};
    history_name(number, check.history);
    check.directory = openat(data_dir, check.history, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (check.directory == -1) {
        row(&check, "-", "-", "-", false, strerror(errno));
        return false;
    }
    if (check_identity(&check)) {
        check.total = bytes_of_all(&check.identity);
        check_sealed(&check);
        check_newest(&check);
        check_snapshot(&check);
        identity_fini(&check.identity);
    }
    close(check.directory);
    return check.good;
}

bool store_verify(const char *data_dir, store_verify_fn *tell, void *arg, struct text *table,
                  struct text *why)
{
    struct data_dir opened;
    if (!data_dir_open(&opened, data_dir, false, why))
        return false;
    text_format(table, "%-12s %-9s %20s %20s  %-5s  %s\n", "history", "part", "from", "to", "state",
                "what");
    bool good = opened.count > 0;
    if (!good)
        text_format(why, "data-dir %s: there is no history in it", data_dir);
    /* The newest first: an older one is a left-over that the next start removes. */
    for (size_t i = 0; i < opened.count; i++) {
        bool proven = check_history(opened.directory, opened.numbers[i], tell, arg, table);
        if (i == 0)
            good = proven;
    }
    data_dir_close(&opened);
    return good;
}
