/* SPDX-License-Identifier: MIT */
#include "tls_sides.h"

#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/net/tls.h"

enum { WHY_MAX = 1024 };

static void log_context(const char *name, const struct tls_context *context)
{
    if (context == NULL)
        return;
    struct text text;
    text_init(&text, WHY_MAX);
    tls_context_describe(context, &text);
    log_info("relay: %s TLS has %s", name, text_string(&text));
    text_fini(&text);
}

static struct tls_context *make_upstream(const struct config *config, struct text *why)
{
    return tls_context_new(TLS_CLIENT, &config->upstream_tls, why);
}

static struct tls_context *make_downstream(const struct config *config, struct text *why)
{
    return tls_context_new(TLS_SERVER, &config->downstream_tls, why);
}

typedef struct tls_context *make_fn(const struct config *config, struct text *why);

static bool open_side(struct tls_context **side, const char *name, make_fn *make,
                      const struct config *config, struct text *why)
{
    struct text reason;
    text_init(&reason, WHY_MAX);
    *side = make(config, &reason);
    if (*side == NULL)
        text_format(why, "[%s] %s\n", name, text_string(&reason));
    text_fini(&reason);
    return *side != NULL;
}

bool tls_sides_open(struct tls_sides *sides, const struct config *config, struct text *why)
{
    *sides = (struct tls_sides){.upstream = NULL};
    bool is_good = true;
    if (config->upstream_has_tls == CONFIG_YES)
        is_good = open_side(&sides->upstream, "upstream", make_upstream, config, why);
    if (config->downstream.tls_port != 0)
        is_good =
            open_side(&sides->downstream, "downstream", make_downstream, config, why) && is_good;
    if (!is_good)
        tls_sides_close(sides);
    return is_good;
}

void tls_sides_log(const struct tls_sides *sides)
{
    log_context("upstream", sides->upstream);
    log_context("downstream", sides->downstream);
}

void tls_sides_close(struct tls_sides *sides)
{
    tls_context_release(&sides->upstream);
    tls_context_release(&sides->downstream);
}

static void reload_side(struct tls_context **side, const char *name, make_fn *make,
                        const struct config *config)
{
    if (*side == NULL)
        return;
    struct text why;
    text_init(&why, WHY_MAX);
    struct tls_context *fresh = make(config, &why);
    if (fresh != NULL) {
        tls_context_release(side);
        *side = fresh;
        log_context(name, fresh);
    } else {
        log_warnx("relay: %s TLS: %s; what there was before stays", name, text_string(&why));
    }
    text_fini(&why);
}

void tls_sides_reload(struct tls_sides *sides, const struct config *config)
{
    reload_side(&sides->upstream, "upstream", make_upstream, config);
    reload_side(&sides->downstream, "downstream", make_downstream, config);
}
