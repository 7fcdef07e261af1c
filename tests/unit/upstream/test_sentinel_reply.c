/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/sentinel_reply.h"

#include "relay/base/check.h"
#include "test.h"

static const char *const names[] = {"address", "other", "nonsense"};

/* What was seen, as text: "address host port", "other", or "nonsense: why". */
static const char *tell(enum sentinel_reply sentinel_reply, const struct primary_address *address,
                        const struct text *why)
{
    static char told[600];
    if (sentinel_reply == SENTINEL_REPLY_ADDRESS)
        snprintf(told, sizeof(told), "address %s %u", address->host, (unsigned)address->port);
    else if (sentinel_reply == SENTINEL_REPLY_NONSENSE)
        snprintf(told, sizeof(told), "nonsense: %s", text_string(why));
    else
        snprintf(told, sizeof(told), "%s", names[sentinel_reply]);
    return told;
}

static void assert_answer(const char *wire, const char *expected)
{
    struct reply reply;
    struct primary_address address;
    struct text why;
    text_init(&why, 500);
    assert_int_equal(reply_read(bytes_of(wire), &reply), REPLY_WHOLE);
    enum sentinel_reply sentinel_reply = sentinel_reply_of_answer(&reply, &address, &why);
    assert_string_equal(tell(sentinel_reply, &address, &why), expected);
    text_fini(&why);
}

TEST(answers)
{
    static const struct {
        const char *wire;
        const char *expected;
    } rows[] = {
        {"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n", "address 127.0.0.1 6379"},
        {"*2\r\n$3\r\n::1\r\n$5\r\n65535\r\n", "address ::1 65535"},
        {"*2\r\n$7\r\nredis-1\r\n$1\r\n1\r\n", "address redis-1 1"},
        {"*-1\r\n", "nonsense: it does not know the name"},
        {"$-1\r\n", "nonsense: it does not know the name"},
        {"-ERR unknown\r\n", "nonsense: it answered: ERR unknown"},
        {"-IDONTKNOW I have not enough information\r\n",
         "nonsense: it answered: IDONTKNOW I have not enough information"},
        {"+OK\r\n", "nonsense: it answered something else than a host and a port"},
        {":6379\r\n", "nonsense: it answered something else than a host and a port"},
        {"*0\r\n", "nonsense: it answered something else than a host and a port"},
        {"*1\r\n$9\r\n127.0.0.1\r\n",
         "nonsense: it answered something else than a host and a port"},
        {"*2\r\n$9\r\n127.0.0.1\r\n:6379\r\n",
         "nonsense: it answered something else than a host and a port"},
        {"*2\r\n$-1\r\n$4\r\n6379\r\n",
         "nonsense: it answered something else than a host and a port"},
        {"*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n1\r\n",
         "nonsense: it answered something else than a host and a port"},
        {"*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
         "nonsense: it answered something else than a host and a port"},
        {"*2\r\n$0\r\n\r\n$4\r\n6379\r\n",
         "nonsense: it names an address that cannot be: '' names no host"},
        {"*2\r\n$3\r\na b\r\n$4\r\n6379\r\n",
         "nonsense: it names an address that cannot be: 'a b' is no host name and no address"},
        {"*2\r\n$3\r\na\nb\r\n$4\r\n6379\r\n",
         "nonsense: it names an address that cannot be: 'a?b' is no host name and no address"},
        {"*2\r\n$1\r\n\x7f\r\n$4\r\n6379\r\n",
         "nonsense: it names an address that cannot be: '?' is no host name and no address"},
        {"*2\r\n$14\r\n127.0.0.1:6379\r\n$4\r\n6379\r\n",
         "nonsense: it names an address that cannot be: '127.0.0.1:6379' is no address of IPv6 (a "
         "port goes behind a blank: HOST PORT)"},
        {"*2\r\n$1\r\na\r\n$1\r\n0\r\n",
         "nonsense: it names an address that cannot be: '0' is no port from 1 to 65535"},
        {"*2\r\n$1\r\na\r\n$5\r\n65536\r\n",
         "nonsense: it names an address that cannot be: '65536' is no port from 1 to 65535"},
        {"*2\r\n$1\r\na\r\n$2\r\n-1\r\n",
         "nonsense: it names an address that cannot be: '-1' is no port from 1 to 65535"},
        {"*2\r\n$1\r\na\r\n$0\r\n\r\n",
         "nonsense: it names an address that cannot be: '' is no port from 1 to 65535"},
        {"*2\r\n$1\r\na\r\n$3\r\n6 7\r\n",
         "nonsense: it names an address that cannot be: '6 7' is no port from 1 to 65535"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        assert_answer(rows[i].wire, rows[i].expected);
}

TEST(the_longest_host)
{
    char wire[600];
    char expected[600];
    char host[PRIMARY_HOST_MAX + 1];
    memset(host, 'h', sizeof(host));
    host[PRIMARY_HOST_MAX - 1] = '\0';
    snprintf(wire, sizeof(wire), "*2\r\n$%d\r\n%s\r\n$1\r\n7\r\n", PRIMARY_HOST_MAX - 1, host);
    snprintf(expected, sizeof(expected), "address %s 7", host);
    assert_answer(wire, expected);
    snprintf(wire, sizeof(wire), "*2\r\n$%d\r\n%sh\r\n$1\r\n7\r\n", PRIMARY_HOST_MAX, host);
    struct reply reply;
    struct primary_address address;
    struct text why;
    text_init(&why, 500);
    assert_int_equal(reply_read(bytes_of(wire), &reply), REPLY_WHOLE);
    assert_int_equal(sentinel_reply_of_answer(&reply, &address, &why), SENTINEL_REPLY_NONSENSE);
    assert_true(bytes_starts(text_bytes(&why), "it names an address that cannot be: 'hhh"));
    text_fini(&why);
}

TEST(switches)
{
    static const struct {
        const char *message;
        const char *expected;
    } rows[] = {
        {"mymaster 10.0.0.1 6379 10.0.0.2 6380", "address 10.0.0.2 6380"},
        {"mymaster ? x ::1 6380", "address ::1 6380"}, /* what was is nothing to us */
        {"other 10.0.0.1 6379 10.0.0.2 6380", "other"},
        {"mymaster2 10.0.0.1 6379 10.0.0.2 6380", "other"},
        {"mymaste 10.0.0.1 6379 10.0.0.2 6380", "other"},
        {"MYMASTER 10.0.0.1 6379 10.0.0.2 6380", "other"},
        {"", "other"},
        {" mymaster", "other"},
        {"other a b c d e f g", "other"},
        {"mymaster", "nonsense: it sent a +switch-master with too few words: mymaster"},
        {"mymaster a 1 b", "nonsense: it sent a +switch-master with too few words: mymaster a 1 b"},
        {"mymaster a 1 b 2 ",
         "nonsense: it sent a +switch-master with too many words: mymaster a 1 b 2 "},
        {"mymaster a 1 b 2 c",
         "nonsense: it sent a +switch-master with too many words: mymaster a 1 b 2 c"},
        {"mymaster a 1  2", "nonsense: it names an address that cannot be: '' names no host"},
        {"mymaster a 1 b ",
         "nonsense: it names an address that cannot be: '' is no port from 1 to 65535"},
        {"mymaster a 1 b 70000",
         "nonsense: it names an address that cannot be: '70000' is no port from 1 to 65535"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct primary_address address;
        struct text why;
        text_init(&why, 500);
        enum sentinel_reply sentinel_reply =
            sentinel_reply_of_switch(bytes_of(rows[i].message), "mymaster", &address, &why);
        assert_string_equal(tell(sentinel_reply, &address, &why), rows[i].expected);
        text_fini(&why);
    }
}

/* Which of the three each is, as letters. */
TEST(what_is_said_while_listening)
{
    static const struct {
        const char *wire;
        const char *is;
    } rows[] = {
        {"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n", "m"},
        {"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n", ""},
        {"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n", ""},
        {"*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n", ""},
        {"*2\r\n$7\r\nmessage\r\n*1\r\n$1\r\nc\r\n", ""},
        {"*4\r\n$8\r\npmessage\r\n$1\r\nc\r\n$1\r\nc\r\n$1\r\nx\r\n", ""},
        {"*2\r\n$4\r\npong\r\n$0\r\n\r\n", "p"},
        {"*2\r\n$4\r\npong\r\n$1\r\nx\r\n", ""},
        {"*2\r\n$4\r\nPONG\r\n$0\r\n\r\n", ""},
        {"+PONG\r\n", ""},
        {"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", "s"},
        {"*3\r\n$9\r\nsubscribe\r\n$1\r\nd\r\n:1\r\n", ""},
        {"*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:1\r\n", ""},
        {"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n$1\r\n1\r\n", ""},
        {"-ERR\r\n", ""},
        {"*0\r\n", ""},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct reply reply;
        assert_int_equal(reply_read(bytes_of(rows[i].wire), &reply), REPLY_WHOLE);
        char is[4];
        snprintf(is, sizeof(is), "%s%s%s", sentinel_reply_is_message(&reply) ? "m" : "",
                 sentinel_reply_is_pong(&reply) ? "p" : "",
                 sentinel_reply_is_subscription(&reply, "subscribe", "c") ? "s" : "");
        assert_string_equal(is, rows[i].is);
    }
}
