/* SPDX-License-Identifier: MIT
 *
 * The depot of a test program, and its fixture: `depot` has a place and options, and its store is not open yet.
 */
#ifndef TESTS_UNIT_STORE_DEPOT_FIXTURE_H
#define TESTS_UNIT_STORE_DEPOT_FIXTURE_H

#include "depot.h"

static struct depot depot;

static inline int depot_set_up(void **state)
{
    (void)state;
    depot_init(&depot);
    return 0;
}

static inline int depot_tear_down(void **state)
{
    (void)state;
    depot_fini(&depot);
    return 0;
}

/* Another snapshot of the current history, which takes the place of the one before. */
static inline void depot_refresh(uint64_t offset)
{
    struct history *history = store_current(depot.store);
    struct snapshot *snapshot = history_begin_snapshot(history, offset, &depot.why);
    assert_non_null(snapshot);
    depot_receive(&depot, snapshot, 0);
    assert_true(depot_complete(&depot, history));
    depot_await_named(&depot, history);
    (void)store_publish(depot.store);
}

/* Is the file of that snapshot there, when all that goes has gone? */
static inline bool depot_has_rdb(uint64_t offset)
{
    char path[PLACE_PATH_MAX + 64];
    (void)depot_await_freed(&depot);
    snprintf(path, sizeof(path), "%s/history-1/snapshot/%llu.rdb", depot.data_dir,
             (unsigned long long)offset);
    return access(path, F_OK) == 0;
}

#endif
