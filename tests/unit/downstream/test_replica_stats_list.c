/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/known_private.h"
#include "../../../relay/downstream/replica_stats_list.h"

#include "test.h"

enum { REPLICA_STATS_LIST_MAX = 2000 };

static struct replica_stats all[REPLICA_STATS_LIST_MAX];
static struct known_replica known;
static struct replica_stats_list replica_stats_list;
static size_t count;
static struct branches branches;
static struct replica_stats_list_scope scope;

enum { NUMBER = 7 };

static int set_up(void **state)
{
    (void)state;
    memset(all, 0, sizeof(all));
    TAILQ_INIT(&replica_stats_list);
    count = 0;
    branches = (struct branches){.current = 0};
    scope = (struct replica_stats_list_scope){.history_number = NUMBER, .branches = &branches};
    return 0;
}

#define REPLICA_STATS_LIST_TEST(name) TEST_SETUP(name, set_up, NULL)

static struct replica_stats *add(enum replica_state state, uint64_t acknowledged)
{
    assert_true(count < REPLICA_STATS_LIST_MAX);
    struct replica_stats *stats = &all[count++];
    stats->acknowledges = true;
    stats->history_number = NUMBER;
    stats->known = &known;
    REPLICA_STATS_SET(stats, branch, branches.current);
    REPLICA_STATS_SET(stats, state, (int)state);
    REPLICA_STATS_SET(stats, acknowledged, acknowledged);
    TAILQ_INSERT_TAIL(&replica_stats_list, stats, entry);
    return stats;
}

static void expect_rank(unsigned rank, uint64_t expected)
{
    uint64_t offset = UINT64_MAX;
    assert_true(replica_stats_list_acknowledged(&replica_stats_list, &scope, rank, &offset));
    assert_int_equal(offset, expected);
}

static void expect_none(unsigned rank)
{
    uint64_t offset = 4711;
    assert_false(replica_stats_list_acknowledged(&replica_stats_list, &scope, rank, &offset));
    assert_int_equal(offset, 4711);
}

REPLICA_STATS_LIST_TEST(nobody_has_acknowledged_nothing)
{
    expect_none(0);
    expect_none(1);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 0), 0);
}

REPLICA_STATS_LIST_TEST(ranks_are_from_the_best_down)
{
    add(REPLICA_STREAMING, 300);
    add(REPLICA_STREAMING, 100);
    add(REPLICA_STREAMING, 200);
    add(REPLICA_STREAMING, 200);
    expect_rank(1, 300);
    expect_rank(2, 200);
    expect_rank(3, 200);
    expect_rank(4, 100);
    expect_none(5);
    expect_rank(0, 100);
}

REPLICA_STATS_LIST_TEST(only_who_is_online_and_acknowledges_counts)
{
    add(REPLICA_WAITING, 900);
    add(REPLICA_LOADING, 900);
    add(REPLICA_CLOSING, 900);
    struct replica_stats *sync = add(REPLICA_STREAMING, 900);
    sync->acknowledges = false;
    sync->known = NULL;
    expect_rank(0, 0); /* those that wait, load or close have nothing yet */
    expect_none(1);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 0), 0);
    add(REPLICA_STREAMING, 0); /* has not told yet */
    expect_rank(0, 0);
    expect_rank(1, 0);
    expect_none(2);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 0), 1);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 1), 0);
}

REPLICA_STATS_LIST_TEST(an_offset_counts_who_has_it)
{
    add(REPLICA_STREAMING, 100);
    add(REPLICA_STREAMING, 200);
    add(REPLICA_STREAMING, 300);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 100), 3);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 101), 2);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 300), 1);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 301), 0);
}

static int descending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Against sorting, up to the greatest rank. */
REPLICA_STATS_LIST_TEST(every_rank_of_many)
{
    static uint64_t sorted[REPLICA_STATS_LIST_MAX];
    uint64_t seed = 4711;
    for (size_t i = 0; i < REPLICA_STATS_LIST_MAX; i++) {
        sorted[i] = test_random_below(&seed, 3000);
        add(REPLICA_STREAMING, sorted[i]);
    }
    qsort(sorted, REPLICA_STATS_LIST_MAX, sizeof(sorted[0]), descending);
    for (unsigned rank = 1; rank <= ACKNOWLEDGED_RANK_MAX; rank += rank < 20 ? 1 : 67)
        expect_rank(rank, sorted[rank - 1]);
    expect_rank(ACKNOWLEDGED_RANK_MAX, sorted[ACKNOWLEDGED_RANK_MAX - 1]);
    expect_rank(0, sorted[REPLICA_STATS_LIST_MAX - 1]);
}

/* The moment another history is current, whoever is still attached to the one before it counts no more,
 * whatever its worker reports. */
REPLICA_STATS_LIST_TEST(another_history_counts_nobody_of_the_one_before)
{
    struct replica_stats *late = add(REPLICA_STREAMING, 900);
    scope.history_number = NUMBER + 1;
    expect_rank(0, 0);
    expect_none(1);
    REPLICA_STATS_SET(late, acknowledged, 1000);
    expect_none(1);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 0), 0);
    assert_int_equal(replica_stats_list_offset(late, &scope), 0);
    add(REPLICA_STREAMING, 5)->history_number = NUMBER + 1;
    expect_rank(0, 0); /* the late one has nothing of it */
    expect_rank(1, 5);
    expect_none(2);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 5), 1);
}

REPLICA_STATS_LIST_TEST(without_a_history_nobody_counts)
{
    add(REPLICA_STREAMING, 900)->history_number = 0;
    scope = (struct replica_stats_list_scope){.branches = NULL};
    expect_rank(0, 0);
    expect_none(1);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 0), 0);
}

/* A rewind to 500: what was common still counts, what is reported later of the lost branch does not. */
REPLICA_STATS_LIST_TEST(a_lost_branch_counts_up_to_the_cut)
{
    struct replica_stats *ahead = add(REPLICA_STREAMING, 900);
    struct replica_stats *behind = add(REPLICA_STREAMING, 300);
    branches_begin(&branches, 500);
    expect_rank(1, 500);
    expect_rank(2, 300);
    REPLICA_STATS_SET(ahead, acknowledged, 1000);
    REPLICA_STATS_SET(behind, acknowledged, 800); /* its worker has not looked yet */
    expect_rank(1, 500);
    expect_rank(2, 500);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 500), 2);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 501), 0);
    add(REPLICA_STREAMING, 600); /* attached to the new one */
    expect_rank(1, 600);
    assert_int_equal(replica_stats_list_count_acknowledged(&replica_stats_list, &scope, 501), 1);
}

/* One that stood before the cut goes on, and counts in full once its worker has said so. */
REPLICA_STATS_LIST_TEST(a_confirmed_branch_counts)
{
    struct replica_stats *stats = add(REPLICA_STREAMING, 300);
    branches_begin(&branches, 500);
    REPLICA_STATS_SET(stats, acknowledged, 800);
    expect_rank(1, 500);
    REPLICA_STATS_SET(stats, branch, branches.current);
    expect_rank(1, 800);
    branches_begin(&branches, 700);
    expect_rank(1, 700);
}

REPLICA_STATS_LIST_TEST(a_replica_is_known_by_address_and_port)
{
    struct replica_stats *stats = add(REPLICA_WAITING, 0);
    snprintf(stats->address, sizeof(stats->address), "192.0.2.7");
    stats->terms.listening_port = 6380;
    assert_true(replica_stats_list_have(&replica_stats_list, "192.0.2.7", 6380));
    assert_false(replica_stats_list_have(&replica_stats_list, "192.0.2.7", 6379));
    assert_false(replica_stats_list_have(&replica_stats_list, "192.0.2.8", 6380));
    assert_false(replica_stats_list_have(&replica_stats_list, "", 6380));
}
