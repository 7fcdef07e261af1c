/* SPDX-License-Identifier: MIT
 *
 * How a component tells what it is doing: it fills a report with sections of named values and never
 * knows who reads it. INFO prints "# Section" and "name:value" lines from it, as real servers do.
 *
 *     report_section(r, "Replication");
 *     report_u64(r, "master_repl_offset", end);
 *
 * Names are the field's own where it has one (docs/protocol.md 5.1). Thread: that of the caller.
 */
#ifndef RELAY_BASE_REPORT_H
#define RELAY_BASE_REPORT_H

#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct report {
    struct text *out;
    unsigned sections; /* begun so far: all but the first are set off by an empty line */
};

void report_section(struct report *report, const char *name);
void report_u64(struct report *report, const char *name, uint64_t value);
void report_i64(struct report *report, const char *name, int64_t value);
void report_text(struct report *report, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
