/* SPDX-License-Identifier: MIT */
#include "component.h"
#include "info_moment.h"
#include "info_sections.h"
#include "relay/archive/archive.h"
#include "relay/base/report.h"

void info_archive(const struct info_moment *moment, struct report *report)
{
    struct archive_status status = {.activity_name = "off", .error = ""};
    const struct archive *archive = moment->commands->callbacks.archive;
    if (archive != NULL)
        archive_status(archive, &status);
    report_section(report, "Archive");
    report_text(report, "archive_state", "%s", status.activity_name);
    report_text(report, "archive_system", "%s", status.system.id);
    report_u64(report, "archive_timeline", status.timeline);
    report_u64(report, "archive_offset", status.archived);
    report_u64(report, "archive_waiting_bytes", status.waiting_bytes);
    report_i64(report, "archive_waiting_seconds", status.waiting_ms / 1000);
    report_u64(report, "archive_files", status.files);
    report_u64(report, "archive_bytes", status.bytes);
    report_i64(report, "archive_last_time", status.last_shipped_s);
    report_u64(report, "archive_snapshot_offset", status.snapshot_offset);
    report_i64(report, "archive_snapshot_time", status.snapshot_s);
    report_i64(report, "archive_command_seconds", status.running_ms / 1000);
    report_u64(report, "archive_failures", status.failures);
    report_i64(report, "archive_failing_seconds", status.failing_ms / 1000);
    report_text(report, "archive_last_error", "%s", status.error);
    report_u64(report, "archive_gaps", status.gaps);
    report_u64(report, "archive_gap_bytes", status.gap_bytes);
}
