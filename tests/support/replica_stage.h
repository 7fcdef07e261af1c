/* SPDX-License-Identifier: MIT
 *
 * One replica on a fake connection of which the test is the other end, over a fake store and a fake
 * clock: what the replay tests of downstream/replica have in common.
 *
 *     stage_have_whole_snapshot("RDB");
 *     stage_append("stream");
 *     stage_attach(ASK_PSYNC, 0);
 *     stage_expect_sent("+OK\r\n+FULLRESYNC ...");
 *     stage_hear("REPLCONF ACK 106\r\n");
 *     stage_expect_state(REPLICA_STREAMING);
 */
#ifndef TESTS_SUPPORT_REPLICA_STAGE_H
#define TESTS_SUPPORT_REPLICA_STAGE_H

#include "../../relay/downstream/replica.h"

#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "fake_store.h"
#include "test.h"

/* The id and the first offset of the history. */
#define STAGE_ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

enum { STAGE_X = 100, STAGE_TIMEOUT_MS = 60 * 1000 };

struct piece_cache;

struct stage {
    struct loop *loop;
    struct conn *peer;
    struct replica_stats stats;
    struct replica *replica;
    struct replica_terms terms; /* set before it asks */
    struct psync_request request;
    struct history *history;
    struct snapshot *snapshot; /* NULL: none */
    struct replica_codec
        codec; /* set before it is answered, with the pieces that its worker would have */
    struct piece_cache *cache;
    bool gone;
};

extern struct stage stage;

/* For cmocka, and between the rounds of a test. */
int stage_set_up(void **state);
int stage_tear_down(void **state);

#define STAGE_TEST(name) TEST_SETUP(name, stage_set_up, stage_tear_down)

/* ---- the store ---- */

void stage_have_snapshot(const char *rdb); /* arriving, nothing readable */
void stage_have_whole_snapshot(const char *rdb);
void stage_append(const char *bytes);

/* ---- the replica ---- */

enum ask { ASK_PSYNC, ASK_SYNC, ASK_CONTINUE };

/* A connection that has said what `ask` says, with `input` behind it, is owed "+OK", and waits. It
 * takes `room` bytes at first. */
void stage_come(enum ask ask, uint64_t offset, struct bytes input, size_t room);
void stage_wait_for_answer(enum ask ask, uint64_t offset, struct bytes input);

/* What waiting.c does when the store has what is needed; on the same loop here, which turns once. */
void stage_answer(enum ask ask);

/* Both, and everything that fits is sent. */
void stage_attach(enum ask ask, uint64_t offset);

/* ---- what happens ---- */

void stage_wake(void);
void stage_pass_seconds(unsigned seconds);
void stage_hear(const char *bytes);

/* ---- what has become of it ---- */

void stage_expect_sent(const char *expected); /* since the last time */
void stage_expect_state(enum replica_state state);
void stage_expect_gone(enum close_reason reason);

#endif
