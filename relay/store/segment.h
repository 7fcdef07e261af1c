/* SPDX-License-Identifier: MIT
 *
 * One file of the backlog: preallocated, mapped, appended to by thread 0 and read by any thread below
 * its published end. Counted: the backlog holds the oldest of its chain, each segment holds the next,
 * each cursor holds the one it stands in; who lets go last has the reclaimer unmap and close it, and its
 * bytes count as `freeing` until that is done.
 *
 *      first                published         written          capacity
 *        |######################|##################|.................|
 *              readers              thread 0 only      preallocated
 *
 * Thread: the functions say it; of the fields, those marked "shared" are read by any thread.
 */
#ifndef RELAY_STORE_SEGMENT_H
#define RELAY_STORE_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "file_thread.h"
#include "reclaimer.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

/* Why a cursor can no longer go on in a segment. The reason for which its replica is closed has the same name
 * (relay/downstream/reasons.h), but for the first two. */
enum segment_fate {
    SEGMENT_LIVES,      /* it can */
    SEGMENT_TRIMMED,    /* beyond repl-backlog-size, when nobody needed it */
    SEGMENT_LAGGED,     /* given up at repl-backlog-max-size, though a replica that lags needs it */
    SEGMENT_DISK_FULL,  /* given up for the room on the disk, though a replica needs it */
    SEGMENT_UNREADABLE, /* the disk cannot read it, or one behind it */
    SEGMENT_REWOUND,    /* the new primary does not have what is in it: cut off */
};

/* Bytes on disk of all segments that live, in the chain or only in somebody's hands. Counted, since a
 * segment may outlive its backlog. */
struct segment_space {
    _Atomic uint64_t bytes;
    _Atomic uint64_t freeing;    /* beside them: nobody holds these any more, the disk still does */
    _Atomic bool has_unreadable; /* there is one that a reader could not read */
    _Atomic unsigned references;
    struct reclaimer *reclaimer; /* constant; who frees them. NULL: who lets go last */
    struct file_thread
        *files; /* constant; who takes them off their directory, and cuts them. NULL: who asks */
};

struct files_pace;
struct removals;
struct tail_mark;
struct tail_point;

struct segment {
    /* shared */
    _Atomic unsigned references;
    _Atomic enum segment_fate fate;
    _Atomic uint64_t published;     /* absolute offset; moves back only in a rewind */
    _Atomic(struct segment *) next; /* set when `published` is final */
    _Atomic bool is_unreadable;     /* the disk failed a reader */
    _Atomic unsigned
        replid_after; /* the replication id that begins at its end; 0: none. Set before `next` */
    uint64_t number;  /* constant, as the five below: no other segment of this process has it */
    uint64_t first;
    uint64_t capacity;
    const uint8_t *map; /* to be read */
    int file;
    struct segment_space *space;
    /* thread 0 */
    uint64_t written;    /* absolute offset after the last byte received */
    uint64_t crc;        /* of first..written */
    uint64_t disk_bytes; /* `capacity`, or less once it is sealed */
    bool has_name;       /* the file is still in its directory */
    /* The CRC-64 of what is before some offsets: the first as far back as is proven, the others the newest. */
    struct segment_point {
        uint64_t offset;
        uint64_t crc;
    } points[4];
    unsigned point_count; /* points that came, the first included */
    bool
        is_ended; /* no byte comes any more, whatever room there is: the next one begins at `written` */
    bool is_cut; /* it ends at `written` for good: a rewind cut it there */
    /* What `next` was before rewinds, newest first: held, since a reader may just be stepping. */
    struct segment *cut;
    struct segment *cut_next; /* of the list that this one is in the `cut` of */
    uint64_t cut_bytes;       /* the capacity of all that `cut` holds */
    struct reclaim_job job;   /* of its end: whoever let go of it last has handed it over */
};

enum { SEGMENT_NAME_MAX = 32 };
void segment_name(uint64_t first, char name[SEGMENT_NAME_MAX]);

/* The offset that a file name like "4711.seg" tells. False: not such a name. */
MUST_CHECK bool segment_parse_name(const char *name, uint64_t *first);

/* A new, empty segment of `capacity` bytes that begins at `first`, in three steps: its place in memory, which
 * counts in `space` from now on (NULL: out of memory); its file, by any thread that alone has it (false: errno and
 * `why`; it has none); and its end, where it got none. */
MUST_CHECK struct segment *segment_reserve(uint64_t first, uint64_t capacity,
                                           struct segment_space *space);
MUST_CHECK bool segment_make_file(struct segment *segment, int directory, struct text *why);
void segment_unreserve(struct segment *segment);

/* All of it at once. NULL: errno and `why`. */
MUST_CHECK struct segment *segment_create(int directory, uint64_t first, uint64_t capacity,
                                          struct segment_space *space, struct text *why);

/* One that exists, good up to `end`, whose bytes are said to have `crc` (the caller checks). With
 * `capacity` larger than that it is preallocated again to go on; without, or where the disk has no room
 * for it, it is full as it is. NULL: errno and `why`. */
MUST_CHECK struct segment *segment_load(int directory, uint64_t first, uint64_t end, uint64_t crc,
                                        uint64_t capacity, struct segment_space *space,
                                        struct text *why);

/* Another one for the file of `empty`, which holds nothing yet: that one is written to no more, and its
 * name is the twin's. NULL: `why`. Thread 0. */
MUST_CHECK struct segment *segment_twin(struct segment *empty, struct text *why);

/* As segment_load, but the bytes must have the `crc`. NULL: either they have not, and a line in the log
 * says why not, or the system refused us (files_is_refusal of errno), and `why` says so. */
MUST_CHECK struct segment *segment_load_proven(int directory, uint64_t first, uint64_t end,
                                               uint64_t crc, uint64_t capacity,
                                               struct segment_space *space,
                                               const struct files_pace *pace, struct text *why);

/* The same by the bytes behind `point` alone; what is before it is proven later, and begins the points. */
MUST_CHECK struct segment *segment_load_behind(int directory, const struct tail_mark *mark,
                                               const struct tail_point *point, uint64_t capacity,
                                               struct segment_space *space, struct text *why);

/* One that holds nothing yet needs no proof, nor a file: a rewind may have been killed before it made
 * it. NULL: as above, where the disk has no room. */
MUST_CHECK struct segment *segment_load_empty(int directory, uint64_t first, uint64_t capacity,
                                              struct segment_space *space, struct text *why);

/* Any thread. segment_release hands over to the reclaimer what nobody holds any more, along the chain. */
void segment_retain(struct segment *segment);
void segment_release(struct segment *segment);

/* Can no byte be added, since there is no room or it was cut? Thread 0. */
bool segment_is_full(const struct segment *segment);

/* Puts bytes behind `written`; there is room for them. By write(2): that is twice as quick as the page
 * faults of a fresh mapping (tests/bench/README.md), and a disk that refuses is an error and not a
 * SIGBUS. False: errno and `why`; nothing was added. Thread 0. */
MUST_CHECK bool segment_append(struct segment *segment, struct bytes view, struct text *why);

/* The farthest of its points that is not behind `limit`; NULL: none. Thread 0. */
const struct segment_point *segment_point_until(const struct segment *segment, uint64_t limit);

/* Do the bytes from `from` on, behind which the CRC-64 is `crc`, lead to the segment's? From `first` on it is 0.
 * False: errno and `why`. Any thread that alone has it. */
MUST_CHECK bool segment_prove(const struct segment *segment, uint64_t from, uint64_t crc,
                              const struct files_pace *pace, struct text *why);

/* The CRC of first..end, from the bytes themselves; end <= written. False: errno and `why`; they cannot be
 * read. Thread 0. */
MUST_CHECK bool segment_crc_until(const struct segment *segment, uint64_t end, uint64_t *crc,
                                  struct text *why);

/* No byte comes any more: gives the preallocated rest back, on the file thread. Not after a rewind: a reader may still be
 * sending, from the mapping, what was cut off, and would be killed for it (SIGBUS); such a segment is
 * cut to its length when the last one lets go. Thread 0. */
void segment_seal(struct segment *segment);

/* Holds `old`, which was the next of `segment` before a rewind, and all that it holds. Thread 0. */
void segment_keep_cut(struct segment *segment, struct segment *old);

/* Lets go of what rewinds cut off behind it, if nobody stands in the segment who could be stepping
 * there. `holders`: how many references are no readers'. Thread 0. */
void segment_drop_cut(struct segment *segment, unsigned holders);

/* Its name goes on the file thread, the file in the reclaimer's turn; who holds the segment reads on. `directory`
 * stays open until the file thread has been drained. Thread 0. */
void segment_unlink(struct segment *segment, int directory);

/* The same, with those that are gathered. */
void segment_unlink_later(struct segment *segment, int directory, struct removals *gathered);

/* The same for the file of one that is not loaded, of about `bytes`. */
void segment_unlink_file(const struct segment_space *space, int directory, uint64_t first,
                         uint64_t bytes);

void segment_space_release(struct segment_space *space);

#endif
