/* SPDX-License-Identifier: MIT
 *
 * The kinds of values that our settings have, with our limits and what is said to somebody who got it
 * wrong: what value.h can do, put to use. Constants. Any thread.
 */
#ifndef RELAY_CONFIG_KINDS_H
#define RELAY_CONFIG_KINDS_H

#include "relay/config/value.h"

extern const struct value_kind kind_account, kind_word, kind_line, kind_path, kind_directory,
    kind_host, kind_secret, kind_candidates, kind_sentinel, kind_ack, kind_renames, kind_version,
    kind_addresses, kind_host_names, kind_port_or_0, kind_workers, kind_clients, kind_size,
    kind_rate, kind_count_or_0, kind_kept, kind_period, kind_patience, kind_duration, kind_grace,
    kind_seconds, kind_log_level, kind_log_format, kind_fsync_when, kind_snapshot_when,
    kind_preference, kind_snapshot_source, kind_switch, kind_auto, kind_auth_clients,
    kind_compression, kind_latency, kind_proxy;
/* [archive] */
extern const struct value_kind kind_command, kind_archive_full;
/* Ports of WebSockets. */
extern const struct value_kind kind_networks, kind_ws_port, kind_ws_path;

#endif
