/* SPDX-License-Identifier: MIT */
#include "findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "findings_private.h"

const char *severity_name(enum severity severity)
{
    static const char *const names[] = {
        [SEVERITY_PROBLEM] = "problem",
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_NOTE] = "note",
    };
    return names[severity];
}

/* ---- words ---- */

const char *finding_size(uint64_t bytes, char out[FINDING_WORD_MAX])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < LENGTH_OF(units); unit++)
        value /= 1024;
    snprintf(out, FINDING_WORD_MAX, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

const char *finding_time(int64_t ms, char out[FINDING_WORD_MAX])
{
    int64_t seconds = ms / 1000;
    if (seconds < 120)
        snprintf(out, FINDING_WORD_MAX, "%" PRId64 " s", seconds);
    else if (seconds < 2 * 60 * 60)
        snprintf(out, FINDING_WORD_MAX, "%" PRId64 " min", seconds / 60);
    else if (seconds < 2 * 24 * 60 * 60)
        snprintf(out, FINDING_WORD_MAX, "%" PRId64 " h", seconds / (60 * 60));
    else
        snprintf(out, FINDING_WORD_MAX, "%" PRId64 " days", seconds / (24 * 60 * 60));
    return out;
}

const char *finding_subject(uint64_t count, const char *address, uint16_t port,
                            char out[FINDING_SUBJECT_MAX])
{
    const char *open = strchr(address, ':') != NULL ? "[" : "";
    const char *close = open[0] != '\0' ? "]" : "";
    if (count == 1)
        snprintf(out, FINDING_SUBJECT_MAX, "The replica %s%s%s:%u", open, address, close,
                 (unsigned)port);
    else
        snprintf(out, FINDING_SUBJECT_MAX, "%" PRIu64 " replicas, %s%s%s:%u the most,", count, open,
                 address, close, (unsigned)port);
    return out;
}

bool finding_say(char out[FINDING_LENGTH_MAX], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(out, FINDING_LENGTH_MAX, format, list);
    va_end(list);
    return true;
}

/* ---- the rules, the worst first ---- */

static const struct {
    enum severity severity;
    const char *name;
    finding_rule_fn *holds;
} rules[] = {
    {SEVERITY_PROBLEM, "disk_trouble", finds_disk_trouble},
    {SEVERITY_PROBLEM, "other_history", finds_other_history},
    {SEVERITY_PROBLEM, "link_down", finds_link_down},
    {SEVERITY_PROBLEM, "old_history", finds_old_history},
    {SEVERITY_PROBLEM, "hop_down", finds_hop_down},
    {SEVERITY_PROBLEM, "stream_silent", finds_silent_stream},
    {SEVERITY_PROBLEM, "no_primary", finds_no_primary},
    {SEVERITY_PROBLEM, "rights_missing", finds_no_rights},
    {SEVERITY_PROBLEM, "full_sync_cut_off", finds_cut_off},
    {SEVERITY_PROBLEM, "replica_cannot_load", finds_failing},
    {SEVERITY_PROBLEM, "replica_nearly_cut", finds_nearly_cut},
    {SEVERITY_PROBLEM, "archive_failing", finds_archive_failing},
    {SEVERITY_PROBLEM, "certificate_expires", finds_certificate_expires},
    {SEVERITY_WARNING, "sync_backlog_full", finds_sync_backlog_full},
    {SEVERITY_WARNING, "replica_link_too_small", finds_link_too_small},
    {SEVERITY_WARNING, "replica_behind", finds_behind},
    {SEVERITY_WARNING, "replica_silent", finds_silent},
    {SEVERITY_WARNING, "archive_gap", finds_archive_gap},
    {SEVERITY_WARNING, "archive_hanging", finds_archive_hanging},
    {SEVERITY_WARNING, "disk_low", finds_disk_low},
    {SEVERITY_WARNING, "certificate_expires_soon", finds_certificate_expires_soon},
    {SEVERITY_WARNING, "connections_full", finds_connections_full},
    {SEVERITY_WARNING, "snapshot_unusable", finds_no_snapshot},
    {SEVERITY_WARNING, "snapshot_refresh_failed", finds_refresh_failed},
    {SEVERITY_WARNING, "snapshot_outrun", finds_refresh_outrun},
    {SEVERITY_WARNING, "rights_missing", finds_few_rights},
    {SEVERITY_WARNING, "rdb_version_raised", finds_version_raised},
    {SEVERITY_NOTE, "sync_in_progress", finds_sync},
    {SEVERITY_NOTE, "replica_waiting", finds_waiting},
    {SEVERITY_NOTE, "replica_paused", finds_paused},
    {SEVERITY_NOTE, "full_sync_held", finds_held},
    {SEVERITY_NOTE, "window_held", finds_window_held},
};

void findings_each(const struct picture *picture, finding_fn *fn, void *arg)
{
    for (size_t i = 0; i < LENGTH_OF(rules); i++) {
        struct finding finding = {.severity = rules[i].severity, .name = rules[i].name};
        if (rules[i].holds(picture, &finding))
            fn(&finding, arg);
    }
}
