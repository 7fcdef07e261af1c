/* SPDX-License-Identifier: MIT
 *
 * A full sync over two connections: the RDB comes over one of its own (rdb_channel.h), and the stream behind it over the
 * link's, at the same time. So the primary keeps nothing for us, however long the RDB takes. In this order:
 *
 *            link's connection                    the RDB's
 *     1  waiting   +RDBCHANNELSYNC, +DUALCHANNELSYNC
 *     2                                  connects, handshake, then "+FULLRESYNC" or "$ENDOFF": id and X
 *     3  a history that begins at X is arriving in the store; the current one is served on
 *     4  joining   (a Valkey only) asks for the stream from X + 1 on, and is answered
 *     5  flowing   the stream goes into the backlog of the arriving history, as soon as its files are made;
 *                                        the RDB goes into its snapshot
 *     6                                  the RDB is whole and proven: the history becomes the current one
 *     7  streaming: it is acknowledged from now on
 *
 * A Redis begins with the stream by itself, when it answers in step 2, which may be read in the other order: what comes
 * before X is known waits in the connection. Before step 6 nobody is served a byte of the stream: a replica that takes
 * the RDB as it arrives gets it behind the RDB, whose last bytes are shown when it is proven. Nothing is acknowledged
 * before it can be served, neither: a newline each second is the sign of life, as that of a replica that loads. The
 * backlog keeps everything from X on; where it has reached repl-backlog-max-size nothing more is read before step 6, and
 * the primary keeps the rest, as it would with one connection.
 *
 * At a Valkey two servers could be meant, or X be wrong: so the RDB must not say itself, in its first fields, that it was
 * taken at another offset or under another id. The file thread looks before it gives the RDB its name (step 6).
 *
 * Whatever ends one of the connections before step 6 ends both, and the arriving history. A kill finds a history
 * without an identity, which the next start removes. Where the primary refuses the connection of the RDB, or what it
 * says is none of this, the next full sync is asked for over one connection.
 */
#include "link_private.h"

#include <inttypes.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"

enum { BREAKS_MAX = 2 }; /* before an RDB begins: then the next full sync is over one connection */

bool link_offers_rdb_channel(const struct link *link)
{
    const struct two_channel *two = &link->two_channel;
    return two->is_wanted && !two->is_refused;
}

void link_forget_refusal(struct link *link)
{
    link->two_channel.is_refused = false;
    link->two_channel.breaks = 0;
}

/* The server is tried again, at once as far as the backoff allows it: nothing has been paid for. */
static void refuse_channel(struct link *link, struct link_outcome *outcome, const char *why)
{
    struct two_channel *two = &link->two_channel;
    const struct primary_address *primary = link_primary(link);
    two->is_refused = true;
    two->refusals++;
    log_warnx("upstream: no full sync over two connections with %s:%" PRIu16
              ": %s; the next one is "
              "asked for over one",
              primary->host, primary->port, why);
    link_fail_at(outcome, true, "rdb_channel", why);
}

/* Before X is known: perhaps it is the second connection that something in between does not allow. */
static void lose_early(struct link *link, struct link_outcome *outcome, const char *why)
{
    if (++link->two_channel.breaks >= BREAKS_MAX)
        refuse_channel(link, outcome, why);
    else
        link_fail(link, outcome, "broken", why);
}

void link_choose_two_channel(struct link *link, const struct psync_reply *reply,
                             struct link_outcome *outcome)
{
    struct two_channel *two = &link->two_channel;
    const struct primary_info *info = &link->server_conn.handshake.info;
    const struct psync_reply expected = {
        .verdict = PSYNC_FULLRESYNC, .has_replid = true, .replid = info->replid};
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    /* Where it has said who it is: else when X is known. */
    if (info->has_role && !link_may_begin(link, &expected, &why)) {
        link_note_full_failure(link);
        link_fail(link, outcome, "declined", text_string(&why));
    } else {
        two->phase = TWO_CHANNEL_WAITING;
        two->is_valkey = reply->verdict == PSYNC_DUAL_CHANNEL;
        two->client_id = reply->client_id;
        link_enter(outcome, LINK_LOADING, "%s", two->is_valkey ? "dual_channel" : "rdb_channel");
    }
    text_fini(&why);
}

void link_open_rdb_channel(struct link *link)
{
    struct two_channel *two = &link->two_channel;
    struct handshake_terms terms = link_terms(link);
    terms.kind = two->is_valkey ? HANDSHAKE_VALKEY_CHANNEL : HANDSHAKE_REDIS_CHANNEL;
    terms.client_id = two->client_id;
    rdb_channel_open(&two->rdb_channel, link_primary(link), &terms);
}

/* ------------------------------------------------------------------ the stream */

static void begin_flow(struct link *link)
{
    struct server_conn *server_conn = &link->server_conn;
    link->two_channel.phase = TWO_CHANNEL_FLOWING;
    link->two_channel.breaks = 0;
    server_conn->last_io_ms = clock_ms();
    link_begin_receiving(link, store_arriving(link->store));
    server_conn_pause(server_conn, false);
    timer_arm(link->timer, 0); /* what has come already */
}

void link_begin_rdb(struct link *link, struct link_outcome *outcome)
{
    struct two_channel *two = &link->two_channel;
    struct server_conn *server_conn = &link->server_conn;
    const struct psync_reply reply = *rdb_channel_reply(&two->rdb_channel);
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    if (!link_may_begin(link, &reply, &why)) {
        link_note_full_failure(link);
        link_fail(link, outcome, "declined", text_string(&why));
    } else if (link_begin_history(link, &reply, outcome)) {
        log_info("upstream: full sync over two connections replid=%s offset=%" PRIu64,
                 reply.replid.hex, reply.offset);
        history_check_place(store_arriving(link->store));
        rdb_channel_receive(&two->rdb_channel,
                            history_arriving_snapshot(store_arriving(link->store)));
        if (two->is_valkey) {
            two->phase = TWO_CHANNEL_JOINING;
            server_conn->last_io_ms = clock_ms();
            handshake_join(&server_conn->handshake, &reply, &server_conn->out);
            server_conn_flush(server_conn);
        } else {
            begin_flow(link);
        }
    }
    text_fini(&why);
}

/* A Valkey says nothing before it is asked; a Redis may be quicker here than on the RDB's connection. */
static void take_early(struct link *link, struct link_outcome *outcome)
{
    struct server_conn *server_conn = &link->server_conn;
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    if (server_conn->pending.length == 0 && !server_conn_receive(server_conn, &why))
        lose_early(link, outcome, text_string(&why));
    else if (server_conn->pending.length > 0 && link->two_channel.is_valkey)
        refuse_channel(link, outcome, "it has sent something that nobody has asked for");
    else if (server_conn->pending.length > 0)
        server_conn_pause(server_conn, true);
    text_fini(&why);
}

static void take_join(struct link *link, struct link_outcome *outcome)
{
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    switch (server_conn_shake_hands(&link->server_conn, &why)) {
    case SERVER_CONN_MORE:
        server_conn_flush(&link->server_conn);
        break;
    case SERVER_CONN_DONE:
        begin_flow(link);
        break;
    case SERVER_CONN_PASSED:
    case SERVER_CONN_FAILED:
        refuse_channel(link, outcome, text_string(&why));
        break;
    case SERVER_CONN_BROKEN:
        link_fail_cut_off(link, outcome, text_string(&why));
        break;
    }
    text_fini(&why);
}

void link_take_two_channel(struct link *link, struct link_outcome *outcome)
{
    switch (link->two_channel.phase) {
    case TWO_CHANNEL_WAITING:
        take_early(link, outcome);
        return;
    case TWO_CHANNEL_JOINING:
        take_join(link, outcome);
        return;
    case TWO_CHANNEL_FLOWING:
        link_take_stream(link, outcome);
        return;
    case TWO_CHANNEL_OFF:
        break;
    }
    UNREACHABLE("a sync over two connections that is none");
}

/* ------------------------------------------------------------------ ends */

void link_lose_two_channel(struct link *link, struct link_outcome *outcome)
{
    const char *why = conn_error(link->server_conn.conn);
    if (link->two_channel.phase == TWO_CHANNEL_WAITING)
        lose_early(link, outcome, why);
    else
        link_fail_cut_off(link, outcome, why);
}

void link_lose_rdb_channel(struct link *link, bool is_answer, const char *why,
                           struct link_outcome *outcome)
{
    struct text words;
    text_init(&words, LINK_WHY_MAX);
    text_format(&words, "the connection for the RDB: %s", why);
    const struct history *arriving = store_arriving(link->store);
    const struct rdb_receiver *receiver = &link->two_channel.rdb_channel.rdb_receiver;
    struct text store_why;
    text_init(&store_why, LINK_WHY_MAX);
    if (link->two_channel.phase == TWO_CHANNEL_WAITING && is_answer)
        refuse_channel(link, outcome, text_string(&words));
    else if (link->two_channel.phase == TWO_CHANNEL_WAITING)
        lose_early(link, outcome, text_string(&words));
    else if (arriving != NULL && history_is_refused(arriving, &store_why))
        link_fail_store(outcome, text_string(&store_why));
    else if (is_answer || receiver->is_garbled)
        link_fail(link, outcome, "rdb", text_string(&words));
    else
        link_fail_cut_off(link, outcome, text_string(&words));
    text_fini(&store_why);
    text_fini(&words);
}

void link_end_rdb(struct link *link, struct link_outcome *outcome)
{
    if (link->two_channel.phase == TWO_CHANNEL_FLOWING && link_promote(link, outcome))
        link->two_channel.syncs++;
}

bool link_is_sync_backlog_full(const struct link *link)
{
    return link->two_channel.phase == TWO_CHANNEL_FLOWING && link->server_conn.is_paused &&
           history_is_at_its_end(link->stream_receiver.history);
}

void link_end_two_channel(struct link *link)
{
    link->two_channel.phase = TWO_CHANNEL_OFF;
    rdb_channel_close(&link->two_channel.rdb_channel);
}

void link_tick_two_channel(struct link *link)
{
    enum two_channel_phase phase = link->two_channel.phase;
    if (phase == TWO_CHANNEL_WAITING || phase == TWO_CHANNEL_FLOWING)
        server_conn_say_alive(&link->server_conn);
    rdb_channel_tick(&link->two_channel.rdb_channel, link->options.timeout_ms);
}
