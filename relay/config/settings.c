/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <stdint.h>
#include <string.h>

#include "kinds.h"
#include "nearest.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/config/options.h"

enum { VALUE_MAX = 64 * 1024 };

#define AT(member) offsetof(struct config, member)

/* In the order of etc/psync-relay.ini, which explains each setting and has the same rows with the same
 * defaults. docs/configuration.md and the manual page are made from the two; tests/style/settings.py
 * checks that they agree. */
static const struct setting settings[] = {
    {"relay", "data-dir", &kind_directory, AT(store.data_dir), "/var/lib/psync-relay", 0},
    {"relay", "threads", &kind_workers, AT(downstream.threads), "2", 0},
    {"relay", "log-level", &kind_log_level, AT(log_level), "info", SETTING_LIVE},
    {"relay", "log-format", &kind_log_format, AT(log_format), "text", SETTING_LIVE},
    {"relay", "log-file", &kind_path, AT(log_file), "", 0},
    {"relay", "user", &kind_account, AT(user), "", 0},
    {"relay", "group", &kind_account, AT(group), "", 0},
    {"relay", "set-dumpable", &kind_switch, AT(set_dumpable), "no", 0},

    {"upstream", "replicaof", &kind_candidates, AT(upstream.primary), "", 0},
    {"upstream", "masteruser", &kind_line, AT(upstream.user), "", SETTING_ACCESS},
    {"upstream", "masterauth", &kind_secret, AT(masterauth), "", SETTING_SECRET | SETTING_ACCESS},
    {"upstream", "masterauth-file", &kind_path, AT(masterauth_file), "", SETTING_ACCESS},
    {"upstream", "rename-command", &kind_renames, AT(upstream.rename_command), "", SETTING_SECRET},
    {"upstream", "sentinel", &kind_sentinel, AT(sentinel), "", 0},
    {"upstream", "sentinel-user", &kind_line, AT(sentinel.user), "", 0},
    {"upstream", "sentinel-pass", &kind_secret, AT(sentinel.password), "", SETTING_SECRET},
    {"upstream", "sentinel-tls", &kind_switch, AT(sentinel_has_tls), "no", 0},
    {"upstream", "failover-grace", &kind_grace, AT(upstream.failover_grace_ms), "180",
     SETTING_LIVE},
    {"upstream", "prefer", &kind_preference, AT(upstream.prefer), "primary", SETTING_LIVE},
    {"upstream", "ack", &kind_ack, AT(upstream.ack), "received", SETTING_LIVE},
    {"upstream", "repl-timeout", &kind_patience, AT(upstream.timeout_ms), "60", SETTING_LIVE},
    {"upstream", "replica-announce-ip", &kind_host, AT(upstream.announce_ip), "", 0},
    {"upstream", "replica-announce-port", &kind_port_or_0, AT(upstream.announce_port), "0", 0},
    {"upstream", "replica-announced", &kind_switch, AT(replica_announced), "no", SETTING_LIVE},
    {"upstream", "announce-version", &kind_version, AT(upstream.announce_version), "auto",
     SETTING_LIVE},
    {"upstream", "repl-compression", &kind_compression, AT(upstream.compression), "no",
     SETTING_LIVE},
    {"upstream", "rdb-channel", &kind_auto, AT(rdb_channel), "auto", SETTING_LIVE},
    {"upstream", "tcp-congestion", &kind_word, AT(upstream.congestion), "", SETTING_LIVE},
    {"upstream", "proxy", &kind_proxy, AT(upstream.proxy), "", SETTING_SECRET | SETTING_LIVE},
    {"upstream", "tls", &kind_switch, AT(upstream_has_tls), "no", 0},
    {"upstream", "tls-ca-cert-file", &kind_path, AT(upstream_tls.ca_file), "", SETTING_LIVE},
    {"upstream", "tls-ca-cert-dir", &kind_path, AT(upstream_tls.ca_dir), "", SETTING_LIVE},
    {"upstream", "tls-cert-file", &kind_path, AT(upstream_tls.cert_file), "", SETTING_LIVE},
    {"upstream", "tls-key-file", &kind_path, AT(upstream_tls.key_file), "", SETTING_LIVE},
    {"upstream", "tls-server-name", &kind_host, AT(upstream_tls.server_name), "", SETTING_LIVE},
    {"upstream", "tls-protocols", &kind_line, AT(upstream_tls.protocols), "TLSv1.2 TLSv1.3",
     SETTING_LIVE},
    {"upstream", "tls-ciphers", &kind_line, AT(upstream_tls.ciphers), "", SETTING_LIVE},
    {"upstream", "tls-ciphersuites", &kind_line, AT(upstream_tls.ciphersuites), "", SETTING_LIVE},

    {"downstream", "bind", &kind_addresses, AT(downstream.bind), "127.0.0.1 -::1", 0},
    {"downstream", "port", &kind_port_or_0, AT(downstream.port), "6380", 0},
    {"downstream", "tls-port", &kind_port_or_0, AT(downstream.tls_port), "0", 0},
    {"downstream", "ws-port", &kind_ws_port, AT(downstream.ws_port), "0", 0},
    {"downstream", "ws-tls-port", &kind_ws_port, AT(downstream.ws_tls_port), "0", 0},
    {"downstream", "ws-path", &kind_ws_path, AT(downstream.ws_path), "/replication", 0},
    {"downstream", "trusted-proxies", &kind_networks, AT(downstream.trusted_proxies), "",
     SETTING_LIVE},
    {"downstream", "tls-cert-file", &kind_path, AT(downstream_tls.cert_file), "", SETTING_LIVE},
    {"downstream", "tls-key-file", &kind_path, AT(downstream_tls.key_file), "", SETTING_LIVE},
    {"downstream", "tls-ca-cert-file", &kind_path, AT(downstream_tls.ca_file), "", SETTING_LIVE},
    {"downstream", "tls-ca-cert-dir", &kind_path, AT(downstream_tls.ca_dir), "", SETTING_LIVE},
    {"downstream", "tls-auth-clients", &kind_auth_clients, AT(downstream_tls.auth_clients), "yes",
     SETTING_LIVE},
    {"downstream", "tls-protocols", &kind_line, AT(downstream_tls.protocols), "TLSv1.2 TLSv1.3",
     SETTING_LIVE},
    {"downstream", "tls-ciphers", &kind_line, AT(downstream_tls.ciphers), "", SETTING_LIVE},
    {"downstream", "tls-ciphersuites", &kind_line, AT(downstream_tls.ciphersuites), "",
     SETTING_LIVE},
    {"downstream", "requirepass", &kind_secret, AT(requirepass), "",
     SETTING_SECRET | SETTING_ACCESS},
    {"downstream", "requirepass-file", &kind_path, AT(requirepass_file), "", SETTING_ACCESS},
    {"downstream", "protected-mode", &kind_switch, AT(protected_mode), "yes", 0},
    {"downstream", "maxclients", &kind_clients, AT(downstream.clients_max), "10000", SETTING_LIVE},
    {"downstream", "repl-timeout", &kind_patience, AT(downstream.replica_timeout_ms), "60",
     SETTING_LIVE},
    {"downstream", "repl-full-sync-rate", &kind_rate, AT(downstream.full_sync_rate), "0",
     SETTING_LIVE},
    {"downstream", "repl-max-full-syncs", &kind_count_or_0, AT(downstream.full_syncs_max), "0",
     SETTING_LIVE},
    {"downstream", "repl-compression", &kind_compression, AT(downstream.compression), "no",
     SETTING_LIVE},
    {"downstream", "repl-compression-max-latency", &kind_latency,
     AT(downstream.compression_latency_ms), "5ms", SETTING_LIVE},
    {"downstream", "repl-stream-rate-warning", &kind_period, AT(downstream.stream_rate_warning_ms),
     "60", SETTING_LIVE},
    {"downstream", "serve-old-history", &kind_switch, AT(serve_old_history), "no", SETTING_LIVE},
    {"downstream", "timeout", &kind_duration, AT(downstream.client_timeout_ms), "0", SETTING_LIVE},
    {"downstream", "tcp-keepalive", &kind_seconds, AT(downstream.keepalive_s), "300", SETTING_LIVE},
    {"downstream", "tcp-congestion", &kind_word, AT(downstream.congestion), "", SETTING_LIVE},

    {"delayed", "port", &kind_port_or_0, AT(downstream.delayed.port), "0", 0},
    {"delayed", "tls-port", &kind_port_or_0, AT(downstream.delayed.tls_port), "0", 0},
    {"delayed", "delay", &kind_patience, AT(downstream.delayed.delay_ms), "3600", SETTING_LIVE},

    {"store", "repl-backlog-size", &kind_size, AT(store.window_bytes), "1gb", SETTING_LIVE},
    {"store", "repl-backlog-max-size", &kind_size, AT(store.window_bytes_max), "4gb", SETTING_LIVE},
    {"store", "segment-size", &kind_size, AT(store.segment_bytes), "64mb", SETTING_LIVE},
    {"store", "fsync", &kind_fsync_when, AT(store.fsync), "everysec", SETTING_LIVE},
    {"store", "snapshot", &kind_snapshot_when, AT(snapshot), "always-ready", SETTING_LIVE},
    {"store", "snapshot-min-interval", &kind_duration, AT(upstream.refresh_pause_ms), "3600",
     SETTING_LIVE},
    {"store", "snapshot-source", &kind_snapshot_source, AT(upstream.snapshot_source), "upstream",
     SETTING_LIVE},
    {"store", "snapshot-source-user", &kind_line, AT(upstream.snapshot_source_user), "", 0},
    {"store", "snapshot-source-auth", &kind_secret, AT(upstream.snapshot_source_password), "",
     SETTING_SECRET},
    {"store", "snapshot-source-tls", &kind_switch, AT(snapshot_source_has_tls), "no", 0},
    {"store", "snapshot-keep", &kind_kept, AT(store.snapshot_keep), "0", SETTING_LIVE},

    {"archive", "command", &kind_command, AT(archive.command), "",
     SETTING_LIVE | SETTING_PROTECTED},
    {"archive", "timeout", &kind_duration, AT(archive.timeout_ms), "60", SETTING_LIVE},
    {"archive", "command-timeout", &kind_duration, AT(archive.command_timeout_ms), "3600",
     SETTING_LIVE},
    {"archive", "snapshot-every", &kind_duration, AT(archive.snapshot_every_ms), "86400",
     SETTING_LIVE},
    {"archive", "on-full", &kind_archive_full, AT(archive.on_full), "drop", SETTING_LIVE},
    {"archive", "restore-command", &kind_command, AT(restore_command), "",
     SETTING_LIVE | SETTING_PROTECTED},
    {"archive", "list-command", &kind_command, AT(list_command), "",
     SETTING_LIVE | SETTING_PROTECTED},
    {"archive", "remove-command", &kind_command, AT(remove_command), "",
     SETTING_LIVE | SETTING_PROTECTED},

    {"http", "bind", &kind_addresses, AT(status.bind), "127.0.0.1", 0},
    {"http", "port", &kind_port_or_0, AT(status.port), "6390", 0},
    {"http", "tls-port", &kind_port_or_0, AT(status.tls_port), "0", 0},
    {"http", "tls-cert-file", &kind_path, AT(http_tls.cert_file), "", SETTING_LIVE},
    {"http", "tls-key-file", &kind_path, AT(http_tls.key_file), "", SETTING_LIVE},
    {"http", "tls-ca-cert-file", &kind_path, AT(http_tls.ca_file), "", SETTING_LIVE},
    {"http", "tls-ca-cert-dir", &kind_path, AT(http_tls.ca_dir), "", SETTING_LIVE},
    {"http", "tls-auth-clients", &kind_auth_clients, AT(http_tls.auth_clients), "no", SETTING_LIVE},
    {"http", "requirepass", &kind_secret, AT(http_requirepass), "",
     SETTING_SECRET | SETTING_ACCESS},
    {"http", "requirepass-file", &kind_path, AT(http_requirepass_file), "", SETTING_ACCESS},
    {"http", "allowed-hosts", &kind_host_names, AT(status.allowed_hosts), "", SETTING_LIVE},
    {"http", "ready-max-silence", &kind_duration, AT(status.ready_max_silence_ms), "0",
     SETTING_LIVE},
};

_Static_assert(LENGTH_OF(settings) <= SETTINGS_MAX, "SETTINGS_MAX is too small");

size_t settings_count(void)
{
    return LENGTH_OF(settings);
}

const struct setting *setting_at(size_t index)
{
    CHECK(index < LENGTH_OF(settings));
    return &settings[index];
}

size_t setting_index(const struct setting *setting)
{
    return (size_t)(setting - settings);
}

void *setting_place(const struct setting *setting, struct config *config)
{
    return (char *)config + setting->place;
}

const void *setting_value(const struct setting *setting, const struct config *config)
{
    return (const char *)config + setting->place;
}

const struct setting *setting_find(const char *section, const char *key)
{
    for (size_t i = 0; i < LENGTH_OF(settings); i++) {
        if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0)
            return &settings[i];
    }
    return NULL;
}

const struct setting *setting_find_key(const char *key)
{
    for (size_t i = 0; i < LENGTH_OF(settings); i++) {
        if (strcmp(settings[i].key, key) == 0)
            return &settings[i];
    }
    return NULL;
}

const struct setting *setting_nearest(const char *section, const char *key)
{
    const struct setting *nearest = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < LENGTH_OF(settings); i++) {
        size_t far = nearest_distance(settings[i].key, key);
        if (strcmp(settings[i].section, section) == 0 && far < best) {
            nearest = &settings[i];
            best = far;
        }
    }
    return nearest;
}

const struct setting *setting_find_shown(const char *name)
{
    const struct setting *found = NULL;
    struct text shown;
    text_init(&shown, 128);
    for (size_t i = 0; i < LENGTH_OF(settings) && found == NULL; i++) {
        text_clear(&shown);
        setting_append_shown_name(&settings[i], &shown);
        if (bytes_is(bytes_of(name), text_string(&shown)))
            found = &settings[i];
    }
    text_fini(&shown);
    return found;
}

/* Tools ask for `port` and mean the port for replicas: of several settings with one name CONFIG GET shows
 * that of [downstream] without its section, or else the last. */
static bool is_said_again(const struct setting *setting)
{
    if (strcmp(setting->section, "downstream") == 0)
        return false;
    if (setting_find("downstream", setting->key) != NULL)
        return true;
    for (const struct setting *later = setting + 1; later < settings + LENGTH_OF(settings);
         later++) {
        if (strcmp(later->key, setting->key) == 0)
            return true;
    }
    return false;
}

void setting_append_shown_name(const struct setting *setting, struct text *out)
{
    if (is_said_again(setting))
        text_format(out, "%s.", setting->section);
    text_append_string(out, setting->key);
}

void setting_append_value(const struct setting *setting, const struct config *config,
                          struct text *out)
{
    const void *place = setting_value(setting, config);
    if ((setting->flags & SETTING_SECRET) != 0)
        text_append_string(out, *(const char *const *)place);
    else
        setting->kind->print(setting->kind, place, VALUE_INI, out);
}

bool setting_is_equal(const struct setting *setting, const struct config *a, const struct config *b)
{
    struct text left;
    struct text right;
    text_init(&left, VALUE_MAX);
    text_init(&right, VALUE_MAX);
    setting_append_value(setting, a, &left);
    setting_append_value(setting, b, &right);
    bool is_equal = bytes_equal(text_bytes(&left), text_bytes(&right));
    text_fini(&left);
    text_fini(&right);
    return is_equal;
}
