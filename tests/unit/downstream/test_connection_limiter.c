/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/connection_limiter.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_clock.h"
#include "relay/base/log.h"
#include "test.h"

static struct connection_limiter connection_limiter;

static int begin(void **state)
{
    (void)state;
    connection_limiter = (struct connection_limiter){.clients_max = 10, .descriptors_max = 100};
    log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
    return 0;
}

#define LIMITER_TEST(name) TEST_SETUP(name, begin, NULL)

LIMITER_TEST(one_that_fits_is_let_in)
{
    assert_int_equal(connection_limiter_judge(&connection_limiter, 67, true, 9), ENTRY_FREE);
    assert_int_equal(connection_limiter_judge(&connection_limiter, 67, false, 9), ENTRY_FREE);
}

LIMITER_TEST(one_too_many_is_not)
{
    assert_int_equal(connection_limiter_judge(&connection_limiter, 20, true, 10), ENTRY_CLIENTS);
    assert_int_equal(connection_limiter_judge(&connection_limiter, 20, true, 11), ENTRY_CLIENTS);
}

LIMITER_TEST(the_last_descriptors_are_not_for_clients)
{
    assert_int_equal(connection_limiter_judge(&connection_limiter, 68, true, 0), ENTRY_DESCRIPTORS);
    assert_int_equal(connection_limiter_judge(&connection_limiter, 99, true, 0), ENTRY_DESCRIPTORS);
    connection_limiter.descriptors_max = 0;
    assert_int_equal(connection_limiter_judge(&connection_limiter, 100000, true, 0), ENTRY_FREE);
}

LIMITER_TEST(without_a_password_only_those_from_here_are_let_in)
{
    connection_limiter.local_only = true;
    assert_int_equal(connection_limiter_judge(&connection_limiter, 20, true, 0), ENTRY_FREE);
    assert_int_equal(connection_limiter_judge(&connection_limiter, 20, false, 0), ENTRY_PROTECTED);
    assert_int_equal(connection_limiter_judge(&connection_limiter, 20, false, 10), ENTRY_PROTECTED);
}

LIMITER_TEST(who_is_sent_away_is_told_and_closed_at_once)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(write(ends[1], "PING\r\n", 6), 6);
    assert_false(connection_limiter_admit(&connection_limiter, ends[0], 10, false, false));
    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    char words[100];
    ssize_t length = read(ends[1], words, sizeof(words));
    assert_views_equal(bytes_at(words, (size_t)length),
                       bytes_of("-ERR max number of clients reached\r\n"));
    assert_int_equal(read(ends[1], words, sizeof(words)), 0);
    assert_int_equal(connection_limiter.refused, 1);
    close(ends[1]);
}

static void refuse_one(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_false(connection_limiter_admit(&connection_limiter, ends[0], 10, false, false));
    close(ends[1]);
}

/* The first is told, and a sum after a minute, two, four; then that there is room again. */
LIMITER_TEST(the_log_hears_of_a_crowd_ever_more_rarely)
{
    const struct log_repeat *repeat = &connection_limiter.refusals[ENTRY_CLIENTS];
    fake_clock_advance(1000);
    for (int i = 0; i < 100; i++)
        refuse_one();
    assert_int_equal(connection_limiter.refused, 100);
    assert_int_equal(repeat->count, 100);
    assert_int_equal(repeat->pause_ms, LOG_REPEAT_FIRST_MS); /* no sum yet */
    fake_clock_advance(LOG_REPEAT_FIRST_MS);
    refuse_one();
    assert_int_equal(repeat->pause_ms, 2 * LOG_REPEAT_FIRST_MS);
    assert_true(log_repeat_goes_on(repeat));
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_true(connection_limiter_admit(&connection_limiter, pair[0], 0, false, false));
    assert_false(log_repeat_goes_on(repeat));
    close(pair[0]);
    close(pair[1]);
}
