/* SPDX-License-Identifier: MIT
 *
 * What replicas say to us, and what Sentinel and people say about whose replica we are.
 */
#include <inttypes.h>
#include <strings.h>

#include "commands.h"
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
    case LINK_RESTING:
        return "connect";
    case LINK_CONNECTING:
        return "connecting";
    case LINK_GREETING:
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
    struct link_status origin;
    link_status(request->admin->link, &origin);
    const struct history *history = store_current(request->admin->store);
    write_array(writer, 5);
    write_bulk_string(writer, "slave");
    write_bulk_string(writer, origin.host);
    write_integer(writer, origin.port);
    write_bulk_string(writer, role_state(origin.state));
    write_integer(writer, history != NULL ? (int64_t)history_published_boundary(history) : -1);
}

/* A name or an address, as much as can be told without resolving it. */
static bool parse_host(struct bytes word, char host[ORIGIN_HOST_MAX])
{
    if (word.length == 0 || word.length >= ORIGIN_HOST_MAX)
        return false;
    for (size_t i = 0; i < word.length; i++) {
        if (word.data[i] <= ' ' || word.data[i] > '~')
            return false;
        host[i] = (char)word.data[i];
    }
    host[word.length] = '\0';
    return true;
}

void on_replicaof(struct request *request)
{
    char host[ORIGIN_HOST_MAX];
    uint64_t port;
    struct link_status origin;
    const struct admin_doors *doors = &request->admin->doors;
    if (argument_is(request, 1, "no") && argument_is(request, 2, "one")) {
        write_error(request->writer, "ERR a relay holds no data set and cannot be a primary: point "
                                     "it at another origin, or stop it with SHUTDOWN");
        return;
    }
    if (!bytes_to_u64(argument(request, 2), &port) || port == 0 || port > UINT16_MAX) {
        write_error(request->writer, "ERR Invalid master port");
        return;
    }
    if (!parse_host(argument(request, 1), host)) {
        write_error(request->writer, "ERR Invalid master host");
        return;
    }
    link_status(request->admin->link, &origin);
    if (strcasecmp(origin.host, host) == 0 && origin.port == port) {
        write_simple(request->writer, "OK Already connected to specified master");
        return;
    }
    log_info("admin: REPLICAOF %s %u by %s, was %s %u", host, (unsigned)port,
             client_peer(request->client), origin.host, origin.port);
    struct text why;
    text_init(&why, WHY_MAX);
    if (doors->follow(host, (uint16_t)port, &why, doors->arg))
        reply_ok(request);
    else
        write_error(request->writer, "%s", text_string(&why));
    text_fini(&why);
}

void on_failover(struct request *request)
{
    write_error(request->writer, "ERR FAILOVER is not valid when server is a replica.");
}
