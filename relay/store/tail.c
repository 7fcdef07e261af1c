/* SPDX-License-Identifier: MIT */
#include "tail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "relay/base/crc64.h"

enum { TAIL_LENGTH = 4096, BOOT_ID_LENGTH = 36 };

struct page {
    char magic[16];
    char boot_id[BOOT_ID_LENGTH + 4];
    struct tail_mark live[2];
    struct tail_mark durable[2];
};
static_assert(sizeof(struct page) <= TAIL_LENGTH, "the tail is one page");

/* Never reached by counting; from a larger one it could not be counted on. */
#define SEQUENCE_MAX (UINT64_MAX / 2)

static const char magic[16] = "psync-relay tai1";

struct tail {
    struct page *page;
    uint64_t live_sequence;
    uint64_t durable_sequence;
};

/* All zeros where the system has none. False: errno; it has one, and did not let us look, so that it
 * cannot be told which marks count. */
static bool read_boot_id(char out[BOOT_ID_LENGTH + 4])
{
    memset(out, 0, BOOT_ID_LENGTH + 4);
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file == -1)
        return !files_is_refusal(errno);
    if (read(file, out, BOOT_ID_LENGTH) != BOOT_ID_LENGTH)
        memset(out, 0, BOOT_ID_LENGTH + 4);
    close(file);
    return true;
}

static uint64_t sum_of(const struct tail_mark *mark)
{
    return crc64(0, mark, offsetof(struct tail_mark, sum));
}

static bool is_whole(const struct tail_mark *mark)
{
    return mark->sequence > 0 && mark->sequence <= SEQUENCE_MAX && mark->sum == sum_of(mark) &&
           mark->segment_first <= mark->end && mark->boundary <= mark->end;
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

/* A page of an older boot keeps its durable marks and loses its live ones. */
static void adopt_page(struct tail *tail, const char boot_id[BOOT_ID_LENGTH + 4])
{
    struct page *page = tail->page;
    if (memcmp(page->magic, magic, sizeof(magic)) != 0) {
        memset(page, 0, sizeof(*page));
        memcpy(page->magic, magic, sizeof(magic));
    }
    bool same_boot =
        boot_id[0] != '\0' && memcmp(page->boot_id, boot_id, sizeof(page->boot_id)) == 0;
    if (!same_boot) {
        memset(page->live, 0, sizeof(page->live));
        memcpy(page->boot_id, boot_id, sizeof(page->boot_id));
    }
    tail->live_sequence = newest_sequence(page->live);
    tail->durable_sequence = newest_sequence(page->durable);
}

/* The page, shared with the file or a private copy of it. NULL: errno. */
static struct page *map_page(int directory, bool shared)
{
    int file = openat(directory, "tail",
                      shared ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
    if (file == -1)
        return NULL;
    struct stat about;
    int error = shared ? files_preallocate(file, TAIL_LENGTH) : 0;
    if (!shared && (fstat(file, &about) == -1 || about.st_size < TAIL_LENGTH))
        error = EINVAL;
    void *map = MAP_FAILED;
    if (error == 0) {
        map = mmap(NULL, TAIL_LENGTH, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE,
                   file, 0);
        error = map == MAP_FAILED ? errno : 0;
    }
    close(file);
    errno = error;
    return map == MAP_FAILED ? NULL : map;
}

static struct tail *open_page(int directory, bool shared, struct text *why)
{
    char boot_id[BOOT_ID_LENGTH + 4];
    bool good = read_boot_id(boot_id);
    struct tail *tail = good ? calloc(1, sizeof(*tail)) : NULL;
    if (tail != NULL)
        tail->page = map_page(directory, shared);
    if (tail == NULL || tail->page == NULL) {
        int error = errno;
        text_format(why, "tail: cannot open and map: %s", strerror(error));
        free(tail);
        errno = error;
        return NULL;
    }
    adopt_page(tail, boot_id);
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

void tail_close(struct tail **tail)
{
    if (*tail == NULL)
        return;
    munmap((*tail)->page, TAIL_LENGTH);
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
    const struct tail_mark *kinds[] = {tail->page->live, tail->page->durable};
    size_t count = 0;
    for (size_t i = 0; i < TAIL_MARKS_MAX; i++) {
        const struct tail_mark *mark = &kinds[i / 2][i % 2];
        if (is_whole(mark))
            marks[count++] = *mark;
    }
    qsort(marks, count, sizeof(marks[0]), farthest_first);
    return count;
}

static void put(struct tail_mark marks[2], uint64_t *sequence, struct tail_mark mark)
{
    mark.sequence = ++*sequence;
    mark.sum = sum_of(&mark);
    marks[mark.sequence % 2] = mark;
}

void tail_set_live(struct tail *tail, struct tail_mark mark)
{
    CHECK(mark.segment_first <= mark.end);
    CHECK(mark.boundary <= mark.end);
    put(tail->page->live, &tail->live_sequence, mark);
}

bool tail_set_durable(struct tail *tail, struct tail_mark mark)
{
    CHECK(mark.segment_first <= mark.end);
    put(tail->page->durable, &tail->durable_sequence, mark);
    return msync(tail->page, TAIL_LENGTH, MS_SYNC) == 0;
}

bool tail_forget(struct tail *tail, uint64_t offset)
{
    struct tail_mark *kinds[] = {tail->page->live, tail->page->durable};
    for (size_t i = 0; i < TAIL_MARKS_MAX; i++) {
        struct tail_mark *mark = &kinds[i / 2][i % 2];
        if (mark->end > offset)
            memset(mark, 0, sizeof(*mark));
    }
    return msync(tail->page, TAIL_LENGTH, MS_SYNC) == 0;
}
