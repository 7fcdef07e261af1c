/* SPDX-License-Identifier: MIT */
#include "relay/base/thread.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>

bool thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    /* A thread begins with the mask of the one that makes it. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int error = pthread_create(thread, NULL, run, arg);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    errno = error;
    return error == 0;
}

void thread_cond_init(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct timespec thread_deadline(int64_t ms)
{
    struct timespec when;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &when) == 0);
    when.tv_sec += (time_t)(ms / 1000);
    when.tv_nsec += (long)(ms % 1000) * 1000000;
    if (when.tv_nsec >= 1000000000) {
        when.tv_sec++;
        when.tv_nsec -= 1000000000;
    }
    return when;
}

void thread_set_name(const char *name)
{
    (void)!prctl(PR_SET_NAME, name);
}
