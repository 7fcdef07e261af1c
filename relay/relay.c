/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "memo.h"
#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/config/descriptors.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"
#include "rooms.h"

enum { TICK_MS = 1000 };

/* --- turns, seconds, signals --- */

/* Everything that this turn has received becomes visible at once, and only those who sleep are
 * woken. */
static void on_turn_end(void *arg)
{
    struct rooms *rooms = arg;
    bool has_news = store_publish(rooms->store);
    if (has_news || rooms->replicas_must_look)
        downstream_wake(rooms->downstream);
    rooms->replicas_must_look = false;
    /* What is acknowledged has been published. */
    link_turn_end(rooms->link);
}

static void on_tick(void *arg)
{
    struct rooms *rooms = arg;
    timer_arm(rooms->tick, TICK_MS);
    link_tick(rooms->link);
    if (rooms->sentinel != NULL)
        sentinel_tick(rooms->sentinel);
    store_tick(rooms->store);
    downstream_tick(rooms->downstream);
    if (rooms->status != NULL)
        status_tick(rooms->status);
}

/* More is durable: the turn's end syncs what came meanwhile, and acknowledges. */
static void on_durable(void *arg)
{
    (void)arg;
}

/* Called by the store's own thread. */
static void ring(void *arg)
{
    bell_ring(arg);
}

static void on_terminate(void *arg)
{
    doors_stop(arg, "SIGTERM");
}

static void on_interrupt(void *arg)
{
    doors_stop(arg, "SIGINT");
}

/* For the connections that come. */
static void lend_tls(struct rooms *rooms)
{
    link_set_tls(rooms->link, rooms->tls.upstream);
    if (rooms->tls.downstream != NULL)
        downstream_set_tls(rooms->downstream, rooms->tls.downstream);
}

/* What logrotate wants, and who has renewed a certificate. */
static void on_hangup(void *arg)
{
    struct rooms *rooms = arg;
    struct text why;
    text_init(&why, 1024);
    if (log_open(rooms->config->log_file, &why))
        log_info("relay: log opened again cause=SIGHUP (settings are not read again: restart)");
    else
        log_warnx("relay: cause=SIGHUP %s; the log stays where it is", text_string(&why));
    text_fini(&why);
    tls_sides_reload(&rooms->tls, rooms->config);
    lend_tls(rooms);
}

/* --- opening and closing --- */

static bool open_loop(struct rooms *rooms)
{
    rooms->loop = loop_new();
    if (rooms->loop == NULL)
        return false;
    rooms->tick = timer_new(rooms->loop, on_tick, rooms);
    rooms->durable = bell_new(rooms->loop, on_durable, rooms);
    if (rooms->durable == NULL)
        return false;
    store_on_durable(rooms->store, ring, rooms->durable);
    return rooms->tick != NULL && loop_on_signal(rooms->loop, SIGTERM, on_terminate, rooms) &&
           loop_on_signal(rooms->loop, SIGINT, on_interrupt, rooms) &&
           loop_on_signal(rooms->loop, SIGHUP, on_hangup, rooms);
}

/* As servers of this protocol do: under TLS the TLS port, where there is one. */
static uint16_t port_to_announce(const struct rooms *rooms)
{
    uint16_t plain = downstream_port(rooms->downstream);
    uint16_t tls = downstream_tls_port(rooms->downstream);
    bool is_tls = plain == 0 || (rooms->tls.upstream != NULL && tls != 0);
    return is_tls ? tls : plain;
}

static bool open_link(struct rooms *rooms)
{
    struct link_options options = rooms->config->upstream;
    if (options.announce_port == 0)
        options.announce_port = port_to_announce(rooms);
    struct origin_address remembered;
    if (memo_recall(rooms->store, rooms->config, &remembered))
        options.origin = (struct origin_candidates){.count = 1, .at = {remembered}};
    const struct link_doors doors = doors_of_link(rooms);
    rooms->link = link_open(rooms->loop, rooms->store, &options, &doors);
    return rooms->link != NULL;
}

static bool open_sentinel(struct rooms *rooms)
{
    const struct sentinel_options *options = &rooms->config->sentinel;
    if (options->sentinels.count == 0)
        return true;
    rooms->sentinel = sentinel_open(rooms->loop, options, doors_on_sentinel, rooms);
    return rooms->sentinel != NULL;
}

static bool open_admin(struct rooms *rooms)
{
    const struct admin_doors doors = doors_of_admin(rooms);
    rooms->admin = admin_open(rooms->loop, rooms->store, rooms->link, rooms->downstream,
                              &rooms->config->admin, &doors);
    if (rooms->admin == NULL)
        return false;
    link_set_run_id(rooms->link, admin_run_id(rooms->admin));
    return true;
}

static bool open_status(struct rooms *rooms, struct text *why)
{
    const struct status_options *options = &rooms->config->status;
    const struct status_sources sources = {
        .store = rooms->store,
        .link = rooms->link,
        .downstream = rooms->downstream,
        .clients_max = rooms->config->downstream.clients_max,
    };
    if (options->port == 0)
        return true;
    rooms->status = status_open(rooms->loop, options, &sources, why);
    return rooms->status != NULL;
}

/* Nothing happens on the loop before it runs, so a door may lead to a room that is opened later. */
static bool open_rooms(struct rooms *rooms, struct text *why)
{
    const struct downstream_doors doors = doors_of_downstream(rooms);
    if (!tls_sides_open(&rooms->tls, rooms->config, why))
        return false;
    rooms->store = store_open(&rooms->config->store, why);
    if (rooms->store == NULL)
        return false;
    if (!open_loop(rooms)) {
        text_format(why, "cannot make an event loop: %s%s", strerror(errno),
                    errno == EMFILE ? ": raise the limit of open files (ulimit -n, LimitNOFILE)"
                                    : "");
        return false;
    }
    struct downstream_options options = rooms->config->downstream;
    options.tls = rooms->tls.downstream;
    rooms->downstream = downstream_open(rooms->loop, rooms->store, &options, &doors, why);
    if (rooms->downstream == NULL)
        return false;
    if (!open_link(rooms) || !open_sentinel(rooms) || !open_admin(rooms)) {
        text_append_string(why, "memory or descriptors are out");
        return false;
    }
    if (!open_status(rooms, why))
        return false;
    lend_tls(rooms);
    doors_watch_acknowledged(rooms);
    return true;
}

/* Also of what was opened only in part. */
static void close_rooms(struct rooms *rooms)
{
    if (rooms->status != NULL)
        status_close(&rooms->status);
    if (rooms->admin != NULL)
        admin_close(&rooms->admin);
    if (rooms->sentinel != NULL)
        sentinel_close(&rooms->sentinel);
    if (rooms->link != NULL)
        link_close(&rooms->link);
    if (rooms->downstream != NULL)
        downstream_close(&rooms->downstream);
    if (rooms->tick != NULL)
        timer_free(&rooms->tick);
    if (rooms->durable != NULL) {
        /* The store lives a little longer than its bell. */
        store_on_durable(rooms->store, NULL, NULL);
        bell_free(&rooms->durable);
    }
    /* What was put aside to be freed goes with the loop, and may still hold something of the store. */
    if (rooms->loop != NULL)
        loop_free(&rooms->loop);
    if (rooms->store != NULL)
        store_close(&rooms->store);
    tls_sides_close(&rooms->tls);
}

static void run(struct rooms *rooms)
{
    const struct config *config = rooms->config;
    struct text ack;
    text_init(&ack, 64);
    ack_rule_format(config->upstream.ack, &ack);
    log_info("relay: psync-relay %s runs candidates=%zu sentinels=%zu ack=%s data-dir=%s port=%u "
             "tls-port=%u threads=%u pid=%ld",
             RELAY_VERSION, config->upstream.origin.count, config->sentinel.sentinels.count,
             text_string(&ack), config->store.data_dir,
             (unsigned)downstream_port(rooms->downstream),
             (unsigned)downstream_tls_port(rooms->downstream), config->downstream.threads,
             (long)getpid());
    text_fini(&ack);
    loop_at_turn_end(rooms->loop, on_turn_end, rooms);
    timer_arm(rooms->tick, TICK_MS);
    loop_run(rooms->loop);
    log_info("relay: stopping cause=%s", rooms->stop_cause);
}

bool relay_run(struct config *config, struct text *why)
{
    struct rooms rooms = {.config = config, .stop_cause = "none"};
    log_set_level(config->log_level);
    if (!log_open(config->log_file, why))
        return false;

    bool opened = descriptors_provide(config, why) && open_rooms(&rooms, why);
    if (opened)
        run(&rooms);
    else if (config->log_file[0] != '\0')
        log_errorx("relay: %s", text_string(why)); /* the caller tells stderr only */
    close_rooms(&rooms);
    if (opened)
        log_info("relay: stopped");
    return opened;
}
