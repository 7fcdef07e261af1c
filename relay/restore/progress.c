/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "relay/base/clock.h"

enum { TERMINAL_MS = 200, LINE_MS = 60 * 1000 };

static const double MEGABYTE = 1024 * 1024;

void progress_begin(struct progress *progress, const char *what, uint64_t total)
{
    int64_t now_ms = clock_ms();
    *progress = (struct progress){.what = what,
                                  .total = total,
                                  .began_ms = now_ms,
                                  .told_ms = now_ms,
                                  .is_terminal = isatty(STDERR_FILENO) == 1};
}

void progress_add(struct progress *progress, uint64_t bytes)
{
    progress->done += bytes;
    int64_t now_ms = clock_ms();
    if (now_ms - progress->told_ms < (progress->is_terminal ? TERMINAL_MS : LINE_MS))
        return;
    progress->told_ms = now_ms;
    double share = progress->total > 0 ? (double)progress->done * 100 / (double)progress->total : 0;
    double seconds = (double)(now_ms - progress->began_ms) / 1000;
    fprintf(stderr, "%s%s: %.1f of %.1f MB, %.0f%%, %.1f MB/s%s", progress->is_terminal ? "\r" : "",
            progress->what, (double)progress->done / MEGABYTE, (double)progress->total / MEGABYTE,
            share, (double)progress->done / MEGABYTE / seconds,
            progress->is_terminal ? "\033[K" : "\n");
    fflush(stderr);
    progress->has_line = progress->is_terminal;
}

void progress_end(struct progress *progress)
{
    if (progress->has_line)
        fputs("\r\033[K", stderr);
    progress->has_line = false;
}
