/* SPDX-License-Identifier: MIT */
#include "relay/base/clock.h"
#include "replica_private.h"

enum {
    KEEPALIVE_SHARE = 6, /* of repl-timeout: the system of a silent one is asked after it */
    VANISHED_SHARE = 3,  /* of repl-timeout: no answer from its system for so long ends it */
};

void replica_note_life(struct replica *replica)
{
    REPLICA_STATS_SET(replica->stats, life_ms, clock_ms());
}

/* A replica says something each second, so tcp-keepalive, which is for clients, is far too long. */
void replica_keep_alive(const struct replica *replica)
{
    int64_t keepalive_s = replica->timeout_ms / 1000 / KEEPALIVE_SHARE;
    conn_keep_alive(replica->conn, keepalive_s > 0 ? (int)keepalive_s : 1);
}

/* A newline before the reply to PSYNC tells a replica that we are still there (docs/protocol.md 1.4). Where
 * there is no room for it, enough is on its way. */
void replica_say_alive(struct replica *replica)
{
    if (replica->wants_write)
        return;
    size_t sent = 0;
    if (conn_send(replica->conn, bytes_of("\n"), false, &sent) == CONN_FAILED)
        replica_close(replica, CLOSE_FAILED);
    else
        replica_show_sent(replica);
}

/* A sign of life is an acknowledgement or a newline. Progress counts only for one who has something to
 * take and does not take it; a SYNC replica, which never acknowledges, is judged by nothing else, and
 * not once it has its RDB. */
static bool is_silent(const struct replica *replica)
{
    int64_t life_ms = REPLICA_STATS_GET(replica->stats, life_ms);
    bool has_rdb = replica->feed.step > FEED_MARK;
    if (has_rdb)
        return replica->stats->acknowledges && clock_silence_ms(life_ms) > replica->timeout_ms;
    if (!replica->wants_write)
        return false;
    int64_t last_ms = life_ms > replica->progress_ms ? life_ms : replica->progress_ms;
    return clock_silence_ms(last_ms) > replica->timeout_ms;
}

/* A program may be busy for long, and stop reading; its system answers TCP all the same, and when that is
 * silent the host or the way to it is gone. Asked once a second; each answer begins it anew. */
static bool update_unanswered(struct replica *replica)
{
    int64_t now_ms = clock_ms();
    if (!conn_is_unanswered(replica->conn))
        replica->unanswered_since_ms = 0;
    else if (replica->unanswered_since_ms == 0)
        replica->unanswered_since_ms = now_ms;
    return replica->unanswered_since_ms != 0 &&
           now_ms - replica->unanswered_since_ms > replica->timeout_ms / VANISHED_SHARE;
}

void replica_check_liveness(struct replica *replica)
{
    if (is_silent(replica))
        replica_close(replica, CLOSE_SILENT);
    else if (update_unanswered(replica))
        replica_close(replica, CLOSE_VANISHED);
}
