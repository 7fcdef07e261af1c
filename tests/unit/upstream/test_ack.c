/* SPDX-License-Identifier: MIT */
#include "relay/upstream/ack.h"

#include "test.h"

/* What a text means, and how it is written back; NULL: it is refused. */
static const struct row {
    const char *text;
    const char *printed;
    struct ack_rule rule;
} rows[] = {
    {"received", "received", {ACK_RECEIVED, 0}},
    {"durable", "durable", {ACK_DURABLE, 0}},
    {"all", "all", {ACK_ALL, 0}},
    {"replicas 1", "replicas 1", {ACK_REPLICAS, 1}},
    {"replicas 1000", "replicas 1000", {ACK_REPLICAS, 1000}},
    {"Replicas \t 007", "replicas 7", {ACK_REPLICAS, 7}},
    {"ALL", "all", {ACK_ALL, 0}},
    {"", NULL, {0}},
    {" received", NULL, {0}},
    {"receive", NULL, {0}},
    {"receivedx", NULL, {0}},
    {"received 1", NULL, {0}},
    {"all 2", NULL, {0}},
    {"durable x", NULL, {0}},
    {"replicas", NULL, {0}},
    {"replicas ", NULL, {0}},
    {"replicas 0", NULL, {0}},
    {"replicas 1001", NULL, {0}},
    {"replicas -1", NULL, {0}},
    {"replicas +1", NULL, {0}},
    {"replicas 1 ", NULL, {0}},
    {"replicas 1 2", NULL, {0}},
    {"replicas two", NULL, {0}},
    {"replicas2", NULL, {0}},
    {"replicas 18446744073709551617", NULL, {0}},
    {"2", NULL, {0}},
    {"replicas,2", NULL, {0}},
};

static void check_row(const struct row *row)
{
    struct ack_rule rule = {ACK_DURABLE, 99};
    bool taken = ack_rule_parse(bytes_of(row->text), &rule);
    if (taken != (row->printed != NULL))
        fail_msg("\"%s\" was %s, expected the contrary", row->text, taken ? "taken" : "refused");
    if (!taken) {
        assert_int_equal(rule.policy, ACK_DURABLE);
        assert_int_equal(rule.replicas, 99);
        return;
    }
    assert_int_equal(rule.policy, row->rule.policy);
    assert_int_equal(rule.replicas, row->rule.replicas);
    struct text out;
    text_init(&out, 100);
    ack_rule_format(rule, &out);
    assert_string_equal(text_string(&out), row->printed);
    text_fini(&out);
}

TEST(reads_and_writes_rules)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        check_row(&rows[i]);
}

TEST(every_number_of_replicas_comes_back)
{
    for (unsigned number = 0; number <= ACK_REPLICAS_MAX + 100; number++) {
        char text[40];
        struct ack_rule rule;
        snprintf(text, sizeof(text), "replicas %u", number);
        bool expected = number >= 1 && number <= ACK_REPLICAS_MAX;
        assert_int_equal(ack_rule_parse(bytes_of(text), &rule), expected);
        if (!expected)
            continue;
        struct text out;
        text_init(&out, 100);
        ack_rule_format(rule, &out);
        assert_string_equal(text_string(&out), text);
        text_fini(&out);
    }
}

/* A view of which nothing but its length bytes may be looked at, cut at every place. */
TEST(looks_at_nothing_behind_the_view)
{
    static const char text[] = "replicas 12";
    for (size_t length = 0; length < sizeof(text); length++) {
        char *exact = malloc(length == 0 ? 1 : length);
        assert_non_null(exact);
        memcpy(exact, text, length);
        struct ack_rule rule;
        assert_int_equal(ack_rule_parse(bytes_at(exact, length), &rule), length >= 10);
        free(exact);
    }
}

TEST(which_replica_a_rule_asks)
{
    unsigned rank;
    assert_false(ack_rule_asks_replicas((struct ack_rule){ACK_RECEIVED, 0}, &rank));
    assert_false(ack_rule_asks_replicas((struct ack_rule){ACK_DURABLE, 0}, &rank));
    assert_true(ack_rule_asks_replicas((struct ack_rule){ACK_REPLICAS, 3}, &rank));
    assert_int_equal(rank, 3);
    assert_true(ack_rule_asks_replicas((struct ack_rule){ACK_ALL, 0}, &rank));
    assert_int_equal(rank, 0);
}
