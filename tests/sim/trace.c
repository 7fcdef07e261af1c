/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/check.h"
#include "sim.h"

enum { LINE_MAX_BYTES = 1024, LINES_KEPT = 120 };

static uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a */
static bool is_shown;
static char kept[LINES_KEPT][LINE_MAX_BYTES];
static uint64_t line_count;
static char failure[LINE_MAX_BYTES];
static const char *failure_kind = "";

void trace(const char *format, ...)
{
    char *line = kept[line_count++ % LINES_KEPT];
    int64_t now_us = sim_now_us();
    int used = snprintf(line, LINE_MAX_BYTES, "%4" PRId64 ".%06" PRId64 " ", now_us / SIM_S,
                        now_us % SIM_S);
    va_list list;
    va_start(list, format);
    vsnprintf(line + used, LINE_MAX_BYTES - (size_t)used, format, list);
    va_end(list);
    for (const char *at = line; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3U;
    if (is_shown)
        printf("%s\n", line);
}

void trace_show(bool on)
{
    is_shown = on;
}

uint64_t trace_hash(void)
{
    return hash;
}

void trace_print_last(void)
{
    if (is_shown)
        return;
    uint64_t from = line_count > LINES_KEPT ? line_count - LINES_KEPT : 0;
    for (uint64_t i = from; i < line_count; i++)
        printf("    %s\n", kept[i % LINES_KEPT]);
}

void sim_fail(const char *format, ...)
{
    if (failure[0] != '\0')
        return;
    failure_kind = format;
    va_list list;
    va_start(list, format);
    vsnprintf(failure, sizeof failure, format, list);
    va_end(list);
    trace("FAILED: %s", failure);
    sim_stop();
}

/* Of the simulation's own code: the relay's has its own, whose words are in the trace. */
_Noreturn void check_failed(const char *file, int line, const char *function, const char *what)
{
    trace("%s:%d: %s: CHECK failed: %s", file, line, function, what);
    abort();
}

const char *sim_failure(void)
{
    return failure[0] == '\0' ? NULL : failure;
}

const char *sim_failure_kind(void)
{
    return failure_kind;
}
