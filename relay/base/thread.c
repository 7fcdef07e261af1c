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

void thread_set_name(const char *name)
{
    (void)!prctl(PR_SET_NAME, name);
}
