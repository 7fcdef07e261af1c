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

#include "components.h"
#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/config/congestion.h"
#include "relay/config/descriptors.h"
#include "relay/config/ini_rewriter.h"
#include "relay/config/saved_primary.h"
#include "relay/config/secret_files.h"
#include "relay/net/loop.h"
#include "relay/os/account.h"
#include "relay/os/process.h"
#include "relay/store/store.h"
#include "reload.h"

enum { TICK_MS = 1000, TICKS_BETWEEN_VERSIONS = 60 };

/* --- turns, seconds, signals --- */

/* Everything that this turn has received becomes visible at once, and only those who sleep are
 * woken. */
static void relay_on_turn_end(void *arg)
{
    struct components *components = arg;
    /* In this order: replicas are woken for what is published, and what is acknowledged is published, so that a kill
     * after the acknowledgement finds it. */
    bool has_news = store_publish(components->store);
    if (has_news || components->replicas_must_look)
        downstream_wake(components->downstream);
    components->replicas_must_look = false;
    link_turn_end(components->link);
    archive_turn_end(components->archive);
}

/* What `systemctl status` shows. */
static void tell_manager(struct components *components)
{
    struct link_status link;
    struct downstream_counts downstream;
    link_status(components->link, &link);
    downstream_counts(components->downstream, &downstream);
    bool has_trouble = !link.is_up && link.last_error[0] != '\0';
    char status[SERVICE_STATUS_MAX];
    snprintf(status, sizeof(status), "primary %s:%" PRIu16 " %s, replicas=%" PRIu64 "%s%s",
             link.host, link.port, link.state_name, downstream.replicas,
             has_trouble ? ", cause=" : "", has_trouble ? link.last_error : "");
    service_tick(&components->service, status);
}

static void relay_on_tick(void *arg)
{
    struct components *components = arg;
    timer_arm(components->tick, TICK_MS);
    link_tick(components->link);
    if (components->sentinel != NULL)
        sentinel_tick(components->sentinel);
    wiring_note_told(components);
    store_tick(components->store);
    archive_tick(components->archive);
    downstream_tick(components->downstream);
    commands_tick(components->commands);
    tls_sides_tick(&components->tls);
    if (components->ticks++ % TICKS_BETWEEN_VERSIONS == 0)
        wiring_note_versions(components);
    if (components->status != NULL)
        status_tick(components->status);
    tell_manager(components);
}

/* More is durable: the turn's end syncs what came meanwhile, and acknowledges. */
static void on_durable(void *arg)
{
    (void)arg;
}

/* Called by the store's own thread. */
static void ring(void *arg)
{
    notifier_wake(arg);
}

static void on_terminate(void *arg)
{
    wiring_stop(arg, "SIGTERM");
}

static void on_interrupt(void *arg)
{
    wiring_stop(arg, "SIGINT");
}

static void open_log_again(struct components *components, const char *cause)
{
    struct text why;
    text_init(&why, 1024);
    if (log_open(components->config->log_file, &why))
        log_info("relay: log file reopened cause=%s", cause);
    else
        log_warnx("relay: %s; logging continues to the previous file cause=%s", text_string(&why),
                  cause);
    text_fini(&why);
}

/* What logrotate wants. */
static void on_user1(void *arg)
{
    open_log_again(arg, "SIGUSR1");
}

static void reload(struct components *components)
{
    components->must_reload = false;
    reload_ini(components);
    tls_sides_reload(&components->tls, components->config);
    wiring_lend_tls(components);
    service_say(&components->service, SERVICE_READY);
}

/* Who has changed settings, or renewed a certificate. While CONFIG REWRITE waits for the disk the old ini is still in
 * place: to read that would take back what is about to be written. */
static void on_hangup(void *arg)
{
    struct components *components = arg;
    service_say(&components->service, SERVICE_RELOADING);
    open_log_again(components, "SIGHUP");
    components->must_reload = true;
    if (ini_rewriter_is_busy(components->ini_rewriter))
        log_info("relay: the reload waits for CONFIG REWRITE cause=SIGHUP");
    else
        reload(components);
}

/* The next rewrite first, if somebody waits for one: what he was told is "OK" must not be taken back either. */
static void on_rewritten(const char *why, void *arg)
{
    struct components *components = arg;
    commands_on_rewritten(components->commands, why);
    if (components->must_reload && !ini_rewriter_is_busy(components->ini_rewriter))
        reload(components);
}

/* --- opening and closing --- */

static bool open_loop(struct components *components, struct error *error)
{
    components->loop = loop_new(error);
    if (components->loop == NULL)
        return false;
    (void)error_set(error, ERROR_EXHAUSTED,
                    "cannot make an event loop: out of memory or descriptors");
    components->tick = timer_new(components->loop, relay_on_tick, components);
    components->durable = notifier_new(components->loop, on_durable, components);
    if (components->durable == NULL)
        return false;
    store_on_durable(components->store, ring, components->durable);
    return components->tick != NULL &&
           loop_on_signal(components->loop, SIGTERM, on_terminate, components) &&
           loop_on_signal(components->loop, SIGINT, on_interrupt, components) &&
           loop_on_signal(components->loop, SIGHUP, on_hangup, components) &&
           loop_on_signal(components->loop, SIGUSR1, on_user1, components);
}

/* As servers of this protocol do: under TLS the TLS port, where there is one. */
static uint16_t port_to_announce(const struct components *components)
{
    uint16_t plain = downstream_port(components->downstream);
    uint16_t tls = downstream_tls_port(components->downstream);
    bool is_tls = plain == 0 || (components->config->upstream_has_tls == CONFIG_YES && tls != 0);
    return is_tls ? tls : plain;
}

static bool open_link(struct components *components)
{
    struct link_options options = components->config->upstream;
    if (options.announce_port == 0)
        options.announce_port = port_to_announce(components);
    options.asks_sentinels = components->config->sentinel.sentinels.count > 0;
    if (saved_primary_recall(components->store, components->config, &components->noted) &&
        (components->noted.carrier != PRIMARY_WSS || components->tls.context[TLS_UPSTREAM] != NULL))
        options.primary = (struct primary_candidates){.count = 1, .at = {components->noted}};
    const struct link_callbacks callbacks = wiring_link_callbacks(components);
    components->link = link_open(components->loop, components->store, &options, &callbacks);
    return components->link != NULL;
}

static bool open_archive(struct components *components)
{
    const struct archive_callbacks callbacks = wiring_archive_callbacks(components);
    components->archive =
        archive_open(components->loop, components->store, &components->config->archive, &callbacks);
    return components->archive != NULL;
}

static bool open_sentinel(struct components *components)
{
    const struct sentinel_options *options = &components->config->sentinel;
    if (options->sentinels.count == 0)
        return true;
    components->sentinel = sentinel_open(components->loop, options, wiring_on_sentinel, components);
    if (components->sentinel != NULL)
        sentinel_set_proxy(components->sentinel, components->config->upstream.proxy);
    return components->sentinel != NULL;
}

static bool open_commands(struct components *components)
{
    struct commands_callbacks callbacks = wiring_commands_callbacks(components);
    components->ini_rewriter = ini_rewriter_new(components->loop, on_rewritten, components);
    if (components->ini_rewriter == NULL)
        return false;
    callbacks.set = reload_set;
    callbacks.rewrite = reload_rewrite;
    components->commands =
        commands_open(components->loop, components->store, components->link, components->downstream,
                      &components->config->commands, &callbacks);
    if (components->commands == NULL)
        return false;
    link_set_run_id(components->link, commands_run_id(components->commands));
    return true;
}

static bool open_status(struct components *components, struct text *why)
{
    struct status_options options = components->config->status;
    const struct status_sources sources = wiring_status_sources(components);
    if (options.port == 0 && options.tls_port == 0)
        return true;
    options.tls = components->tls.context[TLS_HTTP];
    components->status = status_open(components->loop, &options, &sources, why);
    return components->status != NULL;
}

/* Nothing happens on the loop before it runs, so a callback may lead to a component that is opened later. */
static bool open_components(struct components *components, struct text *why)
{
    const struct downstream_callbacks callbacks = wiring_downstream_callbacks(components);
    components->store = store_open(&components->config->store, why);
    if (components->store == NULL)
        return false;
    struct error error;
    if (!open_loop(components, &error)) {
        text_format(why, "%s%s", error.text,
                    error.number == EMFILE
                        ? ": raise the limit of open files (ulimit -n, LimitNOFILE)"
                        : "");
        return false;
    }
    struct downstream_options options = components->config->downstream;
    options.tls = components->tls.context[TLS_DOWNSTREAM];
    components->downstream =
        downstream_open(components->loop, components->store, &options, &callbacks, why);
    if (components->downstream == NULL)
        return false;
    if (!open_link(components) || !open_archive(components) || !open_sentinel(components) ||
        !open_commands(components)) {
        text_append_string(why, "memory or descriptors are out");
        return false;
    }
    if (!open_status(components, why))
        return false;
    wiring_lend_tls(components);
    wiring_watch_acknowledged(components);
    return true;
}

/* Also of what was opened only in part. */
static void close_components(struct components *components)
{
    /* Who reads others goes before them. The link before the replicas: it acknowledges no more, and what it brings is
     * of no use to anybody. */
    if (components->status != NULL)
        status_close(&components->status);
    if (components->commands != NULL)
        commands_close(&components->commands);
    if (components->sentinel != NULL)
        sentinel_close(&components->sentinel);
    archive_close(&components->archive);
    if (components->link != NULL)
        link_close(&components->link);
    if (components->downstream != NULL)
        downstream_close(&components->downstream);
    /* Waits for a CONFIG REWRITE that is under way. Everybody who is connected has been let go before. */
    if (components->ini_rewriter != NULL)
        ini_rewriter_free(&components->ini_rewriter);
    if (components->tick != NULL)
        timer_free(&components->tick);
    if (components->durable != NULL) {
        /* The store lives a little longer than its notifier. */
        store_on_durable(components->store, NULL, NULL);
        notifier_free(&components->durable);
    }
    /* What was put aside to be freed goes with the loop, and may still hold something of the store. */
    if (components->loop != NULL)
        loop_free(&components->loop);
    if (components->store != NULL)
        store_close(&components->store);
    tls_sides_close(&components->tls);
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

static void relay_run_loop(struct components *components)
{
    const struct config *config = components->config;
    struct text ack;
    text_init(&ack, 64);
    ack_rule_format(config->upstream.ack, &ack);
    log_info("relay: psync-relay %s runs candidates=%zu sentinels=%zu ack=%s data-dir=%s port=%u "
             "tls-port=%u ws-port=%u ws-tls-port=%u threads=%u pid=%ld",
             RELAY_VERSION, config->upstream.primary.count, config->sentinel.sentinels.count,
             text_string(&ack), config->store.data_dir,
             (unsigned)downstream_port(components->downstream),
             (unsigned)downstream_tls_port(components->downstream),
             (unsigned)downstream_ws_port(components->downstream),
             (unsigned)downstream_ws_tls_port(components->downstream), config->downstream.threads,
             (long)getpid());
    text_fini(&ack);
    loop_at_turn_end(components->loop, relay_on_turn_end, components);
    timer_arm(components->tick, TICK_MS);
    tell_manager(components);
    service_say(&components->service, SERVICE_READY);
    loop_run(components->loop);
    hold_signals();
    service_say(&components->service, SERVICE_STOPPING);
    log_info("relay: stopping cause=%s", components->stop_cause);
}

/* What is done as root, if that is what we are, and the end of that. Then there is a log. */
static bool settle_down(struct components *components, const struct account *account,
                        struct text *why)
{
    struct config *config = components->config;
    /* Limits and keys first: the user that root becomes may not raise the ones, nor read the others. */
    if (!descriptors_provide(config, why) || !tls_sides_open(&components->tls, config, why))
        return false;
    secret_files_warn_of_open(config);
    congestion_warn(config);
    if (!account_become(account, config->store.data_dir, why))
        return false;
    process_set_dumpable(config->set_dumpable == CONFIG_YES);
    secret_files_warn_of_unreadable(config);
    tls_sides_log(&components->tls);
    return true;
}

bool relay_run(struct config *config, struct text *why)
{
    struct components components = {.config = config, .stop_cause = "none"};
    struct account account;
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    umask(S_IRWXG | S_IRWXO);
    if (!account_find(&account, config->user, config->group, why) ||
        !account_prepare(&account, config->store.data_dir, config->log_file, why) ||
        !account_open_log(&account, config->log_file, why))
        return false;

    service_open(&components.service);
    bool opened = settle_down(&components, &account, why) && open_components(&components, why);
    if (opened)
        relay_run_loop(&components);
    else if (config->log_file[0] != '\0')
        log_errorx("relay: %s", text_string(why)); /* the caller tells stderr only */
    close_components(&components);
    service_close(&components.service);
    if (opened)
        log_info("relay: stopped");
    return opened;
}
