/* SPDX-License-Identifier: MIT
 *
 * The link to the primary on a stage: a real store in a directory of its own, a fake loop, clock and
 * connections, turns and seconds as relay.c makes them. The test is the primary.
 *
 *     LINK_TEST(continues)
 *     {
 *         stage_start();
 *         struct conn *primary = stage_greet("PSYNC ? -1");
 *         stage_say(primary, "+FULLRESYNC " STAGE_ID " 4711\r\n");
 *         stage_say_rdb(primary, 100);
 *         stage_expect_state(LINK_STREAMING);
 *         stage_second();
 *         stage_expect(primary, "REPLCONF ACK 4711");
 *     }
 */
#ifndef TESTS_SUPPORT_LINK_STAGE_H
#define TESTS_SUPPORT_LINK_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/net/conn.h"
#include "relay/upstream/link.h"
#include "temp_store.h"
#include "test.h"

#define STAGE_ID "8e7f0123456789abcdef0123456789abcdef0123"
#define STAGE_OTHER_ID "51ab0123456789abcdef0123456789abcdef0123"
#define STAGE_MARK "0123456789abcdefghij0123456789ABCDEFGHIJ"

#define SET_K "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"
#define PING_COMMAND "*1\r\n$4\r\nPING\r\n"
#define MULTI_COMMAND "*1\r\n$5\r\nMULTI\r\n"
#define EXEC_COMMAND "*1\r\n$4\r\nEXEC\r\n"
#define GETACK_COMMAND "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"

enum { STAGE_REPLICAS_MAX = 8 };

enum { STAGE_TIMEOUT_MS = 60000, STAGE_X = 4711, STAGE_RDB_BODY = 100 };

struct stage {
    struct temp_store temp;
    struct loop *loop;
    struct link *link; /* NULL before stage_start, and after the test closed it */
    struct link_options options;
    unsigned news[4];   /* told so far, by kind */
    unsigned lost;      /* told so far */
    size_t connections; /* that stage_connect has seen */
    const char *server; /* what the primary answers to INFO server, and to INFO replication */
    const char *replication;
    const char
        *stats; /* and to INFO stats; and to CONFIG GET client-output-buffer-limit, on the wire */
    const char *limits;
    bool is_offered_channel; /* the primary is told that the link can sync over two connections */
    size_t replica_count;    /* ours, and what they have acknowledged, the best first */
    uint64_t replicas[STAGE_REPLICAS_MAX];
    const char *own_replica; /* one of ours listens there; "": none does */
    uint16_t own_replica_port;
    size_t snapshot_replica_count; /* replicas of ours that may be asked for a snapshot */
    struct snapshot_replica snapshot_replica[4];
    const struct primary_address *told_when_lost; /* followed from within on_lost; NULL: nobody */
};

extern struct stage stage;

/* For cmocka. The link is not open yet: options may be changed. */
int stage_open(void **state);
int stage_close(void **state);

#define LINK_TEST(name) TEST_SETUP(name, stage_open, stage_close)

/* Opens the link; it connects in the turn after. */
void stage_start(void);

/* The next connection that the link, or a refresh, asks for; waits (in fake time) until it does. */
struct conn *stage_await(void);
bool stage_has_new(void);

/* The same, and it comes up. */
struct conn *stage_connect(void);

/* The same, and answers everything up to PSYNC, which is to be this. */
struct conn *stage_greet(const char *psync);

/* The two halves of that, on a connection that is up: until it has said what it is; then until PSYNC. */
void stage_introduce(struct conn *primary);
void stage_ask(struct conn *primary, const char *psync);

/* Everything from stage_start to a stream that begins at STAGE_X; nothing has been sent since. */
struct conn *stage_stream(void);

/* What the primary sends, in one arrival. */
void stage_say(struct conn *primary, const char *string);
void stage_say_bytes(struct conn *primary, struct bytes bytes);

/* A bulk string. */
void stage_say_bulk(struct conn *primary, const char *content);

/* "$<length>" and an RDB; the same with an end mark. */
void stage_say_rdb(struct conn *primary, size_t body_length);
void stage_say_marked_rdb(struct conn *primary, size_t body_length);

/* The command, words with blanks between them, is what was sent next; NULL: nothing was. */
void stage_expect(struct conn *primary, const char *words);

/* A second goes by, with its tick. */
void stage_second(void);
void stage_seconds(unsigned count);

void stage_expect_state(enum link_state expected);
struct link_status stage_status(void);
void stage_expect_error(const char *beginning);

/* The current history is this, and holds exactly these bytes from `first` on. */
void stage_expect_held(const char *replid, uint64_t first, const char *bytes);
uint64_t stage_boundary(void);

#endif
