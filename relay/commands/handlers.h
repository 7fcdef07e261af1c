/* SPDX-License-Identifier: MIT
 *
 * The handlers of all commands, by the file that has them. command_rows.c puts them into the table; nobody else calls
 * them.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_HANDLERS_H
#define RELAY_COMMANDS_HANDLERS_H

#include "command_table.h"

/* commands/cmd_acl.c */
command_fn on_acl_list, on_acl_users, on_acl_whoami;

/* commands/cmd_client.c */
command_fn on_client_capa, on_client_getname, on_client_getredir, on_client_id, on_client_info;
command_fn on_client_kill, on_client_list, on_client_no_evict, on_client_no_touch, on_client_reply;
command_fn on_client_setinfo, on_client_setname, on_client_unblock;

/* commands/cmd_connection.c */
command_fn on_echo, on_ping, on_quit, on_reset, on_select;

/* commands/cmd_command.c */
command_fn on_command_all, on_command_count, on_command_docs, on_command_getkeys, on_command_info;
command_fn on_command_list, on_help;

/* commands/cmd_info.c */
command_fn on_info;

/* commands/cmd_auth.c */
command_fn on_auth, on_hello;

/* commands/cmd_multi.c */
command_fn on_discard, on_exec, on_multi, on_unwatch, on_watch;

/* commands/cmd_pubsub.c */
command_fn on_psubscribe, on_publish, on_pubsub_channels, on_pubsub_numpat, on_pubsub_numsub;
command_fn on_punsubscribe, on_subscribe, on_unsubscribe;

/* commands/cmd_relay.c */
command_fn on_relay_accept, on_relay_away, on_relay_drop, on_relay_forget, on_relay_replicas;
command_fn on_relay_snapshot, on_relay_store;

/* commands/cmd_delayed.c */
command_fn on_relay_pause, on_relay_paused, on_relay_resume;

/* commands/cmd_replication.c */
command_fn on_failover, on_psync, on_replconf, on_replicaof, on_role, on_sync;

/* commands/cmd_latency.c */
command_fn on_latency_doctor, on_latency_histogram, on_latency_reset;

/* commands/cmd_memory.c */
command_fn on_memory_doctor, on_memory_malloc_stats, on_memory_purge, on_memory_stats;
command_fn on_memory_usage;

/* commands/cmd_server.c */
command_fn on_dbsize, on_empty_list, on_lastsave, on_shutdown, on_time;

/* commands/cmd_slowlog.c */
command_fn on_slowlog_get, on_slowlog_len, on_slowlog_reset;

/* commands/cmd_config.c */
command_fn on_config_get, on_config_resetstat, on_config_rewrite, on_config_set;

/* commands/cmd_wait.c */
command_fn on_wait, on_waitaof;

#endif
