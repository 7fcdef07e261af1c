/* SPDX-License-Identifier: MIT
 *
 * The second connection of the link on its stage, on which a snapshot is fetched.
 */
#ifndef TESTS_REPLAY_LINK_REFRESH_STAGE_H
#define TESTS_REPLAY_LINK_REFRESH_STAGE_H

#include "fake_conn.h"
#include "link_stage.h"
#include "test.h"

enum { SETS = 400, SETS_LENGTH = SETS * (sizeof(SET_K) - 1) };

/* More than a segment of the stream. */
static inline void say_sets(struct conn *primary)
{
    static char sets[SETS_LENGTH];
    for (size_t i = 0; i < SETS; i++)
        memcpy(sets + i * strlen(SET_K), SET_K, strlen(SET_K));
    stage_say_bytes(primary, bytes_at(sets, sizeof(sets)));
}

/* Of the handshake of a refresh what comes when the server has said what it is. */
static inline void ask_for_rdb(struct conn *second)
{
    stage_expect(second, "REPLCONF listening-port 6380");
    stage_say(second, "+OK\r\n");
    stage_expect(second, "REPLCONF capa eof capa psync2");
    stage_say(second, "+OK\r\n");
    stage_expect(second, "REPLCONF version 7.2.0");
    stage_say(second, "-ERR Unrecognized REPLCONF option: version\r\n");
    stage_expect(second, "REPLCONF rdb-only 1");
    stage_say(second, "+OK\r\n");
    stage_expect(second, "PSYNC ? -1");
}

/* The handshake of a refresh, up to its PSYNC. */
static inline struct conn *greet_refresh(void)
{
    struct conn *second = stage_connect();
    assert_string_equal(fake_conn_host(second), "primary.test");
    assert_int_equal(fake_conn_port(second), 6379);
    stage_expect(second, "PING");
    stage_say(second, "+PONG\r\n");
    stage_expect(second, "INFO server");
    stage_say(second, "-NOPERM\r\n");
    stage_expect(second, "INFO replication");
    stage_say(second, "-NOPERM\r\n");
    ask_for_rdb(second);
    return second;
}

static inline void say_fullresync(struct conn *second, const char *replid, uint64_t offset)
{
    char reply[100];
    snprintf(reply, sizeof(reply), "+FULLRESYNC %s %llu\r\n", replid, (unsigned long long)offset);
    stage_say(second, reply);
}

#endif
