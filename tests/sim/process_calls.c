/* SPDX-License-Identifier: MIT
 *
 * The clock, random numbers, and what a process is told of itself: always the same. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "calls.h"
#include "clock.h"
#include "process.h"
#include "relay/base/check.h"
#include "sim.h"

enum { USER = 1000 };

int sim_clock_gettime(clockid_t clock, struct timespec *out)
{
    sim_call("clock_gettime");
    unsigned host = process_self()->host;
    int64_t now_us = clock == CLOCK_REALTIME   ? host_wall_us(host)
                     : clock == CLOCK_BOOTTIME ? sim_now_us()
                                               : host_monotonic_us(host);
    out->tv_sec = (time_t)(now_us / SIM_S);
    out->tv_nsec = (long)(now_us % SIM_S * 1000);
    return 0;
}

int sim_nanosleep(const struct timespec *length, struct timespec *left)
{
    (void)left;
    sim_call("nanosleep");
    fiber_sleep((int64_t)length->tv_sec * SIM_S + length->tv_nsec / 1000);
    return 0;
}

ssize_t sim_getrandom(void *into, size_t length, unsigned flags)
{
    (void)flags;
    uint8_t *out = into;
    for (size_t i = 0; i < length; i++)
        out[i] = (uint8_t)random_u64();
    return (ssize_t)length;
}

pid_t sim_getpid(void)
{
    return process_self()->id;
}

char *sim_getenv(const char *name)
{
    (void)name;
    return NULL;
}

/* ---- the user ---- */

uid_t sim_geteuid(void)
{
    return USER;
}

int sim_getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
    *real = *effective = *saved = USER;
    return 0;
}

int sim_getresgid(gid_t *real, gid_t *effective, gid_t *saved)
{
    *real = *effective = *saved = USER;
    return 0;
}

struct passwd *sim_getpwnam(const char *name)
{
    (void)name;
    return NULL;
}

struct group *sim_getgrnam(const char *name)
{
    (void)name;
    return NULL;
}

int sim_initgroups(const char *user, gid_t group)
{
    (void)user;
    (void)group;
    return 0;
}

int sim_setuid(uid_t user)
{
    (void)user;
    return 0;
}

int sim_seteuid(uid_t user)
{
    (void)user;
    return 0;
}

int sim_setegid(gid_t group)
{
    (void)group;
    return 0;
}

int sim_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    (void)real;
    (void)effective;
    (void)saved;
    return 0;
}

int sim_setresgid(gid_t real, gid_t effective, gid_t saved)
{
    (void)real;
    (void)effective;
    (void)saved;
    return 0;
}

/* ---- limits ---- */

int sim_setpriority(__priority_which_t which, id_t who, int priority)
{
    (void)which;
    (void)who;
    (void)priority;
    return 0;
}

int sim_getrlimit64(__rlimit_resource_t resource, struct rlimit *out)
{
    (void)resource;
    *out = (struct rlimit){.rlim_cur = 20000, .rlim_max = 20000};
    return 0;
}

int sim_setrlimit64(__rlimit_resource_t resource, const struct rlimit *limit)
{
    (void)resource;
    (void)limit;
    return 0;
}

int sim_getrusage(__rusage_who_t who, struct rusage *out)
{
    (void)who;
    memset(out, 0, sizeof *out);
    return 0;
}

long sim_sysconf(int name)
{
    return name == _SC_PAGESIZE ? 4096 : name == _SC_PHYS_PAGES ? 1 << 20 : 2;
}

int sim_prctl(int option, ...)
{
    (void)option;
    return 0;
}

mode_t sim_umask(mode_t mask)
{
    return mask;
}

int sim_uname(struct utsname *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->sysname, "Simulation", sizeof "Simulation");
    return 0;
}

__sighandler_t sim_signal(int signal, __sighandler_t handler)
{
    (void)signal;
    (void)handler;
    return SIG_DFL;
}

/* gettid and ioprio_set, and cachestat, which older systems do not have. */
long sim_syscall(long number, ...)
{
    (void)number;
    errno = ENOSYS;
    return -1;
}

struct mallinfo2 sim_mallinfo2(void)
{
    return (struct mallinfo2){.uordblks = 1 << 20};
}

int sim_malloc_info(int options, FILE *into)
{
    (void)options;
    (void)into;
    return 0;
}

int sim_malloc_trim(size_t pad)
{
    (void)pad;
    return 0;
}
