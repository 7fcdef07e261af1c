/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/candidates.h"

#include "test.h"

enum { NOW_MS = 1000000, GRACE_MS = 180000 };

static struct candidates candidates;
static struct candidates_rule rule;
static int64_t now_ms;
static uint32_t hanging;

static void begin_with(size_t count)
{
    struct primary_candidates list = {.count = count};
    for (size_t i = 0; i < count; i++) {
        snprintf(list.at[i].host, sizeof(list.at[i].host), "host%zu", i);
        list.at[i].port = (uint16_t)(7000 + i);
    }
    candidates_init(&candidates, &list, PRIMARY_PREFER_PRIMARY);
    rule = (struct candidates_rule){.grace_ms = GRACE_MS, .is_list = count > 1};
    now_ms = NOW_MS;
    hanging = 0;
}

static enum candidates_turn pass(enum candidate_answer answer)
{
    candidates_current_row(&candidates)->answer = answer;
    return candidates_pass(&candidates, &rule, hanging, now_ms);
}

static void expect_turn(size_t which)
{
    const struct primary_address *current = candidates_current(&candidates);
    char host[16];
    snprintf(host, sizeof(host), "host%zu", which);
    assert_non_null(current);
    assert_string_equal(current->host, host);
    assert_int_equal(current->port, 7000 + which);
}

TEST(nobody)
{
    begin_with(0);
    assert_null(candidates_current(&candidates));
    assert_false(candidates_have_choice(&candidates));
}

TEST(a_single_one_is_a_round)
{
    begin_with(1);
    assert_false(candidates_have_choice(&candidates));
    for (int i = 0; i < 3; i++) {
        expect_turn(0);
        assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_BACKOFF);
    }
}

/* For every number of candidates and every one that was good last: a round begins with it, comes to each
 * once, and ends there. */
TEST(rounds_begin_with_the_one_that_was_good)
{
    for (size_t count = 2; count <= PRIMARY_CANDIDATES_MAX; count++) {
        for (size_t good = 0; good < count; good++) {
            begin_with(count);
            assert_true(candidates_have_choice(&candidates));
            for (size_t i = 0; i < good; i++)
                assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_NEXT);
            candidates_settle(&candidates);
            for (size_t turn = 0; turn < count * 2; turn++) {
                expect_turn((good + turn) % count);
                bool is_round = turn % count == count - 1;
                assert_int_equal(pass(CANDIDATE_SILENT),
                                 is_round ? CANDIDATES_BACKOFF : CANDIDATES_NEXT);
            }
            expect_turn(good);
        }
    }
}

/* ------------------------------------------------------------------ who is chosen */

enum { COUNT = 3, ANSWERS = CANDIDATE_FOREIGN + 1 };

static size_t first_with(const enum candidate_answer *answers, enum candidate_answer wanted)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (answers[i] == wanted)
            return i;
    }
    return SIZE_MAX;
}

static bool has(const enum candidate_answer *answers, enum candidate_answer wanted)
{
    return first_with(answers, wanted) != SIZE_MAX;
}

/* In words: our own history through a replica; else another one when it is time. */
static size_t expected_choice(const enum candidate_answer *answers, bool is_time)
{
    bool silence = has(answers, CANDIDATE_SILENT) || has(answers, CANDIDATE_KEEPER);
    if (has(answers, CANDIDATE_REPLICA))
        return first_with(answers, CANDIDATE_REPLICA);
    if (!has(answers, CANDIDATE_UNRELATED) || (silence && !is_time))
        return SIZE_MAX;
    return first_with(answers, CANDIDATE_UNRELATED);
}

static void expect_choice_of(const enum candidate_answer *answers, size_t expected)
{
    for (size_t i = 0; i + 1 < COUNT; i++)
        assert_int_equal(pass(answers[i]), CANDIDATES_NEXT);
    enum candidates_turn turn = pass(answers[COUNT - 1]);
    assert_int_equal(turn, expected == SIZE_MAX ? CANDIDATES_BACKOFF : CANDIDATES_CHOSEN);
    if (expected == SIZE_MAX)
        return;
    expect_turn(expected);
    assert_int_equal(candidates.chosen_for, answers[expected]);
}

/* Whatever three candidates answer, in the first round and in one after the grace. */
TEST(after_a_round_the_rule_chooses)
{
    for (unsigned all = 0; all < ANSWERS * ANSWERS * ANSWERS; all++) {
        const enum candidate_answer answers[COUNT] = {all % ANSWERS, all / ANSWERS % ANSWERS,
                                                      all / ANSWERS / ANSWERS};
        bool other = has(answers, CANDIDATE_UNRELATED) || has(answers, CANDIDATE_FOREIGN);
        begin_with(COUNT);
        expect_choice_of(answers, expected_choice(answers, false));
        bool waits = other && !has(answers, CANDIDATE_REPLICA);
        assert_int_equal(candidates.waits_since_ms, waits ? NOW_MS : 0);
        if (candidates.is_chosen)
            continue;
        now_ms += GRACE_MS - 1;
        expect_choice_of(answers, SIZE_MAX);
        now_ms++;
        expect_choice_of(answers, expected_choice(answers, true));

        begin_with(COUNT);
        rule.grace_ms = -1;
        now_ms += GRACE_MS * 1000;
        expect_choice_of(answers, has(answers, CANDIDATE_REPLICA)
                                      ? first_with(answers, CANDIDATE_REPLICA)
                                      : SIZE_MAX);
    }
}

TEST(nothing_is_taken_while_it_is_held)
{
    static const enum candidate_answer answers[COUNT] = {CANDIDATE_UNRELATED, CANDIDATE_UNRELATED,
                                                         CANDIDATE_USELESS};
    begin_with(COUNT);
    rule.waits_for_sentinels = true;
    expect_choice_of(answers, SIZE_MAX);
    now_ms += GRACE_MS * 2;
    expect_choice_of(answers, SIZE_MAX);
    candidates_accept(&candidates, 1);
    expect_choice_of(answers, 1);
}

TEST(one_that_a_sentinel_told_of_waits_for_the_grace)
{
    begin_with(1);
    assert_int_equal(pass(CANDIDATE_UNRELATED), CANDIDATES_BACKOFF);
    now_ms += GRACE_MS;
    assert_int_equal(pass(CANDIDATE_UNRELATED), CANDIDATES_CHOSEN);
    assert_int_equal(pass(CANDIDATE_UNRELATED),
                     CANDIDATES_BACKOFF); /* and no turn without a rest */
}

TEST(a_foreign_one_is_taken_when_it_is_accepted_and_never_else)
{
    static const enum candidate_answer answers[COUNT] = {CANDIDATE_USELESS, CANDIDATE_FOREIGN,
                                                         CANDIDATE_USELESS};
    begin_with(COUNT);
    expect_choice_of(answers, SIZE_MAX);
    now_ms += GRACE_MS * 100;
    expect_choice_of(answers, SIZE_MAX);
    candidates_accept(&candidates, 1);
    expect_choice_of(answers, 1);
    candidates_settle(&candidates);
    assert_false(candidates.at[1].is_accepted);
}

/* With failover-grace = 0: as many rounds as there were, foreign or not. */
TEST(without_a_grace_a_few_rounds_are_waited)
{
    static const enum candidate_answer answers[COUNT] = {CANDIDATE_SILENT, CANDIDATE_USELESS,
                                                         CANDIDATE_FOREIGN};
    begin_with(COUNT);
    rule.grace_ms = 0;
    for (int round = 1; round < CANDIDATES_ROUNDS_MAX; round++)
        expect_choice_of(answers, SIZE_MAX);
    expect_choice_of(answers, 2);
}

/* ------------------------------------------------------------------ some hang */

TEST(those_that_hang_are_not_waited_for_where_there_is_nobody_to_choose)
{
    static const enum candidate_answer nobody[] = {CANDIDATE_SILENT, CANDIDATE_USELESS,
                                                   CANDIDATE_KEEPER};
    for (size_t i = 0; i < LENGTH_OF(nobody); i++) {
        begin_with(COUNT);
        hanging = 1u << 0 | 1u << 1;
        candidates_turn_to(&candidates, 2);
        assert_int_equal(pass(nobody[i]), CANDIDATES_BACKOFF);
        expect_turn(0);
        assert_int_equal(candidates_next(&candidates, 1u << 0, now_ms), 1);
    }
}

TEST(those_that_hang_are_waited_for_before_another_is_chosen)
{
    static const enum candidate_answer somebody[] = {CANDIDATE_REPLICA, CANDIDATE_UNRELATED,
                                                     CANDIDATE_FOREIGN};
    for (size_t i = 0; i < LENGTH_OF(somebody); i++) {
        begin_with(COUNT);
        hanging = 1u << 0 | 1u << 1;
        candidates_turn_to(&candidates, 2);
        assert_int_equal(pass(somebody[i]), CANDIDATES_NEXT);
        expect_turn(0);
        assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_NEXT);
        expect_turn(1);
        bool is_replica = somebody[i] == CANDIDATE_REPLICA;
        assert_int_equal(pass(CANDIDATE_SILENT),
                         is_replica ? CANDIDATES_CHOSEN : CANDIDATES_BACKOFF);
        expect_turn(is_replica ? 2 : 0);
    }
}

TEST(one_that_is_overtaken_is_asked_in_the_same_round)
{
    begin_with(COUNT);
    candidates_turn_to(&candidates, 1);
    assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_NEXT);
    expect_turn(0);
    assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_NEXT);
    expect_turn(2);
    assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_BACKOFF);
    expect_turn(0);
}

/* ------------------------------------------------------------------ the first of the list is preferred */

enum { YIELD_MS = 3000 };

static void begin_with_preferred(size_t count)
{
    begin_with(count);
    candidates_prefer(&candidates, PRIMARY_PREFER_FIRST);
    rule.yield_ms = YIELD_MS;
}

static enum candidates_turn pass_coming(bool is_awaited)
{
    candidates_begin_turn(&candidates);
    candidates_current_row(&candidates)->may_come = true;
    candidates_current_row(&candidates)->is_awaited = is_awaited;
    return pass(CANDIDATE_KEEPER);
}

TEST(rounds_begin_with_the_first_where_it_is_preferred)
{
    for (size_t good = 0; good < COUNT; good++) {
        begin_with_preferred(COUNT);
        for (size_t i = 0; i < good; i++)
            assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_NEXT);
        candidates_settle(&candidates);
        expect_turn(good); /* it is followed */
        candidates_begin_round(&candidates);
        for (size_t turn = 0; turn < COUNT; turn++) {
            expect_turn(turn);
            assert_int_equal(pass(CANDIDATE_SILENT),
                             turn == COUNT - 1 ? CANDIDATES_BACKOFF : CANDIDATES_NEXT);
        }
    }
}

TEST(a_relay_that_may_come_is_waited_for_once)
{
    begin_with_preferred(2);
    assert_int_equal(pass_coming(false), CANDIDATES_BACKOFF);
    now_ms += YIELD_MS - 1;
    expect_turn(0);
    assert_int_equal(pass_coming(false), CANDIDATES_BACKOFF);
    now_ms += 1;
    for (int round = 0; round < 2; round++) {
        expect_turn(0);
        assert_int_equal(pass_coming(false), CANDIDATES_NEXT);
        expect_turn(1);
        assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_BACKOFF);
    }
    candidates_settle(&candidates);
    assert_int_equal(pass_coming(false), CANDIDATES_BACKOFF); /* it is another loss of the link */
}

/* However long its full sync takes, and no longer. */
TEST(a_relay_with_the_full_sync_that_is_needed_is_waited_for)
{
    begin_with_preferred(2);
    for (int i = 0; i < 5; i++, now_ms += YIELD_MS) {
        expect_turn(0);
        assert_int_equal(pass_coming(true), CANDIDATES_BACKOFF);
    }
    assert_int_equal(pass_coming(false), CANDIDATES_NEXT);
    expect_turn(1);
}

TEST(nobody_is_waited_for_where_the_first_is_not_preferred)
{
    static const enum primary_preference others[] = {PRIMARY_PREFER_PRIMARY,
                                                     PRIMARY_PREFER_NEAREST};
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        begin_with_preferred(2);
        candidates_prefer(&candidates, others[i]);
        assert_int_equal(pass_coming(true), CANDIDATES_NEXT);
        expect_turn(1);
    }
}

/* ------------------------------------------------------------------ full syncs that failed */

TEST(only_the_one_that_failed_is_left_out)
{
    begin_with(COUNT);
    candidates_note_full_failure(&candidates, now_ms, 60000);
    assert_int_equal(pass(CANDIDATE_KEEPER), CANDIDATES_NEXT);
    assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_NEXT);
    assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_BACKOFF);
    assert_int_equal(candidates_skip_backing_off(&candidates, now_ms), 0);
    for (int round = 0; round < 3; round++) {
        expect_turn(1);
        assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_NEXT);
        expect_turn(2);
        assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_BACKOFF);
        assert_int_equal(candidates_skip_backing_off(&candidates, now_ms), 0);
    }
    now_ms += 60000;
    assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_NEXT);
    assert_int_equal(pass(CANDIDATE_SILENT), CANDIDATES_BACKOFF);
    assert_int_equal(candidates_skip_backing_off(&candidates, now_ms), 0);
    expect_turn(0);
}

TEST(where_all_have_failed_the_first_that_may_be_asked_is_waited_for)
{
    begin_with(COUNT);
    for (int i = 0; i < COUNT; i++) {
        candidates_note_full_failure(&candidates, now_ms, 1000 * (COUNT - i));
        (void)pass(CANDIDATE_KEEPER);
    }
    assert_int_equal(candidates_skip_backing_off(&candidates, now_ms), 1000);
    expect_turn(2);
    candidates_forget_full_failures(&candidates);
    assert_int_equal(candidates_skip_backing_off(&candidates, now_ms), 0);
}

/* It was not wanted, which is no failure: when it is, it is not waited for. */
TEST(one_that_was_declined_is_taken_when_it_is_time)
{
    begin_with(1);
    candidates_note_full_failure(&candidates, now_ms, GRACE_MS * 2);
    candidates_current_row(&candidates)->was_declined = true;
    assert_int_equal(pass(CANDIDATE_UNRELATED), CANDIDATES_BACKOFF);
    now_ms += GRACE_MS;
    assert_int_equal(pass(CANDIDATE_UNRELATED), CANDIDATES_CHOSEN);
    assert_int_equal(candidates_skip_backing_off(&candidates, now_ms), 0);
}
