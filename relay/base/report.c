/* SPDX-License-Identifier: MIT */
#include "relay/base/report.h"

#include <inttypes.h>

void report_section(struct report *report, const char *name)
{
    text_format(report->out, "%s# %s\r\n", report->sections > 0 ? "\r\n" : "", name);
    report->sections++;
}

void report_u64(struct report *report, const char *name, uint64_t value)
{
    text_format(report->out, "%s:%" PRIu64 "\r\n", name, value);
}

void report_i64(struct report *report, const char *name, int64_t value)
{
    text_format(report->out, "%s:%" PRId64 "\r\n", name, value);
}

void report_text(struct report *report, const char *name, const char *format, ...)
{
    struct text *out = report->out;
    text_format(out, "%s:", name);

    size_t start = out->length;
    va_list list;
    va_start(list, format);
    text_format_list(out, format, list);
    va_end(list);
    /* A value may come from a peer: a line break in it would forge a field. */
    text_join_lines(out, start);
    text_append_string(out, "\r\n");
}
