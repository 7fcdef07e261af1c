/* SPDX-License-Identifier: MIT
 *
 * All offsets from 0 to 4 for everybody, under every rule.
 */
#include "../../../relay/upstream/ack_tracker.h"

#include "test.h"

enum { OFFSETS = 5 };

static const struct ack_rule rules[] = {
    {ACK_RECEIVED, 0}, {ACK_DURABLE, 0}, {ACK_REPLICAS, 1}, {ACK_REPLICAS, 2}, {ACK_ALL, 0},
};

typedef void world_fn(struct ack_tracker *ack_tracker, const struct ack_view *view);

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
            struct ack_tracker ack_tracker = {
                .rule = rules[rule],
                .acknowledged = cell / OFFSETS / OFFSETS / OFFSETS % OFFSETS,
            };
            if (ack_tracker.acknowledged > view.boundary)
                continue;
            fn(&ack_tracker, &view);
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

static void check_offset(struct ack_tracker *ack_tracker, const struct ack_view *view)
{
    uint64_t offset = ack_tracker_offset(ack_tracker, view);
    uint64_t limit = promised(&ack_tracker->rule, view);
    assert_true(offset >= ack_tracker->acknowledged);
    assert_true(offset <= view->boundary);
    /* More than was acknowledged only if the rule promises it; and all that it promises. */
    assert_true(offset == ack_tracker->acknowledged || offset <= limit);
    assert_true(offset >= (limit < view->boundary ? limit : view->boundary));
}

TEST(neither_more_nor_less_than_the_rule_and_never_back)
{
    each_world(check_offset);
}

static void check_owing(struct ack_tracker *ack_tracker, const struct ack_view *view)
{
    assert_false(ack_tracker_owes(ack_tracker));
    ack_tracker_ask(ack_tracker, view->boundary);
    assert_int_equal(ack_tracker_owes(ack_tracker), ack_tracker->acknowledged < view->boundary);
    ack_tracker->acknowledged = ack_tracker_offset(ack_tracker, view);
    assert_int_equal(ack_tracker_owes(ack_tracker), ack_tracker->acknowledged < view->boundary);
    ack_tracker->acknowledged = view->boundary;
    assert_false(ack_tracker_owes(ack_tracker));
}

TEST(owes_until_all_that_was_asked_is_acknowledged)
{
    each_world(check_owing);
}

static void check_beginning(struct ack_tracker *ack_tracker, const struct ack_view *view)
{
    struct ack_rule rule = ack_tracker->rule;
    ack_tracker_ask(ack_tracker, view->boundary);
    ack_tracker_begin(ack_tracker);
    assert_false(ack_tracker_owes(ack_tracker));
    assert_int_equal(ack_tracker->rule.policy, rule.policy);
    assert_int_equal(ack_tracker->rule.replicas, rule.replicas);
    uint64_t limit = promised(&rule, view);
    assert_int_equal(ack_tracker_offset(ack_tracker, view),
                     limit < view->boundary ? limit : view->boundary);
}

TEST(a_new_link_begins_at_nothing)
{
    each_world(check_beginning);
}
