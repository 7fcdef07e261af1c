/* SPDX-License-Identifier: MIT
 *
 * MULTI, EXEC, DISCARD, and WATCH, which has nothing to watch. Sentinel re-points its replicas by such a
 * transaction (docs/protocol.md 5.2). The dispatcher queues what comes in between (dispatch.c).
 */
#include "client_state.h"
#include "dispatch.h"
#include "handlers.h"
#include "relay/base/log.h"
#include "request.h"

static struct transaction *open_transaction(const struct request *request)
{
    struct client_state *client_state = client_state_find(request->client);
    return client_state != NULL && client_state->transaction.is_open ? &client_state->transaction
                                                                     : NULL;
}

void on_multi(struct request *request)
{
    if (open_transaction(request) != NULL) {
        write_error(request->writer, "ERR MULTI calls can not be nested");
        return;
    }
    struct client_state *client_state =
        client_state_get(&request->commands->client_states, request->client);
    if (client_state == NULL) {
        write_error(request->writer, "ERR out of memory");
        return;
    }
    transaction_begin(&client_state->transaction);
    reply_ok(request);
}

void on_discard(struct request *request)
{
    struct transaction *transaction = open_transaction(request);
    if (transaction == NULL) {
        write_error(request->writer, "ERR DISCARD without MULTI");
        return;
    }
    transaction_fini(transaction);
    reply_ok(request);
}

/* Of a transaction whose REPLICAOF took effect all the same. */
static void tell_refused(const struct request *request, const struct command *command,
                         size_t before)
{
    char name[64];
    char error[TRANSACTION_REFUSAL_MAX];
    struct bytes reply = bytes_skip(text_bytes(request->writer->out), before);
    if (reply.length < 3 || reply.data[0] != '-')
        return;
    reply = bytes_skip(bytes_first(reply, reply.length - 2), 1);
    log_info("commands: REPLICAOF took effect, and '%s' in the same transaction was refused: %s",
             bytes_printable(command->argument[0], name, sizeof(name)),
             bytes_printable(reply, error, sizeof(error)));
}

/* The client state may go while its commands run; what they need is taken out before. */
void on_exec(struct request *request)
{
    struct transaction *transaction = open_transaction(request);
    if (transaction == NULL) {
        write_error(request->writer, "ERR EXEC without MULTI");
        return;
    }
    struct transaction ready = transaction_take(transaction);
    if (ready.is_spoiled) {
        if (ready.has_replicaof)
            log_warnx(
                "commands: a transaction with REPLICAOF by %s was refused as a whole: %s; the "
                "primary is unchanged",
                client_peer(request->client), ready.refusal);
        write_error(request->writer, "EXECABORT Transaction discarded because of previous errors.");
    } else {
        struct command command;
        write_array(request->writer, ready.count);
        while (transaction_next(&ready, &command)) {
            size_t before = request->writer->out->length;
            dispatch_queued(request, &command);
            if (ready.is_lenient)
                tell_refused(request, &command, before);
        }
    }
    transaction_fini(&ready);
}

void on_watch(struct request *request)
{
    if (open_transaction(request) != NULL)
        write_error(request->writer, "ERR WATCH inside MULTI is not allowed");
    else
        reply_ok(request);
}

void on_unwatch(struct request *request)
{
    reply_ok(request);
}
