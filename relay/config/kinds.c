/* SPDX-License-Identifier: MIT */
#include "kinds.h"

#include "relay/config/options.h"

#define TEBIBYTE ((int64_t)1 << 40)
#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

static const char *const log_level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_ERROR] = "error",
    NULL,
};
static const char *const log_format_names[] = {
    [LOG_FORMAT_TEXT] = "text",
    [LOG_FORMAT_JSON] = "json",
    NULL,
};
static const char *const fsync_names[] = {
    [STORE_FSYNC_NO] = "no",
    [STORE_FSYNC_EVERYSEC] = "everysec",
    [STORE_FSYNC_ALWAYS] = "always",
    NULL,
};
static const char *const snapshot_names[] = {
    [CONFIG_SNAPSHOT_ALWAYS_READY] = "always-ready",
    [CONFIG_SNAPSHOT_ON_DEMAND] = "on-demand",
    NULL,
};
static const char *const preference_names[] = {
    [PRIMARY_PREFER_PRIMARY] = "primary",
    [PRIMARY_PREFER_FIRST] = "first",
    [PRIMARY_PREFER_NEAREST] = "nearest",
    NULL,
};

static const char *const archive_full_names[] = {
    [ARCHIVE_FULL_DROP] = "drop",
    [ARCHIVE_FULL_STOP] = "stop",
    NULL,
};
static const char *const switch_names[] = {[CONFIG_NO] = "no", [CONFIG_YES] = "yes", NULL};
static const char *const auto_names[] = {[CONFIG_NO] = "no", [CONFIG_YES] = "auto", NULL};
static const char *const auth_clients_names[] = {
    [TLS_AUTH_NO] = "no",
    [TLS_AUTH_YES] = "yes",
    [TLS_AUTH_OPTIONAL] = "optional",
    NULL,
};

const struct value_kind kind_line = {VALUE_STRING, .expected = "one line of text"};
const struct value_kind kind_path = {VALUE_STRING, .expected = "the path of a file"};
const struct value_kind kind_directory = {VALUE_STRING, .least = 1,
                                          .expected = "the path of a directory"};
const struct value_kind kind_host = {VALUE_HOST, .expected = "an address or a host name"};
const struct value_kind kind_account = {VALUE_WORD, .expected = "the name of a user or a group"};
const struct value_kind kind_word = {VALUE_WORD,
                                     .expected = "the name of a congestion control, as in: bbr"};
const struct value_kind kind_secret = {VALUE_SECRET, .expected = "one line of text"};
const struct value_kind kind_candidates = {
    VALUE_CANDIDATES,
    .expected =
        "HOST PORT, or wss://HOST:PORT/PATH where the program was built with libwslay, several "
        "separated by commas, as in: 10.0.0.1 6379, ::1 6379"};
const struct value_kind kind_sentinel = {
    VALUE_SENTINEL,
    .expected = "MASTER-NAME HOST:PORT HOST:PORT ..., as in: mymaster 10.0.0.1:26379 [::1]:26379"};
const struct value_kind kind_renames = {
    VALUE_RENAMES, .expected = "COMMAND NAME, several separated by commas, for AUTH, CONFIG, INFO, "
                               "PING, PSYNC or REPLCONF, as in: PSYNC xyz, REPLCONF abc"};
const struct value_kind kind_ack = {
    VALUE_ACK, .expected = "one of: received, durable, all, replicas N (from 1 to 1000)"};
const struct value_kind kind_version = {
    VALUE_VERSION, .expected = "auto, or a version of three numbers, as in: 8.1.0"};
const struct value_kind kind_compression = {
    VALUE_COMPRESSION,
    .expected =
        "no, or a codec that the program was built with: lz4, zstd, zstd:LEVEL (from 1 to 19)"};
const struct value_kind kind_proxy = {
    VALUE_PROXY, .expected =
                     "http://USER:PASSWORD@HOST:PORT or socks5://USER:PASSWORD@HOST:PORT, of "
                     "which user, password and port may be missing"};
const struct value_kind kind_addresses = {
    VALUE_BIND, .expected = "numeric addresses separated by blanks, as in: 127.0.0.1 -::1"};
const struct value_kind kind_host_names = {
    VALUE_HOST_NAMES,
    .expected = "host names separated by blanks, as in: relay.example.com .example.org"};
const struct value_kind kind_networks = {
    VALUE_NETWORKS,
    .expected =
        "addresses and networks separated by blanks, at most 32, as in: 127.0.0.1 10.0.0.0/8"};
const struct value_kind kind_ws_port = {
    VALUE_WS_PORT, .least = 0, .most = 65535,
    .expected = "a port from 0 to 65535, where the program was built with libwslay; else 0"};
const struct value_kind kind_ws_path = {
    VALUE_WS_PATH, .expected = "a path of at most 127 characters, as in: /replication"};
const struct value_kind kind_port_or_0 = {VALUE_PORT, .least = 0, .most = 65535,
                                          .expected = "a port from 0 to 65535"};
const struct value_kind kind_workers = {VALUE_COUNT, .least = 1, .most = 64,
                                        .expected = "a number from 1 to 64"};
const struct value_kind kind_clients = {VALUE_COUNT, .least = 1, .most = 1000000,
                                        .expected = "a number from 1 to 1000000"};
const struct value_kind kind_size = {VALUE_SIZE, .least = 64 * 1024, .most = 1024 * TEBIBYTE,
                                     .expected = "a size of at least 64kb, as in: 512mb, 1gb"};
const struct value_kind kind_rate = {
    VALUE_RATE, .least = 1024, .most = TEBIBYTE,
    .expected = "bytes a second, at least 1kb, as in: 10mb; or 0 for no limit"};
const struct value_kind kind_kept = {VALUE_COUNT, .least = 0, .most = 6,
                                     .expected = "a number from 0 to 6"};
const struct value_kind kind_period = {VALUE_PERIOD, .least = 10 * 1000, .most = DAY_MS,
                                       .expected =
                                           "a time of at least 10s, as in: 60, 5m; or 0 for never"};
const struct value_kind kind_count_or_0 = {VALUE_COUNT, .least = 0, .most = 1000000,
                                           .expected = "a number from 0 to 1000000"};
const struct value_kind kind_patience = {VALUE_DURATION, .least = 1000, .most = 365 * DAY_MS,
                                         .expected = "a time of at least 1s, as in: 60, 90s, 5m"};
const struct value_kind kind_duration = {VALUE_DURATION, .least = 0, .most = 365 * DAY_MS,
                                         .expected = "a time, as in: 0, 60, 500ms, 5m, 1h"};
const struct value_kind kind_latency = {VALUE_DURATION, .least = 0, .most = 1000,
                                        .expected = "a time of at most 1s, as in: 0, 5ms, 20ms"};
const struct value_kind kind_grace = {VALUE_GRACE, .least = 0, .most = 365 * DAY_MS,
                                      .expected = "a time, as in: 180, 5m, 0; or: no"};
const struct value_kind kind_seconds = {VALUE_SECONDS, .least = 0, .most = DAY_MS,
                                        .expected = "whole seconds, as in: 0, 300, 5m"};
const struct value_kind kind_log_level = {VALUE_NAME, .names = log_level_names,
                                          .expected = "one of: debug, info, warning, error"};
const struct value_kind kind_log_format = {VALUE_NAME, .names = log_format_names,
                                           .expected = "one of: text, json"};
const struct value_kind kind_fsync_when = {VALUE_NAME, .names = fsync_names,
                                           .expected = "one of: no, everysec, always"};
const struct value_kind kind_snapshot_when = {VALUE_NAME, .names = snapshot_names,
                                              .expected = "one of: always-ready, on-demand"};
const struct value_kind kind_snapshot_source = {
    VALUE_SNAPSHOT_SOURCE,
    .expected =
        "upstream, replicas, or HOST:PORT, several separated by commas, as in: 10.0.0.2:6379"};
const struct value_kind kind_preference = {VALUE_NAME, .names = preference_names,
                                           .expected = "one of: primary, first, nearest"};
const struct value_kind kind_switch = {VALUE_NAME, .names = switch_names,
                                       .expected = "one of: yes, no"};
const struct value_kind kind_auto = {VALUE_NAME, .names = auto_names,
                                     .expected = "one of: auto, no"};
const struct value_kind kind_auth_clients = {VALUE_NAME, .names = auth_clients_names,
                                             .expected = "one of: yes, no, optional"};
const struct value_kind kind_command = {
    VALUE_COMMAND,
    .expected =
        "a program and its arguments, where %p is the path of the file, %f its name and %% a "
        "percent sign, as in: cp %p /archive/%f"};
const struct value_kind kind_archive_full = {VALUE_NAME, .names = archive_full_names,
                                             .expected = "one of: drop, stop"};
