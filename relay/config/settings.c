/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <stdint.h>
#include <string.h>

#include "kinds.h"
#include "nearest.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/config/config.h"

#define AT(member) offsetof(struct config, member)

/* The order and the defaults are those of etc/psync-relay.ini, from which docs/configuration.md is generated;
 * tests/style/settings.py checks that they agree. */
static const struct setting settings[] = {
    {"relay", "data-dir", &kind_directory, AT(store.data_dir), "/var/lib/psync-relay", 0,
     "where the RDB and the stream are kept; one relay a directory"},
    {"relay", "threads", &kind_workers, AT(downstream.threads), "2", 0,
     "workers that serve the replicas"},
    {"relay", "log-level", &kind_log_level, AT(log_level), "info", SETTING_LIVE,
     "the least that is logged: debug, info, warning, error"},
    {"relay", "log-format", &kind_log_format, AT(log_format), "text", SETTING_LIVE,
     "how a line of the log is written: text, json (an object with ts, level, component and "
     "message)"},
    {"relay", "log-file", &kind_path, AT(log_file), "", 0,
     "where the log goes; empty: stderr; reopened on SIGHUP"},
    {"relay", "user", &kind_account, AT(user), "", 0,
     "user to become when started as root, once secrets are read; empty: it stays who it is"},
    {"relay", "group", &kind_account, AT(group), "", 0,
     "group to become then; empty: that of user"},
    {"relay", "set-dumpable", &kind_switch, AT(set_dumpable), "no", 0,
     "yes: a crash may leave a core dump, which holds passwords, keys and data; no: it leaves "
     "none"},

    {"upstream", "replicaof", &kind_candidates, AT(upstream.primary), "", 0,
     "the primary, as host and port; several candidates with commas between them: the one that is "
     "a primary is followed; this or sentinel must be set"},
    {"upstream", "masteruser", &kind_line, AT(upstream.user), "", SETTING_ACCESS,
     "user of the primary's ACL to log in as; empty: the default one"},
    {"upstream", "masterauth", &kind_secret, AT(masterauth), "", SETTING_SECRET | SETTING_ACCESS,
     "password to log in with at the primary; empty: none"},
    {"upstream", "masterauth-file", &kind_path, AT(masterauth_file), "", SETTING_ACCESS,
     "file whose only line is that password, instead of masterauth"},
    {"upstream", "rename-command", &kind_renames, AT(upstream.rename_command), "", SETTING_SECRET,
     "words of a primary that renames commands in its redis.conf, as REPLCONF abc, INFO xyz; of "
     "AUTH, CONFIG, INFO, PING, PSYNC, REPLCONF"},
    {"upstream", "sentinel", &kind_sentinel, AT(sentinel), "", 0,
     "Sentinels that know where the primary is, as master-name host:port host:port ...; the "
     "Sentinels' answer overrides replicaof"},
    {"upstream", "sentinel-user", &kind_line, AT(sentinel.user), "", 0,
     "user of the Sentinels' ACL to log in as; empty: the default one"},
    {"upstream", "sentinel-pass", &kind_secret, AT(sentinel.password), "", SETTING_SECRET,
     "password to log in with at the Sentinels; empty: none"},
    {"upstream", "sentinel-tls", &kind_switch, AT(sentinel_has_tls), "no", 0,
     "TLS to the Sentinels, with the tls-* settings below, but for tls-server-name: yes, no"},
    {"upstream", "failover-grace", &kind_grace, AT(upstream.failover_grace_ms), "180", SETTING_LIVE,
     "how long to wait for a primary with the history that is held before another history is taken "
     "from one of several candidates or from the one that Sentinels name; 0: a few seconds; no: "
     "until REPLICAOF or RELAY ACCEPT"},
    {"upstream", "ack", &kind_ack, AT(upstream.ack), "received", SETTING_LIVE,
     "what the primary is told that we have, and so what WAIT means there: received, durable "
     "(fsynced), all (all our known replicas have it: those that are attached, or were until "
     "repl-timeout ago), replicas N (N of them have it)"},
    {"upstream", "repl-timeout", &kind_patience, AT(upstream.timeout_ms), "60", SETTING_LIVE,
     "reconnect when nothing has arrived from the primary for this long"},
    {"upstream", "replica-announce-ip", &kind_host, AT(upstream.announce_ip), "", 0,
     "address that the primary shows for us; empty: the connection's own"},
    {"upstream", "replica-announce-port", &kind_port_or_0, AT(upstream.announce_port), "0", 0,
     "port that the primary shows for us; 0: the one we listen on, with tls the TLS one"},
    {"upstream", "replica-announced", &kind_switch, AT(replica_announced), "no", SETTING_LIVE,
     "whether Sentinels list the relay among the replicas that clients may read from, which it "
     "cannot "
     "serve; they re-point it either way: yes, no"},
    {"upstream", "announce-version", &kind_version, AT(upstream.announce_version), "auto",
     SETTING_LIVE,
     "version that the primary is told that we have; Valkey 9.1 and later chooses the version of "
     "the RDB by it: auto (what all replicas can read), or one as in 8.1.0"},
    {"upstream", "tls", &kind_switch, AT(upstream_has_tls), "no", 0,
     "TLS to the primary, or to the relay that is followed: yes, no"},
    {"upstream", "tls-ca-cert-file", &kind_path, AT(upstream_tls.ca_file), "", SETTING_LIVE,
     "CAs that the primary's certificate must come from; empty: the system's; files are read again "
     "on SIGHUP"},
    {"upstream", "tls-ca-cert-dir", &kind_path, AT(upstream_tls.ca_dir), "", SETTING_LIVE,
     "directory of such CAs, as openssl rehash makes it"},
    {"upstream", "tls-cert-file", &kind_path, AT(upstream_tls.cert_file), "", SETTING_LIVE,
     "certificate that we show to the primary, with its chain; empty: none"},
    {"upstream", "tls-key-file", &kind_path, AT(upstream_tls.key_file), "", SETTING_LIVE,
     "its key"},
    {"upstream", "tls-server-name", &kind_host, AT(upstream_tls.server_name), "", SETTING_LIVE,
     "name that the primary's certificate must have; empty: that of replicaof"},
    {"upstream", "tls-protocols", &kind_line, AT(upstream_tls.protocols), "TLSv1.2 TLSv1.3",
     SETTING_LIVE, "versions that may be spoken with the primary"},
    {"upstream", "tls-ciphers", &kind_line, AT(upstream_tls.ciphers), "", SETTING_LIVE,
     "ciphers of TLS 1.2, in OpenSSL's words; empty: its choice"},
    {"upstream", "tls-ciphersuites", &kind_line, AT(upstream_tls.ciphersuites), "", SETTING_LIVE,
     "ciphers of TLS 1.3"},

    {"downstream", "bind", &kind_addresses, AT(downstream.bind), "127.0.0.1 -::1", 0,
     "addresses to listen on, * for all of IPv4, ::* for all of IPv6; with a - before it, one that "
     "may be missing"},
    {"downstream", "port", &kind_port_or_0, AT(downstream.port), "6380", 0,
     "port to listen on, for replicas and for redis-cli; 0: none"},
    {"downstream", "tls-port", &kind_port_or_0, AT(downstream.tls_port), "0", 0,
     "port to listen on under TLS, beside port or instead of it; 0: none"},
    {"downstream", "tls-cert-file", &kind_path, AT(downstream_tls.cert_file), "", SETTING_LIVE,
     "certificate of the TLS port, with its chain; files are read again on SIGHUP"},
    {"downstream", "tls-key-file", &kind_path, AT(downstream_tls.key_file), "", SETTING_LIVE,
     "its key"},
    {"downstream", "tls-ca-cert-file", &kind_path, AT(downstream_tls.ca_file), "", SETTING_LIVE,
     "CAs that the certificates of replicas and clients must come from"},
    {"downstream", "tls-ca-cert-dir", &kind_path, AT(downstream_tls.ca_dir), "", SETTING_LIVE,
     "directory of such CAs, as openssl rehash makes it"},
    {"downstream", "tls-auth-clients", &kind_auth_clients, AT(downstream_tls.auth_clients), "yes",
     SETTING_LIVE, "must they show a certificate: yes, no, optional (a wrong one is refused)"},
    {"downstream", "tls-protocols", &kind_line, AT(downstream_tls.protocols), "TLSv1.2 TLSv1.3",
     SETTING_LIVE, "versions that may be spoken there"},
    {"downstream", "tls-ciphers", &kind_line, AT(downstream_tls.ciphers), "", SETTING_LIVE,
     "ciphers of TLS 1.2, in OpenSSL's words; empty: its choice"},
    {"downstream", "tls-ciphersuites", &kind_line, AT(downstream_tls.ciphersuites), "",
     SETTING_LIVE, "ciphers of TLS 1.3"},
    {"downstream", "requirepass", &kind_secret, AT(requirepass), "",
     SETTING_SECRET | SETTING_ACCESS,
     "password of the user default, who may do everything then: in clear, or as "
     "sha256:<its SHA-256 in hexadecimal>; empty: none"},
    {"downstream", "requirepass-file", &kind_path, AT(requirepass_file), "", SETTING_ACCESS,
     "file whose only line is that password, instead of requirepass"},
    {"downstream", "protected-mode", &kind_switch, AT(protected_mode), "yes", 0,
     "yes: without a password only connections from this machine are let in; no: all are"},
    {"downstream", "maxclients", &kind_clients, AT(downstream.clients_max), "10000", SETTING_LIVE,
     "connections at a time, replicas included"},
    {"downstream", "repl-timeout", &kind_patience, AT(downstream.replica_timeout_ms), "60",
     SETTING_LIVE, "silence of a replica after which it is closed"},
    {"downstream", "serve-old-history", &kind_switch, AT(serve_old_history), "no", SETTING_LIVE,
     "while the RDB of a new history arrives: no: a replica that needs a full sync gets that one, "
     "as it "
     "comes or when it is whole; yes: it gets the one of the history before it at once, and "
     "another when "
     "the new one is whole"},
    {"downstream", "timeout", &kind_duration, AT(downstream.client_timeout_ms), "0", SETTING_LIVE,
     "silence after which a client that is no replica is closed; 0: never"},
    {"downstream", "tcp-keepalive", &kind_seconds, AT(downstream.keepalive_s), "300", SETTING_LIVE,
     "idle seconds after which TCP asks whether the peer still lives; 0: never"},

    {"store", "repl-backlog-size", &kind_size, AT(store.window_bytes), "1gb", SETTING_LIVE,
     "how much of the stream is kept anyway, for replicas that come back"},
    {"store", "repl-backlog-max-size", &kind_size, AT(store.window_bytes_max), "4gb", SETTING_LIVE,
     "how much is kept for replicas that are loading or behind; then they are cut"},
    {"store", "segment-size", &kind_size, AT(store.segment_bytes), "64mb", SETTING_LIVE,
     "size of the files that the stream is kept in; the newest one keeps its size until it is "
     "full"},
    {"store", "fsync", &kind_fsync_when, AT(store.fsync), "everysec", SETTING_LIVE,
     "when the stream is forced to disk: no, everysec, always"},
    {"store", "snapshot", &kind_snapshot_when, AT(snapshot), "always-ready", SETTING_LIVE,
     "when a new RDB is fetched: always-ready (before it is too old to serve), on-demand"},
    {"store", "snapshot-min-interval", &kind_duration, AT(upstream.refresh_pause_ms), "3600",
     SETTING_LIVE,
     "pause between two RDBs fetched to stay always-ready: the primary forks for each"},

    {"http", "bind", &kind_addresses, AT(status.bind), "127.0.0.1", 0,
     "addresses to serve the status page and /metrics on"},
    {"http", "port", &kind_port_or_0, AT(status.port), "6390", 0,
     "port for them; a second relay on one machine needs another; 0: none"},
    {"http", "tls-port", &kind_port_or_0, AT(status.tls_port), "0", 0,
     "TLS port for the same pages, beside port or instead of it; 0: none"},
    {"http", "tls-cert-file", &kind_path, AT(http_tls.cert_file), "", SETTING_LIVE,
     "certificate of the TLS port, with its chain; empty: that of [downstream]; files are read "
     "again on SIGHUP"},
    {"http", "tls-key-file", &kind_path, AT(http_tls.key_file), "", SETTING_LIVE, "its key"},
    {"http", "tls-ca-cert-file", &kind_path, AT(http_tls.ca_file), "", SETTING_LIVE,
     "CAs that sign the certificates of HTTP clients; with tls-ca-cert-dir empty too: those of "
     "[downstream]"},
    {"http", "tls-ca-cert-dir", &kind_path, AT(http_tls.ca_dir), "", SETTING_LIVE,
     "directory of such CAs, as openssl rehash makes it"},
    {"http", "tls-auth-clients", &kind_auth_clients, AT(http_tls.auth_clients), "no", SETTING_LIVE,
     "whether HTTP clients must present a certificate, for /healthz too: yes, no, optional (a "
     "wrong "
     "one is refused)"},
    {"http", "requirepass", &kind_secret, AT(http_requirepass), "", SETTING_SECRET | SETTING_ACCESS,
     "password for them (HTTP Basic, with any user name): in clear, or as sha256:<its SHA-256 in "
     "hexadecimal>; /healthz and /readyz answer without it; empty: none"},
    {"http", "requirepass-file", &kind_path, AT(http_requirepass_file), "", SETTING_ACCESS,
     "file whose only line is that password, instead of requirepass"},
    {"http", "allowed-hosts", &kind_host_names, AT(status.allowed_hosts), "", SETTING_LIVE,
     "names that requests may be for (the Host header) beside localhost and addresses, as a "
     "reverse "
     "proxy passes them on; .example.com with all below it, * for any; empty: none where bind is "
     "only "
     "this machine, else any"},
    {"http", "ready-max-silence", &kind_duration, AT(status.ready_max_silence_ms), "0",
     SETTING_LIVE,
     "/readyz and metrics say not ready when nothing has come from the primary for this long, 30s "
     "say; "
     "0: however long, since what is held is served; /readyz?max-silence=30s asks so once"},
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

/* Tools ask for `port` and mean ours for replicas: of several of one name [downstream]'s is the bare one, else
 * the last. */
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
