/* SPDX-License-Identifier: MIT */
#include "relay/status/status.h"

#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "guard.h"
#include "metrics.h"
#include "page.h"
#include "password.h"
#include "picture.h"
#include "readiness.h"
#include "relay/base/clock.h"
#include "relay/base/error.h"
#include "relay/base/log.h"
#include "relay/commands/login_throttle.h"
#include "relay/net/http.h"
#include "relay/os/random.h"
#include "samples.h"

enum {
    LISTED_MAX = 200,  /* replicas on the page */
    SERIES_MAX = 1000, /* replicas with metrics of their own */
    CLIENT_TIMEOUT_MS = 30 * 1000,
    KEPT_MS = 500, /* whoever asks more often than that gets the same again */
    DOCUMENT_MAX = 512 * 1024,
    METRICS_MAX = 1536 * 1024,
};

/* A text that is made at most every KEPT_MS, however many ask for it. */
struct kept {
    struct text text;
    int64_t made_ms;      /* 0: never */
    int64_t made_wall_us; /* the same moment */
};

struct status {
    struct http *http;
    struct status_sources sources;
    int64_t started_ms;
    struct kept document;
    struct kept metrics;
    struct samples samples;
    struct login_throttle login_throttle; /* passwords that were tried */
    bool is_trusted;                      /* who asks now has the password, where there is one */
    struct picture picture; /* the last one that was taken: large, so it is not on the stack */
};

static void status_take(struct status *status, enum picture_order order, size_t rows_max)
{
    picture_take(&status->picture, &status->sources, &status->samples, status->started_ms, order,
                 rows_max);
}

/* True: it was too old, is empty now, and has to be written again. */
static bool clear_if_stale(struct kept *kept)
{
    int64_t now_ms = clock_ms();
    if (kept->made_ms != 0 && now_ms - kept->made_ms < KEPT_MS && !kept->text.failed)
        return false;
    kept->made_ms = now_ms;
    kept->made_wall_us = clock_wall_us();
    text_clear(&kept->text);
    return true;
}

/* --- what is served --- */

typedef void serve_fn(struct status *status, const char *query, struct http_reply *reply);

static void serve_page(struct status *status, const char *query, struct http_reply *reply)
{
    (void)query;
    (void)status;
    static char policy[PAGE_POLICY_MAX]; /* used up before the next request */
    char nonce[PAGE_NONCE_DIGITS + 1];
    random_hex(nonce, PAGE_NONCE_DIGITS);
    reply->type = "text/html; charset=utf-8";
    reply->policy = page_policy(nonce, policy);
    page_write(nonce, &reply->body);
}

/* The number behind "since=", or 0. */
static uint64_t status_since(const char *query)
{
    static const char key[] = "since=";
    uint64_t number;
    if (strncmp(query, key, sizeof(key) - 1) != 0 ||
        !bytes_to_u64(bytes_of(query + sizeof(key) - 1), &number))
        return 0;
    return number;
}

static void append_kept(const struct kept *kept, struct http_reply *reply)
{
    text_append(&reply->body, text_bytes(&kept->text));
    reply->body.failed = reply->body.failed || kept->text.failed;
}

static void serve_document(struct status *status, const char *query, struct http_reply *reply)
{
    if (clear_if_stale(&status->document)) {
        status_take(status, PICTURE_WORST, LISTED_MAX);
        document_write(&status->picture, &status->document.text);
    }
    reply->type = "application/json";
    append_kept(&status->document, reply);
    document_write_samples(&status->samples, status_since(query), status->document.made_ms,
                           status->document.made_wall_us, &reply->body);
}

static void serve_metrics(struct status *status, const char *query, struct http_reply *reply)
{
    (void)query;
    if (clear_if_stale(&status->metrics)) {
        status_take(status, PICTURE_OLDEST, SERIES_MAX);
        metrics_write(&status->picture, &status->metrics.text);
    }
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    append_kept(&status->metrics, reply);
}

static void serve_health(struct status *status, const char *query, struct http_reply *reply)
{
    (void)status;
    (void)query;
    text_append_string(&reply->body, "ok\n");
}

static void serve_readiness(struct status *status, const char *query, struct http_reply *reply)
{
    char why[READINESS_WHY_MAX];
    int64_t max_silence_ms = status->sources.max_silence_ms;
    if (!readiness_read_query(query, &max_silence_ms)) {
        reply->code = 400;
        text_append_string(&reply->body, "max-silence is a time, as in: /readyz?max-silence=30s\n");
        return;
    }
    status_take(status, PICTURE_OLDEST, 0);
    if (readiness_look(&status->picture, max_silence_ms, why)) {
        text_append_string(&reply->body, "ok\n");
        return;
    }
    reply->code = 503;
    if (status->is_trusted)
        text_format(&reply->body, "not ready: %s\n", why);
    else
        text_append_string(&reply->body, "not ready\n");
}

static const struct {
    const char *path;
    serve_fn *serve;
    bool is_open; /* without the password, too: who looks there, a load balancer, may know none */
} routes[] = {
    {"/", serve_page, false},           {"/status.json", serve_document, false},
    {"/metrics", serve_metrics, false}, {"/healthz", serve_health, true},
    {"/readyz", serve_readiness, true},
};

/* --- who asks --- */

/* A page from elsewhere can have its reader's browser ask a name that leads here (DNS rebinding). What only this machine
 * or this network may ask must then be asked for by an address, or by a name that is allowed. */
static bool is_meant_for_us(const struct status *status, const char *host)
{
    const char *allowed = status->sources.allowed_hosts;
    bool has_list = string_is_given(allowed);
    return (!http_is_local(status->http) && !has_list) || guard_is_no_foreign_name(host) ||
           (has_list && guard_is_listed(host, allowed));
}

/* 0: yes, else the code that says why not. A right password is looked at no sooner than a wrong one. */
static int status_judge(struct status *status, const struct http_request *request)
{
    const struct digest *password = status->sources.password;
    struct guess_key key = guess_key_of(request->peer);
    int64_t now_ms = clock_ms();
    if (password == NULL)
        return 0;
    if (request->authorization[0] == '\0')
        return 401;
    if (!login_throttle_may_try(&status->login_throttle, key, now_ms))
        return 429;
    CHECK(login_throttle_take(&status->login_throttle, key, now_ms).wait_ms == 0);
    if (password_is_in(request->authorization, password)) {
        login_throttle_pardon(&status->login_throttle, key);
        return 0;
    }
    if (login_throttle_is_wrong_news(&status->login_throttle, key))
        log_warnx("status: a wrong password addr=%s: more of them are not told", request->peer);
    return 401;
}

static void status_refuse(struct http_reply *reply, int code, const char *words)
{
    reply->code = code;
    text_append_string(&reply->body, words);
}

static void on_request(const struct http_request *request, struct http_reply *reply, void *arg)
{
    struct status *status = arg;
    if (!is_meant_for_us(status, request->host)) {
        status_refuse(
            reply, 403,
            "host name not allowed: add it to [http] allowed-hosts of the relay, or ask for "
            "localhost, or for an address such as 127.0.0.1\n");
        return;
    }
    /* Judged for open paths, too: who has the password is told more there (is_trusted). */
    int refusal = status_judge(status, request);
    size_t i = 0;
    status->is_trusted = refusal == 0;
    while (i < LENGTH_OF(routes) && strcmp(request->path, routes[i].path) != 0)
        i++;
    if (refusal != 0 && (i == LENGTH_OF(routes) || !routes[i].is_open))
        status_refuse(reply, refusal,
                      refusal == 429
                          ? "too many wrong passwords have come from this address: try again "
                            "in a second\n"
                          : "the password is needed ([http] requirepass of the relay)\n");
    else if (i == LENGTH_OF(routes))
        status_refuse(reply, 404, "there are: / /status.json /metrics /healthz /readyz\n");
    else
        routes[i].serve(status, request->query, reply);
}

/* --- opening, turning, closing --- */

static const char advice[] = ": set [http] port or tls-port to another one, or to 0 for none";

static struct http_options http_options_of(const struct status_options *options)
{
    return (struct http_options){
        .addresses = options->bind,
        .has_port = options->port != 0,
        .has_tls_port = options->tls_port != 0,
        .port = options->port,
        .tls_port = options->tls_port,
        .tls = options->tls,
        .timeout_ms = CLIENT_TIMEOUT_MS,
    };
}

bool status_probe(const struct status_options *options, struct text *taken, struct text *why)
{
    const struct http_options http = http_options_of(options);
    struct error error;
    if (http_probe(&http, &error))
        return true;
    bool is_taken = error.kind == ERROR_IN_USE;
    text_format(is_taken ? taken : why, "%s%s\n", error.text, advice);
    return is_taken;
}

struct status *status_open(struct loop *loop, const struct status_options *options,
                           const struct status_sources *sources, struct text *why)
{
    struct status *status = calloc(1, sizeof(*status));
    if (status == NULL) {
        text_append_string(why, "out of memory");
        return NULL;
    }
    status->sources = *sources;
    status->started_ms = clock_ms();
    text_init(&status->document.text, DOCUMENT_MAX);
    text_init(&status->metrics.text, METRICS_MAX);
    const struct http_options http = http_options_of(options);
    struct error error;
    status->http = http_open(loop, &http, on_request, status, &error);
    if (status->http == NULL) {
        text_format(why, "%s%s", error.text, advice);
        status_close(&status);
        return NULL;
    }
    unsigned port = http_port(status->http);
    unsigned tls_port = http_tls_port(status->http);
    log_info("status: http port=%u tls-port=%u bind=%s", port, tls_port, options->bind);
    if (!http_is_local(status->http) && !options->has_password)
        log_warnx("status: [http] bind = %s: whoever reaches port %u sees how the relay is; there "
                  "is no password ([http] requirepass)",
                  options->bind, port != 0 ? port : tls_port);
    return status;
}

void status_change(struct status *status, const struct status_sources *sources)
{
    /* What was written with the old settings is not served again. */
    status->sources = *sources;
    status->document.made_ms = status->metrics.made_ms = 0;
}

void status_set_tls(struct status *status, struct tls_context *tls)
{
    http_set_tls(status->http, tls);
}

void status_tick(struct status *status)
{
    status_take(status, PICTURE_OLDEST, 0);
    const struct picture *picture = &status->picture;
    const struct sample sample = {
        .at_ms = picture->now_ms,
        .published = picture->store.published,
        .received = picture->link.received_bytes,
        .sent = picture->counts.replica_sent_bytes,
        .lag_bytes = picture->lag_bytes_max,
        .lag_ms = picture->latest.lag_ms,
    };
    samples_add(&status->samples, &sample);
    status->document.made_ms = 0; /* the samples are told with it: all of one moment */
}

void status_close(struct status **where)
{
    struct status *status = *where;
    *where = NULL;
    if (status == NULL)
        return;
    http_close(&status->http);
    text_fini(&status->document.text);
    text_fini(&status->metrics.text);
    free(status);
}
