/* SPDX-License-Identifier: MIT
 *
 * A thread of the relay's own. Signals are thread 0's: every other thread blocks them all. The name is what
 * `top -H`, `perf` and /proc/<pid>/task show.
 */
#ifndef RELAY_BASE_THREAD_H
#define RELAY_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "relay/base/check.h"

enum { THREAD_NAME_MAX = 16 }; /* the system's limit, the terminator included */

/* Starts `run(arg)`. False: errno. Any thread. */
MUST_CHECK bool thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Makes a condition whose waits end by a clock that nobody sets: deadlines are thread_deadline's. Any thread. */
void thread_cond_init(pthread_cond_t *condition);

/* So many milliseconds from now, for pthread_cond_timedwait; ms >= 0. Any thread. */
struct timespec thread_deadline(int64_t ms);

/* Names the calling thread: at most THREAD_NAME_MAX - 1 bytes, the rest is cut off. */
void thread_set_name(const char *name);

#endif
