/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account.h"
#include "memo.h"
#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/config/descriptors.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"
#include "reload.h"
#include "rooms.h"
#include "secrecy.h"

enum { TICK_MS = 1000, TICKS_BETWEEN_VERSIONS = 60 };

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

/* What `systemctl status` shows. */
static void tell_manager(struct rooms *rooms)
{
    struct link_status link;
    struct downstream_counts downstream;
    link_status(rooms->link, &link);
    downstream_counts(rooms->downstream, &downstream);
    bool has_trouble = !link.is_up && link.last_error[0] != '\0';
    char status[NOTIFY_STATUS_MAX];
    snprintf(status, sizeof(status), "origin %s:%" PRIu16 " %s, replicas=%" PRIu64 "%s%s",
             link.host, link.port, link.state_name, downstream.replicas,
             has_trouble ? ", cause=" : "", has_trouble ? link.last_error : "");
    notify_tick(&rooms->notify, status);
}

static void on_tick(void *arg)
{
    struct rooms *rooms = arg;
    timer_arm(rooms->tick, TICK_MS);
    link_tick(rooms->link);
    if (rooms->sentinel != NULL)
        sentinel_tick(rooms->sentinel);
    doors_note_told(rooms);
    store_tick(rooms->store);
    downstream_tick(rooms->downstream);
    admin_tick(rooms->admin);
    tls_sides_tick(&rooms->tls);
    if (rooms->ticks++ % TICKS_BETWEEN_VERSIONS == 0)
        doors_note_versions(rooms);
    if (rooms->status != NULL)
        status_tick(rooms->status);
    tell_manager(rooms);
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

static void open_log_again(struct rooms *rooms, const char *cause)
{
    struct text why;
    text_init(&why, 1024);
    if (log_open(rooms->config->log_file, &why))
        log_info("relay: log opened again cause=%s", cause);
    else
        log_warnx("relay: %s; the log stays where it is cause=%s", text_string(&why), cause);
    text_fini(&why);
}

/* What logrotate wants. */
static void on_user1(void *arg)
{
    open_log_again(arg, "SIGUSR1");
}

/* Who has changed settings, or renewed a certificate. */
static void on_hangup(void *arg)
{
    struct rooms *rooms = arg;
    notify_say(&rooms->notify, NOTIFY_RELOADING);
    open_log_again(rooms, "SIGHUP");
    reload_ini(rooms);
    tls_sides_reload(&rooms->tls, rooms->config);
    doors_lend_tls(rooms);
    notify_say(&rooms->notify, NOTIFY_READY);
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
           loop_on_signal(rooms->loop, SIGHUP, on_hangup, rooms) &&
           loop_on_signal(rooms->loop, SIGUSR1, on_user1, rooms);
}

/* As servers of this protocol do: under TLS the TLS port, where there is one. */
static uint16_t port_to_announce(const struct rooms *rooms)
{
    uint16_t plain = downstream_port(rooms->downstream);
    uint16_t tls = downstream_tls_port(rooms->downstream);
    bool is_tls = plain == 0 || (rooms->tls.context[TLS_UPSTREAM] != NULL && tls != 0);
    return is_tls ? tls : plain;
}

static bool open_link(struct rooms *rooms)
{
    struct link_options options = rooms->config->upstream;
    if (options.announce_port == 0)
        options.announce_port = port_to_announce(rooms);
    options.asks_sentinels = rooms->config->sentinel.sentinels.count > 0;
    if (memo_recall(rooms->store, rooms->config, &rooms->noted))
        options.origin = (struct origin_candidates){.count = 1, .at = {rooms->noted}};
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
    const struct status_sources sources = doors_of_status(rooms);
    if (options->port == 0)
        return true;
    rooms->status = status_open(rooms->loop, options, &sources, why);
    return rooms->status != NULL;
}

/* Nothing happens on the loop before it runs, so a door may lead to a room that is opened later. */
static bool open_rooms(struct rooms *rooms, struct text *why)
{
    const struct downstream_doors doors = doors_of_downstream(rooms);
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
    options.tls = rooms->tls.context[TLS_DOWNSTREAM];
    rooms->downstream = downstream_open(rooms->loop, rooms->store, &options, &doors, why);
    if (rooms->downstream == NULL)
        return false;
    if (!open_link(rooms) || !open_sentinel(rooms) || !open_admin(rooms)) {
        text_append_string(why, "memory or descriptors are out");
        return false;
    }
    if (!open_status(rooms, why))
        return false;
    doors_lend_tls(rooms);
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

/* Closing is short and not to be cut: a second SIGTERM changes nothing. Who insists has SIGINT and SIGKILL.
 * All other threads take no signals anyway. */
static void hold_signals(void)
{
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGUSR1);
    CHECK(pthread_sigmask(SIG_BLOCK, &held, NULL) == 0);
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
    tell_manager(rooms);
    notify_say(&rooms->notify, NOTIFY_READY);
    loop_run(rooms->loop);
    hold_signals();
    notify_say(&rooms->notify, NOTIFY_STOPPING);
    log_info("relay: stopping cause=%s", rooms->stop_cause);
}

/* What is done as root, if that is what we are, and the end of that. Then there is a log. */
static bool settle_down(struct rooms *rooms, const struct account *account, struct text *why)
{
    struct config *config = rooms->config;
    if (!descriptors_provide(config, why) || !tls_sides_open(&rooms->tls, config, why))
        return false;
    secrecy_warn_of_open_files(config);
    if (!account_become(account, config, why))
        return false;
    secrecy_guard_memory(config);
    secrecy_warn_of_closed_files(config);
    tls_sides_log(&rooms->tls);
    return true;
}

bool relay_run(struct config *config, struct text *why)
{
    struct rooms rooms = {.config = config, .stop_cause = "none"};
    struct account account;
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    umask(S_IRWXG | S_IRWXO);
    if (!account_find(&account, config, why) || !account_prepare(&account, config, why) ||
        !account_open_log(&account, config, why))
        return false;

    notify_open(&rooms.notify);
    bool opened = settle_down(&rooms, &account, why) && open_rooms(&rooms, why);
    if (opened)
        run(&rooms);
    else if (config->log_file[0] != '\0')
        log_errorx("relay: %s", text_string(why)); /* the caller tells stderr only */
    close_rooms(&rooms);
    notify_close(&rooms.notify);
    if (opened)
        log_info("relay: stopped");
    return opened;
}
