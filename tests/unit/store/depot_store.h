/* SPDX-License-Identifier: MIT
 *
 * A store in a directory of its own, opened and closed, and the steps that it takes while upstream waits.
 */
#ifndef TESTS_UNIT_STORE_DEPOT_STORE_H
#define TESTS_UNIT_STORE_DEPOT_STORE_H

#include "../../../relay/store/backlog.h"
#include "../../../relay/store/history_private.h"
#include "place.h"
#include "rdb.h"
#include "relay/store/rdb_parts.h"
#include "relay/store/status.h"
#include "relay/store/store.h"
#include "stream.h"

enum { DEPOT_SEGMENT = 4096, DEPOT_RDB = 3000 };

struct depot {
    struct place place;
    char data_dir[PLACE_PATH_MAX];
    struct store_options options;
    struct store *store;
    struct text why;
    bool had_news; /* a turn that passed while a test waited has shown something new */
};

static inline void depot_init(struct depot *depot)
{
    memset(depot, 0, sizeof(*depot));
    place_init(&depot->place);
    text_init(&depot->why, 500);
    place_path(&depot->place, "data", depot->data_dir);
    depot->options = (struct store_options){
        .data_dir = depot->data_dir,
        .window_bytes = 64 * DEPOT_SEGMENT,
        .window_bytes_max = 128 * DEPOT_SEGMENT,
        .segment_bytes = DEPOT_SEGMENT,
        .fsync = STORE_FSYNC_NO,
    };
}

/* Turns pass until all that the start has found is proven, or not. */
static inline void depot_await_proven(const struct depot *depot)
{
    struct store_status status;
    store_status(depot->store, &status);
    for (int i = 0; i < 200000 && status.is_proving; i++) {
        usleep(50);
        (void)store_publish(depot->store);
        store_status(depot->store, &status);
    }
    assert_false(status.is_proving);
}

/* Turns pass until what the start has found of an RDB is read, or not. */
static inline enum store_part depot_await_part(const struct depot *depot, struct rdb_part *part)
{
    enum store_part state = store_part(depot->store, part);
    for (int i = 0; i < 200000 && state == STORE_PART_UNPROVEN; i++) {
        usleep(50);
        (void)store_publish(depot->store);
        state = store_part(depot->store, part);
    }
    assert_int_not_equal(state, STORE_PART_UNPROVEN);
    return state;
}

static inline void depot_open(struct depot *depot)
{
    text_clear(&depot->why);
    depot->store = store_open(&depot->options, &depot->why);
    if (depot->store == NULL)
        fail_msg("%s", text_string(&depot->why));
    depot_await_proven(depot);
}

static inline void depot_fini(struct depot *depot)
{
    store_close(&depot->store);
    text_fini(&depot->why);
    place_fini(&depot->place);
}

static inline struct replid depot_id(char digit)
{
    struct replid id = replid_none();
    memset(id.hex, digit, REPLID_DIGITS);
    return id;
}

/* As upstream does it: it asks until the disk has done it. The store's turns pass meanwhile, as they do. */
static inline bool depot_await_step(struct depot *depot, enum disk_step step)
{
    if (step == DISK_STEP_PENDING) {
        usleep(20);
        depot->had_news = store_publish(depot->store) || depot->had_news;
    }
    return step == DISK_STEP_PENDING;
}

/* Is it gone, or goes as soon as the disk has got round to it? */
static inline bool depot_loses(struct depot *depot, const char *name)
{
    for (int i = 0; depot->store != NULL && i < 100000 && place_has(&depot->place, name); i++) {
        usleep(80);
        (void)depot_await_step(depot, DISK_STEP_PENDING);
    }
    return place_loses(&depot->place, name);
}

static inline bool depot_promote(struct depot *depot)
{
    enum disk_step step;
    do
        step = store_promote(depot->store, &depot->why);
    while (depot_await_step(depot, step));
    return step == DISK_STEP_DONE;
}

static inline bool depot_complete(struct depot *depot, struct history *history)
{
    enum disk_step step;
    do
        step = history_complete_snapshot(history, &depot->why);
    while (depot_await_step(depot, step));
    return step == DISK_STEP_DONE;
}

static inline bool depot_rename(struct depot *depot, struct history *history,
                                const struct replid *id)
{
    enum disk_step step;
    do
        step = history_rename(history, id, &depot->why);
    while (depot_await_step(depot, step));
    return step == DISK_STEP_DONE;
}

/* Until a kill would find the cut. */
static inline bool depot_rewind(struct depot *depot, struct history *history, uint64_t offset)
{
    if (!history_rewind(history, offset, &depot->why))
        return false;
    while (history_is_settling(history))
        (void)depot_await_step(depot, DISK_STEP_PENDING);
    if (history_is_lost(history))
        text_append_string(&depot->why, "the cut could not be written");
    return !history_is_lost(history);
}

/* The identity names the snapshot that is complete, as upstream does not wait for. */
static inline void depot_await_named(struct depot *depot, struct history *history)
{
    while (history_await_name(history, &depot->why) == DISK_STEP_PENDING)
        (void)depot_await_step(depot, DISK_STEP_PENDING);
}

/* Its file is there. */
static inline void depot_await_made(struct depot *depot, const struct snapshot *snapshot)
{
    while (!snapshot_is_made(snapshot))
        (void)depot_await_step(depot, DISK_STEP_PENDING);
}

/* What was written is in a file: no snapshot owes anything. False: the disk has refused. */
static inline bool depot_settle_writes(struct depot *depot, struct snapshot *snapshot)
{
    while (snapshot_owes(snapshot)) {
        if (!snapshot_write_owed(snapshot, &depot->why))
            return false;
        (void)depot_await_step(depot, DISK_STEP_PENDING);
    }
    return true;
}

#endif
