/* SPDX-License-Identifier: MIT
 *
 * How far a restore has come, on the standard error: a line that is written over on a terminal, a line a minute
 * elsewhere.
 */
#ifndef RELAY_RESTORE_PROGRESS_H
#define RELAY_RESTORE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* is done: "restoring" */
    uint64_t done;    /* bytes */
    uint64_t total;
    int64_t began_ms;
    int64_t told_ms;
    bool is_terminal;
    bool has_line; /* there is one on the terminal */
};

void progress_begin(struct progress *progress, const char *what, uint64_t total);
void progress_add(struct progress *progress, uint64_t bytes);
/* Takes the line off the terminal. */
void progress_end(struct progress *progress);

#endif
