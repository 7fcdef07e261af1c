/* SPDX-License-Identifier: MIT
 *
 * INFO: a table of sections. Names and order of fields are those of real servers (docs/protocol.md 5.1),
 * since monitors look for them; what only a relay has stands at the end of a section or in "Relay"
 * and "Store". A field whose value we do not know is left out rather than made up.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "command_table.h"
#include "info_moment.h"
#include "info_replication.h"
#include "names.h"
#include "relay/base/clock.h"
#include "relay/base/report.h"
#include "relay/commands/memory.h"
#include "relay/downstream/known.h"
#include "relay/net/tls_certificates.h"
#include "relay/resp/rdb_version.h"
#include "relay/store/status.h"
#include "relay/store/store.h"
#include "request.h"

enum { INFO_LENGTH_MAX = 8 * 1024 * 1024, HUMAN_MAX = 32, HOP_LINE_MAX = 512 };

static const char *human(uint64_t bytes, char out[HUMAN_MAX])
{
    static const char units[] = "KMGTP";
    double value = (double)bytes;
    if (bytes < 1024) {
        snprintf(out, HUMAN_MAX, "%" PRIu64 "B", bytes);
        return out;
    }
    size_t unit = 0;
    for (value /= 1024; value >= 1024 && units[unit + 1] != '\0'; unit++)
        value /= 1024;
    snprintf(out, HUMAN_MAX, "%.2f%c", value, units[unit]);
    return out;
}

static void report_bytes(struct report *report, const char *name, uint64_t bytes)
{
    char text[HUMAN_MAX];
    char human_name[64];
    report_u64(report, name, bytes);
    snprintf(human_name, sizeof(human_name), "%s_human", name);
    report_text(report, human_name, "%s", human(bytes, text));
}

/* As servers of this protocol show it. */
static uint16_t port_of(const struct commands *commands)
{
    uint16_t plain = downstream_port(commands->downstream);
    return plain != 0 ? plain : downstream_tls_port(commands->downstream);
}

static void report_server(const struct info_moment *moment, struct report *report)
{
    const struct commands *commands = moment->commands;
    const struct link_status *upstream = &moment->link;
    struct utsname system = {.sysname = "?"};
    char executable[4096];
    ssize_t length = readlink("/proc/self/exe", executable, sizeof(executable) - 1);
    executable[length > 0 ? length : 0] = '\0';
    bool is_valkey = upstream->valkey_version[0] != '\0';
    int64_t uptime_s = info_moment_seconds_since(moment, commands->started_ms);
    const char *file = commands->options.config_file;
    (void)uname(&system); /* what it leaves out stays as it is above */

    report_section(report, "Server");
    report_text(report, "redis_version", "%s", primary_version(upstream));
    if (is_valkey) {
        report_text(report, "server_name", "valkey");
        report_text(report, "valkey_version", "%s", upstream->valkey_version);
    }
    report_text(report, "psync_relay_version", "%s", RELAY_VERSION);
    report_text(report, "redis_mode", "standalone");
    if (is_valkey)
        report_text(report, "server_mode", "standalone");
    report_text(report, "os", "%s %s %s", system.sysname, system.release, system.machine);
    report_u64(report, "arch_bits", sizeof(void *) * 8);
    report_i64(report, "process_id", getpid());
    report_text(report, "run_id", "%s", commands->run_id);
    report_u64(report, "tcp_port", port_of(commands));
    report_i64(report, "server_time_usec", clock_wall_us());
    report_i64(report, "uptime_in_seconds", uptime_s);
    report_i64(report, "uptime_in_days", uptime_s / (24 * 60 * 60));
    report_text(report, "executable", "%s", executable);
    report_text(report, "config_file", "%s", file != NULL ? file : "");
}

static void report_clients(const struct info_moment *moment, struct report *report)
{
    const struct commands *commands = moment->commands;
    report_section(report, "Clients");
    report_u64(report, "connected_clients", moment->counts.clients);
    report_u64(report, "cluster_connections", 0);
    report_u64(report, "maxclients", commands->options.clients_max);
    report_u64(report, "blocked_clients", commands->waiters.count);
    report_u64(report, "tracking_clients", 0);
}

static void report_memory(const struct info_moment *moment, struct report *report)
{
    struct memory memory;
    memory_read(&memory);
    uint64_t peak = moment->commands->rates.memory_peak;
    /* The pages of the backlog's files are no fragments of ours. */
    double own = (double)(memory.resident - memory.file_backed);
    double ratio = memory.used > 0 ? own / (double)memory.used : 0;
    report_section(report, "Memory");
    report_bytes(report, "used_memory", memory.used);
    report_bytes(report, "used_memory_rss", memory.resident);
    report_bytes(report, "used_memory_peak", peak > memory.used ? peak : memory.used);
    report_bytes(report, "total_system_memory", memory.system);
    report_bytes(report, "maxmemory", 0);
    report_text(report, "maxmemory_policy", "noeviction");
    report_text(report, "mem_fragmentation_ratio", "%.2f", ratio);
    report_text(report, "mem_allocator", "libc");
    report_u64(report, "mem_file_backed", memory.file_backed);
}

static const char *status_word(bool is_good)
{
    return is_good ? "ok" : "err";
}

/* The window is what an append-only file is to a server, an RDB from the primary what one that it saves is. */
static void report_persistence(const struct info_moment *moment, struct report *report)
{
    const struct link_status *upstream = &moment->link;
    bool has_refresh_error = upstream->refresh_error != NULL && upstream->refresh_error[0] != '\0';
    struct store_status store;
    store_status(moment->commands->store, &store);
    report_section(report, "Persistence");
    report_u64(report, "loading", 0);
    report_u64(report, "async_loading", 0);
    report_u64(report, "rdb_changes_since_last_save", 0);
    report_u64(report, "rdb_bgsave_in_progress", 0);
    report_i64(report, "rdb_last_save_time", last_save_s(moment->commands));
    report_text(report, "rdb_last_bgsave_status", "%s",
                status_word(!has_refresh_error && upstream->full_sync_failures == 0));
    report_u64(report, "aof_enabled", 0);
    report_u64(report, "aof_rewrite_in_progress", 0);
    report_u64(report, "aof_rewrite_scheduled", 0);
    report_text(report, "aof_last_bgrewrite_status", "ok");
    report_text(report, "aof_last_write_status", "%s",
                status_word(store.error[0] == '\0' && !upstream->is_stalled));
}

static void report_rates(const struct rates *rates, struct report *report)
{
    report_text(report, "instantaneous_input_kbps", "%.2f", rates->input_bytes / 1024);
    report_text(report, "instantaneous_output_kbps", "%.2f", rates->output_bytes / 1024);
    report_text(report, "instantaneous_input_repl_kbps", "%.2f", rates->repl_input_bytes / 1024);
    report_text(report, "instantaneous_output_repl_kbps", "%.2f", rates->repl_output_bytes / 1024);
}

static void report_stats(const struct info_moment *moment, struct report *report)
{
    static const char *const closed[] = {
#define REASON(upper, lower, level, text) "closed_" #lower,
        CLOSE_REASONS(REASON)
#undef REASON
    };
    const struct commands *commands = moment->commands;
    const struct downstream_counts *now = &moment->counts;
    const struct downstream_counts *then = &commands->counts_at_reset;
    uint64_t from_primary = moment->link.received_bytes - commands->received_upstream_at_reset;

    report_section(report, "Stats");
    report_u64(report, "total_connections_received",
               now->connections_received - then->connections_received);
    report_u64(report, "total_commands_processed", now->commands - then->commands);
    report_text(report, "instantaneous_ops_per_sec", "%.0f", commands->rates.commands);
    report_u64(report, "total_net_input_bytes",
               now->received_bytes - then->received_bytes + from_primary);
    report_u64(report, "total_net_output_bytes", now->sent_bytes - then->sent_bytes);
    report_u64(report, "total_net_repl_input_bytes", from_primary);
    report_u64(report, "total_net_repl_output_bytes",
               now->replica_sent_bytes - then->replica_sent_bytes);
    report_rates(&commands->rates, report);
    report_u64(report, "rejected_connections",
               now->connections_rejected - then->connections_rejected);
    report_u64(report, "replicas_refused", now->replicas_refused - then->replicas_refused);
    report_u64(report, "sync_full", now->sync_full - then->sync_full);
    report_u64(report, "sync_partial_ok", now->sync_partial_ok - then->sync_partial_ok);
    report_u64(report, "sync_partial_err", now->sync_partial_err - then->sync_partial_err);
    report_u64(report, "sync_full_unacknowledged",
               now->sync_full_unacknowledged - then->sync_full_unacknowledged);
    report_u64(report, "evicted_keys", 0);
    report_u64(report, "pubsub_channels", topics_count(&commands->topics, TOPIC_CHANNEL));
    report_u64(report, "pubsub_patterns", topics_count(&commands->topics, TOPIC_PATTERN));
    report_u64(report, "latest_fork_usec", 0);
    report_u64(report, "total_forks", 0);
    report_u64(report, "total_error_replies", commands->error_replies);
    report_u64(report, "acl_access_denied_auth", commands->logins.denied);
    report_u64(report, "acl_access_denied_cmd", commands->denied_commands);
    report_u64(report, "acl_access_denied_key", 0);
    report_u64(report, "acl_access_denied_channel", 0);
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        report_u64(report, closed[i], now->closed[i] - then->closed[i]);
}

static void report_time(struct report *report, const char *name, struct timeval time)
{
    report_text(report, name, "%lld.%06ld", (long long)time.tv_sec, (long)time.tv_usec);
}

static void report_cpu(const struct info_moment *moment, struct report *report)
{
    (void)moment;
    struct rusage self = {0};
    struct rusage children = {0};
    struct rusage thread = {0};
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    getrusage(RUSAGE_THREAD, &thread); /* admin runs on thread 0 */
    report_section(report, "CPU");
    report_time(report, "used_cpu_sys", self.ru_stime);
    report_time(report, "used_cpu_user", self.ru_utime);
    report_time(report, "used_cpu_sys_children", children.ru_stime);
    report_time(report, "used_cpu_user_children", children.ru_utime);
    report_time(report, "used_cpu_sys_main_thread", thread.ru_stime);
    report_time(report, "used_cpu_user_main_thread", thread.ru_utime);
}

static void report_modules(const struct info_moment *moment, struct report *report)
{
    (void)moment;
    report_section(report, "Modules");
}

static void report_errorstats(const struct info_moment *moment, struct report *report)
{
    const struct commands *commands = moment->commands;
    report_section(report, "Errorstats");
    for (unsigned i = 0; i < commands->error_kinds; i++) {
        char name[16 + ERROR_CODE_MAX];
        snprintf(name, sizeof(name), "errorstat_%s", commands->errors[i].code);
        report_text(report, name, "count=%" PRIu64, commands->errors[i].count);
    }
}

static void report_cluster(const struct info_moment *moment, struct report *report)
{
    (void)moment;
    report_section(report, "Cluster");
    report_u64(report, "cluster_enabled", 0);
}

static void report_keyspace(const struct info_moment *moment, struct report *report)
{
    (void)moment;
    report_section(report, "Keyspace");
}

/* The last snapshots that were fetched on a second connection, a line for each, the newest first. */
static void report_refreshes(struct report *report, const struct info_moment *moment)
{
    const struct link_status *upstream = &moment->link;
    for (size_t i = 0; i < upstream->last_refresh_count; i++) {
        const struct link_refresh_report *one = &upstream->last_refreshes[i];
        char name[48];
        snprintf(name, sizeof(name), "upstream_refresh%zu", i);
        report_text(report, name, "age=%" PRIi64 ",outcome=%s,offset=%" PRIu64 ",cause=%s",
                    info_moment_seconds_since(moment, one->began_ms), one->outcome, one->offset,
                    one->cause);
    }
    report_text(report, "upstream_refresh_last_error", "%s",
                upstream->refresh_error != NULL ? upstream->refresh_error : "");
}

/* A server has another history, which is not taken, or not yet. */
static void report_wait(struct report *report, const struct link_wait *wait)
{
    report_u64(report, "upstream_other_history", wait->is_waiting);
    if (!wait->is_waiting)
        return;
    report_text(report, "upstream_other_history_host", "%s", wait->host);
    report_u64(report, "upstream_other_history_port", wait->port);
    report_text(report, "upstream_other_history_replid", "%s", wait->replid);
    report_i64(report, "upstream_other_history_seconds_left",
               wait->left_ms < 0 ? -1 : (wait->left_ms + 999) / 1000);
}

/* Our link, and those above it: a line for each, which the relays below read (upstream/hop.h). */
static void report_hops(struct report *report, const struct link *link)
{
    struct hops hops;
    link_hops(link, &hops);
    report_u64(report, "upstream_hops", hops.count);
    for (size_t i = 0; i < hops.count; i++) {
        char name[48];
        struct text line;
        text_init(&line, HOP_LINE_MAX);
        hop_format(&hops.at[i], &line);
        snprintf(name, sizeof(name), "upstream_hop%zu", i);
        report_text(report, name, "%s", text_string(&line));
        text_fini(&line);
    }
    report_i64(report, "upstream_root_silence_seconds", hops_silence_ms(&hops) / 1000);
}

/* Whom `ack = all` waits for: those that are known, of which some may be away, and after a start those of
 * whom nothing is known. */
static void report_known(struct report *report, const struct commands *commands)
{
    struct known_counts known;
    known_count(downstream_known(commands->downstream), &known);
    report_u64(report, "replicas_known", known.attached + known.away);
    report_u64(report, "replicas_away", known.away);
    report_i64(report, "replicas_unsure_seconds", (known.unsure_ms + 999) / 1000);
}

/* What an operator of a relay wants to know and no server has a field for. */
static void report_relay(const struct info_moment *moment, struct report *report)
{
    const struct link_status *upstream = &moment->link;
    struct text rule;
    char version[SERVER_VERSION_MAX];
    text_init(&rule, 64);
    ack_rule_format(link_ack(moment->commands->link), &rule);
    report_section(report, "Relay");
    report_text(report, "upstream_state", "%s", upstream->state_name);
    report_u64(report, "upstream_attempts", upstream->attempts);
    report_u64(report, "upstream_full_syncs", upstream->full_syncs);
    report_u64(report, "upstream_partial_syncs", upstream->partial_syncs);
    report_u64(report, "upstream_refreshes", upstream->refreshes);
    report_u64(report, "upstream_refresh_failures", upstream->refresh_failures);
    report_refreshes(report, moment);
    report_text(report, "upstream_announced_version", "%s",
                server_version_format(upstream->announced_version, version));
    report_u64(report, "upstream_received_bytes", upstream->received_bytes);
    report_text(report, "ack", "%s", text_string(&rule));
    report_u64(report, "upstream_acknowledged_offset", upstream->acknowledged);
    report_text(report, "upstream_last_error", "%s", upstream->last_error);
    report_wait(report, &upstream->wait);
    report_i64(report, "upstream_stream_silence_seconds",
               info_moment_seconds_since(moment, upstream->stream_heard_ms != 0
                                                     ? upstream->stream_heard_ms
                                                     : moment->commands->started_ms));
    report_i64(report, "upstream_ping_period_seconds", (upstream->ping_period_ms + 500) / 1000);
    report_hops(report, moment->commands->link);
    report_u64(report, "serving_old_history", upstream->old_history_since_ms != 0);
    if (upstream->old_history_since_ms != 0)
        report_i64(report, "serving_old_history_since_seconds",
                   info_moment_seconds_since(moment, upstream->old_history_since_ms));
    report_u64(report, "replicas_waiting", moment->counts.replicas_waiting);
    report_known(report, moment->commands);
    text_fini(&rule);
}

/* Who makes the window larger than repl-backlog-size: a line for each of those that hold most of it. */
static void report_holders(const struct info_moment *moment, struct report *report)
{
    const struct holders *holders = &moment->holders;
    report_u64(report, "window_holders", holders->count);
    report_u64(report, "window_holders_loading", holders->loading);
    for (size_t i = 0; i < holders->listed; i++) {
        const struct holder *one = &holders->most[i];
        char name[40];
        char address[INFO_ADDRESS_MAX];
        snprintf(name, sizeof(name), "window_holder%zu", i);
        report_text(report, name,
                    "id=%" PRIu64 ",ip=%s,port=%u,state=%s,offset=%" PRIu64 ",bytes=%" PRIu64,
                    one->id, info_plain_address(one->address, address), (unsigned)one->port,
                    one->is_loading ? "send_bulk" : "online", one->offset, one->bytes);
    }
}

static void report_store(const struct info_moment *moment, struct report *report)
{
    store_report(moment->commands->store, report);
    report_holders(moment, report);
}

/* Under Valkey's names: of our side for replicas, of our side for the primary, and of all CAs the one that
 * expires first. */
static void report_valkey_certificate(struct report *report, const char *name,
                                      const struct tls_certificate *one, int64_t wall_us)
{
    char field[64];
    if (one == NULL)
        return;
    snprintf(field, sizeof(field), "tls_%s_cert_serial", name);
    report_text(report, field, "%s", one->serial);
    snprintf(field, sizeof(field), "tls_%s_cert_expires_in_seconds", name);
    report_i64(report, field, tls_certificate_left_s(one, wall_us));
}

/* The one of the section, NULL for all, that is a CA or is none and expires first. */
static const struct tls_certificate *first_to_expire(const struct tls_certificates *all,
                                                     const char *section, bool is_ca)
{
    const struct tls_certificate *first = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct tls_certificate *one = &all->at[i];
        bool is_wanted = (section == NULL || strcmp(one->section, section) == 0) &&
                         (strcmp(one->setting, "tls-cert-file") != 0) == is_ca;
        if (is_wanted && (first == NULL || one->expires_s < first->expires_s))
            first = one;
    }
    return first;
}

static void report_tls(const struct info_moment *moment, struct report *report)
{
    const struct tls_certificates *all = moment->commands->callbacks.certificates;
    int64_t wall_us = clock_wall_us();
    if (all == NULL || all->count == 0)
        return;
    report_section(report, "TLS");
    report_valkey_certificate(report, "server", first_to_expire(all, "downstream", false), wall_us);
    report_valkey_certificate(report, "client", first_to_expire(all, "upstream", false), wall_us);
    report_valkey_certificate(report, "ca", first_to_expire(all, NULL, true), wall_us);
    for (size_t i = 0; i < all->count; i++) {
        const struct tls_certificate *one = &all->at[i];
        char field[48];
        snprintf(field, sizeof(field), "tls_certificate%zu", i);
        report_text(report, field,
                    "section=%s,setting=%s,expires_in_seconds=%" PRId64 ",serial=%s,subject=%s",
                    one->section, one->setting, tls_certificate_left_s(one, wall_us), one->serial,
                    one->subject);
    }
}

static const struct {
    const char *name;
    bool is_default; /* in a plain INFO; all sections are in `all` and `everything` */
    void (*write)(const struct info_moment *moment, struct report *report);
} sections[] = {
    {"server", true, report_server},
    {"clients", true, report_clients},
    {"memory", true, report_memory},
    {"persistence", true, report_persistence},
    {"stats", true, report_stats},
    {"replication", true, report_replication},
    {"cpu", true, report_cpu},
    {"modules", true, report_modules},
    {"errorstats", true, report_errorstats},
    {"cluster", true, report_cluster},
    {"keyspace", true, report_keyspace},
    {"tls", true, report_tls},
    {"relay", true, report_relay},
    {"store", true, report_store},
};

static bool is_section_asked_for(const struct request *request, size_t section)
{
    if (argument_count(request) == 1)
        return sections[section].is_default;
    for (size_t i = 1; i < argument_count(request); i++) {
        if (argument_is(request, i, "all") || argument_is(request, i, "everything") ||
            argument_is(request, i, sections[section].name))
            return true;
        if (argument_is(request, i, "default") && sections[section].is_default)
            return true;
    }
    return false;
}

void on_info(struct request *request)
{
    struct text out;
    text_init(&out, INFO_LENGTH_MAX);
    struct report report = {.out = &out};
    struct info_moment moment;
    bool has_lines = false;
    for (size_t i = 0; i < LENGTH_OF(sections); i++)
        has_lines =
            has_lines ||
            ((sections[i].write == report_replication || sections[i].write == report_store) &&
             is_section_asked_for(request, i));
    info_moment_take(&moment, request->commands, has_lines);
    for (size_t i = 0; i < LENGTH_OF(sections); i++) {
        if (is_section_asked_for(request, i))
            sections[i].write(&moment, &report);
    }
    info_moment_fini(&moment);
    if (out.failed)
        write_error(request->writer, "ERR INFO is too long: ask for single sections");
    else
        write_verbatim(request->writer, text_bytes(&out));
    text_fini(&out);
}
