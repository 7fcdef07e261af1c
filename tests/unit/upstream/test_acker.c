/* SPDX-License-Identifier: MIT
 *
 * All offsets from 0 to 4 for everybody, under every rule.
 */
#include "../../../relay/upstream/acker.h"

#include "test.h"

enum { OFFSETS = 5 };

static const struct ack_rule rules[] = {
    {ACK_RECEIVED, 0}, {ACK_DURABLE, 0}, {ACK_REPLICAS, 1}, {ACK_REPLICAS, 2}, {ACK_ALL, 0},
};

typedef void world_fn(struct acker *acker, const struct ack_view *view);

/* Every rule, every view, every offset that was acknowledged before on this link (which is never more
 * than the boundary). */
static void each_world(world_fn *fn)
{
    unsigned worlds = 0;
    for (size_t rule = 0; rule < LENGTH_OF(rules); rule++) {
        for (unsigned cell = 0; cell < OFFSETS * OFFSETS * OFFSETS * OFFSETS * 2; cell++) {
            struct ack_view view = {
                .boundary = cell % OFFSETS,
                .durable = cell / OFFSETS % OFFSETS,
                .replicas = cell / OFFSETS / OFFSETS % OFFSETS,
                .has_replicas = cell / OFFSETS / OFFSETS / OFFSETS / OFFSETS != 0,
            };
            struct acker acker = {
                .rule = rules[rule],
                .acknowledged = cell / OFFSETS / OFFSETS / OFFSETS % OFFSETS,
            };
            if (acker.acknowledged > view.boundary)
                continue;
            fn(&acker, &view);
            worlds++;
        }
    }
    assert_int_equal(worlds, LENGTH_OF(rules) * 2 * OFFSETS * OFFSETS * (1 + 2 + 3 + 4 + 5));
}

static uint64_t promised(const struct ack_rule *rule, const struct ack_view *view)
{
    uint64_t has[] = {
        [ACK_RECEIVED] = view->boundary,
        [ACK_DURABLE] = view->durable,
        [ACK_REPLICAS] = view->has_replicas ? view->replicas : 0,
        [ACK_ALL] = view->has_replicas ? view->replicas : 0,
    };
    return has[rule->policy];
}

static void check_offset(struct acker *acker, const struct ack_view *view)
{
    uint64_t offset = acker_offset(acker, view);
    uint64_t limit = promised(&acker->rule, view);
    assert_true(offset >= acker->acknowledged);
    assert_true(offset <= view->boundary);
    /* More than was acknowledged only if the rule promises it; and all that it promises. */
    assert_true(offset == acker->acknowledged || offset <= limit);
    assert_true(offset >= (limit < view->boundary ? limit : view->boundary));
}

TEST(neither_more_nor_less_than_the_rule_and_never_back)
{
    each_world(check_offset);
}

static void check_owing(struct acker *acker, const struct ack_view *view)
{
    assert_false(acker_owes(acker));
    acker_ask(acker, view->boundary);
    assert_int_equal(acker_owes(acker), acker->acknowledged < view->boundary);
    acker->acknowledged = acker_offset(acker, view);
    assert_int_equal(acker_owes(acker), acker->acknowledged < view->boundary);
    acker->acknowledged = view->boundary;
    assert_false(acker_owes(acker));
}

TEST(owes_until_all_that_was_asked_is_acknowledged)
{
    each_world(check_owing);
}

static void check_beginning(struct acker *acker, const struct ack_view *view)
{
    struct ack_rule rule = acker->rule;
    acker_ask(acker, view->boundary);
    acker_begin(acker);
    assert_false(acker_owes(acker));
    assert_int_equal(acker->rule.policy, rule.policy);
    assert_int_equal(acker->rule.replicas, rule.replicas);
    uint64_t limit = promised(&rule, view);
    assert_int_equal(acker_offset(acker, view), limit < view->boundary ? limit : view->boundary);
}

TEST(a_new_link_begins_at_nothing)
{
    each_world(check_beginning);
}
