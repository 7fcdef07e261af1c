/* SPDX-License-Identifier: MIT */
#include "relay/downstream/holders.h"

#include "test.h"

static struct holders holders;

static void note(uint64_t id, enum replica_state state, uint64_t sent_offset)
{
    const struct peer_status replica = {
        .id = id,
        .state = state,
        .address = "192.0.2.7",
        .listening_port = (uint16_t)(7000 + id),
        .sent_offset = sent_offset,
    };
    holders_note(&holders, &replica);
}

TEST(who_needs_more_than_the_window_holds_it)
{
    holders_init(&holders, 1000, 300);
    note(1, REPLICA_STREAMING, 700);
    note(2, REPLICA_STREAMING, 699);
    note(3, REPLICA_LOADING, 100);
    note(4, REPLICA_WAITING, 0);
    note(5, REPLICA_CLOSING, 0);
    assert_int_equal(holders.count, 2);
    assert_int_equal(holders.loading, 1);
    assert_int_equal(holders.listed, 2);
    assert_int_equal(holders.most[0].id, 3);
    assert_int_equal(holders.most[0].bytes, 600);
    assert_int_equal(holders.most[0].port, 7003);
    assert_string_equal(holders.most[0].address, "192.0.2.7");
    assert_true(holders.most[0].is_loading);
    assert_int_equal(holders.most[1].id, 2);
    assert_int_equal(holders.most[1].bytes, 1);
}

TEST(a_window_that_is_not_full_is_held_by_nobody)
{
    holders_init(&holders, 200, 300);
    note(1, REPLICA_STREAMING, 0);
    assert_int_equal(holders.count, 0);
}

TEST(of_many_those_that_hold_most_are_kept)
{
    holders_init(&holders, 1000, 0);
    for (uint64_t id = 1; id <= 20; id++)
        note(id, REPLICA_STREAMING, 500 + id * 7 % 20);
    assert_int_equal(holders.count, 20);
    assert_int_equal(holders.listed, HOLDERS_KEPT);
    for (size_t i = 0; i < HOLDERS_KEPT; i++)
        assert_int_equal(holders.most[i].offset, 500 + i);
}
