/* SPDX-License-Identifier: MIT
 *
 * Several servers that may be the primary, on the link's stage: host0.test:7000 and so on.
 */
#ifndef TESTS_REPLAY_LINK_CANDIDATES_STAGE_H
#define TESTS_REPLAY_LINK_CANDIDATES_STAGE_H

#include "fake_conn.h"
#include "fake_loop.h"
#include "link_stage.h"
#include "relay/net/loop.h"
#include "test.h"

#define FROM_X "PSYNC " STAGE_ID " 4712"
#define CONTINUE "+CONTINUE " STAGE_ID "\r\n"
#define NONE "0000000000000000000000000000000000000000"
#define RUN_ID "00ffee0123456789abcdef0123456789abcdef01"

#define PRIMARY_OF(id) "role:master\r\nmaster_replid:" id "\r\nmaster_replid2:" NONE "\r\n"
#define REPLICA                                                                                    \
    "role:slave\r\nmaster_host:elsewhere.test\r\nmaster_port:6399\r\nmaster_replid:" STAGE_ID "\r" \
    "\n"

#define UPSTREAM_ID "aaee0123456789abcdef0123456789abcdef0123"
#define EMPTY "# Keyspace\r\n"
#define WITH_KEYS "# Keyspace\r\ndb0:keys=17,expires=0,avg_ttl=0\r\n"

/* A replica whose link is up, behind somebody else: offset, and what a relay tells besides. */
#define HEALTHY(id, offset, more)                                                                  \
    "role:slave\r\nmaster_host:elsewhere.test\r\nmaster_port:6399\r\nmaster_link_status:up\r\n"    \
    "master_replid:" id "\r\nmaster_replid2:" NONE "\r\nmaster_repl_offset:" offset "\r\n" more
#define CHAIN(ids) "upstream_chain:" ids "\r\nupstream_chain_complete:1\r\n"

static const char *name_of(size_t which)
{
    static char name[16];
    snprintf(name, sizeof(name), "host%zu.test", which);
    return name;
}

/* A link with a history and that many candidates, host0.test:7000 and so on. */
static inline void start_with(size_t count)
{
    temp_store_fill(&stage.temp, STAGE_ID, STAGE_X);
    stage.options.primary.count = count;
    for (size_t i = 0; i < count; i++) {
        struct primary_address *at = &stage.options.primary.at[i];
        snprintf(at->host, sizeof(at->host), "%s", name_of(i));
        at->port = (uint16_t)(7000 + i);
    }
    stage_start();
}

/* It is this candidate's turn. */
static inline struct conn *await_turn(size_t which)
{
    struct conn *primary = stage_await();
    assert_string_equal(fake_conn_host(primary), name_of(which));
    assert_int_equal(fake_conn_port(primary), 7000 + which);
    return primary;
}

static inline struct conn *bring_up(size_t which)
{
    struct conn *primary = await_turn(which);
    fake_conn_up(primary);
    return primary;
}

/* This candidate says of itself; it is taken up to PSYNC, or passed over. */
static inline struct conn *introduce(size_t which, const char *replication)
{
    struct conn *primary = bring_up(which);
    stage.replication = replication;
    stage_introduce(primary);
    return primary;
}

/* The same, where it must also be known whether it has keys: one of several has a history of its own. */
static inline struct conn *introduce_unrelated(size_t which, const char *replication,
                                               const char *keyspace)
{
    struct conn *primary = introduce(which, replication);
    stage_expect(primary, "INFO keyspace");
    stage_say_bulk(primary, keyspace);
    return primary;
}

static inline void expect_next_at_once(void)
{
    stage_expect_state(LINK_RETRYING);
    assert_int_equal(fake_loop_next_timer_ms(stage.loop), 0);
}

static inline void expect_backoff(unsigned round, int64_t longest)
{
    stage_expect_state(LINK_RETRYING);
    assert_int_equal(stage.lost, round);
    assert_in_range(fake_loop_next_timer_ms(stage.loop), longest / 2, longest);
}

static inline void expect_passed(struct conn *primary, const char *why)
{
    char error[128];
    snprintf(error, sizeof(error), "passed_over: %s", why);
    assert_true(fake_conn_is_closed(primary));
    stage_expect(primary, NULL);
    stage_expect_error(error);
}

static inline void refuse(size_t which)
{
    fake_conn_down(await_turn(which), "Connection refused");
    fake_conn_run_all();
    stage_expect_error("unreachable: Connection refused");
}

static inline void hang_up(struct conn *primary)
{
    fake_conn_end(primary);
    fake_conn_run(primary);
    stage_expect_state(LINK_RETRYING);
}

static inline void settle_on(size_t which)
{
    struct conn *primary = introduce(which, PRIMARY_OF(STAGE_ID));
    stage_ask(primary, FROM_X);
    stage_say(primary, CONTINUE);
    stage_expect_state(LINK_STREAMING);
    assert_string_equal(stage_status().host, name_of(which));
}

enum { GRACE_MS = 180000 };

#define REPLICA_OF_OTHER                                                                           \
    "role:slave\r\nmaster_host:elsewhere.test\r\nmaster_port:6399\r\nmaster_"                      \
    "replid:" STAGE_OTHER_ID "\r\n"

static inline void take_full_sync(struct conn *primary)
{
    stage_ask(primary, FROM_X);
    stage_say(primary, "+FULLRESYNC " STAGE_OTHER_ID " 9000\r\n");
    stage_say_rdb(primary, STAGE_RDB_BODY);
    stage_say(primary, PING_COMMAND);
    stage_expect_held(STAGE_OTHER_ID, 9000, PING_COMMAND);
}

#endif
