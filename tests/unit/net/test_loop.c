/* SPDX-License-Identifier: MIT */
#include "relay/net/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../../relay/net/loop_private.h"
#include "sockets.h"

/* What happened, a letter an event. */
static char happened[64];
static struct loop *loop;

static void note(char letter)
{
    size_t length = strlen(happened);
    assert_true(length + 1 < sizeof happened);
    happened[length] = letter;
    happened[length + 1] = '\0';
}

static int begin(void **state)
{
    (void)state;
    memset(happened, 0, sizeof happened);
    loop = new_loop();
    return 0;
}

static int end(void **state)
{
    (void)state;
    loop_free(&loop);
    assert_null(loop);
    return 0;
}

#define LOOP_TEST(name) TEST_SETUP(name, begin, end)

struct alarm {
    struct timer *timer;
    char letter;
    int64_t due_ms;
    bool ends;
};

static void on_alarm(void *arg)
{
    struct alarm *alarm = arg;
    if (clock_ms() < alarm->due_ms)
        fail_msg("timer %c is %d ms early", alarm->letter, (int)(alarm->due_ms - clock_ms()));
    note(alarm->letter);
    if (alarm->ends)
        loop_stop(loop);
}

static void arm(struct alarm *alarm, int64_t delay_ms)
{
    alarm->due_ms = clock_ms() + delay_ms;
    timer_arm(alarm->timer, delay_ms);
}

static void make(struct alarm *alarm, char letter, bool ends)
{
    *alarm = (struct alarm){.letter = letter, .ends = ends};
    alarm->timer = timer_new(loop, on_alarm, alarm);
    assert_non_null(alarm->timer);
}

LOOP_TEST(timers_fire_in_the_order_in_which_they_are_due_and_never_early)
{
    struct alarm alarms[3];
    make(&alarms[0], 'c', true);
    make(&alarms[1], 'a', false);
    make(&alarms[2], 'b', false);
    arm(&alarms[0], 90);
    arm(&alarms[1], 30);
    arm(&alarms[2], 60);
    run(loop, "three timers");
    assert_string_equal(happened, "abc");
    for (int i = 0; i < 3; i++)
        timer_free(&alarms[i].timer);
}

static void work_then_arm(void *arg)
{
    for (int64_t until_ms = clock_ms() + 30; clock_ms() < until_ms;)
        continue;
    arm(arg, 10);
}

LOOP_TEST(a_delay_counts_from_the_call_however_long_the_turn_has_worked)
{
    struct alarm alarm;
    make(&alarm, 'a', true);
    struct timer *worker = timer_new(loop, work_then_arm, &alarm);
    assert_non_null(worker);
    timer_arm(worker, 0);
    run(loop, "the timer that was armed late in its turn");
    assert_string_equal(happened, "a");
    timer_free(&worker);
    timer_free(&alarm.timer);
}

LOOP_TEST(arming_again_moves_a_timer_and_disarming_stops_it)
{
    struct alarm moved;
    struct alarm other;
    struct alarm stopped;
    make(&moved, 'm', true);
    make(&other, 'o', false);
    make(&stopped, 's', false);
    arm(&moved, 10);
    arm(&stopped, 20);
    arm(&other, 50);
    arm(&moved, 90);
    timer_disarm(stopped.timer);
    run(loop, "the moved timer");
    assert_string_equal(happened, "om");
    timer_disarm(moved.timer); /* one that has fired: nothing to do */
    run_for(loop, 20);
    assert_string_equal(happened, "om");
    timer_free(&moved.timer);
    timer_free(&other.timer);
    timer_free(&stopped.timer);
}

static struct timer *repeating;
static int repetitions;

static void on_repeat(void *arg)
{
    (void)arg;
    if (++repetitions < 3) {
        timer_arm(repeating, 1);
        return;
    }
    timer_free(&repeating);
    loop_stop(loop);
}

LOOP_TEST(a_timer_may_be_armed_and_freed_in_its_callback)
{
    repeating = timer_new(loop, on_repeat, NULL);
    assert_non_null(repeating);
    timer_arm(repeating, 0);
    run(loop, "a timer that repeats");
    assert_int_equal(repetitions, 3);
    assert_null(repeating);
}

static void note_deferred(void *arg)
{
    (void)arg;
    note('d');
}

static void note_hook(void *arg)
{
    (void)arg;
    note('h');
    if (strchr(happened, 'd') == NULL)
        loop_defer(loop, note_deferred, NULL);
}

static void on_first(void *arg)
{
    loop_defer(loop, note_deferred, NULL);
    loop_stop(loop);
    on_alarm(arg);
}

LOOP_TEST(a_turn_is_callbacks_then_the_hook_then_what_was_deferred)
{
    struct alarm alarm;
    make(&alarm, 'c', false);
    timer_free(&alarm.timer);
    alarm.timer = timer_new(loop, on_first, &alarm);
    assert_non_null(alarm.timer);
    loop_at_turn_end(loop, note_hook, NULL);
    arm(&alarm, 0);
    run(loop, "a turn");
    /* One is deferred by the callback, one by the hook; loop_stop lets the turn come to its end. */
    assert_string_equal(happened, "chdd");
    loop_at_turn_end(loop, NULL, NULL);
    timer_free(&alarm.timer);
}

LOOP_TEST(what_is_deferred_is_run_when_the_loop_is_freed)
{
    for (int i = 0; i < 40; i++) /* more than fit at first */
        loop_defer(loop, note_deferred, NULL);
    loop_free(&loop);
    assert_int_equal(strlen(happened), 40);
}

static struct chore chores[4];
static struct alarm between;

/* Takes longer than a turn has for all of them. */
static void on_chore(void *arg)
{
    for (int64_t until_ms = clock_ms() + 4; clock_ms() < until_ms;)
        continue;
    note((char)('1' + ((struct chore *)arg - chores)));
}

static void put_off(int i)
{
    loop_put_off(loop, CHORE_WORK, &chores[i], on_chore, &chores[i]);
}

static void end_a_turn(void *arg)
{
    (void)arg;
    note('h');
    arm(&between, 0);
    if (strcmp(happened, "ah1h") == 0) {
        chore_leave(loop, &chores[1]);
        chore_leave(loop, &chores[3]); /* the last one */
        chore_leave(loop, &chores[3]);
        put_off(0);
    }
    if (chores[0].link == NULL)
        loop_stop(loop);
}

LOOP_TEST(chores_are_done_in_order_and_other_things_in_between)
{
    make(&between, 'a', false);
    arm(&between, 0);
    loop_at_turn_end(loop, end_a_turn, NULL);
    for (int i = 0; i < 4; i++)
        put_off(i);
    run(loop, "two of four chores, and the first one again");
    /* The hook does not wait for them, and hears of them. */
    assert_string_equal(happened, "ah1hah3hah1h");
    loop_at_turn_end(loop, NULL, NULL);
    timer_free(&between.timer);
}

static void on_notified(void *arg)
{
    struct notifier **again = arg;
    note('b');
    if (*again != NULL)
        notifier_wake(*again);
    *again = NULL;
    loop_stop(loop);
}

static void *ring_often(void *arg)
{
    for (int i = 0; i < 1000; i++)
        notifier_wake(arg);
    return NULL;
}

LOOP_TEST(many_rings_are_heard_once)
{
    struct notifier *again = NULL;
    struct notifier *notifier = notifier_new(loop, on_notified, &again);
    assert_non_null(notifier);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ring_often, notifier), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    run(loop, "the bell");
    run_for(loop, 20);
    assert_string_equal(happened, "b");

    again = notifier; /* rung from inside its own callback: heard again */
    notifier_wake(notifier);
    run(loop, "the bell, again");
    run(loop, "the bell that was rung in the callback");
    assert_string_equal(happened, "bbb");
    notifier_free(&notifier);
}

/* Each thread waits until the loop has seen what it wrote before it rang. Two of them, so that one
 * rings just when the loop takes up the ring of the other: one that is lost hangs the test. As often as a busy
 * machine can in some seconds, and no more than RINGS times. */
enum { RINGERS = 2, RINGS = 20000, RINGS_MS = 3000 };

static atomic_int written;
static atomic_int seen;
static atomic_int finished; /* threads */

static void see(void *arg)
{
    (void)arg;
    atomic_store(&seen, atomic_load(&written));
    if (atomic_load(&finished) == RINGERS)
        loop_stop(loop);
}

static void *write_ring_and_wait(void *arg)
{
    int64_t end_ms = clock_ms() + RINGS_MS;
    for (int i = 0; i < RINGS && clock_ms() < end_ms; i++) {
        int mine = atomic_fetch_add(&written, 1) + 1;
        notifier_wake(arg);
        while (atomic_load(&seen) < mine)
            sched_yield();
    }
    atomic_fetch_add(&finished, 1);
    notifier_wake(arg);
    return NULL;
}

LOOP_TEST(no_ring_is_lost)
{
    struct notifier *notifier = notifier_new(loop, see, NULL);
    assert_non_null(notifier);
    pthread_t threads[RINGERS];
    for (int i = 0; i < RINGERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_ring_and_wait, notifier), 0);
    run(loop, "every ring");
    for (int i = 0; i < RINGERS; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&written) > RINGERS);
    assert_int_equal(atomic_load(&seen), atomic_load(&written));
    notifier_free(&notifier);
}

static void on_signal(void *arg)
{
    note(*(const char *)arg);
    if (strlen(happened) == 2)
        loop_stop(loop);
}

LOOP_TEST(signals_are_told_on_the_loop)
{
    assert_true(loop_on_signal(loop, SIGUSR1, on_signal, (char[]){'1'}));
    assert_true(loop_on_signal(loop, SIGUSR2, on_signal, (char[]){'2'}));
    assert_int_equal(raise(SIGUSR2), 0);
    assert_string_equal(happened, "");
    assert_int_equal(raise(SIGUSR1), 0);
    run(loop, "two signals");
    assert_non_null(strchr(happened, '1'));
    assert_non_null(strchr(happened, '2'));
    assert_int_equal(strlen(happened), 2);
}

LOOP_TEST(a_broken_pipe_is_no_signal)
{
    struct sigaction action;
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_IGN);
}

/* libevent would end the process. */
LOOP_TEST(without_descriptors_there_is_no_loop)
{
    struct rlimit all;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    int lowest_free = dup(STDERR_FILENO);
    close(lowest_free);
    for (unsigned spare = 0; spare < 6; spare++) {
        struct rlimit few = {.rlim_cur = (rlim_t)lowest_free + spare, .rlim_max = all.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        struct error error;
        struct loop *none = loop_new(&error);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
        assert_null(none);
        assert_int_equal(error.kind, ERROR_EXHAUSTED);
        assert_string_equal(error.text, "cannot make an event loop: Too many open files");
    }
    int still_free = dup(STDERR_FILENO);
    close(still_free);
    assert_int_equal(still_free, lowest_free);
}
