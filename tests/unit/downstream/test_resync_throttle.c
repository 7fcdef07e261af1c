/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/resync_throttle.h"

#include <stdio.h>

#include "test.h"

enum { START_MS = 1000000 };

static struct resync_throttle throttle;
static const struct resync_source SOURCE = {.history_number = 3, .rdb = {false, 12}};

static struct replica_stats replica_stats_of(const char *address, uint16_t port)
{
    struct replica_stats stats = {.source = SOURCE};
    stats.terms.listening_port = port;
    snprintf(stats.address, sizeof(stats.address), "%s", address);
    return stats;
}

static void keep(const struct replica_stats *stats, unsigned failures, int64_t now_ms)
{
    resync_throttle_keep(&throttle, stats, failures, now_ms);
}

static unsigned take(const struct replica_stats *stats, int64_t now_ms)
{
    return resync_throttle_take(&throttle, stats, &SOURCE, now_ms);
}

static bool is_alike(const struct replica_stats *a, const struct replica_stats *b)
{
    const struct resync_identity of_a = resync_identity_of(a);
    const struct resync_identity of_b = resync_identity_of(b);
    return resync_identity_equal(&of_a, &of_b);
}

static int begin(void **state)
{
    (void)state;
    memset(&throttle, 0, sizeof(throttle));
    return 0;
}

#define THROTTLE_TEST(name) TEST_SETUP(name, begin, NULL)

THROTTLE_TEST(one_that_never_failed_does_not_wait)
{
    struct replica_stats stats = replica_stats_of("10.0.0.1", 6379);
    assert_int_equal(take(&stats, START_MS), 0);
    assert_int_equal(resync_wait_ms(0, RDB_UNKNOWN), 0);
    assert_int_equal(resync_wait_ms(0, RDB_READABLE), 0);
}

THROTTLE_TEST(the_wait_is_short_while_in_doubt_and_then_doubles)
{
    static const int64_t expected_ms[] = {0,     0,     1000,  1500,   1500,   1500,
                                          1500,  1500,  1500,  3000,   6000,   12000,
                                          24000, 48000, 96000, 192000, 300000, 300000};
    for (unsigned i = 0; i < LENGTH_OF(expected_ms); i++)
        assert_int_equal(resync_wait_ms(i, RDB_UNKNOWN), expected_ms[i]);
    assert_int_equal(resync_wait_ms(UINT32_MAX, RDB_UNKNOWN), RESYNC_MS_MAX);
}

THROTTLE_TEST(a_version_that_cannot_read_it_waits_from_the_first_time_on)
{
    static const int64_t expected_ms[] = {5000,   30000,  60000,  120000,
                                          240000, 480000, 600000, 600000};
    for (unsigned i = 0; i < LENGTH_OF(expected_ms); i++)
        assert_int_equal(resync_wait_ms(i, RDB_UNREADABLE), expected_ms[i]);
    assert_int_equal(resync_wait_ms(UINT32_MAX, RDB_UNREADABLE), RESYNC_UNREADABLE_MS_MAX);
}

THROTTLE_TEST(a_count_is_taken_by_one_alone)
{
    struct replica_stats stats = replica_stats_of("10.0.0.1", 6379);
    keep(&stats, 7, START_MS);
    assert_int_equal(take(&stats, START_MS + 1000), 7);
    assert_int_equal(take(&stats, START_MS + 1000), 0);
}

THROTTLE_TEST(only_one_that_says_the_same_takes_it)
{
    struct replica_stats failed = replica_stats_of("10.0.0.1", 6379);
    snprintf(failed.terms.version, sizeof(failed.terms.version), "8.1.0");
    keep(&failed, 7, START_MS);
    struct replica_stats others[6];
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        others[i] = failed;
    snprintf(others[0].address, sizeof(others[0].address), "10.0.0.2");
    others[1].terms.listening_port = 6380;
    snprintf(others[2].terms.address, sizeof(others[2].terms.address), "replica-2");
    snprintf(others[3].terms.version, sizeof(others[3].terms.version), "9.0.0");
    snprintf(others[4].user, sizeof(others[4].user), "second");
    others[5].terms.capa_eof = true;
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        assert_false(is_alike(&failed, &others[i]));
        assert_int_equal(take(&others[i], START_MS), 0);
    }
    assert_true(is_alike(&failed, &failed));
    assert_int_equal(take(&failed, START_MS), 7);
}

THROTTLE_TEST(another_history_or_rdb_version_begins_anew)
{
    struct replica_stats stats = replica_stats_of("10.0.0.1", 6379);
    const struct resync_source other_history = {.history_number = 4, .rdb = SOURCE.rdb};
    const struct resync_source other_rdb = {.history_number = 3, .rdb = {false, 11}};
    keep(&stats, 7, START_MS);
    assert_int_equal(resync_throttle_take(&throttle, &stats, &other_history, START_MS), 0);
    assert_int_equal(resync_throttle_take(&throttle, &stats, &other_rdb, START_MS), 0);
    assert_int_equal(take(&stats, START_MS), 7);
}

THROTTLE_TEST(it_is_forgotten_after_a_while)
{
    struct replica_stats stats = replica_stats_of("10.0.0.1", 6379);
    keep(&stats, 7, START_MS);
    assert_int_equal(take(&stats, START_MS + RESYNC_RETURN_MS + 1), 0);
    keep(&stats, 7, START_MS);
    assert_int_equal(take(&stats, START_MS + RESYNC_RETURN_MS), 7);
}

/* Two that fail in turn behind one address both keep what they have. */
THROTTLE_TEST(two_of_one_description_have_two_counts)
{
    struct replica_stats stats = replica_stats_of("10.0.0.1", 6379);
    keep(&stats, 4, START_MS);
    keep(&stats, 9, START_MS + 1);
    assert_int_equal(take(&stats, START_MS + 2), 9);
    assert_int_equal(take(&stats, START_MS + 2), 4);
    assert_int_equal(take(&stats, START_MS + 2), 0);
}

THROTTLE_TEST(the_oldest_gives_way)
{
    for (uint16_t i = 0; i <= RESYNC_PLACES; i++) {
        struct replica_stats stats = replica_stats_of("10.0.0.1", (uint16_t)(1000 + i));
        keep(&stats, 2, START_MS + i);
    }
    int64_t now_ms = START_MS + RESYNC_PLACES;
    for (uint16_t i = 0; i <= RESYNC_PLACES; i++) {
        struct replica_stats stats = replica_stats_of("10.0.0.1", (uint16_t)(1000 + i));
        assert_int_equal(take(&stats, now_ms), i == 0 ? 0 : 2);
    }
}
