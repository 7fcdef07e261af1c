/* SPDX-License-Identifier: MIT
 *
 * A replica that cannot load what it is given is one, however often it is there.
 */
#include "../../../relay/downstream/sync_failures.h"

#include <stdio.h>

#include "relay/downstream/reasons.h"
#include "test.h"

enum { NOW_MS = 1000000, PORT = 6379 };

static struct sync_failures failures;
static struct sync_failure told[2 * SYNC_FAILURES_APART];
static size_t told_count;

static void note(const struct sync_failure *failure, void *arg)
{
    (void)arg;
    assert_in_range(told_count, 0, LENGTH_OF(told) - 1);
    told[told_count++] = *failure;
}

static int begin(void **state)
{
    (void)state;
    failures = (struct sync_failures){.fn = note, .now_ms = NOW_MS};
    told_count = 0;
    return 0;
}

#define FAILURES_TEST(name) TEST_SETUP(name, begin, NULL)

/* One that waits, after so many failures. */
static struct replica_stats waiting_one(uint16_t port, unsigned count)
{
    struct replica_stats stats = {.failures = count, .source = {.history_number = 3}};
    stats.terms.listening_port = port;
    snprintf(stats.address, sizeof(stats.address), "10.0.0.1");
    return stats;
}

static struct resync_place place_of(const struct replica_stats *stats, unsigned count)
{
    struct resync_place place = {.failures = count,
                                 .last_ms = NOW_MS - 1,
                                 .source = stats->source,
                                 .reading = stats->reading,
                                 .terms = stats->terms};
    snprintf(place.address, sizeof(place.address), "%s", stats->address);
    return place;
}

static size_t tell(void)
{
    sync_failures_tell(&failures);
    return told_count;
}

FAILURES_TEST(who_has_failed_once_or_is_through_is_none)
{
    struct replica_stats once = waiting_one(PORT, RESYNC_FREE);
    struct replica_stats through = waiting_one(PORT, 9);
    through.has_acknowledged = true;
    struct replica_stats leaving = waiting_one(PORT, 9);
    leaving.state = REPLICA_CLOSING;
    struct resync_place place = place_of(&once, RESYNC_FREE);
    struct resync_place old = place_of(&once, 9);
    old.last_ms = NOW_MS - RESYNC_RETURN_MS - 1;
    sync_failures_add_replica(&failures, &once);
    sync_failures_add_replica(&failures, &through);
    sync_failures_add_replica(&failures, &leaving);
    sync_failures_add_place(&failures, &place);
    sync_failures_add_place(&failures, &old);
    assert_int_equal(tell(), 0);
}

/* Its last connection is not seen to have ended, the one before has left its count. */
FAILURES_TEST(one_that_comes_back_before_its_last_connection_ended_counts_once)
{
    struct replica_stats back = waiting_one(PORT, 2);
    back.not_before_ms = NOW_MS + 1500;
    back.source.history_number = 4;
    struct replica_stats last = waiting_one(PORT, 5);
    struct resync_place place = place_of(&last, 3);
    sync_failures_add_replica(&failures, &back);
    sync_failures_add_replica(&failures, &last);
    sync_failures_add_place(&failures, &place);
    assert_int_equal(tell(), 1);
    assert_int_equal(told[0].failures, 5);
    assert_int_equal(told[0].delayed_ms, 1500);
    assert_int_equal(told[0].listening_port, PORT);
}

/* Whatever comes first, it is told of as one that cannot read it. */
FAILURES_TEST(a_version_that_cannot_read_it_is_told_of)
{
    for (int i = 0; i < 2; i++) {
        (void)begin(NULL);
        struct replica_stats known = waiting_one(PORT, 0);
        known.reading = RDB_UNREADABLE;
        known.source.rdb.number = 80;
        struct replica_stats unknown = waiting_one(PORT, 7);
        sync_failures_add_replica(&failures, i == 0 ? &known : &unknown);
        sync_failures_add_replica(&failures, i == 0 ? &unknown : &known);
        assert_int_equal(tell(), 1);
        assert_int_equal(told[0].reading, RDB_UNREADABLE);
        assert_int_equal(told[0].rdb.number, 80);
        assert_int_equal(told[0].failures, 7);
    }
}

FAILURES_TEST(who_can_be_told_apart_counts_by_itself)
{
    struct replica_stats all[] = {waiting_one(PORT, 3), waiting_one(PORT + 1, 3),
                                  waiting_one(PORT, 3), waiting_one(PORT, 3)};
    snprintf(all[2].address, sizeof(all[2].address), "10.0.0.2");
    snprintf(all[3].user, sizeof(all[3].user), "replicas");
    for (size_t i = 0; i < LENGTH_OF(all); i++)
        sync_failures_add_replica(&failures, &all[i]);
    assert_int_equal(tell(), LENGTH_OF(all));
}

FAILURES_TEST(beyond_the_bound_each_counts)
{
    static struct replica_stats all[SYNC_FAILURES_APART];
    for (unsigned i = 0; i < LENGTH_OF(all); i++) {
        all[i] = waiting_one((uint16_t)(PORT + i), 3);
        sync_failures_add_replica(&failures, &all[i]);
        assert_int_equal(told_count, 0);
    }
    struct replica_stats more = waiting_one(1, 3);
    sync_failures_add_replica(&failures, &more);
    sync_failures_add_replica(&failures, &more);
    assert_int_equal(told_count, 2);
    assert_int_equal(failures.count, SYNC_FAILURES_APART);
}
