/* SPDX-License-Identifier: MIT */
#include "tail.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "relay/base/crc64.h"

enum { TAIL_LENGTH = 4096, BOOT_ID_LENGTH = 36 };

struct page {
    char magic[16];
    char boot_id[BOOT_ID_LENGTH + 4];
    struct tail_mark live[2];
    struct tail_mark durable[2];
};
static_assert(sizeof(struct page) <= TAIL_LENGTH, "the tail is one page");

static const char magic[16] = "psync-relay tai1";

struct tail {
    struct page *page;
    uint64_t live_sequence;
    uint64_t durable_sequence;
};

static void read_boot_id(char out[BOOT_ID_LENGTH + 4])
{
    memset(out, 0, BOOT_ID_LENGTH + 4);
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file == -1)
        return;
    if (read(file, out, BOOT_ID_LENGTH) != BOOT_ID_LENGTH)
        memset(out, 0, BOOT_ID_LENGTH + 4);
    close(file);
}

static uint64_t sum_of(const struct tail_mark *mark)
{
    return crc64(0, mark, offsetof(struct tail_mark, sum));
}

static struct tail_mark newest(const struct tail_mark marks[2])
{
    struct tail_mark best = {0};
    for (int i = 0; i < 2; i++) {
        if (marks[i].sequence > best.sequence && marks[i].sum == sum_of(&marks[i]) &&
            marks[i].segment_first <= marks[i].end && marks[i].boundary <= marks[i].end)
            best = marks[i];
    }
    return best;
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
    tail->live_sequence = newest(page->live).sequence;
    tail->durable_sequence = newest(page->durable).sequence;
}

struct tail *tail_open(int directory, struct text *why)
{
    struct tail *tail = calloc(1, sizeof(*tail));
    int file = openat(directory, "tail", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int error = file == -1 ? errno : posix_fallocate(file, 0, TAIL_LENGTH);
    void *map = MAP_FAILED;
    if (error == 0) {
        map = mmap(NULL, TAIL_LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        error = errno;
    }
    if (file != -1)
        close(file);
    if (map == MAP_FAILED || tail == NULL) {
        text_format(why, "tail: cannot open and map: %s", strerror(tail == NULL ? ENOMEM : error));
        if (map != MAP_FAILED)
            munmap(map, TAIL_LENGTH);
        free(tail);
        return NULL;
    }
    tail->page = map;
    char boot_id[BOOT_ID_LENGTH + 4];
    read_boot_id(boot_id);
    adopt_page(tail, boot_id);
    return tail;
}

void tail_close(struct tail **tail)
{
    if (*tail == NULL)
        return;
    munmap((*tail)->page, TAIL_LENGTH);
    free(*tail);
    *tail = NULL;
}

void tail_read(const struct tail *tail, struct tail_mark *live, struct tail_mark *durable)
{
    *live = newest(tail->page->live);
    *durable = newest(tail->page->durable);
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

void tail_clear(struct tail *tail)
{
    memset(tail->page->live, 0, sizeof(tail->page->live));
    memset(tail->page->durable, 0, sizeof(tail->page->durable));
}
