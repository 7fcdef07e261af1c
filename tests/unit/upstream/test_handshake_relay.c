/* SPDX-License-Identifier: MIT
 *
 * The handshake with a relay that may have the rest of an RDB, and what of it others hear: nothing.
 */
#include "../../../relay/upstream/handshake.h"

#include "test.h"

#define ID "8e7f0123456789abcdef0123456789abcdef0123"
#define OTHER_ID "51ab0123456789abcdef0123456789abcdef0123"
#define WORD ID ":4711:20000:4096:00ff00ff00ff00ff"

#define SERVER "$32\r\n# Server\r\nredis_version:7.0.15\r\n\r\n"
#define RELAY "$41\r\n# Server\r\npsync_relay_version:1.0.0-dev\r\n\r\n"
#define ROLE "$13\r\nrole:master\r\n\r\n"
#define UNKNOWN "-ERR Unrecognized REPLCONF option: rdb-resume\r\n"

struct dialogue {
    const char *info;   /* of the server */
    const char *option; /* the answer to rdb-resume; NULL: it must not be asked */
    const char *answer; /* to PSYNC */
    bool has_part;
};

/* Of the dialogues of a refresh; 0: it is none. */
static uint64_t rdb_from;
static bool knows_rdb_from;

static struct handshake handshake;
static struct text out;

static const char *answer_to(const struct dialogue *dialogue, const char *sent)
{
    if (strstr(sent, "INFO") != NULL)
        return strstr(sent, "replication") != NULL ? ROLE : dialogue->info;
    if (strstr(sent, "rdb-resume") != NULL) {
        assert_non_null(dialogue->option);
        assert_non_null(strstr(sent, WORD));
        return dialogue->option;
    }
    if (strstr(sent, "rdb-from") != NULL) {
        assert_true(rdb_from > 0 && strcmp(dialogue->info, RELAY) == 0);
        assert_non_null(strstr(sent, "$8\r\nrdb-from\r\n$4\r\n4712\r\n"));
        return knows_rdb_from ? "+OK\r\n" : "-ERR Unrecognized REPLCONF option: rdb-from\r\n";
    }
    if (strstr(sent, "PSYNC") != NULL)
        return dialogue->answer;
    return strstr(sent, "PING") != NULL ? "+PONG\r\n" : "+OK\r\n";
}

/* To its end, in pieces of `step` bytes. */
static enum handshake_result talk(const struct dialogue *dialogue, size_t step)
{
    struct handshake_terms terms = {.announce_port = 6380,
                                    .has_part = dialogue->has_part,
                                    .rdb_only = rdb_from > 0,
                                    .rdb_from = rdb_from};
    assert_true(rdb_part_parse(bytes_of(WORD), &terms.part));
    enum handshake_result result = HANDSHAKE_MORE;
    bool was_asked = false;
    bool was_told = false;
    handshake_start(&handshake, &terms, &out);
    while (result == HANDSHAKE_MORE) {
        struct bytes answer = bytes_of(answer_to(dialogue, text_string(&out)));
        was_told = was_told || strstr(text_string(&out), "rdb-from") != NULL;
        was_asked = was_asked || strstr(text_string(&out), "rdb-resume") != NULL;
        text_clear(&out);
        while (answer.length > 0) {
            size_t count = answer.length < step ? answer.length : step;
            struct bytes piece = bytes_first(answer, count);
            assert_int_equal(result, HANDSHAKE_MORE);
            result = handshake_feed(&handshake, &piece, &out);
            answer = bytes_skip(answer, count);
        }
    }
    assert_int_equal(was_asked, dialogue->option != NULL);
    assert_int_equal(was_told, rdb_from > 0 && strcmp(dialogue->info, RELAY) == 0);
    return result;
}

static int begin(void **state)
{
    (void)state;
    rdb_from = 0;
    handshake_init(&handshake);
    text_init(&out, 4096);
    return 0;
}

static int end(void **state)
{
    (void)state;
    handshake_fini(&handshake);
    text_fini(&out);
    return 0;
}

#define HANDSHAKE_TEST(name) TEST_SETUP(name, begin, end)

static void expect(const struct dialogue *dialogue, enum handshake_result result,
                   uint64_t rdb_begin)
{
    for (size_t step = 1; step < 80; step++) {
        assert_int_equal(talk(dialogue, step), result);
        if (result == HANDSHAKE_DONE)
            assert_int_equal(handshake.reply.rdb_begin, rdb_begin);
    }
}

HANDSHAKE_TEST(a_relay_is_asked_for_the_rest_of_an_rdb)
{
    expect(
        &(struct dialogue){RELAY, "+OK\r\n", "\n\n+FULLRESYNC " ID " 4711 resume 4096\r\n", true},
        HANDSHAKE_DONE, 4096);
    assert_int_equal(handshake.reply.offset, 4711);
}

HANDSHAKE_TEST(a_relay_is_told_which_rdb_is_too_old)
{
    struct dialogue dialogue = {RELAY, NULL, "+FULLRESYNC " ID " 4800\r\n", false};
    rdb_from = 4712;
    knows_rdb_from = true;
    expect(&dialogue, HANDSHAKE_DONE, 0);
    knows_rdb_from = false;
    expect(&dialogue, HANDSHAKE_DONE, 0);
    dialogue.info = SERVER;
    expect(&dialogue, HANDSHAKE_DONE, 0);
}

HANDSHAKE_TEST(a_relay_may_begin_anew_all_the_same)
{
    expect(&(struct dialogue){RELAY, "+OK\r\n", "+FULLRESYNC " OTHER_ID " 99\r\n", true},
           HANDSHAKE_DONE, 0);
    expect(&(struct dialogue){RELAY, UNKNOWN, "+FULLRESYNC " ID " 4711\r\n", true}, HANDSHAKE_DONE,
           0);
}

HANDSHAKE_TEST(who_has_no_part_asks_for_none)
{
    expect(&(struct dialogue){RELAY, NULL, "+FULLRESYNC " ID " 4711\r\n", false}, HANDSHAKE_DONE,
           0);
}

HANDSHAKE_TEST(a_server_is_not_asked_for_the_rest_of_an_rdb)
{
    expect(&(struct dialogue){SERVER, NULL, "+FULLRESYNC " ID " 4711\r\n", true}, HANDSHAKE_DONE,
           0);
}

/* "resume" with other numbers than ours, or from one who was not asked. */
HANDSHAKE_TEST(what_we_do_not_have_cannot_be_gone_on_with)
{
    static const struct dialogue dialogues[] = {
        {RELAY, "+OK\r\n", "+FULLRESYNC " ID " 4711 resume 4095\r\n", true},
        {RELAY, "+OK\r\n", "+FULLRESYNC " ID " 4712 resume 4096\r\n", true},
        {RELAY, "+OK\r\n", "+FULLRESYNC " OTHER_ID " 4711 resume 4096\r\n", true},
        {RELAY, UNKNOWN, "+FULLRESYNC " ID " 4711 resume 4096\r\n", true},
        {RELAY, NULL, "+FULLRESYNC " ID " 4711 resume 4096\r\n", false},
        {SERVER, NULL, "+FULLRESYNC " ID " 4711 resume 4096\r\n", true},
    };
    for (size_t i = 0; i < LENGTH_OF(dialogues); i++) {
        expect(&dialogues[i], HANDSHAKE_FAILED, 0);
        assert_non_null(strstr(handshake.error, "PSYNC: the primary answered: +FULLRESYNC"));
    }
}
