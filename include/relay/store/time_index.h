/* SPDX-License-Identifier: MIT
 *
 * When the bytes of a history came: offsets, each with the wall-clock time by which all bytes before it had
 * been received. At most one entry a second, and only while something arrives, so a time is known to about a
 * second. On disk it is the files `times/<n>.times` of the history (store/time_log.h). This is the value that is
 * made of them, and the one place that answers "which offset at this time".
 *
 * Why the files are not one beside each segment: a second of a busy stream fills many segments, and an idle day
 * fills none. A file of its own for each segment would double the calls that make and remove files, for one entry
 * or none in it.
 *
 * A record on disk is TIME_RECORD_BYTES long, its numbers little endian:
 *
 *     offset   8    the boundary of the stream at that moment
 *     wall_us  8    microseconds since 1970 UTC, as the clock said
 *     id       8    the first 16 digits of the replication id under which the bytes came
 *     sum      8    CRC-64 of the above, begun with TIME_SUM_SEED: zeros are no record
 *
 * A record proves itself. A damaged one is passed over, which costs precision. After a failover with a rewind
 * the records of the lost branch carry the old id beyond its limit (identity.h), so they do not count, whatever
 * was on the disk when the power failed.
 *
 * Entries are in the order of their offsets, which is that of their arrival. Their times fall where somebody set
 * the clock back.
 *
 * Pure, with memory of its own. Thread: the owner's.
 */
#ifndef RELAY_STORE_TIME_INDEX_H
#define RELAY_STORE_TIME_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/store/identity.h"

enum {
    TIME_RECORD_BYTES = 32,
    TIME_INDEX_MAX = 1024 * 1024, /* entries: twelve days of a stream that never pauses; 16 MB */
};

#define TIME_SUM_SEED UINT64_C(0x7073796e63207469)

struct time_entry {
    uint64_t offset;
    int64_t wall_us;
};

struct time_index {
    struct time_entry *entries; /* the first that counts is entries[first] */
    size_t first;
    size_t count;
    size_t capacity;
    bool was_set_back; /* some entry has an earlier time than the one before it had */
};

void time_index_init(struct time_index *index);
void time_index_fini(struct time_index *index);

/* Adds an entry. Those at or beyond its offset go first: what they told of has come again. At TIME_INDEX_MAX the
 * oldest eighth goes. False: out of memory, the entry is left out. */
MUST_CHECK bool time_index_add(struct time_index *index, struct time_entry entry);

/* Forgets the entries beyond `offset`, and those before it. */
void time_index_cut(struct time_index *index, uint64_t offset);
void time_index_trim(struct time_index *index, uint64_t offset);

/* NULL: there is none. */
const struct time_entry *time_index_oldest(const struct time_index *index);
const struct time_entry *time_index_newest(const struct time_index *index);

/* The first entry at or behind `offset`: by its time all bytes before `offset` had come. NULL: none is. */
const struct time_entry *time_index_at_offset(const struct time_index *index, uint64_t offset);

struct time_answer {
    struct time_entry entry; /* the last that came at or before the time */
    bool has_next;
    struct time_entry next; /* the one behind it */
    /* The clock had shown a later time before: it was set back from `back_from` on, last. */
    bool was_set_back;
    struct time_entry back_from; /* the entry before the clock was set back */
    struct time_entry back_to;   /* and behind */
};

/* Which offset at this time. False: everything that is known came later, or nothing is known. */
MUST_CHECK bool time_index_find(const struct time_index *index, int64_t wall_us,
                                struct time_answer *out);

void time_record_write(uint8_t record[TIME_RECORD_BYTES], struct time_entry entry,
                       const struct replid *replid);

/* What the records of a file tell. */
struct time_file_sum {
    size_t records;     /* whole ones */
    size_t damaged;     /* whose sum is wrong */
    uint64_t last;      /* the largest offset that counts; 0: none does */
    bool has_half;      /* the file ends in the middle of a record */
    bool is_incomplete; /* memory ran out: entries were left out */
};

/* Adds the entries of a file, which are behind those that are there: of each record that is whole, and whose bytes
 * are of `identity` and end at or before `end`. */
void time_index_take_file(struct time_index *index, struct bytes file,
                          const struct identity *identity, uint64_t end, struct time_file_sum *out);

#endif
