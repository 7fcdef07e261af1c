/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/known_private.h"
#include "../../../relay/store/segment.h"

#include "relay/store/history.h"
#include "temp_store.h"
#include "test.h"

enum { REPLICA_STATS_LIST = 8, TIMEOUT_MS = 60 * 1000 };

static struct known known;
static struct replica_stats_list replica_stats_list;
static struct replica_stats all[REPLICA_STATS_LIST];
static struct worker *const somewhere = (struct worker *)&all;

static int set_up(void **state)
{
    (void)state;
    memset(all, 0, sizeof(all));
    TAILQ_INIT(&replica_stats_list);
    known_init(&known, &replica_stats_list, TIMEOUT_MS, false, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct replica_stats *stats;
    TAILQ_FOREACH(stats, &replica_stats_list, entry)
    {
        known_leave(&known, stats, 0);
    }
    known_fini(&known);
    return 0;
}

#define KNOWN_TEST(name) TEST_SETUP(name, set_up, tear_down)

/* A connection from behind one address, as NAT makes it. */
static struct replica_stats *come(uint64_t id, uint16_t port)
{
    struct replica_stats *stats = &all[id];
    memset(stats, 0, sizeof(*stats));
    stats->id = id;
    stats->acknowledges = true;
    stats->terms.listening_port = port;
    snprintf(stats->address, sizeof(stats->address), "192.0.2.1");
    assert_true(known_arrive(&known, stats));
    TAILQ_INSERT_TAIL(&replica_stats_list, stats, entry);
    return stats;
}

/* It has its RDB, and says so. */
static struct replica_stats *sync_up(struct replica_stats *stats)
{
    stats->worker = somewhere;
    stats->full_sync = true;
    REPLICA_STATS_SET(stats, has_acknowledged, true);
    return stats;
}

static void leave(struct replica_stats *stats, int64_t now_ms)
{
    TAILQ_REMOVE(&replica_stats_list, stats, entry);
    known_leave(&known, stats, now_ms);
    assert_null(stats->known);
}

static size_t forget(struct known_who who)
{
    return known_forget(&known, &who);
}

KNOWN_TEST(one_that_was_in_sync_is_missed_for_a_while)
{
    struct replica_stats *stats = sync_up(come(1, 6379));
    assert_true(known_is_complete(&known, 0));
    leave(stats, 1000);
    assert_false(known_is_complete(&known, 1000));
    known_tick(&known, 1000 + TIMEOUT_MS - 1);
    assert_false(known_is_complete(&known, 1000 + TIMEOUT_MS - 1));
    assert_true(known_is_complete(&known, 1000 + TIMEOUT_MS));
    assert_int_equal(known.away_count, 1);
    known_tick(&known, 1000 + TIMEOUT_MS);
    assert_int_equal(known.away_count, 0);
}

/* A tool that had seen enough of the RDB, a replica that could not load it. */
KNOWN_TEST(one_that_was_never_in_sync_is_not_missed)
{
    leave(come(1, 6379), 0);
    struct replica_stats *stats = come(2, 6379);
    stats->worker = somewhere;
    stats->full_sync = true;
    leave(stats, 0);
    assert_int_equal(known.away_count, 0);
    stats = come(3, 6379); /* it continued: by that it has what was before */
    stats->worker = somewhere;
    leave(stats, 0);
    assert_int_equal(known.away_count, 1);
}

/* It comes back for a full sync, and breaks off in it: what it was before is not forgotten by that. */
KNOWN_TEST(one_that_was_in_sync_before_is_missed_still)
{
    leave(sync_up(come(1, 6379)), 0);
    struct replica_stats *stats = come(2, 6379);
    assert_true(known_is_complete(&known, 1));
    leave(stats, 5000);
    assert_false(known_is_complete(&known, TIMEOUT_MS + 4999));
    assert_true(known_is_complete(&known, TIMEOUT_MS + 5000));
}

/* Two behind NAT that say the same: the first one back does not stand for both. */
KNOWN_TEST(of_two_alike_the_first_back_is_one)
{
    struct replica_stats *a = sync_up(come(1, 6379));
    struct replica_stats *b = sync_up(come(2, 6379));
    leave(a, 1000);
    leave(b, 2000);
    assert_int_equal(known.away_count, 2);
    (void)come(3, 6379);
    assert_int_equal(known.away_count, 1);
    assert_false(known_is_complete(&known, TIMEOUT_MS + 1999)); /* the later one is missed */
    assert_true(known_is_complete(&known, TIMEOUT_MS + 2000));
    (void)come(4, 6379);
    assert_true(known_is_complete(&known, 3000));
    (void)come(5, 6380); /* one more, that is not alike */
    assert_int_equal(known.away_count, 0);
}

/* The worker has closed it, and thread 0 hears of that after the next connection of the same replica. */
KNOWN_TEST(one_that_is_back_before_its_end_was_heard_of_is_one)
{
    struct replica_stats *before = sync_up(come(1, 6379));
    struct replica_stats *other = sync_up(come(2, 6379));
    REPLICA_STATS_SET(before, state, REPLICA_CLOSING);
    struct replica_stats *after = sync_up(come(3, 6379));
    assert_null(before->known);
    assert_non_null(other->known);
    TAILQ_REMOVE(&replica_stats_list, before, entry);
    assert_true(known_is_complete(&known, 1000));
    leave(after, 2000);
    assert_false(known_is_complete(&known, 2000)); /* it was in sync before */
}

KNOWN_TEST(another_port_user_or_address_is_another)
{
    leave(sync_up(come(1, 6379)), 0);
    (void)come(2, 6380);
    struct replica_stats *stats = &all[3];
    *stats =
        (struct replica_stats){.id = 3, .acknowledges = true, .terms = {.listening_port = 6379}};
    snprintf(stats->address, sizeof(stats->address), "192.0.2.1");
    snprintf(stats->user, sizeof(stats->user), "other");
    assert_true(known_arrive(&known, stats));
    TAILQ_INSERT_TAIL(&replica_stats_list, stats, entry);
    assert_int_equal(known.away_count, 1);
    stats = &all[4];
    *stats =
        (struct replica_stats){.id = 4, .acknowledges = true, .terms = {.listening_port = 6379}};
    snprintf(stats->terms.version, sizeof(stats->terms.version), "9.0.0"); /* upgraded meanwhile */
    snprintf(stats->address, sizeof(stats->address), "192.0.2.1");
    assert_true(known_arrive(&known, stats));
    TAILQ_INSERT_TAIL(&replica_stats_list, stats, entry);
    assert_int_equal(known.away_count, 0);
}

/* Given up for its silence: it has been away for as long already. */
KNOWN_TEST(a_silent_one_has_been_away_since_it_was_heard)
{
    struct replica_stats *stats = sync_up(come(1, 6379));
    REPLICA_STATS_SET(stats, life_ms, 1000);
    stats->reason = CLOSE_SILENT;
    leave(stats, 1000 + TIMEOUT_MS);
    assert_true(known_is_complete(&known, 1000 + TIMEOUT_MS));
}

KNOWN_TEST(who_is_about_and_who_is_not)
{
    struct replica_stats stats = {.acknowledges = false};
    assert_false(known_is_about(&stats));
    stats.acknowledges = true;
    assert_true(known_is_about(&stats));
    stats.terms.rdb_only = true;
    assert_false(known_is_about(&stats));
}

KNOWN_TEST(an_operator_ends_the_wait)
{
    leave(sync_up(come(1, 6379)), 0);
    leave(sync_up(come(2, 6380)), 0);
    leave(sync_up(come(3, 6381)), 0);
    assert_int_equal(forget((struct known_who){.id = 4}), 0);
    assert_int_equal(forget((struct known_who){.id = 1}), 1);
    assert_int_equal(forget((struct known_who){
                         .address = bytes_of("192.0.2.1"), .has_port = true, .port = 6380}),
                     1);
    assert_int_equal(forget((struct known_who){.address = bytes_of("192.0.2.2")}), 0);
    assert_false(known_is_complete(&known, 0));
    assert_int_equal(forget((struct known_who){.address = bytes_of("192.0.2.1")}), 1);
    assert_true(known_is_complete(&known, 0));
}

/* To be taken away: it counts while it is attached, and is not missed. */
KNOWN_TEST(one_that_is_attached_is_forgotten_when_it_leaves)
{
    struct replica_stats *stats = sync_up(come(1, 6379));
    assert_int_equal(forget((struct known_who){.is_anybody = true}), 0); /* those away alone */
    assert_int_equal(forget((struct known_who){.id = 1}), 1);
    struct known_counts counts;
    known_count(&known, &counts);
    assert_int_equal(counts.attached, 1);
    leave(stats, 0);
    assert_true(known_is_complete(&known, 0));
    leave(sync_up(come(2, 6379)), 0); /* it was not taken away after all */
    assert_false(known_is_complete(&known, 0));
}

KNOWN_TEST(after_a_start_nobody_knows)
{
    known_fini(&known);
    known_init(&known, &replica_stats_list, TIMEOUT_MS, true, 500);
    assert_false(known_is_complete(&known, TIMEOUT_MS + 499));
    assert_true(known_is_complete(&known, TIMEOUT_MS + 500));
    assert_int_equal(forget((struct known_who){.is_anybody = true}), 0);
    assert_true(known_is_complete(&known, 500));
}

KNOWN_TEST(there_is_an_end_to_what_is_remembered)
{
    for (unsigned i = 0; i < KNOWN_AWAY_MAX; i++)
        leave(sync_up(come(1, (uint16_t)(1000 + i))), 100);
    assert_int_equal(known.away_count, KNOWN_AWAY_MAX);
    leave(sync_up(come(1, 1)), 200);
    assert_int_equal(known.away_count, KNOWN_AWAY_MAX);
    for (unsigned i = 1; i < KNOWN_AWAY_MAX; i++)
        (void)forget((struct known_who){
            .address = bytes_of("192.0.2.1"), .has_port = true, .port = (uint16_t)(1000 + i)});
    (void)forget((struct known_who){.address = bytes_of("192.0.2.1"), .has_port = true, .port = 1});
    assert_int_equal(known.away_count, 0);
    assert_false(
        known_is_complete(&known, TIMEOUT_MS + 99)); /* for the one that there was no place for */
    assert_true(known_is_complete(&known, TIMEOUT_MS + 100));
}

static void rename_history(struct temp_store *temp, const char *hex)
{
    struct replid id;
    struct text why;
    text_init(&why, 200);
    assert_true(replid_parse(bytes_of(hex), &id));
    enum disk_step step;
    while ((step = history_rename(store_current(temp->store), &id, &why)) == DISK_STEP_PENDING)
        (void)store_publish(temp->store);
    assert_int_equal(step, DISK_STEP_DONE);
    text_fini(&why);
}

/* Else the stream would wait for a replica that waits for the stream. */
KNOWN_TEST(a_segment_that_was_given_up_is_not_held)
{
    enum { X = 1000 };
    struct temp_store temp;
    temp_store_open(&temp);
    temp_store_fill(&temp, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", X);
    struct history *history = store_current(temp.store);
    struct replica_stats *here = sync_up(come(1, 6379));
    struct replica_stats *gone = sync_up(come(2, 6380));
    here->history_number = gone->history_number = history_number(history);
    here->attached_offset = gone->attached_offset = X;
    rename_history(&temp, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    struct replica_stats *knows_it = sync_up(come(3, 6381));
    knows_it->history_number = history_number(history);
    REPLICA_STATS_SET(knows_it, branch, history_branches(history)->current);
    known_pin(&known, history);
    assert_null(
        knows_it->known->pin.segment); /* it is not sent away, so nothing would take the pin back */
    struct known_replica *away = gone->known;
    gone->reason = CLOSE_RENAMED;
    leave(gone, 0);
    known_tick(&known, 0);
    struct segment *segment = here->known->pin.segment;
    assert_non_null(segment);
    assert_ptr_equal(away->pin.segment, segment);
    atomic_store(&segment->fate, SEGMENT_LAGGED);
    known_tick(&known, 0);
    assert_null(here->known->pin.segment);
    assert_null(away->pin.segment);
    atomic_store(&segment->fate, SEGMENT_LIVES);
    temp_store_close(&temp);
}
