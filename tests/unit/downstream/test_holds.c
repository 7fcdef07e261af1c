/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/holds.h"

#include "../../../relay/downstream/delay.h"
#include "relay/downstream/known.h"
#include "test.h"

enum { NOTE_MAX = 64 * 1024 };

static struct replica_stats replica(const char *address, uint16_t port)
{
    struct replica_stats stats = {.runs_behind = true};
    snprintf(stats.address, sizeof(stats.address), "%s", address);
    stats.terms.listening_port = port;
    return stats;
}

TEST(a_hold_is_of_a_place)
{
    static struct holds holds;
    struct replica_stats one = replica("10.0.0.1", 7000);
    struct replica_stats other = replica("10.0.0.1", 7001);
    holds = (struct holds){.count = 0};
    assert_null(holds_find(&holds, &one));
    struct hold *hold = holds_take(&holds, &one);
    assert_ptr_equal(holds_take(&holds, &one), hold);
    assert_ptr_equal(holds_find(&holds, &one), hold);
    assert_null(holds_find(&holds, &other));
    /* Who is alike and does not run behind is another. */
    one.runs_behind = false;
    assert_null(holds_find(&holds, &one));
    one.runs_behind = true;
    snprintf(one.user, sizeof(one.user), "somebody");
    assert_null(holds_find(&holds, &one));

    struct known_who who = {.address = bytes_of("10.0.0.1")};
    assert_true(hold_is(hold, &who));
    who.has_port = true;
    who.port = 7001;
    assert_false(hold_is(hold, &who));
    who.port = 7000;
    assert_true(hold_is(hold, &who));
    holds_remove(&holds, hold);
    assert_int_equal(holds.count, 0);
}

TEST(they_are_bounded)
{
    static struct holds holds;
    holds = (struct holds){.count = 0};
    for (uint16_t port = 1; port <= HOLDS_MAX; port++) {
        struct replica_stats stats = replica("10.0.0.1", port);
        assert_non_null(holds_take(&holds, &stats));
    }
    struct replica_stats one_more = replica("10.0.0.1", HOLDS_MAX + 1);
    assert_null(holds_take(&holds, &one_more));
    struct replica_stats first = replica("10.0.0.1", 1);
    holds_remove(&holds, holds_edit(&holds, holds_find(&holds, &first)));
    assert_null(holds_find(&holds, &first));
    assert_non_null(holds_take(&holds, &one_more));
    assert_int_equal(holds.at[HOLDS_MAX - 1].port, HOLDS_MAX + 1);
}

TEST(the_limit_of_each_kind)
{
    struct delay delay = {.history_number = 3};
    uint64_t limit = 1;
    assert_false(hold_limit(NULL, &delay, &limit));
    assert_int_equal(limit, 0);
    delay.has_due = true;
    delay.due = 500;
    assert_true(hold_limit(NULL, &delay, &limit));
    assert_int_equal(limit, 500);
    struct hold hold = {.kind = HOLD_PAUSED, .history_number = 3, .until = 900};
    assert_false(hold_limit(&hold, &delay, &limit));
    assert_int_equal(limit, 0);
    hold.kind = HOLD_TARGET;
    assert_true(hold_limit(&hold, &delay, &limit));
    assert_int_equal(limit, 900);
    /* Its offset means nothing in another history. */
    delay.history_number = 4;
    assert_false(hold_limit(&hold, &delay, &limit));
    assert_int_equal(limit, 0);
}

TEST(places_and_cuts)
{
    static struct holds holds;
    holds = (struct holds){.count = 0};
    struct replica_stats stats = replica("10.0.0.1", 7000);
    struct hold *hold = holds_take(&holds, &stats);
    holds.has_changed = false;
    assert_int_equal(holds_needed_from(&holds, 1), UINT64_MAX);
    holds_note_place(&holds, hold, 1, 700);
    assert_true(holds.has_changed);
    assert_int_equal(holds_needed_from(&holds, 1), 700);
    assert_int_equal(holds_needed_from(&holds, 2), UINT64_MAX);
    holds.has_changed = false;
    holds_note_place(&holds, hold, 1, 700);
    assert_false(holds.has_changed);

    hold->kind = HOLD_TARGET;
    hold->until = 900;
    holds_cut(&holds, 2, 10);
    holds_cut(&holds, 1, 900);
    assert_false(holds.has_changed);
    holds_cut(&holds, 1, 800);
    assert_true(holds.has_changed);
    assert_int_equal(hold->until, 800);
    assert_int_equal(hold->from, 700);
    holds_cut(&holds, 1, 600);
    assert_int_equal(hold->from, 600);
    /* It stands in another history: its target was of the one before. */
    holds_note_place(&holds, hold, 2, 5);
    assert_int_equal(hold->kind, HOLD_PAUSED);
}

static void assert_parses(const char *note, bool is_whole, size_t count)
{
    static struct holds holds;
    assert_int_equal(holds_parse(&holds, bytes_of(note)), is_whole);
    assert_int_equal(holds.count, count);
}

TEST(the_note)
{
    static struct holds holds;
    static struct holds read;
    holds = (struct holds){.count = 0};
    struct replica_stats stats = replica("10.0.0.1", 7000);
    snprintf(stats.terms.address, sizeof(stats.terms.address), "a b\nc");
    snprintf(stats.user, sizeof(stats.user), "somebody");
    struct hold *hold = holds_take(&holds, &stats);
    holds_note_place(&holds, hold, 7, 123456789012345);
    hold->kind = HOLD_TARGET;
    hold->until = UINT64_MAX;
    struct replica_stats other = replica("fe80::1", 0);
    (void)holds_take(&holds, &other);

    struct text note;
    text_init(&note, NOTE_MAX);
    holds_format(&holds, &note);
    assert_true(holds_parse(&read, text_bytes(&note)));
    assert_int_equal(read.count, 2);
    assert_memory_equal(&read.at[0], &holds.at[0], sizeof(holds.at[0]));
    assert_non_null(holds_find(&read, &stats));
    assert_non_null(holds_find(&read, &other));
    /* Cut anywhere, it is not whole; what is left of it is right. */
    for (size_t length = 0; length < note.length; length++) {
        bool is_whole = holds_parse(&read, bytes_first(text_bytes(&note), length));
        bool ends_a_line = length == 0 || text_bytes(&note).data[length - 1] == '\n';
        assert_int_equal(is_whole, ends_a_line);
        assert_true(read.count < 2);
    }
    text_fini(&note);

    assert_parses("", true, 0);
    assert_parses("paused 1 2 3 4 31 - -\n", true, 1);
    assert_parses("no 1 2 3 4 31 - -\n", false, 0);
    assert_parses("paused 1 2 3 70000 31 - -\n", false, 0);
    assert_parses("paused 1 2 3 4 3 - -\n", false, 0);
    assert_parses("paused 1 2 3 4 00 - -\n", false, 0);
    assert_parses("paused 1 2 3 4 31 - - -\n", false, 0);
    assert_parses("x\npaused 1 2 3 4 31 - -\n", false, 1);
}
