/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "relay/commands/login_throttle.h"

static struct login_throttle login_throttle;

static int set_up(void **state)
{
    (void)state;
    memset(&login_throttle, 0, sizeof(login_throttle));
    return 0;
}

#define LOGIN_THROTTLE_TEST(name) TEST_SETUP(name, set_up, NULL)

static bool is_same(const char *a, const char *b)
{
    struct guess_key left = guess_key_of(a);
    struct guess_key right = guess_key_of(b);
    return memcmp(&left, &right, sizeof(left)) == 0;
}

LOGIN_THROTTLE_TEST(an_address_is_known_whatever_the_port)
{
    assert_true(is_same("192.0.2.7:1", "192.0.2.7:65535"));
    assert_false(is_same("192.0.2.7:1", "192.0.2.8:1"));
    assert_true(is_same("[2001:db8:1:2:3::4]:1", "[2001:db8:1:2:ffff:ffff:ffff:ffff]:2"));
    assert_false(is_same("[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1"));
    assert_true(is_same("[::ffff:192.0.2.7]:1", "192.0.2.7:2"));
    assert_false(is_same("[::ffff:192.0.2.7]:1", "[::ffff:192.0.2.8]:1"));
    assert_true(is_same("[fe80::1%eth0]:1", "[fe80::2%eth1]:1"));
    assert_true(is_same("", "?"));
    assert_false(is_same("", "192.0.2.7:1"));
}

static int64_t take(const char *peer, int64_t now_ms)
{
    return login_throttle_take(&login_throttle, guess_key_of(peer), now_ms).wait_ms;
}

LOGIN_THROTTLE_TEST(ten_are_free_then_one_a_second)
{
    for (int i = 0; i < LOGIN_THROTTLE_FREE; i++)
        assert_int_equal(take("192.0.2.7:1", 5000), 0);
    assert_int_equal(take("192.0.2.7:2", 5000), 1000);
    assert_int_equal(take("192.0.2.7:3", 5000), 2000);
    assert_int_equal(take("192.0.2.7:4", 5000), 3000);
    /* The queue has an end, and who is refused does not make it longer. */
    for (int i = 0; i < 1000; i++)
        assert_int_equal(take("192.0.2.7:5", 5000), GUESS_REFUSED);
    assert_int_equal(take("192.0.2.7:5", 6000), 3000);
    assert_int_equal(take("192.0.2.8:1", 6000), 0);
}

LOGIN_THROTTLE_TEST(who_is_sent_away_pays_nothing)
{
    struct guess_key key = guess_key_of("192.0.2.7:1");
    for (int i = 0; i < LOGIN_THROTTLE_FREE; i++) {
        assert_true(login_throttle_may_try(&login_throttle, key, 5000));
        assert_int_equal(take("192.0.2.7:1", 5000), 0);
    }
    for (int i = 0; i < 100; i++)
        assert_false(login_throttle_may_try(&login_throttle, key, 5999));
    assert_true(login_throttle_may_try(&login_throttle, guess_key_of("192.0.2.8:1"), 5000));
    assert_true(login_throttle_may_try(&login_throttle, key, 6000));
    assert_int_equal(take("192.0.2.7:1", 6000), 0);
    assert_false(login_throttle_may_try(&login_throttle, key, 6000));
}

LOGIN_THROTTLE_TEST(time_pays)
{
    for (int i = 0; i < LOGIN_THROTTLE_FREE + 3; i++)
        (void)take("192.0.2.7:1", 5000);
    assert_int_equal(take("192.0.2.7:1", 5000 + 4 * GUESS_COST_MS), 0);
    assert_int_equal(take("192.0.2.7:1", 5000 + 4 * GUESS_COST_MS), GUESS_COST_MS);
    int64_t later_ms = 5000 + 100 * GUESS_COST_MS;
    for (int i = 0; i < LOGIN_THROTTLE_FREE; i++)
        assert_int_equal(take("192.0.2.7:1", later_ms), 0);
    assert_int_not_equal(take("192.0.2.7:1", later_ms), 0);
}

/* However it is asked: in any minute no more than the free ones and one a second are let through. */
LOGIN_THROTTLE_TEST(nobody_gets_more_by_asking_otherwise)
{
    uint64_t seed = 7;
    int64_t now_ms = 1000000;
    int64_t end_ms = now_ms + 60000;
    unsigned passed = 0;
    while (now_ms < end_ms) {
        int64_t wait_ms = take("192.0.2.7:1", now_ms);
        passed += wait_ms >= 0 && now_ms + wait_ms <= end_ms;
        now_ms += (int64_t)(test_random(&seed) % 300);
    }
    assert_in_range(passed, 60, LOGIN_THROTTLE_FREE + 61);
}

LOGIN_THROTTLE_TEST(right_ones_are_free)
{
    struct guess_key key = guess_key_of("192.0.2.7:1");
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(take("192.0.2.7:1", 5000), 0);
        login_throttle_pardon(&login_throttle, key);
    }
    for (int i = 0; i < LOGIN_THROTTLE_FREE; i++)
        assert_int_equal(take("192.0.2.7:1", 5000), 0);
    assert_int_equal(take("192.0.2.7:1", 5000), 1000);
    login_throttle_pardon(&login_throttle, guess_key_of("192.0.2.8:1")); /* was never here */
}

LOGIN_THROTTLE_TEST(news_come_once_a_burst)
{
    struct guess_key key = guess_key_of("192.0.2.7:1");
    int64_t now_ms = 5000;
    unsigned wrong = 0;
    unsigned slow = 0;
    for (int i = 0; i < 1000; i++, now_ms += 500) {
        slow += login_throttle_take(&login_throttle, key, now_ms).is_slow_news;
        wrong += login_throttle_is_wrong_news(&login_throttle, key);
    }
    assert_int_equal(wrong, 1);
    assert_int_equal(slow, 1);
    now_ms += 2 * GUESS_BURST_MS;
    assert_false(login_throttle_take(&login_throttle, key, now_ms).is_slow_news);
    assert_true(login_throttle_is_wrong_news(&login_throttle, key));
    assert_false(login_throttle_is_wrong_news(&login_throttle, guess_key_of("192.0.2.8:1")));
}

/* A crowd of addresses makes others forgotten that have paid nearly all, not the one that owes most. */
LOGIN_THROTTLE_TEST(the_table_is_bounded)
{
    char peer[64];
    for (int i = 0; i < LOGIN_THROTTLE_FREE + 3; i++)
        (void)take("192.0.2.7:1", 5000);
    for (int i = 0; i < 3 * LOGIN_THROTTLE_PLACES; i++) {
        snprintf(peer, sizeof(peer), "10.0.%d.%d:1", i / 256, i % 256);
        assert_int_equal(take(peer, 5000), 0);
    }
    assert_int_equal(take("192.0.2.7:1", 5000), GUESS_REFUSED);
}
