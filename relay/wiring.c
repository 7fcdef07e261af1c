/* SPDX-License-Identifier: MIT
 *
 * Callbacks from one component into another. Some only pass on what they are given, and cannot be left out: upstream
 * and downstream know no type of each other, and nothing below commands and config knows a type of theirs, so a
 * callback has a void pointer where the function that it leads to has its component. Nor could that component be the
 * pointer: downstream is opened before link and commands are, so each is looked up when the call comes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "components.h"
#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/config/saved_primary.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"

/* --- acknowledgements: from the replicas to the primary, and to clients that WAIT --- */

void wiring_watch_acknowledged(struct components *components)
{
    /* Two may want to know, and the workers have one switch. */
    unsigned rank;
    bool link_asks = ack_rule_asks_replicas(link_ack(components->link), &rank);
    downstream_watch_acknowledged(components->downstream,
                                  link_asks || components->commands_watches);
}

static void wiring_on_watch(bool watch, void *arg)
{
    struct components *components = arg;
    components->commands_watches = watch;
    wiring_watch_acknowledged(components);
}

/* The link looks for itself at the end of the turn. */
static void wiring_on_acknowledged(void *arg)
{
    struct components *components = arg;
    commands_on_acknowledged(components->commands);
}

static bool acknowledged(unsigned rank, uint64_t *offset, void *arg)
{
    const struct components *components = arg;
    return downstream_acknowledged(components->downstream, rank, offset);
}

/* --- downstream --- */

static void wiring_on_command(struct client *client, const struct command *command, void *arg)
{
    struct components *components = arg;
    commands_on_command(client, command, components->commands);
}

static void on_snapshot_wanted(uint64_t from, void *arg)
{
    struct components *components = arg;
    link_refresh_from(components->link, from);
}

static void on_version(uint32_t version, void *arg)
{
    struct components *components = arg;
    link_note_replica(components->link, version);
}

static void wiring_on_unreadable(uint32_t version, void *arg)
{
    struct components *components = arg;
    link_note_unreadable(components->link, version);
}

static void note_version(const struct peer_status *replica, void *arg)
{
    struct components *components = arg;
    uint32_t version;
    if (!replica->is_online || !replica->acknowledges || replica->listening_port == 0)
        return;
    if (!server_version_parse(bytes_of(replica->version), &version))
        version = 0;
    link_note_replica(components->link, version);
}

void wiring_note_versions(struct components *components)
{
    downstream_each_replica(components->downstream, note_version, components);
}

static bool is_upstream_streaming(void *arg)
{
    struct components *components = arg;
    struct link_status status;
    link_status(components->link, &status);
    return status.state == LINK_STREAMING;
}

static bool is_history_old(void *arg)
{
    struct components *components = arg;
    struct link_status status;
    link_status(components->link, &status);
    return status.old_history_since_ms != 0;
}

struct downstream_callbacks wiring_downstream_callbacks(struct components *components)
{
    return (struct downstream_callbacks){
        .on_command = wiring_on_command,
        .on_snapshot_wanted = on_snapshot_wanted,
        .on_version = on_version,
        .on_unreadable = wiring_on_unreadable,
        .is_upstream_streaming = is_upstream_streaming,
        .is_history_old = is_history_old,
        .on_acknowledged = wiring_on_acknowledged,
        .arg = components,
    };
}

/* --- upstream --- */

/* A replica that was served the new history while its snapshot arrived is right already. */
static void close_strays(struct components *components, enum close_reason reason)
{
    const struct history *current = store_current(components->store);
    downstream_close_replicas(components->downstream, reason,
                              current != NULL ? history_number(current) : 0);
}

static void on_link_news(enum link_news news, void *arg)
{
    struct components *components = arg;
    /* A cursor notices by itself when it looks; and who waits for its socket looks only when it is woken. */
    components->replicas_must_look = true;
    switch (news) {
    case LINK_NEWS_REPLACED:
        close_strays(components, CLOSE_REPLACED);
        break;
    case LINK_NEWS_WITHDRAWN: /* those that were fed while it arrived: their history is none any more */
        close_strays(components, CLOSE_WITHDRAWN);
        break;
    case LINK_NEWS_RENAMED:
        downstream_renamed(components->downstream);
        break;
    case LINK_NEWS_REWOUND: /* the cursors beyond the new end notice when they look */
        downstream_rewound(components->downstream);
        break;
    }
    /* Who waits for what is no part of the history any more. */
    commands_on_acknowledged(components->commands);
}

static bool is_own_replica(const char *address, uint16_t port, void *arg)
{
    const struct components *components = arg;
    return downstream_has_replica(components->downstream, address, port);
}

struct snapshot_replicas {
    struct snapshot_replica *out;
    size_t max;
    size_t count;
};

static void add_snapshot_replica(const struct peer_status *replica, void *arg)
{
    struct snapshot_replicas *list = arg;
    bool may_be_asked = replica->is_online && replica->acknowledges && !replica->is_relay &&
                        !replica->runs_behind && replica->listening_port != 0;
    if (!may_be_asked || list->count == list->max)
        return;
    struct snapshot_replica *out = &list->out[list->count++];
    *out = (struct snapshot_replica){.address.port = replica->listening_port,
                                     .acknowledged = replica->acknowledged};
    snprintf(out->address.host, sizeof(out->address.host), "%s", replica->address);
}

static size_t snapshot_replicas(struct snapshot_replica *out, size_t max, void *arg)
{
    const struct components *components = arg;
    struct snapshot_replicas list = {.out = out, .max = max};
    downstream_each_replica(components->downstream, add_snapshot_replica, &list);
    return list.count;
}

static void on_lost(void *arg)
{
    struct components *components = arg;
    if (components->sentinel != NULL)
        sentinel_ask(components->sentinel);
}

struct link_callbacks wiring_link_callbacks(struct components *components)
{
    return (struct link_callbacks){
        .on_news = on_link_news,
        .acknowledged = acknowledged,
        .is_own_replica = is_own_replica,
        .snapshot_replicas = snapshot_replicas,
        .on_lost = on_lost,
        .arg = components,
    };
}

void wiring_on_sentinel(const struct primary_address *primary, void *arg)
{
    struct components *components = arg;
    components->told = *primary;
    link_follow_primary(components->link, primary);
}

void wiring_note_told(struct components *components)
{
    struct link_status link;
    const struct primary_address *told = &components->told;
    if (told->port == 0 || primary_address_equal(&components->noted, told))
        return;
    link_status(components->link, &link);
    /* Not when it is told: a Sentinel may be wrong, or cut off, and only a stream from there proves it. */
    if (link.state != LINK_STREAMING || told->port != link.port ||
        strcmp(told->host, link.host) != 0)
        return;
    saved_primary_keep(components->store, components->config, told, SAVED_PRIMARY_TELLER_SENTINEL);
    components->noted = *told;
}

/* --- archive --- */

static bool on_archive_wants_snapshot(void *arg)
{
    struct components *components = arg;
    bool is_begun = link_refresh_now(components->link) == NULL;
    if (is_begun)
        log_info("archive: a newer RDB is fetched, since the last one in the archive is old");
    return is_begun;
}

struct archive_callbacks wiring_archive_callbacks(struct components *components)
{
    return (struct archive_callbacks){.want_snapshot = on_archive_wants_snapshot,
                                      .arg = components};
}

/* --- status --- */

struct status_sources wiring_status_sources(const struct components *components)
{
    const struct downstream_options *options = &components->config->downstream;
    return (struct status_sources){
        .store = components->store,
        .link = components->link,
        .downstream = components->downstream,
        .archive = components->archive,
        .clients_max = options->clients_max,
        .serves_old_history = options->serves_old_history,
        .max_silence_ms = components->config->status.ready_max_silence_ms,
        .certificates = &components->tls.certificates,
        .allowed_hosts = components->config->status.allowed_hosts,
        .password =
            components->config->status.has_password ? &components->config->status.password : NULL,
    };
}

/* --- admin --- */

static void shut_down(void *arg)
{
    wiring_stop(arg, "SHUTDOWN");
}

static bool wiring_follow(const char *host, uint16_t port, struct text *why, void *arg)
{
    struct components *components = arg;
    struct primary_address primary = {.port = port};
    int length = snprintf(primary.host, sizeof(primary.host), "%s", host);
    if (length <= 0 || (size_t)length >= sizeof(primary.host)) {
        text_format(why, "ERR Invalid master host");
        return false;
    }
    log_info("relay: told by REPLICAOF to follow %s:%" PRIu16, primary.host, primary.port);
    /* What a Sentinel told before is overruled until it tells something again. */
    saved_primary_keep(components->store, components->config, &primary,
                       SAVED_PRIMARY_TELLER_REPLICAOF);
    components->noted = primary;
    components->told.port = 0;
    link_follow(components->link, &primary);
    link_retry(components->link);
    return true;
}

static void each_setting(commands_setting_fn *fn, void *fn_arg, void *arg)
{
    const struct components *components = arg;
    config_each(components->config, fn, fn_arg);
}

struct commands_callbacks wiring_commands_callbacks(struct components *components)
{
    return (struct commands_callbacks){
        .shut_down = shut_down,
        .follow = wiring_follow,
        .watch_acknowledged = wiring_on_watch,
        .each_setting = each_setting,
        .certificates = &components->tls.certificates,
        .archive = components->archive,
        .arg = components,
    };
}

void wiring_lend_tls(struct components *components)
{
    struct tls_context *const *context = components->tls.context;
    bool has_tls = components->config->upstream_has_tls == CONFIG_YES;
    link_set_tls(components->link, has_tls ? context[TLS_UPSTREAM] : NULL);
    link_set_wss_tls(components->link, context[TLS_UPSTREAM]);
    link_set_snapshot_source_tls(components->link, context[TLS_SNAPSHOT_SOURCE]);
    if (components->sentinel != NULL)
        sentinel_set_tls(components->sentinel, context[TLS_SENTINEL]);
    if (context[TLS_DOWNSTREAM] != NULL)
        downstream_set_tls(components->downstream, context[TLS_DOWNSTREAM],
                           components->config->downstream.tls_knows_callers);
    if (components->status != NULL && context[TLS_HTTP] != NULL)
        status_set_tls(components->status, context[TLS_HTTP]);
}

void wiring_stop(struct components *components, const char *cause)
{
    components->stop_cause = cause;
    loop_stop(components->loop);
}
