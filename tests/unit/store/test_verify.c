/* SPDX-License-Identifier: MIT */
#include "relay/store/verify.h"

#include "depot_fixture.h"

struct told {
    unsigned count;
    uint64_t done;
    uint64_t total;
};

static void note(const char *part, uint64_t done, uint64_t total, void *arg)
{
    struct told *told = arg;
    assert_non_null(strstr(part, "history-1/"));
    assert_true(done >= told->done);
    assert_true(done <= total);
    assert_true(total >= told->total);
    *told = (struct told){.count = told->count + 1, .done = done, .total = total};
}

/* How far it is rises to the whole, and is never more than that, also though the newest segment has no length yet. */
TEST_SETUP(it_tells_how_far_it_is, depot_set_up, depot_tear_down)
{
    struct told told = {.count = 0};
    struct text table;
    char path[PLACE_PATH_MAX];
    text_init(&table, 4096);
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', 1000);
    depot_stream(&depot, 3 * DEPOT_SEGMENT + 100, 0);
    store_close(&depot.store);
    assert_true(
        store_verify(place_path(&depot.place, "data", path), note, &told, &table, &depot.why));
    assert_true(told.count >= 5); /* the RDB, and each segment */
    assert_true(told.done >= 3 * DEPOT_SEGMENT + 100);
    assert_int_equal(told.done, told.total);
    text_fini(&table);
}
