/* SPDX-License-Identifier: MIT */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "relay/base/bytes.h"
#include "relay/base/crc64.h"
#include "relay/base/log.h"
#include "removal.h"
#include "tail.h"

enum {
    WHY_MAX = 256,
    POINTS_LATE = 3, /* beside the first */
    POINT_DISTANCE = 1024 * 1024,
};

void segment_name(uint64_t first, char name[SEGMENT_NAME_MAX])
{
    snprintf(name, SEGMENT_NAME_MAX, "%" PRIu64 ".seg", first);
}

bool segment_parse_name(const char *name, uint64_t *first)
{
    struct bytes view = bytes_of(name);
    if (view.length < 5 || strcmp(name + view.length - 4, ".seg") != 0)
        return false;
    if (!bytes_to_u64(bytes_first(view, view.length - 4), first))
        return false;
    char canonical[SEGMENT_NAME_MAX];
    segment_name(*first, canonical);
    return strcmp(name, canonical) == 0;
}

/* Segments are made by thread 0, and by the verifier. */
static _Atomic uint64_t segments_made;

static struct segment *segment_new(uint64_t first, uint64_t capacity, struct segment_space *space)
{
    struct segment *segment = calloc(1, sizeof(*segment));
    if (segment == NULL)
        return NULL;
    atomic_init(&segment->references, 1);
    atomic_init(&segment->published, first);
    segment->number = atomic_fetch_add_explicit(&segments_made, 1, memory_order_relaxed) + 1;
    segment->first = first;
    segment->capacity = capacity;
    segment->disk_bytes = capacity;
    segment->written = first;
    segment->points[0].offset = first;
    segment->point_count = 1;
    segment->has_name = true;
    segment->space = space;
    atomic_fetch_add_explicit(&space->references, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&space->bytes, capacity, memory_order_relaxed);
    segment->file = -1;
    return segment;
}

/* It is in nobody's hands. Its file, if it has lost its name, is on the disk a little longer. */
static void drop_bytes(struct segment *segment)
{
    segment->job.bytes = segment->has_name ? 0 : segment->disk_bytes;
    atomic_fetch_add_explicit(&segment->space->freeing, segment->job.bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&segment->space->bytes, segment->disk_bytes, memory_order_relaxed);
}

/* To what was received. */
static bool cut_file(const struct segment *segment)
{
    if (ftruncate(segment->file, (off_t)(segment->written - segment->first)) == 0)
        return true;
    log_warn("store: segment %" PRIu64 ".seg: cannot cut it to its length", segment->first);
    return false;
}

/* Frees one that may be half built. Its next and its cut are the caller's. */
static void segment_free(struct segment *segment)
{
    if (segment->map != NULL)
        munmap((void *)(uintptr_t)segment->map, (size_t)segment->capacity);
    if (segment->is_cut && segment->has_name)
        (void)cut_file(segment);
    if (segment->file != -1)
        close(segment->file);
    atomic_fetch_sub_explicit(&segment->space->freeing, segment->job.bytes, memory_order_relaxed);
    segment_space_release(segment->space);
    free(segment);
}

static bool map(struct segment *segment, struct text *why)
{
    /* Of 32 bits there may be too few for it. */
    size_t length = (size_t)segment->capacity;
    void *map = MAP_FAILED;
    errno = ENOMEM;
    if (length == segment->capacity)
        map = mmap(NULL, length, PROT_READ, MAP_SHARED, segment->file, 0);
    if (map != MAP_FAILED) {
        segment->map = map;
        return true;
    }
    int error = errno;
    text_format(why, "%" PRIu64 ".seg: cannot map: %s", segment->first, strerror(error));
    errno = error;
    return false;
}

struct segment *segment_reserve(uint64_t first, uint64_t capacity, struct segment_space *space)
{
    CHECK(capacity > 0);
    return segment_new(first, capacity, space);
}

bool segment_make_file(struct segment *segment, int directory, struct text *why)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(segment->first, name);
    segment->file = files_create(directory, name, segment->capacity, why);
    segment->has_name = segment->file != -1;
    if (segment->file != -1 && map(segment, why))
        return true;
    int error = errno;
    if (segment->file != -1) {
        unlinkat(directory, name, 0); /* it is empty, and nobody waits for this thread */
        close(segment->file);
        segment->file = -1;
    }
    segment->has_name = false;
    errno = error;
    return false;
}

void segment_unreserve(struct segment *segment)
{
    drop_bytes(segment);
    segment_free(segment);
}

struct segment *segment_create(int directory, uint64_t first, uint64_t capacity,
                               struct segment_space *space, struct text *why)
{
    struct segment *segment = segment_reserve(first, capacity, space);
    if (segment == NULL) {
        text_format(why, "out of memory");
        errno = ENOMEM;
        return NULL;
    }
    if (segment_make_file(segment, directory, why))
        return segment;
    int error = errno;
    segment_unreserve(segment);
    errno = error;
    return NULL;
}

/* Makes room behind what the file holds; where there is none it stays as long as it is. */
static void extend(struct segment *segment, uint64_t capacity)
{
    int error = files_preallocate(segment->file, capacity);
    if (error != 0) {
        log_warnx("store: segment %" PRIu64 ".seg: no room to go on in it: %s", segment->first,
                  strerror(error));
        return;
    }
    atomic_fetch_add_explicit(&segment->space->bytes, capacity - segment->capacity,
                              memory_order_relaxed);
    segment->capacity = capacity;
    segment->disk_bytes = capacity;
}

/* Opens the file, and sees that it is as long as it is said to be. */
static bool open_existing(struct segment *segment, int directory, uint64_t length,
                          uint64_t *file_length, struct text *why)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(segment->first, name);
    struct stat about;
    segment->file = openat(directory, name, O_RDWR | O_CLOEXEC);
    if (segment->file == -1 || fstat(segment->file, &about) == -1) {
        int error = errno;
        text_format(why, "%s: cannot open: %s", name, strerror(error));
        errno = error;
        return false;
    }
    *file_length = (uint64_t)about.st_size;
    if (*file_length >= length)
        return true;
    text_format(why, "%s: it is shorter than it should be", name);
    errno = ENODATA;
    return false;
}

/* One without bytes has nothing to be mapped. */
static bool has_capacity(const struct segment *segment, struct text *why)
{
    if (segment->capacity > 0)
        return true;
    text_format(why, "%" PRIu64 ".seg: it is empty, and the disk has no room to go on in it",
                segment->first);
    errno = ENOSPC;
    return false;
}

struct segment *segment_load(int directory, uint64_t first, uint64_t end, uint64_t crc,
                             uint64_t capacity, struct segment_space *space, struct text *why)
{
    uint64_t length = end - first;
    uint64_t file_length;
    struct segment *segment = segment_new(first, length, space);
    if (segment == NULL) {
        text_format(why, "out of memory");
        errno = ENOMEM;
        return NULL;
    }
    bool good = open_existing(segment, directory, length, &file_length, why);
    if (good && capacity > length)
        extend(segment, capacity);
    if (!good || !has_capacity(segment, why) || !map(segment, why)) {
        int error = errno;
        drop_bytes(segment);
        segment_free(segment);
        errno = error;
        return NULL;
    }
    segment->written = end;
    segment->crc = crc;
    atomic_store_explicit(&segment->published, end, memory_order_relaxed);
    /* Cut in a rewind before a kill: the rest is of another branch. */
    if (capacity == 0 && file_length > length)
        segment_seal(segment);
    return segment;
}

struct segment *segment_twin(struct segment *empty, struct text *why)
{
    CHECK(empty->written == empty->first);
    struct segment *twin = segment_new(empty->first, empty->capacity, empty->space);
    if (twin == NULL) {
        text_format(why, "out of memory");
        return NULL;
    }
    twin->file = fcntl(empty->file, F_DUPFD_CLOEXEC, 0);
    if (twin->file == -1)
        text_format(why, "%" PRIu64 ".seg: %s", empty->first, strerror(errno));
    if (twin->file == -1 || !map(twin, why)) {
        drop_bytes(twin);
        segment_free(twin);
        return NULL;
    }
    twin->has_name = empty->has_name;
    empty->has_name = false;
    /* One file: its space is the twin's. */
    atomic_fetch_sub_explicit(&empty->space->bytes, empty->disk_bytes, memory_order_relaxed);
    empty->disk_bytes = 0;
    return twin;
}

/* Through read(2), not the mapping: a sector that cannot be read is an error then, and not a SIGBUS. */
bool segment_prove(const struct segment *segment, uint64_t from, uint64_t crc,
                   const struct files_pace *pace, struct text *why)
{
    if (!files_crc64_from(segment->file, from - segment->first, segment->written - segment->first,
                          &crc, pace, why))
        return false;
    if (crc == segment->crc)
        return true;
    text_format(why, "its checksum does not match its bytes");
    errno = EBADMSG;
    return false;
}

/* `reason`: why not, in the log or in `why`. */
static void segment_tell_unproven(uint64_t first, uint64_t end, const struct text *reason,
                                  int error, struct text *why)
{
    if (files_is_refusal(error))
        text_format(why, "segment %" PRIu64 ".seg: %s", first, text_string(reason));
    else
        log_warnx("store: segment %" PRIu64 ".seg is not proven up to %" PRIu64 ": %s", first, end,
                  text_string(reason));
}

/* Proven from `from` on, whose CRC is known. */
static struct segment *load_proven_from(int directory, uint64_t first, uint64_t end, uint64_t crc,
                                        uint64_t capacity, struct segment_point from,
                                        struct segment_space *space, const struct files_pace *pace,
                                        struct text *why)
{
    struct text reason;
    text_init(&reason, WHY_MAX);
    struct segment *segment = segment_load(directory, first, end, crc, capacity, space, &reason);
    int error = errno;
    if (segment != NULL && !files_is_trusted(segment->file, pace) &&
        !segment_prove(segment, from.offset, from.crc, pace, &reason)) {
        error = errno;
        segment_release(segment);
        segment = NULL;
    }
    if (segment == NULL)
        segment_tell_unproven(first, end, &reason, error, why);
    else
        segment->points[0] = from;
    text_fini(&reason);
    errno = error;
    return segment;
}

struct segment *segment_load_proven(int directory, uint64_t first, uint64_t end, uint64_t crc,
                                    uint64_t capacity, struct segment_space *space,
                                    const struct files_pace *pace, struct text *why)
{
    return load_proven_from(directory, first, end, crc, capacity, (struct segment_point){first, 0},
                            space, pace, why);
}

struct segment *segment_load_behind(int directory, const struct tail_mark *mark,
                                    const struct tail_point *point, uint64_t capacity,
                                    struct segment_space *space, struct text *why)
{
    return load_proven_from(directory, mark->segment_first, mark->end, mark->crc, capacity,
                            (struct segment_point){point->offset, point->crc}, space, NULL, why);
}

struct segment *segment_load_empty(int directory, uint64_t first, uint64_t capacity,
                                   struct segment_space *space, struct text *why)
{
    struct text reason;
    text_init(&reason, WHY_MAX);
    struct segment *segment = segment_load(directory, first, first, 0, capacity, space, &reason);
    if (segment == NULL && (!files_is_refusal(errno) || files_is_full(errno))) {
        text_clear(&reason);
        segment = segment_create(directory, first, capacity, space, &reason);
    }
    int error = errno;
    if (segment == NULL && files_is_refusal(error))
        text_format(why, "%s", text_string(&reason));
    text_fini(&reason);
    errno = error;
    return segment;
}

void segment_retain(struct segment *segment)
{
    /* Relaxed: whoever retains already holds a reference, or holds what holds one. */
    unsigned before = atomic_fetch_add_explicit(&segment->references, 1, memory_order_relaxed);
    CHECK(before > 0);
}

static void free_in_turn(struct reclaim_job *job)
{
    segment_free((void *)((uint8_t *)job - offsetof(struct segment, job)));
}

/* Nobody holds it: to unmap and to close what is many GB takes its time. */
static void reclaim(struct segment *segment)
{
    drop_bytes(segment);
    segment->job.work = free_in_turn;
    reclaimer_take(segment->space->reclaimer, &segment->job);
}

static void release_list(struct segment *cut)
{
    while (cut != NULL) {
        struct segment *next = cut->cut_next;
        segment_release(cut);
        cut = next;
    }
}

void segment_release(struct segment *segment)
{
    while (segment != NULL) {
        /* Release, so that all reads of this holder come before the unmapping; acquire, so that the
         * last holder sees those of the others. */
        unsigned before = atomic_fetch_sub_explicit(&segment->references, 1, memory_order_acq_rel);
        CHECK(before > 0);
        if (before > 1)
            return;
        struct segment *next = atomic_load_explicit(&segment->next, memory_order_relaxed);
        struct segment *cut = segment->cut;
        reclaim(segment);
        release_list(cut);
        segment = next;
    }
}

void segment_keep_cut(struct segment *segment, struct segment *old)
{
    for (const struct segment *s = old; s != NULL;
         s = atomic_load_explicit(&s->next, memory_order_relaxed))
        segment->cut_bytes += s->disk_bytes + s->cut_bytes;
    old->cut_next = segment->cut;
    segment->cut = old;
}

void segment_drop_cut(struct segment *segment, unsigned holders)
{
    /* Acquire: what a reader did before it let go comes before the freeing. A new reader finds the
     * `next` of today. */
    if (atomic_load_explicit(&segment->references, memory_order_acquire) > holders)
        return;
    release_list(segment->cut);
    segment->cut = NULL;
    segment->cut_bytes = 0;
}

bool segment_is_full(const struct segment *segment)
{
    return segment->is_cut || segment->is_ended ||
           segment->written - segment->first == segment->capacity;
}

/* One for each POINT_DISTANCE; the first stays. */
static void note_point(struct segment *segment)
{
    unsigned newest = segment->point_count <= 1 ? 0 : 1 + (segment->point_count - 2) % POINTS_LATE;
    if (segment->written - segment->points[newest].offset < POINT_DISTANCE)
        return;
    unsigned place = 1 + (segment->point_count - 1) % POINTS_LATE;
    segment->points[place] = (struct segment_point){segment->written, segment->crc};
    segment->point_count++;
}

const struct segment_point *segment_point_until(const struct segment *segment, uint64_t limit)
{
    const struct segment_point *found = NULL;
    unsigned count = segment->point_count < LENGTH_OF(segment->points)
                         ? segment->point_count
                         : (unsigned)LENGTH_OF(segment->points);
    for (unsigned i = 0; i < count; i++) {
        const struct segment_point *point = &segment->points[i];
        if (point->offset <= limit && (found == NULL || point->offset > found->offset))
            found = point;
    }
    return found;
}

bool segment_append(struct segment *segment, struct bytes view, struct text *why)
{
    CHECK(view.length <= segment->capacity - (segment->written - segment->first));
    if (!files_write_at(segment->file, view, segment->written - segment->first)) {
        int error = errno;
        text_format(why, "%" PRIu64 ".seg: cannot write: %s", segment->first, strerror(error));
        errno = error;
        return false;
    }
    segment->crc = crc64(segment->crc, view.data, view.length);
    segment->written += view.length;
    note_point(segment);
    return true;
}

bool segment_crc_until(const struct segment *segment, uint64_t end, uint64_t *crc, struct text *why)
{
    CHECK(end >= segment->first);
    CHECK(end <= segment->written);
    const struct segment_point *point = segment_point_until(segment, end);
    CHECK(point != NULL);
    *crc = point->crc;
    struct text reason;
    text_init(&reason, WHY_MAX);
    bool good = files_crc64_from(segment->file, point->offset - segment->first,
                                 end - segment->first, crc, NULL, &reason);
    int error = errno;
    if (!good)
        text_format(why, "%" PRIu64 ".seg: cannot read: %s", segment->first, text_string(&reason));
    text_fini(&reason);
    errno = error;
    return good;
}

/* A file that is cut to its length, through a descriptor of its own. */
struct cut_job {
    struct thread_job job;
    int file;
    uint64_t first;
    uint64_t length;
};

static void cut_in_turn(struct thread_job *job)
{
    struct cut_job *cut = (struct cut_job *)(void *)job;
    if (ftruncate(cut->file, (off_t)cut->length) == -1)
        log_warn("store: segment %" PRIu64 ".seg: cannot cut it to its length", cut->first);
    close(cut->file);
    free(cut);
}

/* False: out of memory or descriptors. */
static bool submit_cut(const struct segment *segment)
{
    struct cut_job *cut = calloc(1, sizeof(*cut));
    if (cut == NULL)
        return false;
    cut->file = fcntl(segment->file, F_DUPFD_CLOEXEC, 0);
    if (cut->file == -1) {
        free(cut);
        return false;
    }
    cut->job.work = cut_in_turn;
    cut->first = segment->first;
    cut->length = segment->written - segment->first;
    file_thread_submit(segment->space->files, &cut->job);
    return true;
}

void segment_seal(struct segment *segment)
{
    /* Readers touch nothing beyond `published`, so a shorter file is safe under their mappings, unless
     * `published` was moved back. */
    uint64_t length = segment->written - segment->first;
    if (!submit_cut(segment) && !cut_file(segment))
        return;
    atomic_fetch_sub_explicit(&segment->space->bytes, segment->disk_bytes - length,
                              memory_order_relaxed);
    segment->disk_bytes = length;
}

static void remove_segment(const struct segment_space *space, int directory, uint64_t first,
                           uint64_t bytes, struct removals *gathered)
{
    const struct remover remover = {space->files, space->reclaimer};
    char name[SEGMENT_NAME_MAX];
    segment_name(first, name);
    removal_ask(&remover, directory, name, bytes, gathered);
}

void segment_unlink_file(const struct segment_space *space, int directory, uint64_t first,
                         uint64_t bytes)
{
    remove_segment(space, directory, first, bytes, NULL);
}

void segment_unlink_later(struct segment *segment, int directory, struct removals *gathered)
{
    if (segment->has_name)
        remove_segment(segment->space, directory, segment->first, segment->disk_bytes, gathered);
    segment->has_name = false;
}

void segment_unlink(struct segment *segment, int directory)
{
    segment_unlink_later(segment, directory, NULL);
}

void segment_space_release(struct segment_space *space)
{
    if (atomic_fetch_sub_explicit(&space->references, 1, memory_order_acq_rel) == 1)
        free(space);
}
