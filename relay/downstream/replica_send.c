/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "replica_private.h"

/* What a feed's result means for the replica. */
static const struct {
    bool wants_write;
    bool closes;
    enum close_reason reason;
} outcomes[] = {
    [FEED_IDLE] = {.wants_write = false},
    [FEED_BLOCKED] = {.wants_write = true},
    [FEED_MORE] = {.wants_write = true},
    [FEED_COLD] = {.wants_write = false},
    [FEED_OVER_RATE] = {.wants_write = false},
    [FEED_SERVED] = {.closes = true, .reason = CLOSE_SERVED},
    [FEED_FAILED] = {.closes = true, .reason = CLOSE_FAILED},
    [FEED_UNREADABLE] = {.closes = true, .reason = CLOSE_UNREADABLE},
    [FEED_SNAPSHOT] = {.closes = true, .reason = CLOSE_SNAPSHOT},
    [FEED_LAGGED] = {.closes = true, .reason = CLOSE_LAGGED},
    [FEED_MEMORY] = {.closes = true, .reason = CLOSE_MEMORY},
    [FEED_DISK_FULL] = {.closes = true, .reason = CLOSE_DISK_FULL},
    [FEED_REWOUND] = {.closes = true, .reason = CLOSE_REWOUND},
    [FEED_RENAMED] = {.closes = true, .reason = CLOSE_RENAMED},
};

static void want_write(struct replica *replica, bool write)
{
    if (replica->wants_write == write)
        return;
    replica->wants_write = write;
    conn_want(replica->conn, true, write);
}

void replica_show_traffic(struct replica *replica)
{
    const struct conn_traffic traffic = conn_traffic(replica->conn);
    REPLICA_STATS_SET(replica->stats, sent_bytes, traffic.sent_bytes);
    REPLICA_STATS_SET(replica->stats, received_bytes, traffic.received_bytes);
    REPLICA_STATS_SET(replica->stats, reads, traffic.reads);
    REPLICA_STATS_SET(replica->stats, writes, traffic.writes);
}

static void show_rdb(const struct replica *replica)
{
    const struct feed *feed = &replica->feed;
    uint64_t length;
    if (feed->snapshot != NULL && snapshot_length(feed->snapshot, &length))
        REPLICA_STATS_SET(replica->stats, rdb_length, length);
    else if (feed->snapshot != NULL)
        REPLICA_STATS_SET(replica->stats, rdb_estimate, snapshot_estimate(feed->snapshot));
    REPLICA_STATS_SET(replica->stats, rdb_sent, feed->snapshot_sent);
}

void replica_show_sent(struct replica *replica)
{
    if (replica->sent_seen != replica->feed.sent_bytes) {
        replica->sent_seen = replica->feed.sent_bytes;
        replica->progress_ms = clock_ms();
    }
    replica_show_traffic(replica);
    if (replica->feed.step <= FEED_MARK)
        show_rdb(replica);
    REPLICA_STATS_SET(replica->stats, compressed_bytes, replica->feed.compression.wire_bytes);
    REPLICA_STATS_SET(replica->stats, uncompressed_bytes, replica->feed.compression.plain_bytes);
    REPLICA_STATS_SET(replica->stats, sent_offset, replica->feed.cursor.offset);
}

bool replica_is_full_syncing(const struct replica *replica)
{
    const struct replica_stats *stats = replica->stats;
    if (replica->machine.state == REPLICA_LOADING)
        return true;
    return stats->full_sync && stats->acknowledges && !REPLICA_STATS_GET(stats, has_acknowledged);
}

static void replica_settle(struct replica *replica, enum feed_result result)
{
    CHECK(result < LENGTH_OF(outcomes));
    /* Closed now it would lose the RDB that it is just loading: it is closed at its first acknowledgement (on_ack),
     * and comes back for a partial resync under the new id. */
    replica->is_renamed = result == FEED_RENAMED && replica_is_full_syncing(replica);
    if (replica->is_renamed)
        want_write(replica, false);
    else if (outcomes[result].closes)
        replica_close(replica, outcomes[result].reason);
    else
        want_write(replica, outcomes[result].wants_write);
}

void replica_check(struct replica *replica)
{
    enum feed_result standing = feed_check(&replica->feed);
    if (standing != FEED_IDLE)
        replica_settle(replica, standing);
}

/* A replica that takes its RDB to disk says nothing until it has all of it: its time to say something
 * begins here. */
static void note_rdb_sent(struct replica *replica)
{
    struct replica_stats *stats = replica->stats;
    if (!stats->full_sync || stats->rdb_sent_ms != 0 || replica->feed.step <= FEED_MARK)
        return;
    stats->rdb_sent_ms = clock_ms();
    show_rdb(replica);
    log_info("downstream: replica id=%" PRIu64 " addr=%s rdb sent bytes=%" PRIu64 " duration=%.3fs",
             stats->id, stats->peer, replica->feed.snapshot_sent - stats->rdb_begin,
             (double)(stats->rdb_sent_ms - stats->attached_ms) / 1000);
    replica_note_life(replica);
    replica_leave_rate(replica);
    if (!stats->acknowledges) /* it will not say that it has loaded it */
        replica_leave_place(replica);
}

static void replica_pump(struct replica *replica)
{
    if (replica->waits_for_rate)
        return;
    enum feed_result result = feed_pump(&replica->feed, replica->conn);
    replica_show_sent(replica);
    note_rdb_sent(replica);
    /* Behind an EOF mark that is at its first ACK instead (replica_input.c). */
    if (replica->machine.state == REPLICA_LOADING && replica->feed.step == FEED_STREAM)
        replica_enter(replica, REPLICA_STREAMING, "rdb-sent");
    replica->waits_for_disk = result == FEED_COLD;
    replica_settle(replica, result);
    if (result == FEED_OVER_RATE)
        replica_wait_for_rate(replica);
    if (!replica_is_closing(replica) && replica->feed.is_cold)
        replica_read_ahead(replica);
}

static void replica_pump_queued(void *arg)
{
    replica_pump(arg);
}

void replica_queue(struct replica *replica)
{
    if (!chore_is_queued(&replica->chore))
        loop_put_off(replica->loop, CHORE_WORK, &replica->chore, replica_pump_queued, replica);
}

void replica_send(struct replica *replica)
{
    if (feed_is_at_limit(&replica->feed) && !replica->wants_write)
        replica_check(replica);
    else if (replica->waits_for_disk || feed_is_behind(&replica->feed))
        replica_queue(replica);
    else
        replica_pump(replica);
}

bool replica_will_send(const struct replica *replica)
{
    return replica->wants_write || replica->waits_for_disk || replica->waits_for_rate ||
           chore_is_queued(&replica->chore);
}

void replica_flush_replies(struct replica *replica)
{
    enum feed_result result = feed_flush(&replica->feed, replica->conn);
    replica_show_sent(replica);
    replica_settle(replica, result);
}
