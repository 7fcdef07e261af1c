/* SPDX-License-Identifier: MIT
 *
 * The sections of INFO: each writes its heading and its fields into the report, from one moment (info_moment.h).
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_INFO_SECTIONS_H
#define RELAY_COMMANDS_INFO_SECTIONS_H

struct info_moment;
struct report;

typedef void info_section_fn(const struct info_moment *moment, struct report *report);

/* commands/info_process.c: the process, and what a server with data would say of itself */
info_section_fn info_server, info_clients, info_memory, info_persistence, info_cpu, info_modules;
info_section_fn info_cluster, info_keyspace;

/* commands/info_stats.c */
info_section_fn info_stats, info_errorstats, info_commandstats, info_latencystats;

/* commands/info_replication.c: the one that Sentinel, exporters and people read first */
info_section_fn info_replication;

/* commands/info_relay.c: what only a relay has */
info_section_fn info_relay, info_store;

/* commands/info_archive.c */
info_section_fn info_archive;

/* commands/info_tls.c */
info_section_fn info_tls;

#endif
