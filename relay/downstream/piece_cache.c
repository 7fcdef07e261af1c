/* SPDX-License-Identifier: MIT */
#include "piece_cache.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/codec/compressor.h"

_Static_assert((int)PIECE_BYTES <= (int)COMPRESSOR_PART_MAX, "a piece is compressed in one call");

enum { BUCKETS = 1024 };
_Static_assert(BUCKETS == 1 << (64 - 54), "bucket_of");

struct piece {
    unsigned references;
    uint64_t segment;             /* its number */
    uint64_t first;               /* the offset of its first byte */
    struct piece *newer;          /* in the cache: in the order in which they were made, */
    struct piece *next_in_bucket; /* and in that of its place */
    size_t plain_length;
    size_t length;
    uint8_t data[];
};

struct piece_cache {
    struct compression compression;
    struct compressor *compressor; /* NULL: to be opened, with another level */
    int64_t latency_ms;
    piece_cache_due_fn *due;
    void *arg;
    struct piece *buckets[BUCKETS];
    struct piece *oldest;
    struct piece *newest;
    size_t kept;       /* pieces, */
    size_t kept_bytes; /* and what they take */
    uint64_t made;

    /* How much is written: plain bytes of pieces at the end, in the current interval of latency_ms and the one before. */
    int64_t interval_ms;
    uint64_t interval_bytes;
    uint64_t previous_bytes;
    int64_t cut_ms; /* when the last piece at the end was made */

    uint8_t plain[PIECE_BYTES];
};

/* Pieces of those that are behind begin at multiples of PIECE_BYTES: the bits above count most. */
static struct piece **bucket_of(struct piece_cache *cache, uint64_t segment, uint64_t first)
{
    uint64_t mixed = (first ^ segment << 48) * UINT64_C(0x9e3779b97f4a7c15);
    return &cache->buckets[mixed >> 54];
}

static void drop_oldest_piece(struct piece_cache *cache)
{
    struct piece *piece = cache->oldest;
    struct piece **place = bucket_of(cache, piece->segment, piece->first);
    while (*place != piece)
        place = &(*place)->next_in_bucket;
    *place = piece->next_in_bucket;
    cache->oldest = piece->newer;
    if (cache->oldest == NULL)
        cache->newest = NULL;
    cache->kept--;
    cache->kept_bytes -= sizeof(*piece) + piece->length;
    piece_release(&piece);
}

struct piece_cache *piece_cache_new(struct compression compression, int64_t latency_ms,
                                    piece_cache_due_fn *due, void *arg)
{
    struct piece_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return NULL;
    cache->compression = compression;
    cache->latency_ms = latency_ms;
    cache->due = due;
    cache->arg = arg;
    cache->cut_ms = clock_ms() - latency_ms;
    return cache;
}

void piece_cache_free(struct piece_cache **cache)
{
    if (*cache == NULL)
        return;
    while ((*cache)->oldest != NULL)
        drop_oldest_piece(*cache);
    compressor_free(&(*cache)->compressor);
    free(*cache);
    *cache = NULL;
}

void piece_cache_change(struct piece_cache *cache, int level, int64_t latency_ms)
{
    if (cache->compression.level != level)
        compressor_free(&cache->compressor);
    cache->compression.level = level;
    cache->latency_ms = latency_ms;
}

struct bytes piece_bytes(const struct piece *piece)
{
    return bytes_at(piece->data, piece->length);
}

size_t piece_plain_length(const struct piece *piece)
{
    return piece->plain_length;
}

void piece_release(struct piece **piece)
{
    struct piece *it = *piece;
    *piece = NULL;
    if (it != NULL && --it->references == 0)
        free(it);
}

uint64_t piece_cache_made(const struct piece_cache *cache)
{
    return cache->made;
}

/* A piece that reaches further than what is available now was made before the end of the history was cut off. */
static struct piece *find_piece(struct piece_cache *cache, const struct cursor *cursor,
                                size_t available)
{
    uint64_t segment = cursor_segment_number(cursor);
    struct piece *piece = *bucket_of(cache, segment, cursor->offset);
    while (piece != NULL && !(piece->first == cursor->offset && piece->segment == segment &&
                              piece->plain_length <= available))
        piece = piece->next_in_bucket;
    return piece;
}

static void keep_piece(struct piece_cache *cache, struct piece *piece)
{
    struct piece **bucket = bucket_of(cache, piece->segment, piece->first);
    piece->next_in_bucket = *bucket;
    *bucket = piece;
    if (cache->newest != NULL)
        cache->newest->newer = piece;
    else
        cache->oldest = piece;
    cache->newest = piece;
    cache->kept++;
    cache->kept_bytes += sizeof(*piece) + piece->length;
    cache->made++;
    while (cache->kept > PIECE_CACHE_MAX || cache->kept_bytes > PIECE_CACHE_BYTES)
        drop_oldest_piece(cache);
}

/* ------------------------------------------------------------------ when it is made */

static void roll_interval(struct piece_cache *cache, int64_t now_ms)
{
    int64_t age_ms = now_ms - cache->interval_ms;
    if (age_ms < cache->latency_ms)
        return;
    cache->previous_bytes = age_ms < 2 * cache->latency_ms ? cache->interval_bytes : 0;
    cache->interval_bytes = 0;
    cache->interval_ms = now_ms;
}

/* Is more to be waited for? True: `due` was told. */
static bool gathers(struct piece_cache *cache, size_t length, int64_t now_ms)
{
    if (cache->latency_ms == 0)
        return false;
    roll_interval(cache, now_ms);
    uint64_t recent = cache->interval_bytes + length;
    if (recent < cache->previous_bytes)
        recent = cache->previous_bytes;
    int64_t left_ms = cache->cut_ms + cache->latency_ms - now_ms;
    if (recent < PIECE_GATHER_BYTES || left_ms <= 0)
        return false;
    cache->due(left_ms, cache->arg);
    return true;
}

static void note_cut(struct piece_cache *cache, size_t length, int64_t now_ms)
{
    if (cache->latency_ms > 0)
        roll_interval(cache, now_ms);
    cache->interval_bytes += length;
    cache->cut_ms = now_ms;
}

/* ------------------------------------------------------------------ how */

static struct piece *compress_piece(struct piece_cache *cache, size_t length)
{
    if (cache->compressor == NULL)
        cache->compressor = compressor_new(cache->compression);
    if (cache->compressor == NULL)
        return NULL;
    struct piece *piece = malloc(sizeof(*piece) + compressor_bound(cache->compressor, length));
    if (piece == NULL)
        return NULL;
    if (!compressor_piece(cache->compressor, bytes_at(cache->plain, length), piece->data,
                          &piece->length)) {
        free(piece);
        return NULL;
    }
    /* It is kept for a while, and is a fraction of its bound. */
    struct piece *fitting = realloc(piece, sizeof(*piece) + piece->length);
    return fitting != NULL ? fitting : piece;
}

static enum piece_result make_piece(struct piece_cache *cache, const struct cursor *cursor,
                                    size_t length, struct piece **out)
{
    if (!cursor_read(cursor, cache->plain, length))
        return PIECE_UNREADABLE;
    struct piece *piece = compress_piece(cache, length);
    if (piece == NULL)
        return PIECE_NO_MEMORY;
    piece->references = 1;
    piece->newer = piece->next_in_bucket = NULL;
    piece->segment = cursor_segment_number(cursor);
    piece->first = cursor->offset;
    piece->plain_length = length;
    keep_piece(cache, piece);
    *out = piece;
    return PIECE_READY;
}

enum piece_result piece_cache_get(struct piece_cache *cache, const struct cursor *cursor,
                                  size_t available, bool is_at_end, struct piece **piece)
{
    CHECK(available > 0);
    *piece = find_piece(cache, cursor, available);
    if (*piece == NULL) {
        size_t most = PIECE_BYTES - (size_t)(cursor->offset % PIECE_BYTES);
        size_t length = available < most ? available : most;
        int64_t now_ms = clock_ms();
        if (is_at_end && length < most && gathers(cache, length, now_ms))
            return PIECE_GATHERING;
        enum piece_result result = make_piece(cache, cursor, length, piece);
        if (result != PIECE_READY)
            return result;
        if (is_at_end)
            note_cut(cache, length, now_ms);
    }
    (*piece)->references++;
    return PIECE_READY;
}
