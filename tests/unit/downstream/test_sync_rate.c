/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/sync_rate.h"

#include <pthread.h>

#include "relay/base/check.h"
#include "test.h"

enum { SECOND_US = 1000 * 1000, SENDERS_MAX = 64 };

/* A replica that sends what it has reserved when it is due, and a timer that is late by `late_us`. */
struct sender {
    struct sync_rate_piece piece;
    bool is_waiting;
    uint64_t sent;
};

static struct sync_rate rate;
static struct sender senders[SENDERS_MAX];
static int64_t now_us;

static void begin(uint64_t bytes_a_second)
{
    memset(senders, 0, sizeof(senders));
    now_us = 1000 * (int64_t)SECOND_US;
    sync_rate_set(&rate, bytes_a_second, now_us);
}

/* All of them go on for so long; each looks after itself every `step_us`. */
static void pass(unsigned count, int64_t us, int64_t step_us)
{
    for (int64_t until_us = now_us + us; now_us < until_us; now_us += step_us) {
        for (unsigned i = 0; i < count; i++) {
            struct sender *sender = &senders[i];
            while (!sender->is_waiting || sender->piece.due_us <= now_us) {
                if (sender->is_waiting)
                    sender->sent += sender->piece.bytes;
                sender->piece = sync_rate_reserve(&rate, now_us);
                sender->is_waiting = true;
            }
        }
    }
}

static uint64_t sent_by_all(unsigned count)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += senders[i].sent;
    return sum;
}

static void expect_between(uint64_t least, uint64_t value, uint64_t most)
{
    if (value < least || value > most)
        fail_msg("%llu is not between %llu and %llu", (unsigned long long)value,
                 (unsigned long long)least, (unsigned long long)most);
}

TEST(without_a_rate_all_is_due_at_once)
{
    begin(0);
    assert_false(sync_rate_is_limited(&rate));
    for (int i = 0; i < 1000; i++)
        assert_true(sync_rate_reserve(&rate, now_us).due_us <= now_us);
}

TEST(all_together_send_what_the_rate_allows)
{
    static const uint64_t rates[] = {1024, 64 * 1024, 1000 * 1000, 100 * 1000 * 1000};
    static const unsigned counts[] = {1, 2, 7, SENDERS_MAX};
    for (size_t r = 0; r < LENGTH_OF(rates); r++) {
        for (size_t c = 0; c < LENGTH_OF(counts); c++) {
            begin(rates[r]);
            uint64_t piece = sync_rate_reserve(&rate, now_us).bytes;
            pass(counts[c], 60 * (int64_t)SECOND_US, 1000);
            uint64_t whole = 60 * rates[r];
            uint64_t more = rates[r] / 10 + (counts[c] + 1) * piece;
            expect_between(whole > more ? whole - more : 0, sent_by_all(counts[c]), whole + more);
        }
    }
}

TEST(each_has_the_same_share)
{
    begin(10 * 1000 * 1000);
    pass(8, 30 * (int64_t)SECOND_US, 1000);
    for (unsigned i = 0; i < 8; i++)
        expect_between(senders[0].sent - 2 * senders[0].piece.bytes, senders[i].sent,
                       senders[0].sent + 2 * senders[0].piece.bytes);
}

/* What does not reserve has no share that is lost: the rest have all of the rate. */
TEST(who_cannot_send_leaves_his_share_to_the_others)
{
    begin(1000 * 1000);
    pass(4, 10 * (int64_t)SECOND_US, 1000);
    uint64_t before = sent_by_all(2);
    pass(2, 10 * (int64_t)SECOND_US, 1000);
    expect_between(9500 * 1000, sent_by_all(2) - before, 10500 * 1000);
}

TEST(late_timers_are_made_up_for)
{
    begin(1000 * 1000);
    pass(1, 60 * (int64_t)SECOND_US, 33 * 1000);
    expect_between(59 * 1000 * 1000, senders[0].sent, 61 * 1000 * 1000);
}

TEST(an_idle_time_is_not_made_up_for)
{
    begin(1000 * 1000);
    pass(1, SECOND_US, 1000);
    uint64_t before = senders[0].sent;
    now_us += 3600 * (int64_t)SECOND_US;
    pass(1, SECOND_US, 1000);
    expect_between(900 * 1000, senders[0].sent - before, 1200 * 1000);
}

TEST(what_is_given_back_is_had_by_others)
{
    begin(1000 * 1000);
    now_us += SYNC_RATE_SLACK_US;
    struct sync_rate_piece first = sync_rate_reserve(&rate, now_us);
    struct sync_rate_piece second = sync_rate_reserve(&rate, now_us);
    assert_true(second.due_us > first.due_us);
    sync_rate_give_back(&rate, second.bytes);
    assert_int_equal(sync_rate_reserve(&rate, now_us).due_us, second.due_us);
}

TEST(another_rate_begins_a_line_of_its_own)
{
    begin(1024);
    for (int i = 0; i < 100; i++)
        (void)sync_rate_reserve(&rate, now_us);
    assert_true(sync_rate_reserve(&rate, now_us).due_us > now_us + 40 * (int64_t)SECOND_US);
    sync_rate_set(&rate, 1000 * 1000, now_us);
    assert_int_equal(sync_rate_reserve(&rate, now_us).due_us, now_us);
    sync_rate_set(&rate, 0, now_us);
    assert_false(sync_rate_is_limited(&rate));
}

/* Of what several threads reserve at once no moment is given twice. */
enum { THREADS = 4, RESERVED_BY_ONE = 20 * 1000 };

static void *reserve_many(void *arg)
{
    for (int i = 0; i < RESERVED_BY_ONE; i++)
        *(uint64_t *)arg += sync_rate_reserve(&rate, now_us).bytes;
    return NULL;
}

TEST(threads_share_one_line)
{
    begin(50 * 1000 * 1000);
    int64_t first_us = sync_rate_reserve(&rate, now_us).due_us;
    pthread_t threads[THREADS];
    uint64_t bytes[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reserve_many, &bytes[i]), 0);
    uint64_t sum = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        sum += bytes[i];
    }
    int64_t took_us = sync_rate_reserve(&rate, now_us).due_us - first_us;
    /* Each piece is rounded up to a microsecond. */
    expect_between(sum / 50, (uint64_t)took_us, sum / 50 + THREADS * RESERVED_BY_ONE * 2);
}
