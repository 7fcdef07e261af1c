/* SPDX-License-Identifier: MIT */
#include "info_sections.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "component.h"
#include "info_moment.h"
#include "names.h"
#include "relay/base/clock.h"
#include "relay/base/report.h"
#include "relay/os/memory.h"
#include "relay/store/status.h"
#include "relay/store/store.h"

enum { HUMAN_MAX = 32 };

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

void info_server(const struct info_moment *moment, struct report *report)
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

void info_clients(const struct info_moment *moment, struct report *report)
{
    const struct commands *commands = moment->commands;
    report_section(report, "Clients");
    report_u64(report, "connected_clients", moment->counts.clients);
    report_u64(report, "cluster_connections", 0);
    report_u64(report, "maxclients", commands->options.clients_max);
    report_u64(report, "client_recent_max_input_buffer", moment->counts.input_buffer_recent);
    report_u64(report, "client_recent_max_output_buffer", moment->counts.output_buffer_recent);
    report_u64(report, "blocked_clients", commands->waiters.count + commands->rewrites.count);
    report_u64(report, "tracking_clients", 0);
}

void info_memory(const struct info_moment *moment, struct report *report)
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
void info_persistence(const struct info_moment *moment, struct report *report)
{
    const struct link_status *upstream = &moment->link;
    bool has_refresh_error = string_is_given(upstream->refresh_error);
    const struct store_status *store = &moment->store;
    report_section(report, "Persistence");
    report_u64(report, "loading", 0);
    report_u64(report, "async_loading", 0);
    report_u64(report, "rdb_changes_since_last_save", 0);
    report_u64(report, "rdb_bgsave_in_progress", 0);
    report_i64(report, "rdb_last_save_time", info_last_save_s(moment->commands));
    report_text(report, "rdb_last_bgsave_status", "%s",
                status_word(!has_refresh_error && upstream->full_sync_failures == 0));
    report_u64(report, "aof_enabled", 0);
    report_u64(report, "aof_rewrite_in_progress", 0);
    report_u64(report, "aof_rewrite_scheduled", 0);
    report_text(report, "aof_last_bgrewrite_status", "ok");
    report_text(report, "aof_last_write_status", "%s",
                status_word(store->error[0] == '\0' && !upstream->is_stalled));
}

static void report_time(struct report *report, const char *name, struct timeval time)
{
    report_text(report, name, "%lld.%06ld", (long long)time.tv_sec, (long)time.tv_usec);
}

void info_cpu(const struct info_moment *moment, struct report *report)
{
    (void)moment;
    struct rusage self = {0};
    struct rusage children = {0};
    struct rusage thread = {0};
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    getrusage(RUSAGE_THREAD, &thread); /* commands run on thread 0 */
    report_section(report, "CPU");
    report_time(report, "used_cpu_sys", self.ru_stime);
    report_time(report, "used_cpu_user", self.ru_utime);
    report_time(report, "used_cpu_sys_children", children.ru_stime);
    report_time(report, "used_cpu_user_children", children.ru_utime);
    report_time(report, "used_cpu_sys_main_thread", thread.ru_stime);
    report_time(report, "used_cpu_user_main_thread", thread.ru_utime);
}

void info_modules(const struct info_moment *moment, struct report *report)
{
    (void)moment;
    report_section(report, "Modules");
}

void info_cluster(const struct info_moment *moment, struct report *report)
{
    (void)moment;
    report_section(report, "Cluster");
    report_u64(report, "cluster_enabled", 0);
}

void info_keyspace(const struct info_moment *moment, struct report *report)
{
    (void)moment;
    report_section(report, "Keyspace");
}
