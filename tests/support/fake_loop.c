/* SPDX-License-Identifier: MIT */
#include "fake_loop.h"

#include <stdlib.h>

#include "fake_clock.h"
#include "relay/base/clock.h"

/* A thing under test that keeps ringing or re-arming would hang the test. */
enum { TURNS_MAX = 100000 };

struct timer {
    struct timer *next;
    struct loop *loop;
    bool armed;
    int64_t due_ms;
    uint64_t order; /* of arming */
    loop_fn *fn;
    void *arg;
};

struct notifier {
    struct notifier *next;
    struct loop *loop;
    bool rung;
    loop_fn *fn;
    void *arg;
};

struct call {
    loop_fn *fn;
    void *arg;
};

struct loop {
    struct timer *timers;
    struct notifier *notifiers;
    struct call hook;
    struct call *deferred;
    size_t deferred_count;
    struct chore *chores;
    struct chore **last_chore;
    size_t chores_max; /* a turn */
    uint64_t armings;
    uint64_t turns;
    bool stopping;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    CHECK(memory != NULL);
    return memory;
}

struct loop *loop_new(struct error *error)
{
    (void)error;
    struct loop *loop = allocate(sizeof(struct loop));
    loop->last_chore = &loop->chores;
    loop->chores_max = TURNS_MAX;
    return loop;
}

static void run_deferred(struct loop *loop)
{
    for (size_t i = 0; i < loop->deferred_count; i++) {
        struct call call = loop->deferred[i];
        call.fn(call.arg);
    }
    loop->deferred_count = 0;
}

void loop_free(struct loop **where)
{
    struct loop *loop = *where;
    *where = NULL;
    if (loop == NULL)
        return;
    run_deferred(loop);
    CHECK(loop->timers == NULL);
    CHECK(loop->notifiers == NULL);
    CHECK(loop->chores == NULL);
    free(loop->deferred);
    free(loop);
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

void loop_at_turn_end(struct loop *loop, loop_fn *fn, void *arg)
{
    loop->hook = (struct call){fn, arg};
}

void loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    size_t size = (loop->deferred_count + 1) * sizeof *loop->deferred;
    loop->deferred = realloc(loop->deferred, size);
    CHECK(loop->deferred != NULL);
    loop->deferred[loop->deferred_count++] = (struct call){fn, arg};
}

bool loop_on_signal(struct loop *loop, int signo, loop_fn *fn, void *arg)
{
    (void)loop;
    (void)signo;
    (void)fn;
    (void)arg;
    return true;
}

/* ---- timers ---- */

struct timer *timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
    struct timer *timer = allocate(sizeof *timer);
    *timer = (struct timer){.next = loop->timers, .loop = loop, .fn = fn, .arg = arg};
    loop->timers = timer;
    return timer;
}

void timer_arm(struct timer *timer, int64_t delay_ms)
{
    CHECK(delay_ms >= 0);
    timer->armed = true;
    timer->due_ms = clock_ms() + delay_ms;
    timer->order = timer->loop->armings++;
}

void timer_disarm(struct timer *timer)
{
    timer->armed = false;
}

void timer_free(struct timer **where)
{
    struct timer *timer = *where;
    *where = NULL;
    if (timer == NULL)
        return;
    struct timer **link = &timer->loop->timers;
    while (*link != timer)
        link = &(*link)->next;
    *link = timer->next;
    free(timer);
}

static bool is_before(const struct timer *a, const struct timer *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static struct timer *first_armed(const struct loop *loop)
{
    struct timer *first = NULL;
    for (struct timer *timer = loop->timers; timer != NULL; timer = timer->next)
        if (timer->armed && (first == NULL || is_before(timer, first)))
            first = timer;
    return first;
}

int64_t fake_loop_next_timer_ms(const struct loop *loop)
{
    const struct timer *first = first_armed(loop);
    if (first == NULL)
        return -1;
    return first->due_ms > clock_ms() ? first->due_ms - clock_ms() : 0;
}

void fake_loop_pass(struct loop *loop, int64_t by_ms)
{
    CHECK(by_ms >= 0);
    int64_t until_ms = clock_ms() + by_ms;
    fake_loop_turn(loop);
    struct timer *timer;
    for (int i = 0; (timer = first_armed(loop)) != NULL && timer->due_ms <= until_ms; i++) {
        CHECK(i < TURNS_MAX);
        if (timer->due_ms > clock_ms())
            fake_clock_set(timer->due_ms);
        timer->armed = false;
        timer->fn(timer->arg); /* it may free the timer */
        fake_loop_turn(loop);
    }
    fake_clock_set(until_ms);
}

/* ---- notifier ---- */

struct notifier *notifier_new(struct loop *loop, loop_fn *fn, void *arg)
{
    struct notifier *notifier = allocate(sizeof *notifier);
    *notifier = (struct notifier){.next = loop->notifiers, .loop = loop, .fn = fn, .arg = arg};
    loop->notifiers = notifier;
    return notifier;
}

void notifier_wake(struct notifier *notifier)
{
    notifier->rung = true;
}

void notifier_free(struct notifier **where)
{
    struct notifier *notifier = *where;
    *where = NULL;
    if (notifier == NULL)
        return;
    struct notifier **link = &notifier->loop->notifiers;
    while (*link != notifier)
        link = &(*link)->next;
    *link = notifier->next;
    free(notifier);
}

static bool run_a_notifier(struct loop *loop)
{
    for (struct notifier *notifier = loop->notifiers; notifier != NULL; notifier = notifier->next) {
        if (!notifier->rung)
            continue;
        notifier->rung = false;
        notifier->fn(notifier->arg); /* it may free the notifier */
        return true;
    }
    return false;
}

static bool has_rung(const struct loop *loop)
{
    for (const struct notifier *notifier = loop->notifiers; notifier != NULL;
         notifier = notifier->next)
        if (notifier->rung)
            return true;
    return false;
}

/* ---- chores ---- */

void loop_put_off(struct loop *loop, enum chore_kind kind, struct chore *chore, loop_fn *fn,
                  void *arg)
{
    CHECK(chore->link == NULL);
    *chore = (struct chore){.link = loop->last_chore, .kind = kind, .fn = fn, .arg = arg};
    *loop->last_chore = chore;
    loop->last_chore = &chore->next;
}

void chore_leave(struct loop *loop, struct chore *chore)
{
    if (chore->link == NULL)
        return;
    *chore->link = chore->next;
    if (chore->next != NULL)
        chore->next->link = chore->link;
    else
        loop->last_chore = chore->link;
    chore->link = NULL;
}

void fake_loop_set_chores_max(struct loop *loop, size_t chores_max)
{
    loop->chores_max = chores_max;
}

bool fake_loop_has_chores(const struct loop *loop)
{
    return loop->chores != NULL;
}

static void run_chores(struct loop *loop)
{
    for (size_t i = 0; i < loop->chores_max && loop->chores != NULL; i++) {
        CHECK(i + 1 < TURNS_MAX);
        struct chore *chore = loop->chores;
        chore_leave(loop, chore);
        chore->fn(chore->arg);
    }
}

/* ---- turns ---- */

static void run_hook(struct loop *loop)
{
    if (loop->hook.fn != NULL)
        loop->hook.fn(loop->hook.arg);
}

void fake_loop_end_turn(struct loop *loop)
{
    loop->turns++;
    run_hook(loop);
    if (loop->chores != NULL) {
        run_chores(loop);
        run_hook(loop);
    }
    run_deferred(loop);
}

void fake_loop_turn(struct loop *loop)
{
    int rounds = 0;
    do {
        CHECK(rounds++ < TURNS_MAX);
        for (int notifiers = 0; run_a_notifier(loop); notifiers++)
            CHECK(notifiers < TURNS_MAX);
        fake_loop_end_turn(loop);
    } while (has_rung(loop) || (loop->chores != NULL && loop->chores_max == TURNS_MAX));
}

/* Nothing comes from outside, so a loop that is run has to be stopped by what it does itself. */
void loop_run(struct loop *loop)
{
    for (int i = 0; !loop->stopping; i++) {
        CHECK(i < TURNS_MAX);
        int64_t next_ms = fake_loop_next_timer_ms(loop);
        fake_loop_pass(loop, next_ms < 0 ? 0 : next_ms);
    }
    loop->stopping = false;
}

uint64_t fake_loop_turns(const struct loop *loop)
{
    return loop->turns;
}
