/* SPDX-License-Identifier: MIT */
#include "tls_sides.h"

#include <inttypes.h>
#include <string.h>

#include "relay/base/bytes.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/net/tls.h"

enum { WHY_MAX = 1024, MADE_OF_MAX = 64 * 1024 };

/* ---- what each is made of ---- */

static bool is_upstream_wanted(const struct config *config)
{
    bool has_wss = false;
    for (size_t i = 0; i < config->upstream.primary.count; i++)
        has_wss = has_wss || config->upstream.primary.at[i].carrier == PRIMARY_WSS;
    return config->upstream_has_tls == CONFIG_YES || has_wss;
}

static bool is_sentinel_wanted(const struct config *config)
{
    return config->sentinel_has_tls == CONFIG_YES && config->sentinel.sentinels.count > 0;
}

static bool is_snapshot_source_wanted(const struct config *config)
{
    return config->snapshot_source_has_tls == CONFIG_YES;
}

static bool is_downstream_wanted(const struct config *config)
{
    const struct downstream_options *downstream = &config->downstream;
    return downstream->tls_port != 0 || downstream->ws_tls_port != 0 ||
           downstream->delayed.tls_port != 0;
}

static struct tls_options upstream_options(const struct config *config)
{
    return config->upstream_tls;
}

/* tls-server-name is the primary's name; Sentinels and replicas have those by which they are named. */
static struct tls_options other_server_options(const struct config *config)
{
    struct tls_options options = config->upstream_tls;
    options.server_name = NULL;
    return options;
}

static struct tls_options downstream_options(const struct config *config)
{
    return config->downstream_tls;
}

static bool is_http_wanted(const struct config *config)
{
    return config->status.tls_port != 0;
}

static bool has_http_certificate(const struct config *config)
{
    return string_is_given(config->http_tls.cert_file) ||
           string_is_given(config->http_tls.key_file);
}

static bool has_http_cas(const struct config *config)
{
    return string_is_given(config->http_tls.ca_file) || string_is_given(config->http_tls.ca_dir);
}

/* What [http] does not set is that of [downstream]. CAs matter where clients show certificates. */
static struct tls_options http_options(const struct config *config)
{
    const struct tls_options *own = &config->http_tls;
    struct tls_options options = config->downstream_tls;
    options.auth_clients = own->auth_clients;
    if (has_http_certificate(config)) {
        options.cert_file = own->cert_file;
        options.key_file = own->key_file;
    }
    if (has_http_cas(config) || own->auth_clients == TLS_AUTH_NO) {
        options.ca_file = own->auth_clients != TLS_AUTH_NO ? own->ca_file : NULL;
        options.ca_dir = own->auth_clients != TLS_AUTH_NO ? own->ca_dir : NULL;
    }
    return options;
}

static const struct row {
    const char *name;    /* in the log */
    const char *section; /* where its settings stand */
    enum tls_side side;
    bool (*is_wanted)(const struct config *config);
    struct tls_options (*options)(const struct config *config);
} rows[TLS_USES] = {
    [TLS_UPSTREAM] = {"upstream", "upstream", TLS_CLIENT, is_upstream_wanted, upstream_options},
    [TLS_SENTINEL] = {"sentinel", "upstream", TLS_CLIENT, is_sentinel_wanted, other_server_options},
    [TLS_SNAPSHOT_SOURCE] = {"snapshot source", "upstream", TLS_CLIENT, is_snapshot_source_wanted,
                             other_server_options},
    [TLS_DOWNSTREAM] = {"downstream", "downstream", TLS_SERVER, is_downstream_wanted,
                        downstream_options},
    [TLS_HTTP] = {"http", "http", TLS_SERVER, is_http_wanted, http_options},
};

/* Values hold no line ends. */
static void tell_options(const struct tls_options *options, struct text *out)
{
    const char *const values[] = {options->cert_file,    options->key_file,   options->ca_file,
                                  options->ca_dir,       options->protocols,  options->ciphers,
                                  options->ciphersuites, options->server_name};
    for (size_t i = 0; i < LENGTH_OF(values); i++)
        text_format(out, "%s\n", values[i] != NULL ? values[i] : "");
    text_format(out, "%d", (int)options->auth_clients);
}

static struct tls_context *make(enum tls_use use, const struct config *config, struct text *why)
{
    struct tls_options options = rows[use].options(config);
    return tls_context_new(rows[use].side, &options, why);
}

/* ---- one of them ---- */

static void log_context(enum tls_use use, const struct tls_context *context)
{
    struct text text;
    text_init(&text, WHY_MAX);
    tls_context_describe(context, &text);
    log_info("relay: %s TLS has %s", rows[use].name, text_string(&text));
    text_fini(&text);
}

static struct tls_context *make_or_complain(enum tls_use use, const struct config *config,
                                            struct text *why)
{
    struct text reason;
    text_init(&reason, WHY_MAX);
    struct tls_context *context = make(use, config, &reason);
    if (context == NULL)
        text_format(why, "[%s] %s\n", rows[use].section, text_string(&reason));
    text_fini(&reason);
    return context;
}

/* The section in which the setting stands that a context has a certificate from. */
static const char *section_of(enum tls_use use, const char *setting, const struct config *config)
{
    bool is_own =
        strcmp(setting, "tls-cert-file") == 0 ? has_http_certificate(config) : has_http_cas(config);
    return use == TLS_HTTP && !is_own ? rows[TLS_DOWNSTREAM].section : rows[use].section;
}

/* Once, also where two contexts are made of the same files. */
static void add_certificate(struct tls_certificates *all, const struct tls_certificate *one,
                            const char *section)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->at[i].section, section) == 0 &&
            strcmp(all->at[i].setting, one->setting) == 0)
            return;
    }
    CHECK(all->count < LENGTH_OF(all->at));
    all->at[all->count] = *one;
    all->at[all->count++].section = section;
}

static void gather_certificates(struct tls_sides *sides, const struct config *config)
{
    sides->certificates.count = 0;
    for (enum tls_use use = 0; use < TLS_USES; use++) {
        if (sides->context[use] == NULL)
            continue;
        const struct tls_certificates *own = tls_context_certificates(sides->context[use]);
        for (size_t i = 0; i < own->count; i++)
            add_certificate(&sides->certificates, &own->at[i],
                            section_of(use, own->at[i].setting, config));
    }
    for (size_t i = 0; i < LENGTH_OF(sides->told); i++)
        sides->told[i] = 0;
}

static void tls_sides_take(struct tls_sides *sides, enum tls_use use, struct tls_context *context,
                           const struct config *config)
{
    const struct tls_options options = rows[use].options(config);
    /* Counted: connections that are up keep the context that they began with. */
    tls_context_release(&sides->context[use]);
    sides->context[use] = context;
    text_clear(&sides->made_of[use]);
    tell_options(&options, &sides->made_of[use]);
    gather_certificates(sides, config);
}

/* ---- all of them ---- */

bool tls_sides_open(struct tls_sides *sides, const struct config *config, struct text *why)
{
    *sides = (struct tls_sides){.context = {NULL}};
    bool is_good = true;
    for (enum tls_use use = 0; use < TLS_USES; use++) {
        text_init(&sides->made_of[use], MADE_OF_MAX);
        /* What is wrong with the files of [upstream] is told once. */
        if (!rows[use].is_wanted(config) || (use == TLS_SENTINEL && !is_good))
            continue;
        struct tls_context *context = make_or_complain(use, config, why);
        if (context != NULL)
            tls_sides_take(sides, use, context, config);
        is_good = is_good && context != NULL;
    }
    if (!is_good)
        tls_sides_close(sides);
    return is_good;
}

void tls_sides_log(const struct tls_sides *sides)
{
    for (enum tls_use use = 0; use < TLS_USES; use++) {
        if (sides->context[use] != NULL)
            log_context(use, sides->context[use]);
    }
}

void tls_sides_close(struct tls_sides *sides)
{
    for (enum tls_use use = 0; use < TLS_USES; use++) {
        tls_context_release(&sides->context[use]);
        text_fini(&sides->made_of[use]);
    }
    sides->certificates.count = 0;
}

/* ---- certificates that end ---- */

/* 0: not soon. */
static unsigned nearness(int64_t left_s)
{
    static const int days[] = {TLS_EXPIRY_WARNING_DAYS, TLS_EXPIRY_PROBLEM_DAYS, 0};
    unsigned near = 0;
    while (near < LENGTH_OF(days) && left_s <= (int64_t)days[near] * TLS_DAY_S)
        near++;
    return near;
}

static void log_end(const struct tls_certificate *one, int64_t left_s)
{
    int64_t days = (left_s < 0 ? -left_s : left_s) / TLS_DAY_S;
    log_warnx("relay: [%s] %s: certificate %s %s %" PRId64 " days%s: renew it, then send SIGHUP",
              one->section, one->setting, one->subject, left_s <= 0 ? "has EXPIRED" : "expires in",
              days, left_s <= 0 ? " ago" : "");
}

void tls_sides_tick(struct tls_sides *sides)
{
    int64_t wall_us = clock_wall_us();
    for (size_t i = 0; i < sides->certificates.count; i++) {
        const struct tls_certificate *one = &sides->certificates.at[i];
        int64_t left_s = tls_certificate_left_s(one, wall_us);
        if (nearness(left_s) > sides->told[i])
            log_end(one, left_s);
        sides->told[i] = nearness(left_s);
    }
}

static void reload_one(struct tls_sides *sides, enum tls_use use, const struct config *config)
{
    struct text why;
    text_init(&why, WHY_MAX);
    struct tls_context *fresh = make(use, config, &why);
    if (fresh != NULL) {
        tls_sides_take(sides, use, fresh, config);
        log_context(use, fresh);
    } else {
        log_warnx("relay: %s TLS: %s; the previous certificate stays in use", rows[use].name,
                  text_string(&why));
    }
    text_fini(&why);
}

void tls_sides_reload(struct tls_sides *sides, const struct config *config)
{
    for (enum tls_use use = 0; use < TLS_USES; use++) {
        if (sides->context[use] != NULL)
            reload_one(sides, use, config);
    }
}

static bool has_changed(const struct tls_sides *sides, enum tls_use use,
                        const struct config *config)
{
    if (sides->context[use] == NULL)
        return false;
    const struct tls_options options = rows[use].options(config);
    struct text now;
    text_init(&now, MADE_OF_MAX);
    tell_options(&options, &now);
    bool is_other = !bytes_equal(text_bytes(&now), text_bytes(&sides->made_of[use]));
    text_fini(&now);
    return is_other;
}

bool tls_sides_follow(struct tls_sides *sides, const struct config *config, struct text *why)
{
    /* All are made before any is taken: a change takes effect as a whole or not at all. */
    struct tls_context *fresh[TLS_USES] = {NULL};
    bool is_good = true;
    for (enum tls_use use = 0; use < TLS_USES && is_good; use++) {
        if (!has_changed(sides, use, config))
            continue;
        fresh[use] = make_or_complain(use, config, why);
        is_good = fresh[use] != NULL;
    }
    for (enum tls_use use = 0; use < TLS_USES; use++) {
        if (fresh[use] == NULL)
            continue;
        if (is_good) {
            tls_sides_take(sides, use, fresh[use], config);
            log_context(use, fresh[use]);
        } else {
            tls_context_release(&fresh[use]);
        }
    }
    return is_good;
}
