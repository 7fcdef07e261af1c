/* SPDX-License-Identifier: MIT */
#include "tail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "relay/base/crc64.h"
#include "relay/base/replid.h"

enum { TAIL_LENGTH = 4096 };

struct page {
    char magic[16];
    char boot_id[FILES_BOOT_ID_CAPACITY];
    struct tail_mark live[2];
    struct tail_mark durable[2];
    struct tail_point points[2]; /* a page of an earlier version has zeros here */
};
static_assert(sizeof(struct page) <= TAIL_LENGTH, "the tail is one page");

/* Never reached by counting; from a larger one it could not be counted on. */
#define SEQUENCE_MAX (UINT64_MAX / 2)

static const char magic[16] = "psync-relay tai1";

struct tail {
    int file; /* -1: of one who only looks */
    /* What the file holds, or should: the live marks are thread 0's, the durable ones the syncer's. */
    struct page page;
    bool is_stale; /* thread 0's: the head of the page is not in the file yet */
    bool is_of_this_boot;
    uint64_t live_sequence;
    uint64_t durable_sequence;
    unsigned next_point;
};

static uint64_t sum_of(const struct tail_mark *mark)
{
    return crc64(0, mark, offsetof(struct tail_mark, sum));
}

static bool is_whole(const struct tail_mark *mark)
{
    return mark->sequence > 0 && mark->sequence <= SEQUENCE_MAX && mark->sum == sum_of(mark) &&
           mark->segment_first <= mark->end && mark->boundary <= mark->end &&
           mark->end <= OFFSET_MAX;
}

static uint64_t newest_sequence(const struct tail_mark marks[2])
{
    uint64_t newest = 0;
    for (int i = 0; i < 2; i++) {
        if (is_whole(&marks[i]) && marks[i].sequence > newest)
            newest = marks[i].sequence;
    }
    return newest;
}

/* A page of an older boot keeps its durable marks and loses its live ones. True: it was a page of ours. */
static bool adopt_page(struct tail *tail, const char boot_id[FILES_BOOT_ID_CAPACITY])
{
    struct page *page = &tail->page;
    bool is_ours = memcmp(page->magic, magic, sizeof(magic)) == 0;
    if (!is_ours) {
        memset(page, 0, sizeof(*page));
        memcpy(page->magic, magic, sizeof(magic));
    }
    bool same_boot =
        boot_id[0] != '\0' && memcmp(page->boot_id, boot_id, sizeof(page->boot_id)) == 0;
    tail->is_of_this_boot = is_ours && same_boot;
    if (!same_boot) {
        memset(page->live, 0, sizeof(page->live));
        memcpy(page->boot_id, boot_id, sizeof(page->boot_id));
        tail->is_stale = true;
    }
    tail->live_sequence = newest_sequence(page->live);
    tail->durable_sequence = newest_sequence(page->durable);
    return is_ours;
}

static bool write_at(const struct tail *tail, size_t position, size_t length)
{
    const char *from = (const char *)&tail->page + position;
    return files_write_at(tail->file, bytes_at(from, length), position);
}

static bool read_page(int file, struct page *page)
{
    ssize_t got;
    do
        got = pread(file, page, sizeof(*page), 0);
    while (got == -1 && errno == EINTR);
    if (got == (ssize_t)sizeof(*page))
        return true;
    if (got != -1)
        errno = ENODATA;
    return false;
}

/* Reads the page; one that is shorter is made as long as it must be, if we may: filled with zeros, which
 * are no marks. */
static bool load_page(struct tail *tail, bool writes)
{
    struct stat about;
    if (fstat(tail->file, &about) == -1)
        return false;
    if (writes && about.st_size < TAIL_LENGTH) {
        int error = files_preallocate(tail->file, TAIL_LENGTH);
        errno = error;
        if (error != 0)
            return false;
    }
    return read_page(tail->file, &tail->page);
}

/* Opens, reads and adopts it. A durable mark counts beside the magic alone, so that is written at once.
 * False: errno. */
static bool open_file(struct tail *tail, int directory, bool writes)
{
    char boot_id[FILES_BOOT_ID_CAPACITY];
    if (!files_boot_id(boot_id))
        return false;
    int flags = writes ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC;
    tail->file = openat(directory, "tail", flags, 0600);
    if (tail->file == -1 || !load_page(tail, writes))
        return false;
    return adopt_page(tail, boot_id) || !writes || write_at(tail, 0, sizeof(tail->page));
}

static struct tail *open_page(int directory, bool writes, struct text *why)
{
    struct tail *tail = calloc(1, sizeof(*tail));
    if (tail != NULL)
        tail->file = -1;
    if (tail == NULL || !open_file(tail, directory, writes)) {
        int error = errno;
        text_format(why, "tail: cannot open it: %s", strerror(error));
        tail_close(&tail);
        errno = error;
    }
    return tail;
}

struct tail *tail_open(int directory, struct text *why)
{
    return open_page(directory, true, why);
}

struct tail *tail_look(int directory, struct text *why)
{
    return open_page(directory, false, why);
}

bool tail_is_of_this_boot(const struct tail *tail)
{
    return tail->is_of_this_boot;
}

void tail_close(struct tail **tail)
{
    if (*tail == NULL)
        return;
    if ((*tail)->file != -1)
        close((*tail)->file);
    free(*tail);
    *tail = NULL;
}

static int farthest_first(const void *a, const void *b)
{
    const struct tail_mark *x = a;
    const struct tail_mark *y = b;
    if (x->end != y->end)
        return x->end < y->end ? 1 : -1;
    return (x->boundary < y->boundary) - (x->boundary > y->boundary);
}

size_t tail_read(const struct tail *tail, struct tail_mark marks[TAIL_MARKS_MAX])
{
    const struct tail_mark *kinds[] = {tail->page.live, tail->page.durable};
    size_t count = 0;
    for (size_t i = 0; i < TAIL_MARKS_MAX; i++) {
        const struct tail_mark *mark = &kinds[i / 2][i % 2];
        if (is_whole(mark))
            marks[count++] = *mark;
    }
    qsort(marks, count, sizeof(marks[0]), farthest_first);
    return count;
}

uint64_t tail_durable_end(const struct tail *tail)
{
    uint64_t end = 0;
    for (size_t i = 0; i < LENGTH_OF(tail->page.durable); i++) {
        const struct tail_mark *mark = &tail->page.durable[i];
        if (is_whole(mark) && mark->end > end)
            end = mark->end;
    }
    return end;
}

/* Sets the older of the two; returns where in the page it is. */
static size_t tail_put(struct tail *tail, struct tail_mark marks[2], uint64_t sequence,
                       struct tail_mark mark)
{
    mark.sequence = sequence;
    mark.sum = sum_of(&mark);
    struct tail_mark *place = &marks[sequence % 2];
    *place = mark;
    return (size_t)((const char *)place - (const char *)&tail->page);
}

/* Live marks count beside the boot's id alone. The durable ones, which are the syncer's, are left out. */
static bool tail_write_head(struct tail *tail)
{
    if (tail->is_stale && !write_at(tail, 0, offsetof(struct page, durable)))
        return false;
    tail->is_stale = false;
    return true;
}

static uint64_t sum_of_point(const struct tail_point *point)
{
    return crc64(0, point, offsetof(struct tail_point, sum));
}

bool tail_find_point(const struct tail *tail, uint64_t segment_first, uint64_t limit,
                     struct tail_point *out)
{
    bool found = false;
    for (size_t i = 0; i < LENGTH_OF(tail->page.points); i++) {
        const struct tail_point *point = &tail->page.points[i];
        if (point->sum != sum_of_point(point) || point->segment_first != segment_first ||
            point->offset <= segment_first || point->offset > limit)
            continue;
        if (!found || point->offset > out->offset)
            *out = *point;
        found = true;
    }
    return found;
}

bool tail_set_point(struct tail *tail, struct tail_point point)
{
    point.sum = sum_of_point(&point);
    struct tail_point *place = &tail->page.points[tail->next_point % LENGTH_OF(tail->page.points)];
    *place = point;
    if (!write_at(tail, (size_t)((const char *)place - (const char *)&tail->page), sizeof(point)))
        return false;
    tail->next_point++;
    return true;
}

bool tail_set_live(struct tail *tail, struct tail_mark mark)
{
    CHECK(mark.segment_first <= mark.end);
    CHECK(mark.boundary <= mark.end);
    size_t place = tail_put(tail, tail->page.live, tail->live_sequence + 1, mark);
    if (!tail_write_head(tail) || !write_at(tail, place, sizeof(mark)))
        return false;
    tail->live_sequence++;
    return true;
}

bool tail_set_durable(struct tail *tail, struct tail_mark mark)
{
    CHECK(mark.segment_first <= mark.end);
    size_t place = tail_put(tail, tail->page.durable, tail->durable_sequence + 1, mark);
    if (!write_at(tail, place, sizeof(mark)) || fdatasync(tail->file) == -1)
        return false;
    tail->durable_sequence++;
    return true;
}

static void tail_forget(struct tail_mark marks[2], uint64_t offset)
{
    for (int i = 0; i < 2; i++) {
        if (marks[i].end > offset)
            memset(&marks[i], 0, sizeof(marks[i]));
    }
}

bool tail_forget_live(struct tail *tail, uint64_t offset)
{
    tail_forget(tail->page.live, offset);
    tail->is_stale = true; /* if it fails now, it is written before the next live mark */
    return tail_write_head(tail);
}

bool tail_forget_durable(struct tail *tail, uint64_t offset)
{
    tail_forget(tail->page.durable, offset);
    return write_at(tail, offsetof(struct page, durable), sizeof(tail->page.durable)) &&
           fdatasync(tail->file) == 0;
}
