/* SPDX-License-Identifier: MIT
 *
 * What a backlog is given by its history.
 */
#ifndef RELAY_STORE_BACKLOG_DEPENDENCIES_H
#define RELAY_STORE_BACKLOG_DEPENDENCIES_H

#include <stdbool.h>
#include <stdint.h>

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
    uint64_t window_bytes_max;
    uint64_t segment_bytes;
    struct identity *identity; /* sealed segments are added to it, trimmed ones dropped */
    struct tail *tail;
    struct reclaimer *reclaimer; /* NULL: files are freed at once */
    struct file_thread *files;   /* NULL: segments are made and removed at once */
    const struct clean_mark
        *clean; /* of backlog_load: what need not be read; NULL: nothing is told */
    /* Writes the identity after a cut, for a kill to find. False: `why` and errno. */
    bool (*save)(void *arg, struct text *why);
    /* The row was added to the identity as its newest: names it on the disk, for a kill to find. The same. */
    bool (*name)(void *arg, const struct identity_segment *row, struct text *why);
    void *arg;
};

#endif
