/* SPDX-License-Identifier: MIT */
#include "relay/config/congestion.h"

#include <string.h>

#include "relay/base/bytes.h"
#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/net/conn.h"

/* `before` NULL: it is looked at whatever it was. */
static bool congestion_check(const char *section, const char *name, const char *before,
                             struct text *why)
{
    struct error error;
    bool is_new = before == NULL || strcmp(name, before) != 0;
    if (!string_is_given(name) || !is_new || conn_may_have_congestion(name, &error))
        return true;
    text_format(why, "%s[%s] tcp-congestion: %s", why->length > 0 ? "\n" : "", section, error.text);
    return false;
}

bool congestion_may(const struct config *config, const struct config *before, struct text *why)
{
    bool upstream = congestion_check("upstream", config->upstream.congestion,
                                     before != NULL ? before->upstream.congestion : NULL, why);
    bool downstream = congestion_check("downstream", config->downstream.congestion,
                                       before != NULL ? before->downstream.congestion : NULL, why);
    return upstream && downstream;
}

static void congestion_warn_of(const char *section, const char *name)
{
    struct error error;
    if (string_is_given(name) && !conn_may_have_congestion(name, &error))
        log_warnx("relay: [%s] tcp-congestion: %s; until then the system's default is used",
                  section, error.text);
}

void congestion_warn(const struct config *config)
{
    congestion_warn_of("upstream", config->upstream.congestion);
    congestion_warn_of("downstream", config->downstream.congestion);
}
