/* SPDX-License-Identifier: MIT
 *
 * What the files of the backlog share: backlog.c makes and ends it, backlog_load.c finds it at a start, backlog_append.c
 * takes bytes, backlog_prepare.c has the next segment made, backlog_publish.c shows what came, backlog_window.c gives
 * up the oldest, backlog_rewind.c cuts and begins other ids, backlog_proof.c takes what was proven late. Thread:
 * thread 0.
 */
#ifndef RELAY_STORE_BACKLOG_PRIVATE_H
#define RELAY_STORE_BACKLOG_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "backlog_dependencies.h"
#include "file_thread.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/log_repeat.h"
#include "relay/base/text.h"
#include "relay/store/backlog_space.h"
#include "removal.h"
#include "segment.h"

enum { BACKLOG_ERROR_MAX = 256 };

/* The next segment, as it is made (backlog_prepare.c). */
struct prepared_segment {
    struct thread_job job;
    struct segment *segment; /* NULL: none was asked for */
    int directory;
    bool is_ahead; /* it was not needed when it was asked for */
    _Atomic bool is_done;
    int failure;                 /* when it is done; 0: it is there */
    char why[BACKLOG_ERROR_MAX]; /* not */
    int64_t not_before_ms;       /* none is made ahead */
};

struct backlog {
    struct backlog_dependencies dependencies;
    struct segment_space *space;
    struct segment *head; /* the oldest, held */
    struct segment *last; /* the one that is written to, held by the chain */
    size_t count;
    size_t unproven; /* segments of the identity, the oldest, that are not in the chain yet */
    uint64_t unproven_bytes;
    bool is_head_broken;    /* what the head has before its point cannot be proven */
    uint64_t charge;        /* see backlog_charge */
    uint64_t keep_from;     /* see backlog_keep_from */
    bool is_cutting;        /* the identity of a cut is not written yet */
    bool is_lost;           /* nor will it ever be */
    bool wants_sync;        /* the oldest could not be given up before more is durable */
    bool awaits_name;       /* the newest could not be named: the identity was being written */
    struct removals beyond; /* the files of segments beyond the cut */
    bool keeps_all;         /* nothing is given up, whatever the sizes are */
    bool has_cuts;          /* some segment holds what a rewind cut off behind it */
    unsigned replid_index;  /* how many ids came after the first one */
    unsigned known_index;   /* as new readers have it: without one that is not written yet */
    uint64_t boundary;
    uint64_t published_boundary; /* that the live mark carries */
    bool news;                   /* something was shown to readers in the middle of a turn */
    uint64_t told_point;         /* the last that the tail was given */
    bool is_unmarked;            /* the live mark of the newest segment could not be written yet */
    struct bytes
        owed; /* what the disk has refused to take so far: of the caller, or of `owed_copy` */
    uint8_t *owed_copy; /* BACKLOG_APPEND_MAX bytes; memory that is not touched costs nothing */
    struct prepared_segment prepared;
    struct log_repeat full;        /* the disk is: the window is shortened */
    struct log_repeat given_up;    /* segments that replicas need */
    uint64_t given;                /* see reclaimer_gives */
    uint64_t given_beside;         /* the same, since a segment stands beside the chain */
    char error[BACKLOG_ERROR_MAX]; /* not a text: it can be told when out of memory, too */
};

static inline struct segment *segment_next(const struct segment *segment)
{
    /* Relaxed: thread 0 reads what it has written itself. */
    return atomic_load_explicit(&segment->next, memory_order_relaxed);
}

/* Without a segment. NULL: errno and `why`. */
MUST_CHECK struct backlog *backlog_make(const struct backlog_dependencies *dependencies,
                                        struct text *why);

/* What backlog_error tells. */
void backlog_set_error(struct backlog *backlog, const struct text *why);

/* The chain was changed but by appending and by giving up the oldest: adds its charge up anew. */
void backlog_recount(struct backlog *backlog);

/* Puts it behind the newest. */
void backlog_chain(struct backlog *backlog, struct segment *segment);

/* Shows readers all of the newest segment, of which the identity or the live mark tells. True: they see more
 * than before. */
bool backlog_show(struct backlog *backlog);

/* Writes the live mark of the newest segment; one that cannot be written is made up for by the next
 * publish. False: errno and backlog_error. */
bool backlog_set_mark(struct backlog *backlog);

/* Does a cursor stand in it, or in one before it that is out of the chain already? */
static inline bool backlog_is_pinned(const struct segment *segment)
{
    return atomic_load_explicit(&segment->references, memory_order_relaxed) > 1;
}

/* Do readers that are not here need something before `end`? */
static inline bool backlog_needs(const struct backlog *backlog, uint64_t end)
{
    return backlog->dependencies.has_needed && end > backlog->dependencies.needed_from;
}

/* Would the window be whole without it, which is in the chain, and without all before it? */
static inline bool backlog_is_beyond(const struct backlog *backlog, const struct segment *segment)
{
    return segment != backlog->last && backlog->last->written - segment_next(segment)->first >=
                                           backlog->dependencies.window_bytes;
}
/* Takes the oldest that is not proven yet off the disk, and out of the identity; there is one. */
void backlog_drop_unproven(struct backlog *backlog);

/* Bytes on the disk; the part of them that is the chain's to give up; and the rest, in the hands of cursors
 * that have been told to let go of it. */
uint64_t backlog_space(const struct backlog *backlog);
uint64_t backlog_charge(const struct backlog *backlog);
uint64_t backlog_held(const struct backlog *backlog);

/* Is there space for one more segment under the cap, with nothing given up for it? */
bool backlog_has_space_ahead(const struct backlog *backlog);

/* Has the next segment made before it is needed, where it is time. Once a turn. */
void backlog_prepare(struct backlog *backlog);

/* What the next segment takes on the disk, that is made or being made. */
uint64_t backlog_prepared_bytes(const struct backlog *backlog);

/* Is it made, or being made, and does it begin where the newest ends by now? */
bool backlog_is_next_asked(const struct backlog *backlog);

/* Takes the next segment; it begins where the newest ends. BACKLOG_HELD: it is being made. BACKLOG_NO_SPACE: `why`. */
MUST_CHECK enum backlog_space backlog_take_next(struct backlog *backlog, struct segment **out,
                                                struct text *why);

/* It is not needed yet after all. */
void backlog_put_back(struct backlog *backlog, struct segment *segment);

/* Gives the next segment up if it is made. True: its file goes. */
bool backlog_drop_prepared(struct backlog *backlog);

/* The same at the end: waits for the file thread. */
void backlog_end_prepared(struct backlog *backlog);

/* Makes room for one more segment under the cap. No more is given up than is needed once those who
 * hold what was given up have let go. False: they have not. */
MUST_CHECK bool backlog_make_space(struct backlog *backlog);

/* The disk refused with `error`. BACKLOG_SPACE: the window was shortened, try again. `beside`: what a segment
 * takes that is not in the chain yet. */
enum backlog_space backlog_give_way(struct backlog *backlog, int error, uint64_t beside);

/* Seals the newest segment into the identity and goes on in the next one. Not BACKLOG_SPACE: the chain has not
 * changed; of BACKLOG_NO_SPACE, `why`. */
MUST_CHECK enum backlog_space backlog_roll(struct backlog *backlog, struct text *why);

/* Where no byte can be added to the newest segment: makes room under the cap, and goes on in the next one. As
 * above. */
MUST_CHECK enum backlog_space backlog_go_on(struct backlog *backlog, struct text *why);

/* Goes on in the next segment, although the newest is not full. As above; BACKLOG_HELD: it is being made. */
MUST_CHECK enum backlog_space backlog_leave_last(struct backlog *backlog);

/* No byte comes to it any more: the preallocated rest goes. */
void backlog_seal(struct backlog *backlog, struct segment *segment);

/* Cursors of an earlier replication id do not read beyond the end of `segment`. */
void segment_set_replid_after(struct segment *segment, unsigned replid_index);

#endif
