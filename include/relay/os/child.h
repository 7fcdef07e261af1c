/* SPDX-License-Identifier: MIT
 *
 * A command of the operator's that is run and waited for: its own process, with standard input from /dev/null and none
 * of our descriptors, signals as a shell has them, and the rights that this process has.
 *
 *     running  --- it exits --------------------> CHILD_EXITED, CHILD_SIGNALED
 *     running  --- the limit is over -----------> SIGTERM to its process group, CHILD_GRACE_MS later SIGKILL
 *     running  --- `stop` becomes readable -----> the same: CHILD_STOPPED
 *
 * Thread: one that may wait, never thread 0 of a running relay.
 */
#ifndef RELAY_OS_CHILD_H
#define RELAY_OS_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/text.h"

enum { CHILD_GRACE_MS = 3000 };

struct child_request {
    char *const *argv; /* NULL behind the last; argv[0] is looked for in PATH */
    int64_t limit_ms;  /* 0: none */
    int stop;          /* a descriptor; -1: none */
    /* For a command of the command line: our environment and standard error, and our process group, so that Ctrl-C
     * reaches both. Else the environment is PATH, HOME, USER and LOGNAME, and its standard error is output as well. */
    bool is_of_terminal;
    struct text
        *output; /* its first bytes, as many as the limit takes; the rest is read and dropped */
};

enum child_end {
    CHILD_EXITED,   /* `status` is its exit status */
    CHILD_SIGNALED, /* `status` is the signal */
    CHILD_TIMED_OUT,
    CHILD_STOPPED,
    CHILD_NOT_STARTED, /* `error` */
};

struct child_outcome {
    enum child_end end;
    int status;
    struct error error;
};

void child_run(const struct child_request *request, struct child_outcome *outcome);

/* Exit status 0? Else `error` says how it ended, without what it has written. */
MUST_CHECK bool child_is_good(const struct child_outcome *outcome, struct error *error);

#endif
