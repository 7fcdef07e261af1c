/* SPDX-License-Identifier: MIT */
#include "replication_info.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/base/report.h"
#include "relay/store/backlog.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "request.h"

/* Where the history stands, or zeros where there is none yet. */
struct position {
    struct replid replid;
    struct replid earlier;
    int64_t
        earlier_first_lost; /* second_repl_offset: the first offset that `earlier` does not cover */
    uint64_t first;
    uint64_t published;
    uint64_t end;
    uint64_t boundary;
    bool exists;
};

static void read_position(const struct admin *admin, struct position *position)
{
    *position = (struct position){
        .replid = replid_none(), .earlier = replid_none(), .earlier_first_lost = -1};
    struct history *history = store_current(admin->store);
    if (history == NULL)
        return;
    const struct identity *identity = history_identity(history);
    const struct backlog *backlog = history_backlog(history);
    position->exists = true;
    position->replid = identity->replid;
    if (identity->earlier_count > 0) {
        position->earlier = identity->earlier[0].replid;
        position->earlier_first_lost = (int64_t)identity->earlier[0].limit + 1;
    }
    position->first = backlog_first(backlog);
    position->published = backlog_published(backlog);
    position->end = backlog_end(backlog);
    position->boundary = history_boundary(history);
}

static int64_t seconds_since(int64_t then_ms)
{
    int64_t age_ms = clock_ms() - then_ms;
    return age_ms > 0 ? age_ms / 1000 : 0;
}

static void report_sync(struct report *report, const struct link_status *origin)
{
    uint64_t total = origin->sync_total_bytes; /* 0: the origin has not told */
    uint64_t read = origin->sync_read_bytes;
    double percent = total > 0 ? (double)read / (double)total * 100 : 0;
    report_u64(report, "master_sync_total_bytes", total);
    report_u64(report, "master_sync_read_bytes", read);
    report_u64(report, "master_sync_left_bytes", total > read ? total - read : 0);
    report_text(report, "master_sync_perc", "%.2f", percent);
    report_i64(report, "master_sync_last_io_seconds_ago",
               origin->last_io_ms > 0 ? seconds_since(origin->last_io_ms) : -1);
}

static void report_origin(struct report *report, const struct link_status *origin,
                          const struct position *position)
{
    bool has_io = origin->is_up && origin->last_io_ms > 0;
    report_text(report, "role", "slave");
    report_text(report, "master_host", "%s", origin->host);
    report_u64(report, "master_port", origin->port);
    report_text(report, "master_link_status", "%s", origin->is_up ? "up" : "down");
    report_i64(report, "master_last_io_seconds_ago",
               has_io ? seconds_since(origin->last_io_ms) : -1);
    report_u64(report, "master_sync_in_progress", origin->sync_in_progress);
    report_u64(report, "slave_read_repl_offset", position->end);
    report_u64(report, "slave_repl_offset", position->boundary);
    if (origin->sync_in_progress)
        report_sync(report, origin);
    if (!origin->is_up)
        report_i64(report, "master_link_down_since_seconds",
                   origin->down_since_ms > 0 ? seconds_since(origin->down_since_ms) : -1);
}

/* The state as a primary would name it; NULL: it is on its way out, and not listed. */
static const char *replica_state(const struct peer_status *replica)
{
    switch (replica->state) {
    case REPLICA_WAITING:
        return "wait_bgsave";
    case REPLICA_LOADING:
        return "send_bulk";
    case REPLICA_STREAMING:
        return replica->is_online ? "online" : "send_bulk";
    case REPLICA_CLOSING:
        return NULL;
    }
    UNREACHABLE("a replica state that is none");
}

static void count_replica(const struct peer_status *replica, void *arg)
{
    uint64_t *count = arg;
    if (replica_state(replica) != NULL)
        (*count)++;
}

struct replica_lines {
    struct report *report;
    unsigned next;
};

/* Monitors take the line apart at ',' and '=': an announced address must not bring any. */
static const char *plain_address(const char *address, char out[256])
{
    size_t i = 0;
    for (; address[i] != '\0' && i < 255; i++)
        out[i] = address[i] == ',' || address[i] == '=' ? '?' : address[i];
    out[i] = '\0';
    return out;
}

static void report_replica(const struct peer_status *replica, void *arg)
{
    struct replica_lines *lines = arg;
    char name[24];
    char address[256];
    const char *state = replica_state(replica);
    if (state == NULL)
        return;
    /* As primaries do: only who is online is expected to say something. */
    int64_t lag_s = replica->is_online ? seconds_since(replica->last_ack_ms) : 0;
    snprintf(name, sizeof(name), "slave%u", lines->next++);
    report_text(lines->report, name, "ip=%s,port=%u,state=%s,offset=%" PRIu64 ",lag=%" PRId64,
                plain_address(replica->address, address), replica->listening_port, state,
                replica->acknowledged, lag_s);
}

static void report_backlog(struct report *report, const struct admin *admin,
                           const struct position *position)
{
    uint64_t held = position->published - position->first;
    report_text(report, "master_replid", "%s", position->replid.hex);
    report_text(report, "master_replid2", "%s", position->earlier.hex);
    report_u64(report, "master_repl_offset", position->published);
    report_i64(report, "second_repl_offset", position->earlier_first_lost);
    report_u64(report, "repl_backlog_active", position->exists);
    report_u64(report, "repl_backlog_size", admin->options.backlog_bytes);
    report_u64(report, "repl_backlog_first_byte_offset",
               position->exists ? position->first + 1 : 0);
    report_u64(report, "repl_backlog_histlen", held);
}

void report_replication(struct admin *admin, struct report *report)
{
    struct position position;
    struct link_status origin;
    uint64_t replicas = 0;
    read_position(admin, &position);
    link_status(admin->link, &origin);
    downstream_each_replica(admin->downstream, count_replica, &replicas);

    report_section(report, "Replication");
    report_origin(report, &origin, &position);
    report_u64(report, "slave_priority", 0);
    report_u64(report, "slave_read_only", 1);
    report_u64(report, "replica_announced", 1);
    report_u64(report, "connected_slaves", replicas);
    struct replica_lines lines = {.report = report};
    downstream_each_replica(admin->downstream, report_replica, &lines);
    report_text(report, "master_failover_state", "no-failover");
    report_backlog(report, admin, &position);
}
