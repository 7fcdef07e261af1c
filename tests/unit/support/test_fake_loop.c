/* SPDX-License-Identifier: MIT */
#include "fake_loop.h"

#include "fake_clock.h"
#include "relay/base/clock.h"
#include "relay/net/mailbox.h"
#include "test.h"

static char happened[64];

static void note(void *arg)
{
    size_t length = strlen(happened);
    assert_true(length + 1 < sizeof happened);
    happened[length] = *(const char *)arg;
    happened[length + 1] = '\0';
}

static struct loop *begin(void)
{
    memset(happened, 0, sizeof happened);
    return loop_new(&(struct error){0});
}

TEST(time_passes_from_timer_to_timer)
{
    struct loop *loop = begin();
    struct timer *a = timer_new(loop, note, (char[]){'a'});
    struct timer *b = timer_new(loop, note, (char[]){'b'});
    struct timer *c = timer_new(loop, note, (char[]){'c'});
    int64_t begun_ms = clock_ms();
    timer_arm(b, 20);
    timer_arm(c, 20);
    timer_arm(a, 10);
    assert_int_equal(fake_loop_next_timer_ms(loop), 10);
    fake_loop_pass(loop, 9);
    assert_string_equal(happened, "");
    timer_arm(b, 11); /* moved behind c, which is due at the same time */
    fake_loop_pass(loop, 100);
    assert_string_equal(happened, "acb");
    assert_int_equal(clock_ms() - begun_ms, 109);
    assert_int_equal(fake_loop_next_timer_ms(loop), -1);
    timer_free(&a);
    timer_free(&b);
    timer_free(&c);
    loop_free(&loop);
}

static void count_message(struct message *message, void *arg)
{
    (void)message;
    ++*(int *)arg;
}

TEST(a_turn_hears_notifiers_then_runs_the_hook_then_what_was_deferred)
{
    struct loop *loop = begin();
    struct notifier *notifier = notifier_new(loop, note, (char[]){'b'});
    notifier_wake(notifier);
    notifier_wake(notifier);
    loop_defer(loop, note, (char[]){'d'});
    loop_at_turn_end(loop, note, (char[]){'h'});
    fake_loop_turn(loop);
    assert_string_equal(happened, "bhd");
    notifier_free(&notifier);

    int messages = 0;
    struct mailbox *mailbox = mailbox_new(loop, count_message, &messages);
    struct message message;
    mailbox_post(mailbox, &message);
    assert_int_equal(messages, 0);
    fake_loop_turn(loop);
    assert_int_equal(messages, 1);
    mailbox_free(&mailbox);
    loop_free(&loop);
}

static void stop(void *arg)
{
    loop_stop(arg);
}

TEST(running_ends_with_a_timer_that_stops)
{
    struct loop *loop = begin();
    struct timer *timer = timer_new(loop, stop, loop);
    int64_t begun_ms = clock_ms();
    timer_arm(timer, 3600 * 1000);
    loop_run(loop);
    assert_int_equal(clock_ms() - begun_ms, 3600 * 1000);
    timer_free(&timer);
    loop_free(&loop);
}
