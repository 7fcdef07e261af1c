/* SPDX-License-Identifier: MIT */
#include "relay/resp/psync.h"

#include "test.h"

#define ID "0123456789abcdef0123456789abcdef01234567"
#define ID_UPPER "0123456789ABCDEF0123456789ABCDEF01234567"

static const struct {
    const char *line;
    enum psync_verdict verdict;
    bool has_replid;
    uint64_t offset;
} replies[] = {
    {"+FULLRESYNC " ID " 0", PSYNC_FULLRESYNC, true, 0},
    {"+FULLRESYNC " ID_UPPER " 1", PSYNC_FULLRESYNC, true, 1},
    {"+FULLRESYNC " ID " 4611686018427387904", PSYNC_FULLRESYNC, true, OFFSET_FIRST_MAX},
    {"+FULLRESYNC " ID " 4611686018427387905", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 9223372036854775806", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 9223372036854775807", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " -1", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " ", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID "", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1 2", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1 resume 2", PSYNC_FULLRESYNC, true, 1},
    {"+FULLRESYNC " ID " 1 resume 9223372036854775807", PSYNC_FULLRESYNC, true, 1},
    {"+FULLRESYNC " ID " 1 resume 9223372036854775808", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1 resume 0", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1 resume -1", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1 resume ", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1 resume", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1 resume 2 3", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1  resume 2", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1 ", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC " ID " 1\r", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC  " ID " 1", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC x" ID " 1", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC ? 1", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNC", PSYNC_NONSENSE, false, 0},
    {"+FULLRESYNCED " ID " 1", PSYNC_NONSENSE, false, 0},
    {"+fullresync " ID " 1", PSYNC_NONSENSE, false, 0},
    {"+CONTINUE", PSYNC_CONTINUE, false, 0},
    {"+CONTINUE " ID, PSYNC_CONTINUE, true, 0},
    {"+CONTINUE " ID_UPPER, PSYNC_CONTINUE, true, 0},
    {"+CONTINUE ", PSYNC_NONSENSE, false, 0},
    {"+CONTINUE x", PSYNC_NONSENSE, false, 0},
    {"+CONTINUE " ID "8", PSYNC_NONSENSE, false, 0},
    {"+CONTINUED", PSYNC_NONSENSE, false, 0},
    {"-NOMASTERLINK Can't SYNC while not connected with my master", PSYNC_LATER, false, 0},
    {"-ERR Can't SYNC while not connected with my master", PSYNC_LATER, false, 0},
    {"-LOADING Redis is loading the dataset in memory", PSYNC_LATER, false, 0},
    {"-BUSY Redis is busy running a script.", PSYNC_LATER, false, 0},
    {"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
     PSYNC_LATER, false, 0},
    {"-LOADING", PSYNC_LATER, false, 0},
    {"-NOAUTH Authentication required.", PSYNC_DENIED, false, 0},
    {"-NOPERM this user has no permissions to run the 'psync' command", PSYNC_DENIED, false, 0},
    {"-BUSYGROUP Consumer Group name already exists", PSYNC_REFUSED, false, 0},
    {"-ERR unknown command 'PSYNC'", PSYNC_REFUSED, false, 0},
    {"-ERR Filtered replica requires EOF capability", PSYNC_REFUSED, false, 0},
    {"-", PSYNC_REFUSED, false, 0},
    {"", PSYNC_NONSENSE, false, 0},
    {"+", PSYNC_NONSENSE, false, 0},
    {"+OK", PSYNC_NONSENSE, false, 0},
    {"+DUALCHANNELSYNC", PSYNC_DUAL_CHANNEL, false, 0},
    {"+DUALCHANNELSYNC 1", PSYNC_NONSENSE, false, 0},
    {"+DUALCHANNELSYNCED", PSYNC_NONSENSE, false, 0},
    {"+RDBCHANNELSYNC 7", PSYNC_RDB_CHANNEL, false, 0},
    {"+RDBCHANNELSYNC", PSYNC_NONSENSE, false, 0},
    {"+RDBCHANNELSYNC ", PSYNC_NONSENSE, false, 0},
    {"+RDBCHANNELSYNC x", PSYNC_NONSENSE, false, 0},
    {"+RDBCHANNELSYNC -1", PSYNC_NONSENSE, false, 0},
    {"+RDBCHANNELSYNC 7 8", PSYNC_NONSENSE, false, 0},
    {"+RDBCHANNELSYNC 9223372036854775808", PSYNC_NONSENSE, false, 0},
    {":1", PSYNC_NONSENSE, false, 0},
    {"$10", PSYNC_NONSENSE, false, 0},
};

TEST(replies_are_judged)
{
    for (size_t i = 0; i < LENGTH_OF(replies); i++) {
        struct psync_reply reply = psync_reply_parse(bytes_of(replies[i].line));
        if (reply.verdict != replies[i].verdict)
            fail_msg("\"%s\": got verdict %d, expected %d", replies[i].line, (int)reply.verdict,
                     (int)replies[i].verdict);
        assert_int_equal(reply.has_replid, replies[i].has_replid);
        bool is_resumed = strstr(replies[i].line, " resume ") != NULL;
        assert_int_equal(reply.rdb_begin > 0, is_resumed && replies[i].has_replid);
        assert_int_equal(reply.offset, replies[i].offset);
        assert_string_equal(reply.replid.hex, replies[i].has_replid ? ID : replid_none().hex);
    }
}

/* No reply that lost its end is taken for a shorter one with other fields. */
TEST(a_reply_that_lost_its_end_is_not_a_full_resync)
{
    struct bytes whole = bytes_of("+FULLRESYNC " ID " 7");
    for (size_t length = 0; length < whole.length; length++) {
        struct psync_reply reply = psync_reply_parse(bytes_first(whole, length));
        assert_int_equal(reply.verdict, PSYNC_NONSENSE);
        assert_false(reply.has_replid);
    }
}

TEST(a_full_resync_tells_what_of_the_rdb_does_not_come)
{
    assert_int_equal(psync_reply_parse(bytes_of("+FULLRESYNC " ID " 7")).rdb_begin, 0);
    assert_int_equal(psync_reply_parse(bytes_of("+FULLRESYNC " ID " 7 resume 4096")).rdb_begin,
                     4096);
}

static const struct {
    const char *id;
    const char *first_wanted;
    const char *extra; /* NULL: none */
    bool valid;
    bool has_replid;
    bool failover;
    uint64_t offset;
} requests[] = {
    {"?", "-1", NULL, true, false, false, 0},
    {ID, "1", NULL, true, true, false, 0},
    {ID_UPPER, "2", NULL, true, true, false, 1},
    {ID, "9223372036854775807", NULL, true, true, false, INT64_MAX - 1},
    {ID, "0", NULL, true, false, false, 0},
    {ID, "-1", NULL, true, false, false, 0},
    {ID, "-9223372036854775808", NULL, true, false, false, 0},
    {"?", "100", NULL, true, false, false, 0},
    {"x", "100", NULL, true, false, false, 0},
    {"", "100", NULL, true, false, false, 0},
    {ID, "100", "failover", true, true, true, 99},
    {ID, "100", "FAILOVER", true, true, true, 99},
    {ID, "100", "whatever", true, true, false, 99},
    {ID, "9223372036854775808", NULL, false, false, false, 0},
    {ID, "", NULL, false, false, false, 0},
    {ID, "x", NULL, false, false, false, 0},
    {ID, " 1", NULL, false, false, false, 0},
    {ID, "1.0", NULL, false, false, false, 0},
    {"?", "one", "FAILOVER", false, false, false, 0},
};

static const struct {
    const char *line;
    enum psync_verdict verdict;
    uint64_t offset;
    uint64_t client_id;
} endoffs[] = {
    {"$ENDOFF:42 " ID " 0 4", PSYNC_FULLRESYNC, 42, 4},
    {"$ENDOFF:0 " ID " 15 9223372036854775807", PSYNC_FULLRESYNC, 0, INT64_MAX},
    {"$ENDOFF:42 " ID " 0 9223372036854775808", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF:4611686018427387905 " ID " 0 4", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF:-1 " ID " 0 4", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF: " ID " 0 4", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF:42 " ID " 0 ", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF:42 " ID " 0", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF:42 " ID " x 4", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF:42 " ID " 0 4 5", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF:42 ? 0 4", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF:42", PSYNC_NONSENSE, 0, 0},
    {"$ENDOFF:", PSYNC_NONSENSE, 0, 0},
    {"$EOF:42 " ID " 0 4", PSYNC_NONSENSE, 0, 0},
    {"$42", PSYNC_NONSENSE, 0, 0},
    {"-NOPERM this user has no permissions to run the 'sync' command", PSYNC_DENIED, 0, 0},
    {"-LOADING", PSYNC_LATER, 0, 0},
    {"-ERR", PSYNC_REFUSED, 0, 0},
    {"", PSYNC_NONSENSE, 0, 0},
};

TEST(the_end_offset_of_an_rdb_is_read)
{
    for (size_t i = 0; i < LENGTH_OF(endoffs); i++) {
        struct psync_reply reply = psync_endoff_parse(bytes_of(endoffs[i].line));
        if (reply.verdict != endoffs[i].verdict || reply.offset != endoffs[i].offset ||
            reply.client_id != endoffs[i].client_id)
            fail_msg("\"%s\": got verdict %d", endoffs[i].line, (int)reply.verdict);
        if (reply.verdict == PSYNC_FULLRESYNC)
            assert_string_equal(reply.replid.hex, ID);
    }
}

TEST(requests_are_read)
{
    static struct command command;
    for (size_t i = 0; i < LENGTH_OF(requests); i++) {
        const struct psync_request untouched = {.offset = 42, .failover = true};
        struct psync_request request = untouched;
        command.argument[0] = bytes_of("PSYNC");
        command.argument[1] = bytes_of(requests[i].id);
        command.argument[2] = bytes_of(requests[i].first_wanted);
        command.argument_count = requests[i].extra != NULL ? 4 : 3;
        if (requests[i].extra != NULL)
            command.argument[3] = bytes_of(requests[i].extra);

        assert_int_equal(psync_request_parse(&command, &request), requests[i].valid);
        if (!requests[i].valid) {
            assert_int_equal(request.offset, 42);
            continue;
        }
        assert_int_equal(request.has_replid, requests[i].has_replid);
        assert_int_equal(request.failover, requests[i].failover);
        assert_int_equal(request.offset, requests[i].offset);
        assert_string_equal(request.replid.hex, requests[i].has_replid ? ID : replid_none().hex);
    }
}

/* Where the plus one and the minus one meet. */
TEST(what_is_asked_is_what_is_read)
{
    static const uint64_t offsets[] = {0, 1, 2, 41, UINT64_C(1) << 32, INT64_MAX - 1};
    static struct command command;
    struct replid replid;
    assert_true(replid_parse(bytes_of(ID), &replid));
    for (size_t i = 0; i < LENGTH_OF(offsets); i++) {
        char id[REPLID_DIGITS + 1];
        char first_wanted[24];
        psync_request_format(&replid, offsets[i], id, first_wanted);
        command.argument_count = 3;
        command.argument[0] = bytes_of("PSYNC");
        command.argument[1] = bytes_of(id);
        command.argument[2] = bytes_of(first_wanted);
        struct psync_request request;
        assert_true(psync_request_parse(&command, &request));
        assert_true(request.has_replid);
        assert_int_equal(request.offset, offsets[i]);
    }
}

TEST(requests_are_written)
{
    char id[REPLID_DIGITS + 1];
    char first_wanted[24];
    struct replid replid;
    assert_true(replid_parse(bytes_of(ID), &replid));
    psync_request_format(&replid, 99, id, first_wanted);
    assert_string_equal(id, ID);
    assert_string_equal(first_wanted, "100");
    psync_request_format(NULL, 99, id, first_wanted);
    assert_string_equal(id, "?");
    assert_string_equal(first_wanted, "-1");
}

TEST(replies_are_written)
{
    struct text out;
    struct replid replid;
    assert_true(replid_parse(bytes_of(ID), &replid));
    text_init(&out, 1000);
    psync_format_fullresync(&out, &replid, 12345678901, 0);
    psync_format_fullresync(&out, &replid, 12345678901, 4096);
    psync_format_continue(&out, &replid, true);
    psync_format_continue(&out, &replid, false);
    assert_string_equal(text_string(&out), "+FULLRESYNC " ID " 12345678901\r\n"
                                           "+FULLRESYNC " ID " 12345678901 resume 4096\r\n"
                                           "+CONTINUE " ID "\r\n"
                                           "+CONTINUE\r\n");
    text_fini(&out);
}
