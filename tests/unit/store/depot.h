/* SPDX-License-Identifier: MIT
 *
 * A store in a directory of its own, with the deeds that upstream would do to it.
 */
#ifndef TESTS_UNIT_STORE_DEPOT_H
#define TESTS_UNIT_STORE_DEPOT_H

#include "depot_store.h"

/* The RDB of that branch is received whole. */
static inline void depot_receive(struct depot *depot, struct snapshot *snapshot, unsigned branch)
{
    struct rdb rdb = rdb_make(DEPOT_RDB, branch);
    struct text why;
    text_init(&why, 300);
    snapshot_expect(snapshot, rdb.length);
    if (!snapshot_write(snapshot, rdb_bytes(&rdb), &why) || !depot_settle_writes(depot, snapshot))
        fail_msg("%s", text_string(&why));
    text_fini(&why);
    rdb_free(&rdb);
}

/* A full resync: history with id `digit` from `offset` on becomes current. */
static inline struct history *depot_resync(struct depot *depot, char digit, uint64_t offset)
{
    struct replid id = depot_id(digit);
    struct history *history = store_begin_history(depot->store, &id, offset, &depot->why);
    if (history == NULL)
        fail_msg("%s", text_string(&depot->why));
    depot_receive(depot, history_arriving_snapshot(history), 0);
    if (!depot_promote(depot))
        fail_msg("%s", text_string(&depot->why));
    return store_current(depot->store);
}

static inline struct backlog *depot_backlog(const struct depot *depot)
{
    assert_non_null(store_current(depot->store));
    return history_backlog(store_current(depot->store));
}

/* Waits until what was removed is freed. True: something was. */
static inline bool depot_await_freed(const struct depot *depot)
{
    struct store_status status;
    store_status(depot->store, &status);
    bool waits = status.is_freeing;
    for (int i = 0; i < 100000 && status.is_freeing; i++) {
        usleep(100);
        store_status(depot->store, &status);
    }
    assert_false(status.is_freeing);
    return waits;
}

/* Waits until the disk has all rewinds for good. False: it has refused one. */
static inline bool depot_await_cut(const struct history *history)
{
    for (int i = 0; i < 100000 && history_cut(history) == HISTORY_CUT_PENDING; i++)
        usleep(100);
    assert_int_not_equal(history_cut(history), HISTORY_CUT_PENDING);
    return history_cut(history) == HISTORY_CUT_DONE;
}

/* Waits until what was submitted to the syncer is done. */
static inline void depot_await_synced(const struct depot *depot)
{
    struct store_status status;
    store_status(depot->store, &status);
    for (int i = 0; i < 100000 && status.is_syncing; i++) {
        usleep(100);
        store_status(depot->store, &status);
    }
    assert_false(status.is_syncing);
}

/* As upstream does it: where the room is not free yet, that is waited for. */
static inline enum backlog_space depot_append(const struct depot *depot, size_t length,
                                              unsigned branch)
{
    struct backlog *backlog = depot_backlog(depot);
    uint64_t end = backlog_end(backlog) + length;
    enum backlog_space room = BACKLOG_HELD;
    for (int idle = 0; room == BACKLOG_HELD && idle < 50; idle++) {
        uint64_t before = backlog_end(backlog);
        room = stream_make_ready(backlog); /* what is owed is written first */
        if (room == BACKLOG_SPACE)
            room = stream_append(backlog, (size_t)(end - backlog_end(backlog)), branch);
        if (room == BACKLOG_HELD && (stream_await_segment(backlog) || depot_await_freed(depot) ||
                                     backlog_end(backlog) > before))
            idle = 0;
    }
    return room;
}

/* Bytes of a branch come, and are shown; all commands are whole. */
static inline void depot_stream(struct depot *depot, size_t length, unsigned branch)
{
    struct backlog *backlog = depot_backlog(depot);
    enum backlog_space room = depot_append(depot, length, branch);
    if (room != BACKLOG_SPACE)
        fail_msg("no room (%d): %s", (int)room, backlog_error(backlog));
    history_set_boundary(store_current(depot->store), backlog_end(backlog));
    (void)store_publish(depot->store);
}

/* The window is `first`..`end`: branch 0 up to `joint`, 1 from there on. */
static inline void depot_assert_window(const struct depot *depot, uint64_t first, uint64_t joint,
                                       uint64_t end)
{
    struct backlog *backlog = depot_backlog(depot);
    assert_int_equal(backlog_first(backlog), first);
    assert_int_equal(backlog_published(backlog), end);
    struct cursor cursor;
    struct bytes view;
    assert_true(backlog_attach(backlog, &cursor, first));
    while (cursor_peek(&cursor, &view) == CURSOR_BYTES) {
        if (cursor.offset < joint && view.length > joint - cursor.offset)
            view.length = (size_t)(joint - cursor.offset);
        assert_stream(view, cursor.offset, cursor.offset < joint ? 0 : 1);
        cursor_advance(&cursor, view.length);
    }
    assert_int_equal(cursor.offset, end);
    cursor_detach(&cursor);
}

/* The snapshot that is there has these bytes. */
static inline void depot_assert_snapshot(const struct snapshot *snapshot, unsigned branch)
{
    assert_non_null(snapshot);
    assert_int_equal(snapshot_state(snapshot), SNAPSHOT_COMPLETE);
    struct rdb rdb = rdb_make(DEPOT_RDB, branch);
    uint8_t copy[DEPOT_RDB + 1];
    assert_int_equal(snapshot_readable(snapshot), DEPOT_RDB);
    assert_int_equal(pread(snapshot_file(snapshot), copy, sizeof(copy), 0), DEPOT_RDB);
    assert_memory_equal(copy, rdb.data, DEPOT_RDB);
    rdb_free(&rdb);
}

#endif
