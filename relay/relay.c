/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "relay/admin/admin.h"
#include "relay/base/log.h"
#include "relay/downstream/downstream.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"
#include "relay/upstream/link.h"

enum { TICK_MS = 1000, DESCRIPTORS_RESERVED = 128 };

struct relay {
    const struct config *config;
    struct loop *loop;
    struct timer *tick;
    struct store *store;
    struct downstream *downstream;
    struct link *link;
    struct admin *admin;
    bool replicas_must_look; /* the store has changed in a way that store_publish does not tell */
    const char *stop_cause;
};

/* --- what one room wants from another --- */

static void on_command(struct client *client, const struct command *command, void *arg)
{
    struct relay *relay = arg;
    admin_on_command(client, command, relay->admin);
}

static void on_snapshot_wanted(void *arg)
{
    struct relay *relay = arg;
    link_refresh(relay->link, "a replica waits");
}

static bool is_upstream_streaming(void *arg)
{
    struct relay *relay = arg;
    struct link_status status;
    link_status(relay->link, &status);
    return status.state == LINK_STREAMING;
}

static void on_link_news(enum link_news news, void *arg)
{
    struct relay *relay = arg;
    relay->replicas_must_look = true;
    switch (news) {
    case LINK_NEWS_REPLACED:
        /* A replica that was served the new history while its snapshot arrived is right already. */
        downstream_close_replicas(relay->downstream, CLOSE_REPLACED,
                                  history_number(store_current(relay->store)));
        break;
    case LINK_NEWS_RENAMED:
        downstream_close_replicas(relay->downstream, CLOSE_RENAMED, 0);
        break;
    case LINK_NEWS_REWOUND:
        break; /* the cursors beyond the new end notice when they look */
    }
}

static void stop(struct relay *relay, const char *cause)
{
    relay->stop_cause = cause;
    loop_stop(relay->loop);
}

static void shut_down(void *arg)
{
    stop(arg, "SHUTDOWN");
}

static void each_setting(admin_setting_fn *fn, void *fn_arg, void *arg)
{
    struct relay *relay = arg;
    config_each(relay->config, fn, fn_arg);
}

/* --- turns, seconds, signals --- */

/* Everything that this turn has received becomes visible at once, and only those who sleep are
 * woken. */
static void on_turn_end(void *arg)
{
    struct relay *relay = arg;
    bool has_news = store_publish(relay->store);
    if (has_news || relay->replicas_must_look)
        downstream_wake(relay->downstream);
    relay->replicas_must_look = false;
    /* What is acknowledged has been published. */
    link_turn_end(relay->link);
}

static void on_tick(void *arg)
{
    struct relay *relay = arg;
    timer_arm(relay->tick, TICK_MS);
    link_tick(relay->link);
    store_tick(relay->store);
    downstream_tick(relay->downstream);
}

static void on_terminate(void *arg)
{
    stop(arg, "SIGTERM");
}

static void on_interrupt(void *arg)
{
    stop(arg, "SIGINT");
}

/* What logrotate wants. */
static void on_hangup(void *arg)
{
    struct relay *relay = arg;
    struct text why;
    text_init(&why, 1024);
    if (log_open(relay->config->log_file, &why))
        log_info("relay: log opened again cause=SIGHUP (settings are not read again: restart)");
    else
        log_warnx("relay: cause=SIGHUP %s; the log stays where it is", text_string(&why));
    text_fini(&why);
}

/* --- opening and closing --- */

/* As redis-server does: the operator sets maxclients, the descriptors follow where they may. */
static void raise_descriptor_limit(const struct config *config)
{
    uint64_t segments = config->store.window_bytes_max / config->store.segment_bytes + 1;
    rlim_t wanted = config->downstream.clients_max + segments + DESCRIPTORS_RESERVED;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
        log_warn("relay: cannot raise the limit of open files");
    else if (limit.rlim_cur < wanted)
        log_warnx("relay: maxclients=%u needs %" PRIu64 " open files, the system allows %" PRIu64
                  ": raise it (ulimit -n, LimitNOFILE)",
                  config->downstream.clients_max, (uint64_t)wanted, (uint64_t)limit.rlim_cur);
}

static bool open_loop(struct relay *relay)
{
    /* A peer that is gone is an error of write, not a signal. */
    signal(SIGPIPE, SIG_IGN);
    relay->loop = loop_new();
    if (relay->loop == NULL)
        return false;
    relay->tick = timer_new(relay->loop, on_tick, relay);
    return relay->tick != NULL && loop_on_signal(relay->loop, SIGTERM, on_terminate, relay) &&
           loop_on_signal(relay->loop, SIGINT, on_interrupt, relay) &&
           loop_on_signal(relay->loop, SIGHUP, on_hangup, relay);
}

static bool open_link(struct relay *relay)
{
    struct link_options options = relay->config->upstream;
    if (options.announce_port == 0)
        options.announce_port = downstream_port(relay->downstream);
    relay->link = link_open(relay->loop, relay->store, &options, on_link_news, relay);
    return relay->link != NULL;
}

static bool open_admin(struct relay *relay)
{
    const struct admin_doors doors = {
        .shut_down = shut_down, .each_setting = each_setting, .arg = relay};
    relay->admin =
        admin_open(relay->store, relay->link, relay->downstream, &relay->config->admin, &doors);
    return relay->admin != NULL;
}

/* Nothing happens on the loop before it runs, so a door may lead to a room that is opened later. */
static bool open_rooms(struct relay *relay, struct text *why)
{
    const struct downstream_doors doors = {.on_command = on_command,
                                           .on_snapshot_wanted = on_snapshot_wanted,
                                           .is_upstream_streaming = is_upstream_streaming,
                                           .arg = relay};
    relay->store = store_open(&relay->config->store, why);
    if (relay->store == NULL)
        return false;
    if (!open_loop(relay)) {
        text_format(why, "cannot make an event loop: %s", strerror(errno));
        return false;
    }
    relay->downstream =
        downstream_open(relay->loop, relay->store, &relay->config->downstream, &doors, why);
    if (relay->downstream == NULL)
        return false;
    if (!open_link(relay) || !open_admin(relay)) {
        text_append_string(why, "memory or descriptors are out");
        return false;
    }
    return true;
}

/* Also of what was opened only in part. */
static void close_rooms(struct relay *relay)
{
    if (relay->admin != NULL)
        admin_close(&relay->admin);
    if (relay->link != NULL)
        link_close(&relay->link);
    if (relay->downstream != NULL)
        downstream_close(&relay->downstream);
    if (relay->tick != NULL)
        timer_free(&relay->tick);
    /* What was put aside to be freed goes with the loop, and may still hold something of the store. */
    if (relay->loop != NULL)
        loop_free(&relay->loop);
    if (relay->store != NULL)
        store_close(&relay->store);
}

static void run(struct relay *relay)
{
    const struct config *config = relay->config;
    log_info("relay: psync-relay %s runs origin=%s:%u data-dir=%s port=%u threads=%u pid=%ld",
             RELAY_VERSION, config->upstream.host, (unsigned)config->upstream.port,
             config->store.data_dir, (unsigned)downstream_port(relay->downstream),
             config->downstream.threads, (long)getpid());
    loop_at_turn_end(relay->loop, on_turn_end, relay);
    timer_arm(relay->tick, TICK_MS);
    loop_run(relay->loop);
    log_info("relay: stopping cause=%s", relay->stop_cause);
}

bool relay_run(const struct config *config, struct text *why)
{
    struct relay relay = {.config = config, .stop_cause = "none"};
    log_set_level(config->log_level);
    if (!log_open(config->log_file, why))
        return false;
    raise_descriptor_limit(config);

    bool opened = open_rooms(&relay, why);
    if (opened)
        run(&relay);
    else if (config->log_file[0] != '\0')
        log_errorx("relay: %s", text_string(why)); /* the caller tells stderr only */
    close_rooms(&relay);
    if (opened)
        log_info("relay: stopped");
    return opened;
}
