/* SPDX-License-Identifier: MIT */
#include "info_sections.h"

#include <inttypes.h>
#include <stdio.h>

#include "command_table.h"
#include "component.h"
#include "info_moment.h"
#include "relay/base/report.h"

enum { STAT_NAME_MAX = 96 };

static void report_rates(const struct rates *rates, struct report *report)
{
    report_text(report, "instantaneous_input_kbps", "%.2f", rates->input_bytes / 1024);
    report_text(report, "instantaneous_output_kbps", "%.2f", rates->output_bytes / 1024);
    report_text(report, "instantaneous_input_repl_kbps", "%.2f", rates->repl_input_bytes / 1024);
    report_text(report, "instantaneous_output_repl_kbps", "%.2f", rates->repl_output_bytes / 1024);
}

void info_stats(const struct info_moment *moment, struct report *report)
{
    static const char *const closed[] = {
#define REASON(upper, lower, level, text) "closed_" #lower,
        CLOSE_REASONS(REASON)
#undef REASON
    };
    const struct commands *commands = moment->commands;
    const struct downstream_counts *now = &moment->counts;
    const struct downstream_counts *then = &commands->downstream_at_reset;
    const struct conn_traffic *upstream_then = &commands->upstream_at_reset;
    uint64_t from_primary = moment->link.received_bytes - upstream_then->received_bytes;

    report_section(report, "Stats");
    report_u64(report, "total_connections_received",
               now->connections_received - then->connections_received);
    report_u64(report, "total_commands_processed", now->commands - then->commands);
    report_text(report, "instantaneous_ops_per_sec", "%.0f", commands->rates.commands);
    report_u64(report, "total_net_input_bytes",
               now->received_bytes - then->received_bytes + from_primary);
    report_u64(report, "total_net_output_bytes", now->sent_bytes - then->sent_bytes);
    report_u64(report, "total_net_repl_input_bytes", from_primary);
    report_u64(report, "total_net_repl_output_bytes",
               now->replica_sent_bytes - then->replica_sent_bytes);
    report_rates(&commands->rates, report);
    report_u64(report, "rejected_connections",
               now->connections_rejected - then->connections_rejected);
    report_u64(report, "replicas_refused", now->replicas_refused - then->replicas_refused);
    report_u64(report, "sync_full", now->sync_full - then->sync_full);
    report_u64(report, "sync_partial_ok", now->sync_partial_ok - then->sync_partial_ok);
    report_u64(report, "sync_partial_err", now->sync_partial_err - then->sync_partial_err);
    report_u64(report, "sync_full_resumed", now->sync_full_resumed - then->sync_full_resumed);
    report_u64(report, "sync_full_unacknowledged",
               now->sync_full_unacknowledged - then->sync_full_unacknowledged);
    report_u64(report, "evicted_keys", 0);
    report_u64(report, "pubsub_channels", pubsub_count(&commands->pubsub, PUBSUB_CHANNEL));
    report_u64(report, "pubsub_patterns", pubsub_count(&commands->pubsub, PUBSUB_PATTERN));
    report_u64(report, "latest_fork_usec", 0);
    report_u64(report, "total_forks", 0);
    report_u64(report, "total_error_replies", commands->errors.total);
    report_u64(report, "total_reads_processed",
               now->reads - then->reads + moment->link.reads - upstream_then->reads);
    report_u64(report, "total_writes_processed",
               now->writes - then->writes + moment->link.writes - upstream_then->writes);
    report_u64(report, "acl_access_denied_auth", commands->logins.denied);
    report_u64(report, "acl_access_denied_cmd", commands->denied_commands);
    report_u64(report, "acl_access_denied_key", 0);
    report_u64(report, "acl_access_denied_channel", 0);
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        report_u64(report, closed[i], now->closed[i] - then->closed[i]);
}

void info_errorstats(const struct info_moment *moment, struct report *report)
{
    const struct error_stats *errors = &moment->commands->errors;
    report_section(report, "Errorstats");
    for (unsigned i = 0; i < errors->kinds; i++) {
        char name[16 + ERROR_CODE_MAX];
        snprintf(name, sizeof(name), "errorstat_%s", errors->of[i].code);
        report_text(report, name, "count=%" PRIu64, errors->of[i].count);
    }
}

/* The stats of each command, and where they go. */
struct stat_lines {
    const struct command_stats *stats;
    struct report *report;
};

static void report_command_calls(const struct command_row *row, void *arg)
{
    const struct stat_lines *lines = arg;
    const struct command_stat *stat = command_stats_find(lines->stats, row);
    char name[STAT_NAME_MAX];
    if (stat->calls == 0 && stat->rejected == 0)
        return;
    snprintf(name, sizeof(name), "cmdstat_%s", row->name);
    report_text(lines->report, name,
                "calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,rejected_calls=%" PRIu64
                ",failed_calls=%" PRIu64,
                stat->calls, stat->us, stat->calls > 0 ? (double)stat->us / (double)stat->calls : 0,
                stat->rejected, stat->failed);
}

void info_commandstats(const struct info_moment *moment, struct report *report)
{
    struct stat_lines lines = {.stats = &moment->commands->stats, .report = report};
    report_section(report, "Commandstats");
    command_each(lines.stats->table, report_command_calls, &lines);
}

static void report_command_latency(const struct command_row *row, void *arg)
{
    const struct stat_lines *lines = arg;
    const struct latency_histogram *latency = command_stats_find(lines->stats, row)->latency;
    char name[STAT_NAME_MAX];
    if (latency == NULL)
        return;
    snprintf(name, sizeof(name), "latency_percentiles_usec_%s", row->name);
    report_text(lines->report, name, "p50=%.3f,p99=%.3f,p99.9=%.3f",
                latency_histogram_percentile_us(latency, 50),
                latency_histogram_percentile_us(latency, 99),
                latency_histogram_percentile_us(latency, 99.9));
}

void info_latencystats(const struct info_moment *moment, struct report *report)
{
    struct stat_lines lines = {.stats = &moment->commands->stats, .report = report};
    report_section(report, "Latencystats");
    command_each(lines.stats->table, report_command_latency, &lines);
}
