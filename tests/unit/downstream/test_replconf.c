/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/replconf.h"

#include "test.h"

struct server_conn {
    struct replica_terms terms;
    struct text reply;
};

/* Words are separated by blanks, and "''" is an empty one. */
static void split(const char *line, struct command *command)
{
    command->argument_count = 0;
    while (*line != '\0') {
        size_t length = strcspn(line, " ");
        struct bytes word = bytes_at(line, length);
        if (bytes_is(word, "''"))
            word = bytes_at(NULL, 0);
        command->argument[command->argument_count++] = word;
        line += length + (line[length] == ' ' ? 1 : 0);
    }
}

static void say(struct server_conn *server_conn, const char *line)
{
    struct command command;
    split(line, &command);
    struct writer writer = {.out = &server_conn->reply, .protocol = 2};
    replconf_apply(&server_conn->terms, &command, &writer);
}

static void expect_reply(struct server_conn *server_conn, const char *line, const char *reply)
{
    text_clear(&server_conn->reply);
    say(server_conn, line);
    assert_string_equal(text_string(&server_conn->reply), reply);
}

static int begin(void **state)
{
    static struct server_conn server_conn;
    server_conn = (struct server_conn){.terms = {.capa_eof = false}};
    text_init(&server_conn.reply, 4096);
    *state = &server_conn;
    return 0;
}

static int end(void **state)
{
    struct server_conn *server_conn = *state;
    text_fini(&server_conn->reply);
    return 0;
}

#define SERVER_CONN_TEST(name) TEST_SETUP(name, begin, end)

SERVER_CONN_TEST(takes_what_replicas_say)
{
    struct server_conn *server_conn = *state;
    expect_reply(server_conn, "REPLCONF listening-port 6380", "+OK\r\n");
    expect_reply(server_conn, "replconf IP-ADDRESS 10.0.0.7", "+OK\r\n");
    expect_reply(server_conn, "REPLCONF capa eof capa psync2", "+OK\r\n");
    expect_reply(server_conn, "REPLCONF version 8.1.0-rc1", "+OK\r\n");
    expect_reply(server_conn, "REPLCONF rdb-only 1", "+OK\r\n");
    assert_int_equal(server_conn->terms.listening_port, 6380);
    assert_string_equal(server_conn->terms.address, "10.0.0.7");
    assert_true(server_conn->terms.capa_eof);
    assert_true(server_conn->terms.capa_psync2);
    assert_false(server_conn->terms.is_relay);
    expect_reply(server_conn, "REPLCONF capa psync-relay", "+OK\r\n");
    assert_true(server_conn->terms.is_relay);
    assert_true(server_conn->terms.rdb_only);
    assert_string_equal(server_conn->terms.version, "8.1.0-rc1");
    expect_reply(server_conn, "REPLCONF rdb-only 0", "+OK\r\n");
    assert_false(server_conn->terms.rdb_only);
}

#define ID "0123456789abcdef0123456789abcdef01234567"

/* Who has not said that it is one is told what it was told before there was such an option. */
SERVER_CONN_TEST(only_a_relay_may_ask_for_the_rest_of_an_rdb)
{
    struct server_conn *server_conn = *state;
    static const char line[] = "REPLCONF rdb-resume " ID ":1000:20000:4096:00ff00ff00ff00ff";
    expect_reply(server_conn, line, "-ERR Unrecognized REPLCONF option: rdb-resume\r\n");
    assert_false(server_conn->terms.has_part);
    expect_reply(server_conn, "REPLCONF capa psync-relay", "+OK\r\n");
    expect_reply(server_conn, line, "+OK\r\n");
    assert_true(server_conn->terms.has_part);
    assert_int_equal(server_conn->terms.part.offset, 1000);
    assert_int_equal(server_conn->terms.part.bytes, 4096);
    expect_reply(server_conn, "REPLCONF rdb-resume " ID ":1000:20000:4096:00ff00ff00ff00f",
                 "-ERR REPLCONF rdb-resume: not <replid>:<offset>:<length>:<bytes>:<crc>\r\n");
    assert_false(server_conn->terms.has_part);
}

SERVER_CONN_TEST(only_a_relay_may_say_which_rdb_is_too_old)
{
    struct server_conn *server_conn = *state;
    expect_reply(server_conn, "REPLCONF rdb-from 4711",
                 "-ERR Unrecognized REPLCONF option: rdb-from\r\n");
    assert_int_equal(server_conn->terms.rdb_from, 0);
    expect_reply(server_conn, "REPLCONF capa psync-relay", "+OK\r\n");
    expect_reply(server_conn, "REPLCONF rdb-from 4711", "+OK\r\n");
    assert_int_equal(server_conn->terms.rdb_from, 4711);
    static const char *const wrong[] = {"-1", "x", "99999999999999999999"};
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        char line[64];
        snprintf(line, sizeof line, "REPLCONF rdb-from %s", wrong[i]);
        expect_reply(server_conn, line, "-ERR value is not an integer or out of range\r\n");
        assert_int_equal(server_conn->terms.rdb_from, 4711);
    }
}

SERVER_CONN_TEST(passes_over_unknown_capabilities)
{
    struct server_conn *server_conn = *state;
    expect_reply(server_conn, "REPLCONF capa dual-channel capa rdb-channel-repl capa lz4",
                 "+OK\r\n");
    assert_false(server_conn->terms.capa_eof);
    assert_false(server_conn->terms.capa_psync2);
    expect_reply(server_conn, "REPLCONF capa EOF capa zstd", "+OK\r\n");
    assert_true(server_conn->terms.capa_eof);
}

SERVER_CONN_TEST(stops_at_the_first_unknown_option)
{
    struct server_conn *server_conn = *state;
    expect_reply(server_conn, "REPLCONF listening-port 7 rdb-no-compress 1 capa eof",
                 "-ERR Unrecognized REPLCONF option: rdb-no-compress\r\n");
    assert_int_equal(server_conn->terms.listening_port, 7); /* what came before stays */
    assert_false(server_conn->terms.capa_eof);              /* what comes after is lost */
}

SERVER_CONN_TEST(wants_pairs)
{
    struct server_conn *server_conn = *state;
    expect_reply(server_conn, "REPLCONF capa", "-ERR syntax error\r\n");
    expect_reply(server_conn, "REPLCONF capa eof capa", "-ERR syntax error\r\n");
    assert_false(server_conn->terms.capa_eof);
    expect_reply(server_conn, "REPLCONF", "+OK\r\n");
}

SERVER_CONN_TEST(filters_nothing_or_everything)
{
    struct server_conn *server_conn = *state;
    expect_reply(server_conn, "REPLCONF rdb-filter-only functions",
                 "-ERR Unsupported rdb-filter-only option: functions; a relay holds the RDB "
                 "whole\r\n");
    assert_false(server_conn->terms.filter_empty);
    expect_reply(server_conn, "REPLCONF rdb-filter-only ''", "+OK\r\n");
    assert_true(server_conn->terms.filter_empty);
}

SERVER_CONN_TEST(refuses_bad_values)
{
    struct server_conn *server_conn = *state;
    static const char *const numbers[] = {
        "REPLCONF listening-port -1", "REPLCONF listening-port 65536", "REPLCONF listening-port x",
        "REPLCONF listening-port ''", "REPLCONF rdb-only 2",           "REPLCONF rdb-only yes",
    };
    for (size_t i = 0; i < LENGTH_OF(numbers); i++)
        expect_reply(server_conn, numbers[i], "-ERR value is not an integer or out of range\r\n");
    expect_reply(server_conn, "REPLCONF version ''", "-ERR Unrecognized version format\r\n");
    expect_reply(server_conn, "REPLCONF version 7,lag=0", "-ERR Unrecognized version format\r\n");
    expect_reply(server_conn, "REPLCONF ip-address 1.2.3.4,port=1",
                 "-ERR REPLCONF ip-address is too long or no address\r\n");
    assert_int_equal(server_conn->terms.listening_port, 0);
    assert_string_equal(server_conn->terms.version, "");
    assert_string_equal(server_conn->terms.address, "");
}

SERVER_CONN_TEST(knows_where_an_address_ends)
{
    struct server_conn *server_conn = *state;
    char line[320] = "REPLCONF ip-address ";
    size_t prefix = strlen(line);
    memset(line + prefix, 'h', 255);
    line[prefix + 255] = '\0';
    expect_reply(server_conn, line, "+OK\r\n");
    assert_int_equal(strlen(server_conn->terms.address), 255);
    line[prefix + 255] = 'h';
    line[prefix + 256] = '\0';
    expect_reply(server_conn, line, "-ERR REPLCONF ip-address is too long or no address\r\n");
    assert_int_equal(strlen(server_conn->terms.address), 255);
}

SERVER_CONN_TEST(answers_no_sign_of_life)
{
    struct server_conn *server_conn = *state;
    expect_reply(server_conn, "REPLCONF ACK 0", "");
    expect_reply(server_conn, "REPLCONF GETACK *", "");
    expect_reply(server_conn, "REPLCONF ACK 10 FACK 10", "");
}

TEST(hears_on_the_link)
{
    static const struct {
        const char *line;
        enum replconf_word word;
        uint64_t offset;
    } rows[] = {
        {"REPLCONF ACK 0", REPLCONF_ACK, 0},
        {"replconf ack 4711", REPLCONF_ACK, 4711},
        {"REPLCONF ACK 4711 FACK 12", REPLCONF_ACK, 4711},
        {"REPLCONF ACK 18446744073709551615", REPLCONF_ACK, UINT64_MAX},
        {"REPLCONF ACK -1", REPLCONF_UNEXPECTED, 0},
        {"REPLCONF ACK x", REPLCONF_UNEXPECTED, 0},
        {"REPLCONF ACK 18446744073709551616", REPLCONF_UNEXPECTED, 0},
        {"REPLCONF ACK", REPLCONF_UNEXPECTED, 0},
        {"REPLCONF GETACK *", REPLCONF_NO_REPLY, 0},
        {"REPLCONF capa eof", REPLCONF_UNEXPECTED, 0},
        {"REPLCONF", REPLCONF_UNEXPECTED, 0},
        {"PSYNC ? -1", REPLCONF_NO_REPLY, 0},
        {"SYNC", REPLCONF_NO_REPLY, 0},
        {"PING", REPLCONF_UNEXPECTED, 0},
        {"QUIT", REPLCONF_UNEXPECTED, 0},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct command command;
        split(rows[i].line, &command);
        uint64_t offset = 0;
        enum replconf_word word = replconf_on_link(&command, &offset);
        if (word != rows[i].word)
            fail_msg("%s: got %d, expected %d", rows[i].line, (int)word, (int)rows[i].word);
        if (word == REPLCONF_ACK)
            assert_int_equal(offset, rows[i].offset);
    }
}

/* docs/protocol.md 7.5 */
SERVER_CONN_TEST(codecs_are_noted)
{
    struct server_conn *server_conn = *state;
    expect_reply(server_conn, "REPLCONF capa eof capa psync2 capa zstd capa lz4", "+OK\r\n");
    assert_true(server_conn->terms.capa_zstd);
    assert_true(server_conn->terms.capa_lz4);
    assert_false(server_conn->terms.takes_frames);
}

SERVER_CONN_TEST(frames_are_agreed_on_where_we_are_set_to_send_them)
{
    struct server_conn *server_conn = *state;
    expect_reply(server_conn, "REPLCONF compression 3",
                 "-ERR Requested level 3 differs from master's level: 0\r\n");
    assert_false(server_conn->terms.takes_frames);
    server_conn->terms.may_take_frames = true;
    expect_reply(server_conn, "REPLCONF compression 0",
                 "-ERR Requested level 0 differs from master's level: 1\r\n");
    expect_reply(server_conn, "REPLCONF compression 23",
                 "-ERR value is not an integer or out of range\r\n");
    assert_false(server_conn->terms.takes_frames);
    expect_reply(server_conn, "REPLCONF compression 22", "+OK\r\n");
    assert_true(server_conn->terms.takes_frames);
}
