/* SPDX-License-Identifier: MIT
 *
 * Dialogues of a handshake, for its tests: what we are to send, what a server answers, cut at every place.
 */
#ifndef TESTS_UNIT_UPSTREAM_DIALOGUE_H
#define TESTS_UNIT_UPSTREAM_DIALOGUE_H

#include "../../../relay/upstream/handshake.h"

#include "relay/resp/rdb_version.h"
#include "relay/upstream/primary_rights.h"
#include "test.h"

#define ID "8e7f0123456789abcdef0123456789abcdef0123"
#define OTHER_ID "51ab0123456789abcdef0123456789abcdef0123"

#define PING "*1\r\n$4\r\nPING\r\n"
#define AUTH "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"
#define AUTH_USER "*3\r\n$4\r\nAUTH\r\n$5\r\nrelay\r\n$6\r\nsecret\r\n"
#define INFO "*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n"
#define ROLE "*2\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n"
#define PORT "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$4\r\n6380\r\n"
#define ADDRESS "*3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$9\r\n192.0.2.9\r\n"
#define CAPA "*5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n"
#define VERSION(length, version)                                                                   \
    "*3\r\n$8\r\nREPLCONF\r\n$7\r\nversion\r\n$" length "\r\n" version "\r\n"
#define RDB_ONLY "*3\r\n$8\r\nREPLCONF\r\n$8\r\nrdb-only\r\n$1\r\n1\r\n"
#define PSYNC_ALL "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"
#define PSYNC_FROM_4712 "*3\r\n$5\r\nPSYNC\r\n$40\r\n" ID "\r\n$4\r\n4712\r\n"

#define UNKNOWN_OPTION "-ERR Unrecognized REPLCONF option: x\r\n"
#define INFO_70 "$46\r\n# Server\r\nredis_version:7.0.15\r\nos:Linux 6.1\r\n\r\n"
#define MASTER "$13\r\nrole:master\r\n\r\n"
#define INFO_VALKEY "$53\r\n# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n\r\n"

struct exchange {
    const char *sent;
    const char *answer;
};

/* One server: what we are to send to it, and what it answers. */
struct server {
    struct handshake_terms terms;
    const struct exchange *exchanges;
    size_t count;
    enum handshake_result result; /* after the last answer */
    const char *error;            /* what the error begins with */
};

#define SERVER(name, ...)                                                                          \
    static const struct exchange name##_exchanges[] = {__VA_ARGS__};                               \
    static struct server name = {                                                                  \
        .terms = {.announce_port = 6380},                                                          \
        .exchanges = name##_exchanges,                                                             \
        .count = LENGTH_OF(name##_exchanges),                                                      \
        .result = HANDSHAKE_DONE,                                                                  \
    }

static struct handshake handshake;
static struct text out;

static inline int begin(void **state)
{
    (void)state;
    handshake_init(&handshake);
    text_init(&out, 4096);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    handshake_fini(&handshake);
    text_fini(&out);
    return 0;
}

#define HANDSHAKE_TEST(name) TEST_SETUP(name, begin, end)

/* A copy of exactly this size: a read behind it is seen by the sanitizer. */
static inline enum handshake_result feed_piece(struct bytes piece, size_t *left)
{
    uint8_t *copy = malloc(piece.length + 1);
    assert_non_null(copy);
    if (piece.length > 0)
        memcpy(copy, piece.data, piece.length);
    struct bytes input = bytes_at(copy, piece.length);
    enum handshake_result result = handshake_feed(&handshake, &input, &out);
    *left = input.length;
    free(copy);
    return result;
}

static inline void check_sent(const char *expected)
{
    assert_view(text_bytes(&out), expected);
    text_clear(&out);
}

/* Nothing may be sent, nothing decided, and nothing left, before an answer is whole. */
static inline enum handshake_result feed_answer(struct bytes answer, size_t first, size_t *left)
{
    if (first == answer.length)
        return feed_piece(answer, left);
    enum handshake_result result = feed_piece(bytes_first(answer, first), left);
    assert_int_equal(result, HANDSHAKE_MORE);
    assert_int_equal(*left, 0);
    assert_int_equal(out.length, 0);
    return feed_piece(bytes_skip(answer, first), left);
}

/* The whole dialogue; the answer to step `cut_step` comes in two pieces, the others in one. */
static inline void talk(const struct server *server, size_t cut_step, size_t cut)
{
    handshake_start(&handshake, &server->terms, &out);
    for (size_t i = 0; i < server->count; i++) {
        check_sent(server->exchanges[i].sent);
        struct bytes answer = bytes_of(server->exchanges[i].answer);
        size_t left;
        bool is_last = i + 1 == server->count;
        enum handshake_result result =
            feed_answer(answer, i == cut_step ? cut : answer.length, &left);
        assert_int_equal(result, is_last ? server->result : HANDSHAKE_MORE);
        assert_int_equal(left, 0);
    }
    assert_int_equal(out.length, 0);
    if (server->result == HANDSHAKE_FAILED)
        assert_view(bytes_of(handshake.error), server->error);
}

static inline void talk_all_ways(const struct server *server)
{
    for (size_t step = 0; step < server->count; step++) {
        size_t length = strlen(server->exchanges[step].answer);
        for (size_t cut = 0; cut < length; cut++)
            talk(server, step, cut);
    }
    talk(server, server->count, 0);
}

#endif
