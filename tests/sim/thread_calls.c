/* SPDX-License-Identifier: MIT
 *
 * Threads are fibers. A mutex and a condition keep what they need in the memory of the real ones, for which zeros
 * are an unlocked mutex. */
#include <errno.h>
#include <string.h>

#include "calls.h"
#include "clock.h"
#include "process.h"
#include "relay/base/check.h"
#include "sim.h"

struct mutex {
    struct fiber *owner;
};

static struct mutex *mutex_of(pthread_mutex_t *mutex)
{
    return (struct mutex *)(void *)mutex;
}

/* ---- threads ---- */

int sim_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                       void *arg)
{
    (void)attributes;
    sim_call("pthread_create");
    struct fiber *fiber = fiber_start(process_self(), "thread", run, arg);
    *thread = (pthread_t)(uintptr_t)fiber;
    return 0;
}

int sim_pthread_detach(pthread_t thread)
{
    (void)thread; /* its place goes with the process */
    return 0;
}

int sim_pthread_join(pthread_t thread, void **result)
{
    sim_call("pthread_join");
    struct fiber *fiber = (struct fiber *)(uintptr_t)thread;
    while (!fiber_has_ended(fiber))
        fiber_wait(fiber, SIM_NEVER);
    if (result != NULL)
        *result = fiber_result(fiber);
    fiber_release(fiber);
    return 0;
}

int sim_pthread_once(pthread_once_t *once, void (*run)(void))
{
    if (*once != PTHREAD_ONCE_INIT)
        return 0;
    *once = PTHREAD_ONCE_INIT + 1;
    run();
    return 0;
}

int sim_pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    (void)how;
    (void)set;
    if (before != NULL)
        sigemptyset(before);
    return 0;
}

/* ---- mutexes ---- */

int sim_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    (void)attributes;
    memset(mutex, 0, sizeof *mutex);
    return 0;
}

int sim_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    CHECK(mutex_of(mutex)->owner == NULL);
    return 0;
}

static void take_mutex(struct mutex *mutex)
{
    CHECK(mutex->owner != fiber_self());
    while (mutex->owner != NULL)
        fiber_wait(mutex, SIM_NEVER);
    mutex->owner = fiber_self();
}

int sim_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    sim_call("lock");
    take_mutex(mutex_of(mutex));
    return 0;
}

static void give_mutex(struct mutex *mutex)
{
    CHECK(mutex->owner == fiber_self());
    mutex->owner = NULL;
    fiber_wake_one(mutex);
}

int sim_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    give_mutex(mutex_of(mutex));
    sim_call("unlock");
    return 0;
}

/* ---- conditions ---- */

int sim_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
    (void)attributes;
    memset(condition, 0, sizeof *condition);
    return 0;
}

int sim_pthread_cond_destroy(pthread_cond_t *condition)
{
    (void)condition;
    return 0;
}

static int wait_for(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_us)
{
    give_mutex(mutex_of(mutex));
    bool was_woken = fiber_wait(condition, until_us);
    take_mutex(mutex_of(mutex));
    return was_woken ? 0 : ETIMEDOUT;
}

int sim_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    (void)wait_for(condition, mutex, SIM_NEVER);
    return 0;
}

int sim_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                               const struct timespec *until)
{
    int64_t until_us = (int64_t)until->tv_sec * SIM_S + until->tv_nsec / 1000;
    return wait_for(condition, mutex, host_monotonic_to_sim_us(process_self()->host, until_us));
}

int sim_pthread_cond_signal(pthread_cond_t *condition)
{
    fiber_wake_one(condition);
    sim_call("signal");
    return 0;
}

int sim_pthread_cond_broadcast(pthread_cond_t *condition)
{
    fiber_wake_all(condition);
    sim_call("broadcast");
    return 0;
}

int sim_pthread_condattr_init(pthread_condattr_t *attributes)
{
    memset(attributes, 0, sizeof *attributes);
    return 0;
}

int sim_pthread_condattr_destroy(pthread_condattr_t *attributes)
{
    (void)attributes;
    return 0;
}

int sim_pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
    (void)attributes;
    CHECK(clock == CLOCK_MONOTONIC);
    return 0;
}
