/* SPDX-License-Identifier: MIT */
#include "relay/upstream/ack.h"

#include <string.h>

static const struct policy_row {
    const char *name;
    bool has_number;
    bool asks_replicas;
} policies[] = {
    [ACK_RECEIVED] = {"received", false, false},
    [ACK_DURABLE] = {"durable", false, false},
    [ACK_REPLICAS] = {"replicas", true, true},
    [ACK_ALL] = {"all", false, true},
};

/* The word that the view begins with; the blanks behind it are skipped. */
static struct bytes ack_take_word(struct bytes *view)
{
    size_t length = 0;
    while (length < view->length && view->data[length] != ' ' && view->data[length] != '\t')
        length++;
    struct bytes word = bytes_first(*view, length);
    *view = bytes_skip(*view, length);
    while (view->length > 0 && (view->data[0] == ' ' || view->data[0] == '\t'))
        *view = bytes_skip(*view, 1);
    return word;
}

static bool ack_parse_number(struct bytes view, unsigned *out)
{
    uint64_t number;
    if (!bytes_to_u64(view, &number) || number == 0 || number > ACK_REPLICAS_MAX)
        return false;
    *out = (unsigned)number;
    return true;
}

bool ack_rule_parse(struct bytes view, struct ack_rule *out)
{
    struct bytes word = ack_take_word(&view);
    for (unsigned i = 0; i < LENGTH_OF(policies); i++) {
        if (!bytes_is(word, policies[i].name))
            continue;
        struct ack_rule rule = {.policy = (enum ack_policy)i};
        bool good =
            policies[i].has_number ? ack_parse_number(view, &rule.replicas) : view.length == 0;
        if (good)
            *out = rule;
        return good;
    }
    return false;
}

void ack_rule_format(struct ack_rule rule, struct text *out)
{
    CHECK((size_t)rule.policy < LENGTH_OF(policies));
    text_append_string(out, policies[rule.policy].name);
    if (policies[rule.policy].has_number)
        text_format(out, " %u", rule.replicas);
}

bool ack_rule_asks_replicas(struct ack_rule rule, unsigned *rank)
{
    CHECK((size_t)rule.policy < LENGTH_OF(policies));
    *rank = rule.replicas;
    return policies[rule.policy].asks_replicas;
}
