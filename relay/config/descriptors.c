/* SPDX-License-Identifier: MIT */
#include "relay/config/descriptors.h"

#include <inttypes.h>
#include <string.h>

#include "relay/base/log.h"
#include "relay/config/options.h"
#include "relay/net/http.h"
#include "relay/os/process.h"

enum {
    OF_THE_PROCESS = 64, /* log, directories, RDBs, links, listeners, what the syncer holds */
    OF_HTTP = HTTP_CONNECTIONS_MAX,
    OF_A_THREAD = 6, /* a loop and its notifier */
    CLIENTS_LEAST = 8,
};

/* A history that arrives beside another rarely comes near it, and waits where it must. */
uint64_t descriptors_segments_max(const struct store_options *store)
{
    return store->window_bytes_max / store->segment_bytes + 2;
}

struct descriptors_plan descriptors_plan(const struct config *config, uint64_t limit)
{
    uint64_t threads = config->downstream.threads + (uint64_t)1;
    struct descriptors_plan plan = {
        .own = descriptors_segments_max(&config->store) + OF_THE_PROCESS + OF_HTTP +
               OF_A_THREAD * threads,
    };
    plan.wanted = plan.own + config->downstream.clients_max;
    if (limit >= plan.wanted)
        plan.clients_max = config->downstream.clients_max;
    else if (limit >= plan.own + CLIENTS_LEAST)
        plan.clients_max = (unsigned)(limit - plan.own);
    return plan;
}

bool descriptors_provide(struct config *config, struct text *why)
{
    struct descriptors_plan plan = descriptors_plan(config, 0);
    uint64_t limit = process_raise_descriptors(plan.wanted);
    plan = descriptors_plan(config, limit);
    if (plan.clients_max == 0) {
        text_format(why,
                    "the system allows %" PRIu64 " open files; %" PRIu64
                    " are needed for segments (repl-backlog-max-size / segment-size) and the relay "
                    "itself, and one more for each connection: raise the limit to %" PRIu64
                    " (ulimit -n, LimitNOFILE), or set a larger segment-size",
                    limit, plan.own, plan.wanted);
        return false;
    }
    if (plan.clients_max < config->downstream.clients_max)
        log_warnx("relay: maxclients is lowered from %u to %u: the system allows %" PRIu64
                  " open files, but connections (maxclients) and segments (repl-backlog-max-size / "
                  "segment-size) need %" PRIu64 ": raise the limit (ulimit -n, LimitNOFILE)",
                  config->downstream.clients_max, plan.clients_max, limit, plan.wanted);
    config->downstream.clients_max = plan.clients_max;
    config->commands.clients_max = plan.clients_max;
    return true;
}

bool descriptors_extend(const struct config *before, const struct config *after, const char **name,
                        struct text *why)
{
    uint64_t wanted = descriptors_plan(after, 0).wanted;
    if (wanted <= descriptors_plan(before, 0).wanted)
        return true;
    uint64_t limit = process_raise_descriptors(wanted);
    struct descriptors_plan plan = descriptors_plan(after, limit);
    if (plan.clients_max == after->downstream.clients_max)
        return true;
    bool is_of_clients = after->downstream.clients_max > before->downstream.clients_max;
    bool is_of_segments = after->store.segment_bytes < before->store.segment_bytes;
    *name = is_of_clients    ? "maxclients"
            : is_of_segments ? "segment-size"
                             : "repl-backlog-max-size";
    if (is_of_clients) /* in the words of redis-server */
        text_format(why,
                    "The operating system is not able to handle the specified number of clients, "
                    "try with %u",
                    plan.clients_max);
    else
        text_format(why,
                    "the system allows %" PRIu64 " open files, but segments and connections need "
                    "%" PRIu64,
                    limit, wanted);
    return false;
}
