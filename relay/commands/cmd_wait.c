/* SPDX-License-Identifier: MIT
 *
 * WAIT, and WAITAOF, which a relay refuses.
 */
#include "client_state.h"
#include "handlers.h"
#include "relay/base/clock.h"
#include "request.h"

/* The replies are those of redis-server. False: the error is written. */
static bool parse_timeout(struct request *request, struct bytes word, int64_t *deadline_ms)
{
    int64_t timeout_ms;
    if (!bytes_to_i64(word, &timeout_ms))
        write_error(request->writer, "ERR timeout is not an integer or out of range");
    else if (timeout_ms < 0)
        write_error(request->writer, "ERR timeout is negative");
    else if (timeout_ms > INT64_MAX - clock_ms())
        write_error(request->writer, "ERR timeout is out of range");
    else {
        *deadline_ms = timeout_ms > 0 ? clock_ms() + timeout_ms : 0;
        return true;
    }
    return false;
}

/* Inside a transaction no client is blocked, as in redis-server; nor where there is no memory for its state. */
void on_wait(struct request *request)
{
    struct commands *commands = request->commands;
    int64_t replicas;
    int64_t deadline_ms;
    unsigned acknowledged;
    if (!bytes_to_i64(argument(request, 1), &replicas)) {
        write_error(request->writer, "ERR value is not an integer or out of range");
        return;
    }
    if (!parse_timeout(request, argument(request, 2), &deadline_ms))
        return;
    struct client_state *state =
        request->is_queued ? NULL : client_state_get(&commands->client_states, request->client);
    if (waiters_ask(&commands->waiters, state != NULL ? &state->waiter : NULL, request->client,
                    replicas, deadline_ms, &acknowledged))
        write_integer(request->writer, acknowledged);
}

void on_waitaof(struct request *request)
{
    write_error(request->writer, "ERR WAITAOF cannot be used with a relay: it has no append-only "
                                 "file. WAIT counts its replicas; with `ack = durable` a WAIT at "
                                 "the primary counts the relay once a write is on its disk");
}
