/* SPDX-License-Identifier: MIT
 *
 * What replicas say to us, and what Sentinel and people say about whose replica we are.
 */
#include <inttypes.h>
#include <strings.h>

#include "handlers.h"
#include "relay/base/log.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "request.h"

enum { WHY_MAX = 1024 };

void on_psync(struct request *request)
{
    if (client_psync(request->client, request->command))
        request->client = NULL;
}

void on_sync(struct request *request)
{
    client_sync(request->client);
    request->client = NULL;
}

void on_replconf(struct request *request)
{
    client_replconf(request->client, request->command);
}

static const char *role_state(enum link_state state)
{
    switch (state) {
    case LINK_IDLE:
    case LINK_RETRYING:
        return "connect";
    case LINK_CONNECTING:
        return "connecting";
    case LINK_HANDSHAKE:
    case LINK_REWINDING:
        return "handshake";
    case LINK_LOADING:
        return "sync";
    case LINK_STREAMING:
        return "connected";
    case LINK_STOPPED:
        return "none";
    }
    UNREACHABLE("a link state that is none");
}

void on_role(struct request *request)
{
    struct writer *writer = request->writer;
    struct link_status upstream;
    link_status(request->commands->link, &upstream);
    const struct history *history = store_current(request->commands->store);
    write_array(writer, 5);
    write_bulk_string(writer, "slave");
    write_bulk_string(writer, upstream.host);
    write_integer(writer, upstream.port);
    write_bulk_string(writer, role_state(upstream.state));
    write_integer(writer, history != NULL ? (int64_t)history_published_boundary(history) : -1);
}

/* To who is followed already there is nothing to say, but where its history waits to be taken: then it is. */
static bool is_followed(const struct link_status *now, const struct primary_address *upstream)
{
    return strcasecmp(now->host, upstream->host) == 0 && now->port == upstream->port &&
           !now->wait.is_waiting && !now->wait.waits_for_sentinels;
}

static void cmd_replication_follow(struct request *request, const struct primary_address *upstream,
                                   struct text *why)
{
    const struct commands_callbacks *callbacks = &request->commands->callbacks;
    struct link_status now;
    link_status(request->commands->link, &now);
    if (is_followed(&now, upstream)) {
        if (!now.is_up && !now.is_stalled)
            link_retry(request->commands->link);
        write_simple(request->writer, "OK Already connected to specified master");
        return;
    }
    log_info("commands: REPLICAOF %s %u by %s, was %s %u", upstream->host, (unsigned)upstream->port,
             client_peer(request->client), now.host, now.port);
    if (callbacks->follow(upstream->host, upstream->port, why, callbacks->arg))
        reply_ok(request);
    else
        write_error(request->writer, "%s", text_string(why));
}

void on_replicaof(struct request *request)
{
    struct primary_address upstream;
    struct text why;
    if (argument_is(request, 1, "no") && argument_is(request, 2, "one")) {
        write_error(request->writer,
                    "ERR a relay holds no data set and cannot become a primary: name "
                    "another primary, or stop the relay with SHUTDOWN");
        return;
    }
    if (!request_read_address(request, 1, &upstream))
        return;
    text_init(&why, WHY_MAX);
    cmd_replication_follow(request, &upstream, &why);
    text_fini(&why);
}

void on_failover(struct request *request)
{
    write_error(request->writer, "ERR FAILOVER is not valid when server is a replica.");
}
