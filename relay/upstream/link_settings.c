/* SPDX-License-Identifier: MIT
 *
 * What may change while the link is open.
 */
#include "link_private.h"

#include "relay/net/loop.h"

void link_set_tls(struct link *link, struct tls_context *tls)
{
    link->route.tls = tls;
}

void link_set_snapshot_source_tls(struct link *link, struct tls_context *tls)
{
    link->refresh_schedule.sources.route.tls = tls;
}

void link_set_wss_tls(struct link *link, struct tls_context *tls)
{
    link->route.wss_tls = tls;
}

void link_set_congestion(struct link *link, const char *congestion)
{
    link->options.congestion = congestion;
    link->server_conn.congestion = congestion;
    link->two_channel.rdb_channel.server_conn.congestion = congestion;
    refresh_set_congestion(link->refresh_schedule.refresh, congestion);
}

void link_set_credentials(struct link *link, const char *user, const char *password)
{
    link->options.user = user;
    link->options.password = password;
    server_conn_set_credentials(&link->server_conn, user, password);
    rdb_channel_set_credentials(&link->two_channel.rdb_channel, user, password);
    refresh_set_credentials(link->refresh_schedule.refresh, user, password);
    link->parent.user = user;
    link->parent.password = password;
}

void link_retry(struct link *link)
{
    link->failures = 0;
    candidates_forget_full_failures(&link->candidates);
    if (link_state(link) == LINK_RETRYING)
        timer_arm(link->timer, 0);
}

void link_set_ack(struct link *link, struct ack_rule rule)
{
    link->ack_tracker.rule = rule;
}

void link_change(struct link *link, const struct link_options *options)
{
    link_set_ack(link, options->ack);
    link_set_congestion(link, options->congestion);
    link->route.proxy = options->proxy;
    link->options.timeout_ms = options->timeout_ms;
    link->options.failover_grace_ms = options->failover_grace_ms;
    link->options.prefer = options->prefer;
    link->refresh_schedule.sources.setting = options->snapshot_source;
    candidates_prefer(&link->candidates, options->prefer);
    link->announced.fixed = options->announce_version;
    link->two_channel.is_wanted = options->rdb_channel;
    compression_use_change(&link->compression, options->compression);
    link->refresh_schedule.always_ready = options->snapshot_always_ready;
    link->refresh_schedule.pause_ms = options->refresh_pause_ms;
}

struct ack_rule link_ack(const struct link *link)
{
    return link->ack_tracker.rule;
}

void link_set_run_id(struct link *link, const char *run_id)
{
    link->run_id = run_id;
}
