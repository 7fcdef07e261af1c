/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/snapshot_sources.h"

#include "relay/store/store.h"
#include "temp_store.h"
#include "test.h"

#define ID "8e7f0123456789abcdef0123456789abcdef0123"
#define OTHER_ID "51ab0123456789abcdef0123456789abcdef0123"

enum { X = 4711 };

static struct snapshot_replica replicas[SNAPSHOT_REPLICAS_MAX];
static size_t replica_count;
static struct snapshot_sources sources;

static size_t list(struct snapshot_replica *out, size_t max, void *arg)
{
    (void)arg;
    assert_int_equal(max, SNAPSHOT_REPLICAS_MAX);
    memcpy(out, replicas, replica_count * sizeof(replicas[0]));
    return replica_count;
}

static struct snapshot_replica replica(unsigned which, uint64_t acknowledged)
{
    struct snapshot_replica it = {.acknowledged = acknowledged};
    snprintf(it.address.host, sizeof(it.address.host), "replica%u", which);
    it.address.port = (uint16_t)(7000 + which);
    return it;
}

static void begin(size_t count)
{
    sources = (struct snapshot_sources){.setting.kind = SNAPSHOT_SOURCE_REPLICAS, .replicas = list};
    replica_count = count;
    for (unsigned i = 0; i < count; i++)
        replicas[i] = replica(i, 1000);
}

static void expect_asks(unsigned which)
{
    struct primary_address picked;
    struct snapshot_replica expected = replica(which, 0);
    assert_int_equal(snapshot_sources_pick(&sources, false, &picked), SNAPSHOT_SOURCES_OTHER);
    assert_string_equal(picked.host, expected.address.host);
    assert_int_equal(picked.port, expected.address.port);
    snapshot_sources_note_asked(&sources, &picked);
}

static enum snapshot_sources_pick pick(bool waits)
{
    struct primary_address picked;
    return snapshot_sources_pick(&sources, waits, &picked);
}

TEST(the_upstream_is_asked_where_nothing_else_is_set)
{
    begin(3);
    sources.setting.kind = SNAPSHOT_SOURCE_UPSTREAM;
    assert_int_equal(pick(false), SNAPSHOT_SOURCES_PRIMARY);
    assert_int_equal(pick(true), SNAPSHOT_SOURCES_PRIMARY);
    assert_int_equal(sources.fallbacks, 0);
}

TEST(they_are_asked_in_turn)
{
    begin(3);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3; i++)
            expect_asks(i);
    }
}

TEST(of_those_whose_turn_it_is_the_one_with_the_least_lag)
{
    begin(3);
    replicas[1].acknowledged = 3000;
    replicas[2].acknowledged = 2000;
    expect_asks(1);
    expect_asks(2);
    expect_asks(0);
    replicas[0].acknowledged = 9000;
    expect_asks(1);
}

TEST(one_that_comes_new_is_next)
{
    begin(2);
    expect_asks(0);
    expect_asks(1);
    replicas[2] = replica(2, 1);
    replica_count = 3;
    expect_asks(2);
    expect_asks(0);
}

TEST(without_one_the_primary_is_asked_only_for_one_who_waits)
{
    begin(0);
    assert_int_equal(pick(false), SNAPSHOT_SOURCES_NOBODY);
    assert_int_equal(pick(true), SNAPSHOT_SOURCES_PRIMARY);
    sources.replicas = NULL;
    assert_int_equal(pick(false), SNAPSHOT_SOURCES_NOBODY);
}

TEST(two_of_no_use_in_a_row_are_enough_for_one_who_waits)
{
    begin(3);
    snapshot_sources_note_end(&sources, false);
    assert_int_equal(pick(true), SNAPSHOT_SOURCES_OTHER);
    snapshot_sources_note_end(&sources, false);
    assert_int_equal(pick(true), SNAPSHOT_SOURCES_PRIMARY);
    assert_int_equal(pick(false), SNAPSHOT_SOURCES_OTHER);
    snapshot_sources_note_asked(&sources, NULL);
    assert_int_equal(sources.fallbacks, 1);
    assert_int_equal(pick(true), SNAPSHOT_SOURCES_OTHER);
    snapshot_sources_note_end(&sources, false);
    snapshot_sources_note_end(&sources, true);
    snapshot_sources_note_end(&sources, false);
    assert_int_equal(pick(true), SNAPSHOT_SOURCES_OTHER);
}

TEST(those_that_are_named_are_asked_in_their_order)
{
    begin(0);
    sources.setting.kind = SNAPSHOT_SOURCE_LISTED;
    sources.setting.listed.count = 2;
    for (unsigned i = 0; i < 2; i++)
        sources.setting.listed.at[i] = replica(i, 0).address;
    for (int round = 0; round < 2; round++) {
        expect_asks(0);
        expect_asks(1);
    }
}

/* However many there are: those that were asked longest ago are forgotten first. */
TEST(the_memory_is_bounded)
{
    begin(1);
    for (unsigned i = 0; i < 3 * SNAPSHOT_SOURCES_KNOWN; i++) {
        replicas[0] = replica(i, 1);
        expect_asks(i);
    }
}

/* ------------------------------------------------------------------ what one says of itself */

static struct temp_store temp;

static int open_store(void **state)
{
    (void)state;
    temp_store_open(&temp);
    temp_store_fill(&temp, ID, X);
    sources = (struct snapshot_sources){.store = temp.store};
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    temp_store_close(&temp);
    return 0;
}

static const char *judge(const char *said)
{
    struct primary_info info;
    primary_info_init(&info);
    primary_info_read(&info, bytes_of(said));
    return snapshot_sources_judge(&info, &sources);
}

static void expect_refused(const char *said, const char *expected)
{
    const char *why = judge(said);
    assert_non_null(why);
    assert_non_null(strstr(why, expected));
}

#define REPLICA(link, offset, id, more)                                                            \
    "role:slave\r\nmaster_host:relay\r\nmaster_port:6380\r\nmaster_link_status:" link              \
    "\r\nmaster_repl_offset:" offset "\r\nmaster_replid:" id "\r\n" more

TEST_SETUP(only_a_replica_of_ours_is_asked, open_store, close_store)
{
    assert_null(judge(REPLICA("up", "4711", ID, "slave_read_only:1\r\n")));
    expect_refused("", "does not say");
    expect_refused("role:master\r\nmaster_replid:" ID "\r\nmaster_repl_offset:4711\r\n",
                   "it is a primary");
    expect_refused(REPLICA("up", "4711", ID, "psync_relay_version:0.1.0\r\n"), "it is a relay");
    expect_refused(REPLICA("down", "4711", ID, ""), "its link is down");
    expect_refused(REPLICA("up", "4711", ID, "slave_read_only:0\r\n"), "it is writable");
    expect_refused(REPLICA("up", "4711", OTHER_ID, ""), "another history");
    expect_refused(REPLICA("up", "4712", ID, ""), "more of the stream");
    expect_refused(REPLICA("up", "4710", ID, ""), "behind the window");
}
