/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "memo.h"
#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"
#include "reload.h"
#include "rooms.h"

/* --- acknowledgements: from the replicas to the origin, and to clients that WAIT --- */

void doors_watch_acknowledged(struct rooms *rooms)
{
    unsigned rank;
    bool link_asks = ack_rule_asks_replicas(link_ack(rooms->link), &rank);
    downstream_watch_acknowledged(rooms->downstream, link_asks || rooms->admin_watches);
}

static void watch_acknowledged(bool watch, void *arg)
{
    struct rooms *rooms = arg;
    rooms->admin_watches = watch;
    doors_watch_acknowledged(rooms);
}

/* The link looks for itself at the end of the turn. */
static void on_acknowledged(void *arg)
{
    struct rooms *rooms = arg;
    admin_on_acknowledged(rooms->admin);
}

static bool acknowledged(unsigned rank, uint64_t *offset, void *arg)
{
    const struct rooms *rooms = arg;
    return downstream_acknowledged(rooms->downstream, rank, offset);
}

/* --- downstream --- */

static void on_command(struct client *client, const struct command *command, void *arg)
{
    struct rooms *rooms = arg;
    admin_on_command(client, command, rooms->admin);
}

static void on_snapshot_wanted(void *arg)
{
    struct rooms *rooms = arg;
    link_refresh(rooms->link);
}

static void on_version(uint32_t version, void *arg)
{
    struct rooms *rooms = arg;
    link_note_replica(rooms->link, version);
}

static void on_unreadable(uint32_t version, void *arg)
{
    struct rooms *rooms = arg;
    link_note_unreadable(rooms->link, version);
}

static void note_version(const struct peer_status *replica, void *arg)
{
    struct rooms *rooms = arg;
    uint32_t version;
    if (!replica->is_online || !replica->acknowledges || replica->listening_port == 0)
        return;
    if (!server_version_parse(bytes_of(replica->version), &version))
        version = 0;
    link_note_replica(rooms->link, version);
}

void doors_note_versions(struct rooms *rooms)
{
    downstream_each_replica(rooms->downstream, note_version, rooms);
}

static bool is_upstream_streaming(void *arg)
{
    struct rooms *rooms = arg;
    struct link_status status;
    link_status(rooms->link, &status);
    return status.state == LINK_STREAMING;
}

static bool is_history_old(void *arg)
{
    struct rooms *rooms = arg;
    struct link_status status;
    link_status(rooms->link, &status);
    return status.old_history_since_ms != 0;
}

struct downstream_doors doors_of_downstream(struct rooms *rooms)
{
    return (struct downstream_doors){
        .on_command = on_command,
        .on_snapshot_wanted = on_snapshot_wanted,
        .on_version = on_version,
        .on_unreadable = on_unreadable,
        .is_upstream_streaming = is_upstream_streaming,
        .is_history_old = is_history_old,
        .on_acknowledged = on_acknowledged,
        .arg = rooms,
    };
}

/* --- upstream --- */

/* A replica that was served the new history while its snapshot arrived is right already. */
static void close_strays(struct rooms *rooms, enum close_reason reason)
{
    const struct history *current = store_current(rooms->store);
    downstream_close_replicas(rooms->downstream, reason,
                              current != NULL ? history_number(current) : 0);
}

static void on_link_news(enum link_news news, void *arg)
{
    struct rooms *rooms = arg;
    rooms->replicas_must_look = true;
    switch (news) {
    case LINK_NEWS_REPLACED:
        close_strays(rooms, CLOSE_REPLACED);
        break;
    case LINK_NEWS_WITHDRAWN:
        close_strays(rooms, CLOSE_WITHDRAWN);
        break;
    case LINK_NEWS_RENAMED:
        downstream_renamed(rooms->downstream);
        break;
    case LINK_NEWS_REWOUND: /* the cursors beyond the new end notice when they look */
        downstream_rewound(rooms->downstream);
        break;
    }
    /* Who waits for what is no part of the history any more. */
    admin_on_acknowledged(rooms->admin);
}

static bool is_own_replica(const char *address, uint16_t port, void *arg)
{
    const struct rooms *rooms = arg;
    return downstream_has_replica(rooms->downstream, address, port);
}

static void on_lost(void *arg)
{
    struct rooms *rooms = arg;
    if (rooms->sentinel != NULL)
        sentinel_ask(rooms->sentinel);
}

struct link_doors doors_of_link(struct rooms *rooms)
{
    return (struct link_doors){
        .on_news = on_link_news,
        .acknowledged = acknowledged,
        .is_own_replica = is_own_replica,
        .on_lost = on_lost,
        .arg = rooms,
    };
}

void doors_on_sentinel(const struct origin_address *primary, void *arg)
{
    struct rooms *rooms = arg;
    rooms->told = *primary;
    link_follow_primary(rooms->link, primary);
}

static bool is_same(const struct origin_address *a, const char *host, uint16_t port)
{
    return a->port == port && strcmp(a->host, host) == 0;
}

void doors_note_told(struct rooms *rooms)
{
    struct link_status link;
    const struct origin_address *told = &rooms->told;
    if (told->port == 0 || is_same(&rooms->noted, told->host, told->port))
        return;
    link_status(rooms->link, &link);
    if (link.state != LINK_STREAMING || !is_same(told, link.host, link.port))
        return;
    memo_keep(rooms->store, rooms->config, told, MEMO_TELLER_SENTINEL);
    rooms->noted = *told;
}

/* --- status --- */

struct status_sources doors_of_status(const struct rooms *rooms)
{
    const struct downstream_options *options = &rooms->config->downstream;
    return (struct status_sources){
        .store = rooms->store,
        .link = rooms->link,
        .downstream = rooms->downstream,
        .clients_max = options->clients_max,
        .serves_old_history = options->serves_old_history,
        .max_silence_ms = rooms->config->status.ready_max_silence_ms,
        .certificates = &rooms->tls.certificates,
        .allowed_hosts = rooms->config->status.allowed_hosts,
        .password = rooms->config->status.has_password ? &rooms->config->status.password : NULL,
    };
}

/* --- admin --- */

static void shut_down(void *arg)
{
    doors_stop(arg, "SHUTDOWN");
}

static bool follow(const char *host, uint16_t port, struct text *why, void *arg)
{
    struct rooms *rooms = arg;
    struct origin_address origin = {.port = port};
    int length = snprintf(origin.host, sizeof(origin.host), "%s", host);
    if (length <= 0 || (size_t)length >= sizeof(origin.host)) {
        text_format(why, "ERR Invalid master host");
        return false;
    }
    log_info("relay: told by REPLICAOF to follow %s:%" PRIu16, origin.host, origin.port);
    memo_keep(rooms->store, rooms->config, &origin, MEMO_TELLER_REPLICAOF);
    rooms->noted = origin;
    rooms->told.port = 0;
    link_follow(rooms->link, &origin);
    link_retry(rooms->link);
    return true;
}

static bool set(const struct admin_pair *pairs, size_t count, struct text *why, void *arg)
{
    return reload_set(arg, pairs, count, why);
}

static bool rewrite(struct text *why, void *arg)
{
    return reload_rewrite(arg, why);
}

static void each_setting(admin_setting_fn *fn, void *fn_arg, void *arg)
{
    const struct rooms *rooms = arg;
    config_each(rooms->config, fn, fn_arg);
}

struct admin_doors doors_of_admin(struct rooms *rooms)
{
    return (struct admin_doors){
        .shut_down = shut_down,
        .follow = follow,
        .set = set,
        .rewrite = rewrite,
        .watch_acknowledged = watch_acknowledged,
        .each_setting = each_setting,
        .certificates = &rooms->tls.certificates,
        .arg = rooms,
    };
}

void doors_lend_tls(struct rooms *rooms)
{
    struct tls_context *const *context = rooms->tls.context;
    link_set_tls(rooms->link, context[TLS_UPSTREAM]);
    if (rooms->sentinel != NULL)
        sentinel_set_tls(rooms->sentinel, context[TLS_SENTINEL]);
    if (context[TLS_DOWNSTREAM] != NULL)
        downstream_set_tls(rooms->downstream, context[TLS_DOWNSTREAM],
                           rooms->config->downstream.tls_knows_callers);
}

void doors_stop(struct rooms *rooms, const char *cause)
{
    rooms->stop_cause = cause;
    loop_stop(rooms->loop);
}
