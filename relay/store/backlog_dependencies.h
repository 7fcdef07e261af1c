/* SPDX-License-Identifier: MIT
 *
 * What a backlog is given by its history.
 */
#ifndef RELAY_STORE_BACKLOG_DEPENDENCIES_H
#define RELAY_STORE_BACKLOG_DEPENDENCIES_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/store/backlog_space.h"

struct clean_mark;
struct file_thread;
struct identity;
struct identity_segment;
struct reclaimer;
struct tail;
struct text;

/* What a backlog writes its state to. All of it outlives the backlog. */
struct backlog_dependencies {
    int directory; /* backlog/ */
    uint64_t window_bytes;
    bool
        has_needed; /* readers that are not here need the stream: it is kept as what a reader stands in, */
    uint64_t needed_from; /* from here on */
    uint64_t window_bytes_max;
    uint64_t segment_bytes;
    struct identity *identity; /* sealed segments are added to it, trimmed ones dropped */
    struct tail *tail;
    struct reclaimer *reclaimer; /* NULL: files are freed at once */
    struct file_thread *files;   /* NULL: segments are made and removed at once */
    const struct clean_mark
        *clean; /* of backlog_load: what need not be read; NULL: nothing is told */
    /* What a power failure would find of the window ends here. The segment that it is in is given up when it is in a
     * later one, and not before: the stream waits, as for the disk. UINT64_MAX: nothing waits. NULL: never. */
    uint64_t (*marked)(void *arg);
    /* Can the row of a segment be written behind the identity at once? BACKLOG_HELD: not now, the identity is being
     * written; BACKLOG_NO_SPACE: errno and `why`. NULL: always. */
    enum backlog_space (*may_name)(void *arg, struct text *why);
    /* Then: the row was added to the identity as its newest, and is written, for a kill to find. False: errno and `why`. */
    bool (*name)(void *arg, const struct identity_segment *row, struct text *why);
    /* Is it being written, so that what was held waits for it? Takes it when it is (backlog_end_cut may be called).
     * NULL: it never is. */
    bool (*is_saving)(void *arg);
    void (*take_saved)(void *arg);
    void *arg;
};

#endif
