/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "relay/config/value.h"
#include "relay/upstream/ack.h"
#include "relay/upstream/sentinel.h"

union place {
    const char *string;
    struct primary_candidates candidates;
    struct sentinel_options sentinel;
    struct ack_rule ack;
    uint32_t version;
    uint16_t port;
    unsigned count;
    uint64_t size;
    int64_t duration;
    int seconds;
};

/* One text that a kind is given, and how it is printed after; NULL: it is refused. */
struct row {
    const char *text;
    const char *ini;
    const char *plain; /* NULL: the same as ini */
};

static void assert_printed(const struct value_kind *kind, const union place *place,
                           enum value_style style, const char *expected)
{
    struct text out;
    text_init(&out, 4096);
    kind->print(kind, place, style, &out);
    assert_string_equal(text_string(&out), expected);
    text_fini(&out);
}

static void check_row(const struct value_kind *kind, const struct row *row)
{
    union place place;
    memset(&place, 0, sizeof(place));
    union place before = place;
    bool taken = kind->parse(kind, row->text, &place);
    if (taken != (row->ini != NULL))
        fail_msg("\"%s\" was %s, expected the contrary", row->text, taken ? "taken" : "refused");
    if (taken) {
        assert_printed(kind, &place, VALUE_INI, row->ini);
        assert_printed(kind, &place, VALUE_PLAIN, row->plain != NULL ? row->plain : row->ini);
    } else {
        assert_memory_equal(&place, &before, sizeof(place));
    }
    if (kind->fini != NULL)
        kind->fini(&place);
}

#define CHECK_ROWS(kind, rows)                                                                     \
    for (size_t i = 0; i < LENGTH_OF(rows); i++)                                                   \
    check_row(&(kind), &(rows)[i])

TEST(strings)
{
    static const struct value_kind any = {VALUE_STRING, .expected = "text"};
    static const struct row rows[] = {
        {"", "", NULL},
        {"a", "a", NULL},
        {"two words", "two words", NULL},
        {"a;b#c", "a;b#c", NULL},
        {"caf\xc3\xa9", "caf\xc3\xa9", NULL},
        {"a\nb", NULL, NULL},
        {"a\x7f", NULL, NULL},
    };
    CHECK_ROWS(any, rows);

    static const struct value_kind some = {VALUE_STRING, .least = 1, .expected = "some text"};
    static const struct row some_rows[] = {{"", NULL, NULL}, {"a", "a", NULL}};
    CHECK_ROWS(some, some_rows);

    static const struct value_kind word = {VALUE_WORD, .expected = "a word"};
    static const struct row word_rows[] = {
        {"", "", NULL}, {"::1", "::1", NULL}, {"a b", NULL, NULL}, {"a\tb", NULL, NULL}};
    CHECK_ROWS(word, word_rows);
}

TEST(a_string_replaces_the_one_before)
{
    static const struct value_kind any = {VALUE_STRING, .expected = "text"};
    const char *place = NULL;
    assert_true(any.parse(&any, "first", &place));
    assert_true(any.parse(&any, "second", &place));
    assert_false(any.parse(&any, "thi\nrd", &place));
    assert_string_equal(place, "second");
    any.fini(&place);
    assert_null(place);
}

TEST(secrets_are_not_shown)
{
    static const struct value_kind secret = {VALUE_SECRET, .expected = "text"};
    static const struct row rows[] = {{"", "", ""}, {"geheim", "***", ""}};
    CHECK_ROWS(secret, rows);
}

TEST(binds)
{
    static const struct value_kind bind = {VALUE_BIND, .expected = "addresses"};
    static const struct row rows[] = {
        {"127.0.0.1 -::1", "127.0.0.1 -::1", NULL},
        {"*", "*", NULL},
        {"* -::*", "* -::*", NULL},
        {"10.0.0.1\t2001:db8::1", "10.0.0.1\t2001:db8::1", NULL},
        {"", NULL, NULL},
        {"-", NULL, NULL},
        {" ", NULL, NULL},
        {"localhost", NULL, NULL},
        {"127.0.0.1:6379", NULL, NULL},
        {"127.0.0.1,127.0.0.2", NULL, NULL},
        {"127.0.0.1 --::1", NULL, NULL},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", NULL, NULL},
    };
    CHECK_ROWS(bind, rows);
}

TEST(candidates)
{
    static const struct value_kind candidates = {VALUE_CANDIDATES, .expected = "host port"};
    static const struct row rows[] = {
        {"10.0.0.1 6379", "10.0.0.1 6379", NULL},
        {"redis.example.com \t 1", "redis.example.com 1", NULL},
        {"::1 65535", "::1 65535", NULL},
        {"[::1] 6379", "::1 6379", NULL},
        {"fe80::1%eth0 6379", "fe80::1%eth0 6379", NULL},
        {"127.1 6379", "127.1 6379", NULL},
        {"redis_1.example.com. 1", "redis_1.example.com. 1", NULL},
        {"a 1,b 2", "a 1, b 2", NULL},
        {" a 1 , b 2\t,c 3 ", "a 1, b 2, c 3", NULL},
        {"", "", NULL},
        {"  ", "", NULL},
        {"10.0.0.1", NULL, NULL},
        {"10.0.0.1:6379", NULL, NULL},
        {"10.0.0.1:6379 6379", NULL, NULL},
        {"redis.example.com:6379 6379", NULL, NULL},
        {"[10.0.0.1] 6379", NULL, NULL},
        {"[redis] 6379", NULL, NULL},
        {"[] 6379", NULL, NULL},
        {"[::1 6379", NULL, NULL},
        {"::1] 6379", NULL, NULL},
        {":::1 6379", NULL, NULL},
        {"fe80::1% 6379", NULL, NULL},
        {"redis://10.0.0.1 6379", NULL, NULL},
        {"300.1.2.3 6379", NULL, NULL},
        {"1.2.3.4.5 6379", NULL, NULL},
        {"6379 6379", NULL, NULL},
        {".a 1", NULL, NULL},
        {"a..b 1", NULL, NULL},
        {"-a 1", NULL, NULL},
        {"a@b 1", NULL, NULL},
        {"10.0.0.1 ", NULL, NULL},
        {"10.0.0.1 0", NULL, NULL},
        {"10.0.0.1 65536", NULL, NULL},
        {"10.0.0.1 6379 1", NULL, NULL},
        {"10.0.0.1 -1", NULL, NULL},
        {"10.0.0.1 99999999999999999999999", NULL, NULL},
        {"a 1,", NULL, NULL},
        {",a 1", NULL, NULL},
        {"a 1,,b 2", NULL, NULL},
        {"a 1 b 2", NULL, NULL},
        {"a\x01 1", NULL, NULL},
        {"a\n1", NULL, NULL},
    };
    CHECK_ROWS(candidates, rows);

    char longest[400];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + 255, " 6379", 6);
    check_row(&candidates, &(struct row){longest, longest, NULL});
    memcpy(longest + 255, "a 6379", 7);
    check_row(&candidates, &(struct row){longest, NULL, NULL});

    char many[400] = "h 1";
    for (size_t i = 1; i < PRIMARY_CANDIDATES_MAX; i++)
        strncat(many, ", h 1", sizeof(many) - strlen(many) - 1);
    check_row(&candidates, &(struct row){many, many, NULL});
    strncat(many, ", h 1", sizeof(many) - strlen(many) - 1);
    check_row(&candidates, &(struct row){many, NULL, NULL});
}

TEST(hosts)
{
    static const struct value_kind host = {VALUE_HOST, .expected = "host"};
    static const struct row rows[] = {
        {"", "", NULL},
        {"relay.example.com", "relay.example.com", NULL},
        {"[2001:db8::1]", "2001:db8::1", NULL},
        {"10.0.0.5:6380", NULL, NULL},
        {"a b", NULL, NULL},
    };
    CHECK_ROWS(host, rows);
}

TEST(sentinels)
{
    static const struct value_kind sentinel = {VALUE_SENTINEL, .expected = "sentinels"};
    static const struct row rows[] = {
        {"mymaster 10.0.0.1:26379", "mymaster 10.0.0.1:26379", NULL},
        {" m\ts1:1  [::1]:2 s3.example:65535 ", "m s1:1 [::1]:2 s3.example:65535", NULL},
        {"", "", NULL},
        {" ", "", NULL},
        {"mymaster", NULL, NULL},
        {"10.0.0.1:26379", NULL, NULL},
        {"m s1", NULL, NULL},
        {"m s1:", NULL, NULL},
        {"m :1", NULL, NULL},
        {"m []:1", NULL, NULL},
        {"m [s1]:1", NULL, NULL},
        {"m ::1:26379", NULL, NULL},
        {"m [::1:26379", NULL, NULL},
        {"m ::1]:26379", NULL, NULL},
        {"m [::1]26379", NULL, NULL},
        {"m [::1]", NULL, NULL},
        {"m s1:0", NULL, NULL},
        {"m s1:65536", NULL, NULL},
        {"m s1:x", NULL, NULL},
        {"m s1:1,s2:2", NULL, NULL},
        {"m s1:1 s2", NULL, NULL},
        {"m [10.0.0.1]:1", NULL, NULL},
        {"m 10.0.0.300:1", NULL, NULL},
        {"m s1:1:2", NULL, NULL},
        {"m\x01 s1:1", NULL, NULL},
    };
    CHECK_ROWS(sentinel, rows);

    char name[SENTINEL_NAME_MAX + 20];
    memset(name, 'n', sizeof(name));
    memcpy(name + SENTINEL_NAME_MAX - 1, " s:1", 5);
    check_row(&sentinel, &(struct row){name, name, NULL});
    memcpy(name + SENTINEL_NAME_MAX - 1, "n s:1", 6);
    check_row(&sentinel, &(struct row){name, NULL, NULL});
}

/* The user and the password beside it are settings of their own. */
TEST(sentinels_leave_the_rest_alone)
{
    static const struct value_kind sentinel = {VALUE_SENTINEL, .expected = "sentinels"};
    struct sentinel_options options = {.user = "u", .password = "p"};
    assert_true(sentinel.parse(&sentinel, "a-long-name s1:1 s2:2", &options));
    assert_true(sentinel.parse(&sentinel, "m s3:3", &options));
    assert_string_equal(options.name, "m");
    assert_int_equal(options.sentinels.count, 1);
    assert_string_equal(options.sentinels.at[0].host, "s3");
    assert_int_equal(options.sentinels.at[0].port, 3);
    assert_string_equal(options.user, "u");
    assert_string_equal(options.password, "p");
}

TEST(versions)
{
    static const struct value_kind version = {VALUE_VERSION, .expected = "a version"};
    static const struct row rows[] = {{"auto", "auto", NULL},         {"8.1.0", "8.1.0", NULL},
                                      {"9.10.255", "9.10.255", NULL}, {"8.1", NULL, NULL},
                                      {"8.1.0-rc1", NULL, NULL},      {"08.1.0", NULL, NULL},
                                      {"0.0.0", NULL, NULL},          {"", NULL, NULL},
                                      {"latest", NULL, NULL},         {"8.1.256", NULL, NULL}};
    CHECK_ROWS(version, rows);
}

TEST(acks)
{
    static const struct value_kind ack = {VALUE_ACK, .expected = "a rule"};
    static const struct row rows[] = {
        {"received", "received", NULL}, {"durable", "durable", NULL},
        {"all", "all", NULL},           {"replicas  2", "replicas 2", NULL},
        {"replicas", NULL, NULL},       {"", NULL, NULL},
        {"some", NULL, NULL},
    };
    CHECK_ROWS(ack, rows);
}

TEST(numbers)
{
    static const struct value_kind port = {VALUE_PORT, .least = 1, .most = 65535,
                                           .expected = "a port"};
    static const struct row ports[] = {
        {"1", "1", NULL},     {"65535", "65535", NULL}, {"0", NULL, NULL},   {"65536", NULL, NULL},
        {"", NULL, NULL},     {"+1", NULL, NULL},       {"-1", NULL, NULL},  {"1 ", NULL, NULL},
        {"0x10", NULL, NULL}, {"1.5", NULL, NULL},      {"1kb", NULL, NULL}, {"007", "7", NULL},
    };
    CHECK_ROWS(port, ports);

    static const struct value_kind count = {VALUE_COUNT, .least = 1, .most = 64,
                                            .expected = "a number"};
    static const struct row counts[] = {
        {"1", "1", NULL}, {"64", "64", NULL}, {"0", NULL, NULL}, {"65", NULL, NULL}};
    CHECK_ROWS(count, counts);
}

TEST(rates)
{
    static const struct value_kind rate = {VALUE_RATE, .least = 1024, .most = 1 << 30,
                                           .expected = "bytes a second"};
    static const struct row rows[] = {
        {"0", "0", "0"},
        {"1kb", "1kb", "1024"},
        {"10mb", "10mb", "10485760"},
        {"1gb", "1gb", "1073741824"},
        {"1023", NULL, NULL},
        {"2gb", NULL, NULL},
        {"-1", NULL, NULL},
        {"", NULL, NULL},
    };
    CHECK_ROWS(rate, rows);
}

TEST(periods)
{
    static const struct value_kind period = {VALUE_PERIOD, .least = 10 * 1000, .most = 100 * 1000,
                                             .expected = "a time"};
    static const struct row rows[] = {
        {"0", "0", "0"},   {"10", "10", "10"},  {"60", "60", "60"},
        {"9", NULL, NULL}, {"101", NULL, NULL}, {"", NULL, NULL},
    };
    CHECK_ROWS(period, rows);
}

TEST(sizes)
{
    static const struct value_kind size = {VALUE_SIZE, .least = 0, .most = INT64_MAX,
                                           .expected = "a size"};
    static const struct row rows[] = {
        {"0", "0", NULL},
        {"1", "1", NULL},
        {"5b", "5", NULL},
        {"1k", "1000", NULL},
        {"1kb", "1kb", "1024"},
        {"1m", "1000000", NULL},
        {"64mb", "64mb", "67108864"},
        {"1024mb", "1gb", "1073741824"},
        {"1g", "1000000000", NULL},
        {"1GB", "1gb", "1073741824"},
        {"3000gb", "3000gb", "3221225472000"},
        {"1536kb", "1536kb", "1572864"},
        {"", NULL, NULL},
        {"mb", NULL, NULL},
        {"-1", NULL, NULL},
        {"1 mb", NULL, NULL},
        {"1.5gb", NULL, NULL},
        {"1tb", NULL, NULL},
        {"9223372036854775807", "9223372036854775807", NULL},
        {"9223372036854775808", NULL, NULL},
        {"18446744073709551616", NULL, NULL},
        {"17179869184gb", NULL, NULL}, /* 2^64 */
        {"17179869185gb", NULL, NULL}, /* 2^64 + 1gb: it must not come round */
    };
    CHECK_ROWS(size, rows);
}

TEST(durations)
{
    static const struct value_kind duration = {VALUE_DURATION, .least = 0,
                                               .most = 24 * 60 * 60 * 1000, .expected = "a time"};
    static const struct row rows[] = {
        {"0", "0", NULL},      {"60", "60", NULL},
        {"90s", "90", NULL},   {"500ms", "500ms", "0.500"},
        {"2000ms", "2", NULL}, {"5m", "300", NULL},
        {"1h", "3600", NULL},  {"1d", "86400", NULL},
        {"86401", NULL, NULL}, {"", NULL, NULL},
        {"s", NULL, NULL},     {"-1", NULL, NULL},
        {"1w", NULL, NULL},    {"1 s", NULL, NULL},
    };
    CHECK_ROWS(duration, rows);

    static const struct value_kind grace = {VALUE_GRACE, .least = 0, .most = 60 * 1000,
                                            .expected = "a time, or no"};
    static const struct row grace_rows[] = {
        {"no", "no", NULL}, {"0", "0", NULL},    {"1m", "60", NULL},
        {"61", NULL, NULL}, {"yes", NULL, NULL}, {"-1", NULL, NULL},
    };
    CHECK_ROWS(grace, grace_rows);

    static const struct value_kind seconds = {VALUE_SECONDS, .least = 0, .most = 60 * 1000,
                                              .expected = "seconds"};
    static const struct row second_rows[] = {
        {"0", "0", NULL},      {"60", "60", NULL},    {"1m", "60", NULL},
        {"2000ms", "2", NULL}, {"500ms", NULL, NULL}, {"61", NULL, NULL},
    };
    CHECK_ROWS(seconds, second_rows);
}

TEST(names)
{
    static const char *const list[] = {"no", "everysec", "always", NULL};
    static const struct value_kind name = {VALUE_NAME, .names = list, .expected = "a name"};
    static const struct row rows[] = {
        {"no", "no", NULL},         {"everysec", "everysec", NULL},
        {"always", "always", NULL}, {"Always", "always", NULL},
        {"", NULL, NULL},           {"alway", NULL, NULL},
        {"yes", NULL, NULL},
    };
    CHECK_ROWS(name, rows);
}
