/* SPDX-License-Identifier: MIT */
#include "info_sections.h"

#include "component.h"
#include "info_moment.h"
#include "relay/base/report.h"
#include "relay/store/cursor.h"
#include "relay/store/history.h"
#include "relay/store/store.h"

/* Where the history stands as replicas may see it, or zeros where there is none yet. What has come in this
 * turn and is not published is told by the next INFO. */
struct position {
    struct replid replid;
    struct replid earlier;
    int64_t
        earlier_first_lost; /* second_repl_offset: the first offset that `earlier` does not cover */
    uint64_t first;
    uint64_t published;
    uint64_t boundary; /* <= published */
    bool exists;
};

static void read_position(const struct commands *commands, struct position *position)
{
    *position = (struct position){
        .replid = replid_none(), .earlier = replid_none(), .earlier_first_lost = -1};
    struct history *history = store_current(commands->store);
    if (history == NULL)
        return;
    const struct identity *identity = history_identity(history);
    position->exists = true;
    position->replid = identity->replid;
    if (identity->earlier_count > 0) {
        position->earlier = identity->earlier[0].replid;
        position->earlier_first_lost = (int64_t)identity->earlier[0].limit + 1;
    }
    position->first = history_first(history);
    position->published = history_published(history);
    position->boundary = history_published_boundary(history);
}

static void report_sync(struct report *report, const struct info_moment *moment)
{
    const struct link_status *upstream = &moment->link;
    uint64_t total = upstream->sync_total_bytes; /* 0: the primary has not told */
    uint64_t read = upstream->sync_read_bytes;
    double percent = total > 0 ? (double)read / (double)total * 100 : 0;
    report_u64(report, "master_sync_total_bytes", total);
    report_u64(report, "master_sync_read_bytes", read);
    report_u64(report, "master_sync_left_bytes", total > read ? total - read : 0);
    report_text(report, "master_sync_perc", "%.2f", percent);
    report_i64(report, "master_sync_last_io_seconds_ago",
               upstream->last_io_ms > 0 ? info_moment_seconds_since(moment, upstream->last_io_ms)
                                        : -1);
}

static void report_primary(struct report *report, const struct info_moment *moment,
                           const struct position *position)
{
    const struct link_status *upstream = &moment->link;
    bool has_io = upstream->is_up && upstream->last_io_ms > 0;
    report_text(report, "role", "slave");
    report_text(report, "master_host", "%s", upstream->host);
    report_u64(report, "master_port", upstream->port);
    report_text(report, "master_link_status", "%s", upstream->is_up ? "up" : "down");
    report_i64(report, "master_last_io_seconds_ago",
               has_io ? info_moment_seconds_since(moment, upstream->last_io_ms) : -1);
    report_u64(report, "master_sync_in_progress", upstream->sync_in_progress);
    report_u64(report, "slave_read_repl_offset", position->published);
    report_u64(report, "slave_repl_offset", position->boundary);
    if (upstream->sync_in_progress)
        report_sync(report, moment);
    if (!upstream->is_up)
        report_i64(report, "master_link_down_since_seconds",
                   upstream->down_since_ms > 0
                       ? info_moment_seconds_since(moment, upstream->down_since_ms)
                       : -1);
}

static void report_backlog(struct report *report, const struct commands *commands,
                           const struct position *position)
{
    uint64_t held = position->published - position->first;
    report_text(report, "master_replid", "%s", position->replid.hex);
    report_text(report, "master_replid2", "%s", position->earlier.hex);
    report_u64(report, "master_repl_offset", position->published);
    report_i64(report, "second_repl_offset", position->earlier_first_lost);
    report_u64(report, "repl_backlog_active", position->exists);
    report_u64(report, "repl_backlog_size", commands->options.backlog_bytes);
    report_u64(report, "repl_backlog_first_byte_offset",
               position->exists ? position->first + 1 : 0);
    report_u64(report, "repl_backlog_histlen", held);
}

void info_replication(const struct info_moment *moment, struct report *report)
{
    struct position position;
    read_position(moment->commands, &position);
    report_section(report, "Replication");
    report_primary(report, moment, &position);
    report_u64(report, "slave_priority", 0);
    report_u64(report, "slave_read_only", 1);
    report_u64(report, "replica_announced", moment->commands->options.replica_announced);
    report_u64(report, "connected_slaves", moment->replicas);
    text_append(report->out, text_bytes(&moment->replica_lines));
    report->out->failed = report->out->failed || moment->replica_lines.failed;
    report_text(report, "upstream_chain", "%s", moment->link.chain);
    report_u64(report, "upstream_chain_complete", moment->link.chain_is_complete);
    report_text(report, "master_failover_state", "no-failover");
    report_backlog(report, moment->commands, &position);
}
