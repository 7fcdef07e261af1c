/* SPDX-License-Identifier: MIT
 *
 * What it costs to ask, for 1 MB in the page cache, on a machine where sendfile takes 90 us for it and
 * a read 380 us: mincore of a mapping made for it 22 us; cachestat 0.4 us, but it counts pages that are
 * still being read, too; a byte by preadv2(RWF_NOWAIT) 0.7 us, which such a page refuses. So cachestat
 * counts, and a byte of each stride is looked at; mincore, which is exact, where one of the two is
 * missing (Linux before 6.5, tmpfs).
 */
#include "relay/store/page_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    STRIDE = 256 * 1024, /* pages are read in larger pieces than that */
    PAGE_MIN = 4096,
    MINCORE_BYTES = 1024 * 1024, /* asked for at once */
};

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* the same number for all architectures */
#endif

/* As in linux/mman.h, which older ones lack it. */
struct range {
    uint64_t position;
    uint64_t length;
};

struct counts {
    uint64_t cached;
    uint64_t dirty;
    uint64_t writeback;
    uint64_t evicted;
    uint64_t recently_evicted;
};

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNKNOWN };

static uint64_t page_cache_page_bytes(void)
{
    long bytes = sysconf(_SC_PAGESIZE);
    return bytes > 0 ? (uint64_t)bytes : PAGE_MIN;
}

static enum answer ask_cachestat(int file, uint64_t position, size_t length)
{
    struct range range = {position, length};
    struct counts counts;
    if (syscall(SYS_cachestat, file, &range, &counts, 0) == -1)
        return ANSWER_UNKNOWN;
    uint64_t page = page_cache_page_bytes();
    uint64_t pages = (position + length - 1) / page - position / page + 1;
    return counts.cached >= pages ? ANSWER_YES : ANSWER_NO;
}

#ifdef RWF_NOWAIT

static enum answer look_at_byte(int file, uint64_t position)
{
    uint8_t byte;
    struct iovec into = {&byte, 1};
    ssize_t got;
    do
        got = preadv2(file, &into, 1, (off_t)position, RWF_NOWAIT);
    while (got == -1 && errno == EINTR);
    if (got == 1)
        return ANSWER_YES;
    return got == -1 && errno == EAGAIN ? ANSWER_NO : ANSWER_UNKNOWN;
}

#else /* musl before 1.2.5 */

static enum answer look_at_byte(int file, uint64_t position)
{
    (void)file;
    (void)position;
    return ANSWER_UNKNOWN;
}

#endif

static enum answer look_at_strides(int file, uint64_t position, size_t length)
{
    uint64_t end = position + length;
    for (uint64_t at = position; at < end; at = (at / STRIDE + 1) * STRIDE) {
        enum answer answer = look_at_byte(file, at);
        if (answer != ANSWER_YES)
            return answer;
    }
    return look_at_byte(file, end - 1);
}

static bool ask_mincore(int file, uint64_t position, size_t length)
{
    unsigned char pages[MINCORE_BYTES / PAGE_MIN + 1];
    uint64_t page = page_cache_page_bytes();
    uint64_t from = position / page * page;
    size_t span = (size_t)(position - from) + length;
    void *map = mmap(NULL, span, PROT_READ, MAP_SHARED, file, (off_t)from);
    if (map == MAP_FAILED)
        return false;
    bool has = mincore(map, span, pages) == 0;
    for (size_t i = 0; has && i < (span + page - 1) / page; i++)
        has = (pages[i] & 1) != 0;
    munmap(map, span);
    return has;
}

static bool ask_mincore_in_pieces(int file, uint64_t position, size_t length)
{
    while (length > 0) {
        size_t piece = length < MINCORE_BYTES ? length : MINCORE_BYTES;
        if (!ask_mincore(file, position, piece))
            return false;
        position += piece;
        length -= piece;
    }
    return true;
}

bool page_cache_has(int file, uint64_t position, size_t length)
{
    CHECK(length > 0);
    enum answer answer = ask_cachestat(file, position, length);
    if (answer == ANSWER_YES)
        answer = look_at_strides(file, position, length);
    if (answer == ANSWER_UNKNOWN)
        return ask_mincore_in_pieces(file, position, length);
    return answer == ANSWER_YES;
}

bool page_cache_fill(int file, uint64_t position, size_t length, uint8_t *through)
{
    /* All of it is asked for before the first piece is waited for. */
    (void)posix_fadvise(file, (off_t)position, (off_t)length, POSIX_FADV_WILLNEED);
    while (length > 0) {
        size_t piece = length < PAGE_CACHE_FILL_BYTES ? length : PAGE_CACHE_FILL_BYTES;
        ssize_t got = pread(file, through, piece, (off_t)position);
        if (got == -1 && errno == EINTR)
            continue;
        if (got == 0)
            errno = ENODATA;
        if (got <= 0)
            return false;
        position += (uint64_t)got;
        length -= (size_t)got;
    }
    return true;
}
