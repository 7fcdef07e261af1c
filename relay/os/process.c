/* SPDX-License-Identifier: MIT */
#include "relay/os/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "relay/base/log.h"

uint64_t process_raise_descriptors(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        return wanted;
    rlim_t before = limit.rlim_cur;
    if (before >= wanted)
        return before;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return limit.rlim_cur;
    log_warn("relay: cannot raise the limit of open files");
    return before;
}

void process_set_dumpable(bool is_dumpable)
{
    if (prctl(PR_SET_DUMPABLE, is_dumpable ? 1 : 0, 0, 0, 0) == -1)
        log_warn("relay: cannot set whether there may be core dumps");
}
