/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/rdb_space.h"

#include "test.h"

TEST(what_was_refused_is_expected_until_one_comes_whole)
{
    struct rdb_space room = {0};
    assert_int_equal(rdb_space_refused(&room, 0), 0);
    rdb_space_note_refused(&room, 5000, true, 100);
    assert_int_equal(rdb_space_refused(&room, 0), 5000);
    assert_int_equal(rdb_space_refused(&room, 99), 5000);
    assert_int_equal(rdb_space_refused(&room, 101), 0);
}

TEST(one_of_unknown_length_takes_more_than_had_come_of_it)
{
    struct rdb_space room = {0};
    rdb_space_note_refused(&room, 4000, false, 100);
    assert_int_equal(rdb_space_refused(&room, 0), 5001);
}

TEST(it_waits_for_room_and_tries_once_in_a_while_all_the_same)
{
    struct rdb_space room = {0};
    assert_true(rdb_space_allows(&room, 0, 0, 1000)); /* nothing is known */
    assert_true(rdb_space_allows(&room, 10, 10, 1000));
    assert_false(rdb_space_allows(&room, 11, 10, 1000));
    assert_false(rdb_space_allows(&room, 11, 10, 999 + RDB_SPACE_PATIENCE_MS));
    assert_true(rdb_space_allows(&room, 11, 10, 1000 + RDB_SPACE_PATIENCE_MS));
    assert_false(rdb_space_allows(&room, 11, 10, 1001 + RDB_SPACE_PATIENCE_MS));
    assert_true(rdb_space_allows(&room, 11, 11, 1002 + RDB_SPACE_PATIENCE_MS));
    assert_false(rdb_space_allows(&room, 11, 10, 1003 + 2 * RDB_SPACE_PATIENCE_MS)); /* anew */
}
