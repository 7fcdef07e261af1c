/* SPDX-License-Identifier: MIT */
#include "relay/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void check_failed(const char *file, int line, const char *function, const char *what)
{
    dprintf(STDERR_FILENO, "%s:%d: %s: CHECK failed: %s\n", file, line, function, what);
    abort();
}
