/* SPDX-License-Identifier: MIT */
#include "relay/downstream/reasons.h"

#include "test.h"

TEST(every_reason_has_a_name_of_its_own_and_a_text)
{
    for (int i = 0; i < CLOSE_REASON_COUNT; i++) {
        enum close_reason reason = (enum close_reason)i;
        assert_true(strlen(close_reason_name(reason)) > 0);
        assert_true(strlen(close_reason_text(reason)) > 0);
        assert_in_range(close_reason_level(reason), LOG_LEVEL_INFO, LOG_LEVEL_ERROR);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(close_reason_name(reason),
                                    close_reason_name((enum close_reason)j));
    }
}

TEST(a_row_gives_all_of_it)
{
    assert_string_equal(close_reason_name(CLOSE_LAGGED), "lagged");
    assert_int_equal(close_reason_level(CLOSE_LAGGED), LOG_LEVEL_WARNING);
    assert_string_equal(close_reason_text(CLOSE_LAGGED), "it fell behind repl-backlog-max-size");
}
