/* SPDX-License-Identifier: MIT
 *
 * The store from inside: store.c opens and closes it, makes and replaces histories, and tells; store_parts.c has the
 * RDBs that go on where they broke. Thread: thread 0.
 */
#ifndef RELAY_STORE_STORE_PRIVATE_H
#define RELAY_STORE_STORE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data_dir.h"
#include "disk_space.h"
#include "kept_snapshots.h"
#include "notes.h"
#include "rdb_space.h"
#include "relay/base/text.h"
#include "relay/store/store.h"

struct crc_reader;
struct file_thread;
struct job_thread;
struct partial_rdb;
struct reclaimer;
struct syncer;
struct verifier;

enum { STORE_RETIRED_MAX = 4 };

struct store {
    struct store_options options; /* data_dir is only used while opening */
    struct data_dir data_dir;
    uint64_t number; /* of the newest history so far */
    struct history *current;
    struct history *arriving;
    /* Replaced, but still on the disk until what replaced them would survive a power failure. */
    struct history *retired[STORE_RETIRED_MAX];
    size_t retired_count;
    struct syncer *syncer;
    struct file_thread *files;
    struct job_thread *times; /* writes when the stream came */
    struct reclaimer *reclaimer;
    struct disk_space disk;
    struct verifier *verifier;
    struct crc_reader *crc_reader;
    struct partial_rdb *partial;
    struct kept_snapshots kept;
    uint64_t
        awaited_part; /* the number of a snapshot that is to be tracked as soon as it has a file; 0: none */
    uint64_t resumed; /* RDBs that went on where they broke, */
    uint64_t resumed_bytes;
    struct notes notes;
    uint64_t given; /* see reclaimer_gives */
    struct rdb_space room;
    struct text error; /* of the last history that was not begun, or did not become whole; "" */
    bool changed; /* another history became current, or one was abandoned, since the last publish */
};

/* store_parts.c: begun with the store, each turn (true: there is news), each second. */
MUST_CHECK bool store_parts_open(struct store *store);
void store_parts_close(struct store *store);
bool store_parts_take(struct store *store);

/* A history has just become the current one. What has come of its stream behind the RDB, while that arrived, may be more
 * than repl-backlog-size: for a minute it is kept with the RDB, or full syncs would find none that they can use. */
void store_parts_keep_beginning(struct store *store);
void store_parts_tick(struct store *store);

/* The disk is full: gives up what is kept for a rest that may never be asked for. True: something. */
bool store_parts_give_space(struct store *store);

/* About what that would be. */
uint64_t store_parts_spare_bytes(const struct store *store);

#endif
