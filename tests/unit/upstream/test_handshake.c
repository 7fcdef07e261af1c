/* SPDX-License-Identifier: MIT
 *
 * The handshake as a dialogue of bytes: what we send, to the byte, and what we make of the answers of
 * every kind of server, cut at every place.
 */
#include "dialogue.h"

/* ------------------------------------------------------------------ servers that say yes */

SERVER(redis_28, {PING, "+PONG\r\n"}, {INFO, "$0\r\n\r\n"}, {ROLE, "$0\r\n\r\n"}, {PORT, "+OK\r\n"},
       {CAPA, UNKNOWN_OPTION}, {PSYNC_FROM_4712, "+CONTINUE\r\n"});

HANDSHAKE_TEST(redis_28_knows_few_options_and_continues_without_an_id)
{
    redis_28.terms.has_history = true;
    redis_28.terms.offset = 4711;
    assert_true(replid_parse(bytes_of(ID), &redis_28.terms.replid));
    talk_all_ways(&redis_28);
    assert_int_equal(handshake.reply.verdict, PSYNC_CONTINUE);
    assert_false(handshake.reply.has_replid);
    assert_string_equal(handshake.info.server_version, "");
    assert_string_equal(handshake.info.valkey_version, "");
}

SERVER(redis_40, {PING, "+PONG\r\n"}, {AUTH, "+OK\r\n"},
       {INFO, "$32\r\n# Server\r\nredis_version:4.0.14\r\n\r\n"}, {ROLE, MASTER}, {PORT, "+OK\r\n"},
       {ADDRESS, "+OK\r\n"}, {CAPA, "+OK\r\n"}, {VERSION("5", "7.2.0"), UNKNOWN_OPTION},
       {PSYNC_ALL, "\n\n\r\n+FULLRESYNC " ID " 0\r\n"});

HANDSHAKE_TEST(redis_40_with_a_password_and_an_address_and_keepalives_before_the_reply)
{
    redis_40.terms.password = "secret";
    redis_40.terms.user = "";
    redis_40.terms.announce_version = SERVER_VERSION(7, 2, 0);
    redis_40.terms.announce_ip = "192.0.2.9";
    talk_all_ways(&redis_40);
    assert_int_equal(handshake.reply.verdict, PSYNC_FULLRESYNC);
    assert_string_equal(handshake.reply.replid.hex, ID);
    assert_int_equal(handshake.reply.offset, 0);
    assert_string_equal(handshake.info.server_version, "4.0.14");
}

SERVER(redis_70, {PING, "-NOAUTH Authentication required.\r\n"}, {AUTH_USER, "+OK\r\n"},
       {INFO, INFO_70}, {ROLE, MASTER}, {PORT, "+OK\r\n"}, {CAPA, "+OK\r\n"},
       {VERSION("5", "7.2.0"), UNKNOWN_OPTION}, {PSYNC_FROM_4712, "+CONTINUE " OTHER_ID "\r\n"});

HANDSHAKE_TEST(redis_70_with_a_user_and_a_new_id)
{
    redis_70.terms.user = "relay";
    redis_70.terms.announce_version = SERVER_VERSION(7, 2, 0);
    redis_70.terms.password = "secret";
    redis_70.terms.has_history = true;
    redis_70.terms.offset = 4711;
    assert_true(replid_parse(bytes_of(ID), &redis_70.terms.replid));
    talk_all_ways(&redis_70);
    assert_int_equal(handshake.reply.verdict, PSYNC_CONTINUE);
    assert_true(handshake.reply.has_replid);
    assert_string_equal(handshake.reply.replid.hex, OTHER_ID);
    assert_string_equal(handshake.info.server_version, "7.0.15");
    assert_string_equal(handshake.info.valkey_version, "");
    assert_false(handshake.took_version);
}

SERVER(valkey, {PING, "+PONG\r\n"}, {INFO, INFO_VALKEY}, {ROLE, MASTER}, {PORT, "+OK\r\n"},
       {CAPA, "+OK\r\n"}, {VERSION("5", "8.0.1"), "+OK\r\n"}, {RDB_ONLY, "+OK\r\n"},
       {PSYNC_ALL, "+FULLRESYNC " ID " 4611686018427387904\r\n"});

HANDSHAKE_TEST(valkey_takes_the_version_and_a_refresh_is_rdb_only)
{
    valkey.terms.announce_version = SERVER_VERSION(8, 0, 1);
    valkey.terms.rdb_only = true;
    talk_all_ways(&valkey);
    assert_int_equal(handshake.reply.verdict, PSYNC_FULLRESYNC);
    assert_int_equal(handshake.reply.offset, OFFSET_FIRST_MAX);
    assert_string_equal(handshake.info.server_version, "7.2.4");
    assert_string_equal(handshake.info.valkey_version, "8.0.1");
    assert_true(handshake.took_version);
}

SERVER(restricted, {PING, "-NOPERM this user has no permissions to run the 'ping' command\r\n"},
       {INFO, "-NOPERM this user has no permissions to run the 'info' command\r\n"},
       {ROLE, "-NOPERM this user has no permissions to run the 'info' command\r\n"},
       {PORT, "-ERR unknown\r\n"}, {CAPA, "+OK\r\n"}, {PSYNC_ALL, "+FULLRESYNC " ID " 1\r\n"});

HANDSHAKE_TEST(a_user_who_may_only_psync_is_enough)
{
    talk_all_ways(&restricted);
    assert_int_equal(handshake.reply.verdict, PSYNC_FULLRESYNC);
    assert_int_equal(handshake.denied,
                     PRIMARY_RIGHT_INFO); /* an option that is not known is no right */
}

HANDSHAKE_TEST(a_second_handshake_forgets_the_first)
{
    talk(&valkey, 0, 3);
    talk(&restricted, 0, 3);
    assert_string_equal(handshake.info.server_version, "");
    assert_string_equal(handshake.info.valkey_version, "");
}

#define STATS "*2\r\n$4\r\nINFO\r\n$5\r\nstats\r\n"
#define MEMORY "*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n"
#define LIMIT "*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$26\r\nclient-output-buffer-limit\r\n"
#define LIMIT_IS(length, value)                                                                    \
    "*2\r\n$26\r\nclient-output-buffer-limit\r\n$" length "\r\n" value "\r\n"

SERVER(limits, {PING, "+PONG\r\n"}, {INFO, INFO_70}, {ROLE, MASTER},
       {STATS, "$54\r\n# Stats\r\nclient_output_buffer_limit_disconnections:3\r\n\r\n"},
       {MEMORY, "$28\r\nused_memory_dataset:123456\r\n\r\n"},
       {LIMIT, LIMIT_IS("42", "normal 0 0 0 slave 9 5 60 pubsub 32 8 60  ")}, {PORT, "+OK\r\n"},
       {CAPA, "+OK\r\n"}, {PSYNC_ALL, "+FULLRESYNC " ID " 1\r\n"});

HANDSHAKE_TEST(the_limits_are_asked_for_before_psync)
{
    limits.terms.asks_limits = true;
    talk_all_ways(&limits);
    assert_true(handshake.info.has_disconnections);
    assert_int_equal(handshake.info.disconnections, 3);
    assert_int_equal(handshake.info.dataset_bytes, 123456);
    assert_true(handshake.info.output_limit.is_known);
    assert_int_equal(handshake.info.output_limit.hard, 9);
    assert_int_equal(handshake.info.output_limit.soft, 5);
    assert_int_equal(handshake.info.output_limit.soft_seconds, 60);
}

SERVER(no_limits, {PING, "+PONG\r\n"}, {INFO, INFO_70}, {ROLE, MASTER}, {STATS, "-NOPERM\r\n"},
       {MEMORY, "-NOPERM\r\n"}, {LIMIT, "*0\r\n"}, {PORT, "+OK\r\n"}, {CAPA, "+OK\r\n"},
       {PSYNC_ALL, "+FULLRESYNC " ID " 1\r\n"});

HANDSHAKE_TEST(limits_that_are_not_told_are_no_hindrance)
{
    no_limits.terms.asks_limits = true;
    talk_all_ways(&no_limits);
    assert_false(handshake.info.has_disconnections);
    assert_false(handshake.info.output_limit.is_known);
}

SERVER(many_limits, {PING, "+PONG\r\n"}, {INFO, INFO_70}, {ROLE, MASTER}, {STATS, "-NOPERM\r\n"},
       {MEMORY, "-NOPERM\r\n"}, {LIMIT, "*65\r\n"});

HANDSHAKE_TEST(an_array_without_an_end_is_refused)
{
    many_limits.terms.asks_limits = true;
    many_limits.result = HANDSHAKE_FAILED;
    many_limits.error = "CONFIG GET: the primary answered: *65";
    talk_all_ways(&many_limits);
}

/* ------------------------------------------------------------------ what follows the reply */

static void check_left(const char *reply, const char *behind)
{
    char whole[256];
    int length = snprintf(whole, sizeof(whole), "%s%s", reply, behind);
    talk(&restricted, restricted.count, 0);
    handshake_start(&handshake, &restricted.terms, &out);
    for (size_t i = 0; i + 1 < restricted.count; i++) {
        size_t left;
        text_clear(&out);
        (void)feed_piece(bytes_of(restricted.exchanges[i].answer), &left);
    }
    check_sent(PSYNC_ALL);
    size_t left;
    assert_int_equal(feed_piece(bytes_at(whole, (size_t)length), &left), HANDSHAKE_DONE);
    assert_int_equal(left, strlen(behind));
}

HANDSHAKE_TEST(what_follows_the_reply_is_left_alone)
{
    check_left("+FULLRESYNC " ID " 1\r\n", "\n$100\r\nREDIS0011");
    check_left("\n+FULLRESYNC " ID " 1\n", "$EOF:");
    check_left("+FULLRESYNC " ID " 1\r\n", "");
}

/* ------------------------------------------------------------------ servers that say no */

/* An answer to the first command. */
static void check_ping(const char *answer, const char *error)
{
    const struct exchange exchange = {PING, answer};
    const struct server server = {
        .exchanges = &exchange, .count = 1, .result = HANDSHAKE_FAILED, .error = error};
    talk_all_ways(&server);
}

HANDSHAKE_TEST(errors_to_ping_other_than_a_missing_auth_end_it)
{
    check_ping("-LOADING Redis is loading the dataset in memory\r\n",
               "PING: the primary answered: -LOADING Redis is loading the dataset in memory");
    check_ping("-MASTERDOWN Link with MASTER is down\r\n",
               "PING: the primary answered: -MASTERDOWN Link with MASTER is down");
    check_ping("-DENIED Redis is running in protected mode\r\n",
               "PING: the primary answered: -DENIED Redis is running in protected mode");
    check_ping("-ERR max number of clients reached\r\n",
               "PING: the primary answered: -ERR max number of clients reached");
}

HANDSHAKE_TEST(what_is_no_server_is_found_out)
{
    check_ping("HTTP/1.1 400 Bad Request\r\n",
               "PING: the primary answered: HTTP/1.1 400 Bad Request");
    check_ping("$4\r\nPONG\r\n", "PING: the primary answered: $4");
    check_ping("*1\n", "PING: the primary answered: *1");
    check_ping("$-1\n", "PING: no answer of this protocol: $-1");
    check_ping("$x\n", "PING: no answer of this protocol: $x");
    check_ping("\x01\xff\n", "PING: the primary answered: ??");
}

SERVER(wrong_password, {PING, "+PONG\r\n"},
       {AUTH, "-WRONGPASS invalid username-password pair or user is disabled.\r\n"});

HANDSHAKE_TEST(a_wrong_password_is_fatal)
{
    wrong_password.terms.password = "secret";
    wrong_password.result = HANDSHAKE_FAILED;
    wrong_password.error = "AUTH: the primary answered: -WRONGPASS invalid username-password pair "
                           "or user is disabled.";
    talk_all_ways(&wrong_password);
}

/* An answer to PSYNC, to one who has a history or has none. */
static void check_psync(bool has_history, const char *answer, const char *error)
{
    struct exchange exchanges[] = {
        {PING, "+PONG\r\n"}, {INFO, "-ERR\r\n"},
        {ROLE, "-ERR\r\n"},  {PORT, "+OK\r\n"},
        {CAPA, "+OK\r\n"},   {has_history ? PSYNC_FROM_4712 : PSYNC_ALL, answer}};
    struct server server = {.terms = {.announce_port = 6380},
                            .exchanges = exchanges,
                            .count = LENGTH_OF(exchanges),
                            .result = HANDSHAKE_FAILED,
                            .error = error};
    server.terms.has_history = has_history;
    server.terms.offset = 4711;
    assert_true(replid_parse(bytes_of(ID), &server.terms.replid));
    talk_all_ways(&server);
}

HANDSHAKE_TEST(psync_errors_are_never_answered_with_sync)
{
    check_psync(true, "-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
                "PSYNC: the primary answered: -NOMASTERLINK Can't SYNC while not connected with my "
                "master");
    check_psync(true, "-ERR unknown command 'PSYNC'\r\n",
                "PSYNC: the primary answered: -ERR unknown command 'PSYNC' (a primary that renames "
                "commands needs rename-command)");
    check_psync(false, "-NOAUTH Authentication required.\r\n",
                "PSYNC: the primary answered: -NOAUTH Authentication required.");
    check_psync(false, "\n\n-LOADING\r\n", "PSYNC: the primary answered: -LOADING");
}

HANDSHAKE_TEST(psync_replies_that_make_no_sense)
{
    check_psync(false, "+CONTINUE\r\n", "PSYNC: the primary answered: +CONTINUE");
    check_psync(false, "+FULLRESYNC 12 34\r\n", "PSYNC: the primary answered: +FULLRESYNC 12 34");
    check_psync(true, "+DUALCHANNELSYNC\r\n", "PSYNC: the primary answered: +DUALCHANNELSYNC");
    check_psync(true, "+OK\r\n", "PSYNC: the primary answered: +OK");
    /* A server whose rename-command gives PSYNC another word: with a length, and with an end mark. */
    static const char told[] = "PSYNC: the primary took it for SYNC, as it does where its "
                               "rename-command renames PSYNC, which no replica can do with: $";
    static const char *const begins[] = {"5", "EOF:0123456789012345678901234567890123456789"};
    for (size_t i = 0; i < LENGTH_OF(begins); i++) {
        char answer[64];
        char error[HANDSHAKE_ERROR_MAX];
        snprintf(answer, sizeof(answer), "$%s\r\n", begins[i]);
        snprintf(error, sizeof(error), "%s%s", told, begins[i]);
        check_psync(true, answer, error);
    }
}

HANDSHAKE_TEST(a_line_without_an_end)
{
    char line[HANDSHAKE_LINE_MAX + 1];
    memset(line, 'x', sizeof(line));
    for (size_t piece = 1; piece <= sizeof(line); piece += 100) {
        handshake_start(&handshake, &restricted.terms, &out);
        enum handshake_result result = HANDSHAKE_MORE;
        size_t fed = 0;
        while (result == HANDSHAKE_MORE && fed < sizeof(line)) {
            size_t length = sizeof(line) - fed < piece ? sizeof(line) - fed : piece;
            size_t left;
            result = feed_piece(bytes_at(line + fed, length), &left);
            fed += length;
        }
        assert_int_equal(result, HANDSHAKE_FAILED);
        assert_int_equal(fed, sizeof(line));
        assert_non_null(strstr(handshake.error, "PING: a line without an end: xxx"));
        text_clear(&out);
    }
}

HANDSHAKE_TEST(the_longest_line_that_fits)
{
    char line[HANDSHAKE_LINE_MAX + 1];
    memset(line, '+', sizeof(line));
    line[HANDSHAKE_LINE_MAX] = '\n';
    size_t left;
    handshake_start(&handshake, &restricted.terms, &out);
    text_clear(&out);
    assert_int_equal(feed_piece(bytes_at(line, sizeof(line)), &left), HANDSHAKE_MORE);
    check_sent(INFO);
}

/* ------------------------------------------------------------------ INFO's limits */

static enum handshake_result feed_info(size_t length)
{
    char head[32];
    static char filler[1024 * 1024];
    size_t left;
    memset(filler, 'x', sizeof(filler));
    handshake_start(&handshake, &restricted.terms, &out);
    (void)feed_piece(bytes_of("+PONG\r\n"), &left);
    text_clear(&out);
    snprintf(head, sizeof(head), "$%zu\r\n", length);
    enum handshake_result result = feed_piece(bytes_of(head), &left);
    for (size_t fed = 0; result == HANDSHAKE_MORE && fed < length; fed += sizeof(filler)) {
        size_t rest = length - fed;
        result = feed_piece(bytes_at(filler, rest < sizeof(filler) ? rest : sizeof(filler)), &left);
    }
    if (result == HANDSHAKE_MORE)
        result = feed_piece(bytes_of("\r\n"), &left);
    return result;
}

HANDSHAKE_TEST(an_info_reply_has_a_limit)
{
    assert_int_equal(feed_info((size_t)HANDSHAKE_BULK_MAX), HANDSHAKE_MORE);
    check_sent(ROLE);
    assert_int_equal(feed_info((size_t)HANDSHAKE_BULK_MAX + 1), HANDSHAKE_FAILED);
    assert_string_equal(handshake.error, "INFO server: no answer of this protocol: $67108865");
    assert_int_equal(out.length, 0);
}

HANDSHAKE_TEST(a_version_of_a_bold_length_is_cut)
{
    char body[] = "redis_version:0123456789012345678901234567890123456789\r\n";
    char answer[128];
    size_t left;
    snprintf(answer, sizeof(answer), "$%zu\r\n%s\r\n", strlen(body), body);
    handshake_start(&handshake, &restricted.terms, &out);
    (void)feed_piece(bytes_of("+PONG\r\n"), &left);
    assert_int_equal(feed_piece(bytes_of(answer), &left), HANDSHAKE_MORE);
    assert_string_equal(handshake.info.server_version, "0123456789012345678901234567...");
}

/* ------------------------------------------------------------------ what the server is */

#define LONG_LINE_LENGTH (HANDSHAKE_LINE_MAX * 3)

/* As a primary with two hundred replicas has it: far longer than any buffer, with a line that is longer
 * than all lines that we look for, and what we look for behind it. */
static void write_replication(struct text *answer, const char *second)
{
    struct text body;
    text_init(&body, 1 << 20);
    text_append_string(&body, "# Replication\r\nrole:master\r\nconnected_slaves:200\r\n");
    for (int i = 0; i < 200; i++)
        text_format(&body, "slave%d:ip=192.0.2.%d,port=6379,state=online,offset=%d,lag=1\r\n", i, i,
                    5000 + i);
    text_append_string(&body, "master_host:");
    for (int i = 0; i < LONG_LINE_LENGTH / 8; i++)
        text_append_string(&body, "role:xyz");
    text_append_string(&body, "\r\nmaster_replid:" OTHER_ID "\r\nmaster_replid2:" ID "\r\n");
    text_format(&body, "second_repl_offset:%s\r\n", second);
    text_format(answer, "$%zu\r\n", body.length);
    text_append(answer, text_bytes(&body));
    text_append_string(answer, "\r\n");
    text_fini(&body);
}

static const char *veto_reason;
static unsigned vetoes;
static struct primary_info vetoed;

static const char *veto(const struct primary_info *info, void *arg)
{
    assert_ptr_equal(arg, &veto_reason);
    vetoes++;
    vetoed = *info;
    return veto_reason;
}

/* Up to, and not with, the answer to INFO replication. */
static void talk_until_role(uint64_t offset, uint64_t offset_min)
{
    struct handshake_terms terms = {.announce_port = 6380,
                                    .has_history = true,
                                    .offset = offset,
                                    .offset_min = offset_min,
                                    .veto = veto,
                                    .veto_arg = &veto_reason};
    size_t left;
    assert_true(replid_parse(bytes_of(ID), &terms.replid));
    vetoes = 0;
    text_clear(&out);
    handshake_start(&handshake, &terms, &out);
    check_sent(PING);
    assert_int_equal(feed_piece(bytes_of("+PONG\r\n"), &left), HANDSHAKE_MORE);
    check_sent(INFO);
    assert_int_equal(feed_piece(bytes_of("$49\r\nrun_id:" ID "\r\n\r\n"), &left), HANDSHAKE_MORE);
    check_sent(ROLE);
}

static void expect_psync(const char *id, const char *first_wanted)
{
    char expected[128];
    size_t left;
    check_sent(PORT);
    assert_int_equal(feed_piece(bytes_of("+OK\r\n"), &left), HANDSHAKE_MORE);
    check_sent(CAPA);
    assert_int_equal(feed_piece(bytes_of("+OK\r\n"), &left), HANDSHAKE_MORE);
    snprintf(expected, sizeof(expected), "*3\r\n$5\r\nPSYNC\r\n$40\r\n%s\r\n$%zu\r\n%s\r\n", id,
             strlen(first_wanted), first_wanted);
    check_sent(expected);
}

HANDSHAKE_TEST(a_role_longer_than_any_buffer_cut_at_every_place)
{
    struct text answer;
    text_init(&answer, 1 << 20);
    write_replication(&answer, "4001");
    veto_reason = NULL;
    for (size_t cut = 0; cut < answer.length; cut++) {
        size_t left;
        talk_until_role(4711, 0);
        assert_int_equal(feed_answer(text_bytes(&answer), cut, &left), HANDSHAKE_MORE);
        assert_int_equal(left, 0);
        assert_int_equal(vetoes, 1);
        assert_true(vetoed.is_primary);
        assert_string_equal(vetoed.run_id, ID);
        assert_string_equal(vetoed.replid.hex, OTHER_ID);
        assert_int_equal(vetoed.second_offset, 4000);
        check_sent(PORT);
    }
    text_fini(&answer);
}

HANDSHAKE_TEST(a_role_in_single_bytes)
{
    struct text answer;
    size_t left;
    text_init(&answer, 1 << 20);
    write_replication(&answer, "4001");
    veto_reason = NULL;
    talk_until_role(4711, 0);
    for (size_t i = 0; i < answer.length; i++) {
        assert_int_equal(out.length, 0);
        assert_int_equal(feed_piece(bytes_first(bytes_skip(text_bytes(&answer), i), 1), &left),
                         HANDSHAKE_MORE);
    }
    assert_string_equal(vetoed.primary.host, "");
    expect_psync(ID, "4001");
    text_fini(&answer);
}

/* Asked from: the first byte that is not common, if the window holds it and we have more than that. */
static void check_asked(const char *second, uint64_t offset, uint64_t offset_min,
                        const char *first_wanted)
{
    struct text answer;
    size_t left;
    text_init(&answer, 1 << 20);
    write_replication(&answer, second);
    talk_until_role(offset, offset_min);
    assert_int_equal(feed_piece(text_bytes(&answer), &left), HANDSHAKE_MORE);
    expect_psync(ID, first_wanted);
    text_fini(&answer);
}

HANDSHAKE_TEST(asks_from_where_the_new_primary_stood)
{
    veto_reason = NULL;
    check_asked("4001", 4711, 0, "4001");
    check_asked("4001", 4711, 4000, "4001"); /* the window's very first */
    check_asked("4001", 4711, 4001, "4712"); /* left behind: the server will say no */
    check_asked("4712", 4711, 0, "4712");
    check_asked("4713", 4711, 0, "4712"); /* it has more than we */
    check_asked("4711", 4711, 4710, "4711");
    check_asked("1", 4711, 0, "1"); /* it had nothing */
    check_asked("9223372036854775807", 4711, 0, "4712");
}

HANDSHAKE_TEST(a_veto_ends_it_after_the_role)
{
    size_t left;
    veto_reason = "it looks at us strangely";
    talk_until_role(4711, 0);
    assert_int_equal(feed_piece(bytes_of(MASTER), &left), HANDSHAKE_PASSED);
    assert_int_equal(left, 0);
    assert_string_equal(handshake.error, "it looks at us strangely");
    assert_int_equal(out.length, 0);
    assert_int_equal(vetoes, 1);
}

HANDSHAKE_TEST(a_server_that_tells_no_role_can_be_vetoed_too)
{
    size_t left;
    veto_reason = "it is unknown";
    talk_until_role(4711, 0);
    assert_int_equal(feed_piece(bytes_of("-NOPERM no\r\n"), &left), HANDSHAKE_PASSED);
    assert_false(vetoed.has_role);
    veto_reason = NULL;
    talk_until_role(4711, 0);
    assert_int_equal(feed_piece(bytes_of("-NOPERM no\r\n"), &left), HANDSHAKE_MORE);
    expect_psync(ID, "4712");
}

HANDSHAKE_TEST(a_role_that_is_no_answer)
{
    size_t left;
    veto_reason = NULL;
    talk_until_role(4711, 0);
    assert_int_equal(feed_piece(bytes_of(":1\r\n"), &left), HANDSHAKE_FAILED);
    assert_string_equal(handshake.error, "INFO replication: the primary answered: :1");
    assert_int_equal(vetoes, 0);
    talk_until_role(4711, 0);
    assert_int_equal(feed_piece(bytes_of("$-1\r\n"), &left), HANDSHAKE_FAILED);
}

/* What was said of the server before is not held for true of the next one. */
HANDSHAKE_TEST(a_role_is_forgotten_with_its_server)
{
    struct text answer;
    size_t left;
    text_init(&answer, 1 << 20);
    write_replication(&answer, "4001");
    veto_reason = NULL;
    talk_until_role(4711, 0);
    (void)feed_piece(text_bytes(&answer), &left);
    talk_until_role(4711, 0);
    assert_int_equal(feed_piece(bytes_of("-NOPERM no\r\n"), &left), HANDSHAKE_MORE);
    assert_false(vetoed.has_role);
    expect_psync(ID, "4712");
    text_fini(&answer);
}
