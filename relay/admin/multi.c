/* SPDX-License-Identifier: MIT
 *
 * MULTI, EXEC, DISCARD, and WATCH, which has nothing to watch. Sentinel re-points its replicas by such a
 * transaction (protocol 5.2). The dispatcher queues what comes in between (admin.c).
 */
#include "commands.h"
#include "request.h"
#include "visitor.h"

static struct transaction *open_transaction(const struct request *request)
{
    struct visitor *visitor = visitor_find(request->client);
    return visitor != NULL && visitor->transaction.is_open ? &visitor->transaction : NULL;
}

void on_multi(struct request *request)
{
    if (open_transaction(request) != NULL) {
        write_error(request->writer, "ERR MULTI calls can not be nested");
        return;
    }
    struct visitor *visitor = visitor_get(request->admin, request->client);
    if (visitor == NULL) {
        write_error(request->writer, "ERR memory is out");
        return;
    }
    transaction_begin(&visitor->transaction);
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

/* The visitor may go while its commands run; what they need is taken out before. */
void on_exec(struct request *request)
{
    struct transaction *transaction = open_transaction(request);
    if (transaction == NULL) {
        write_error(request->writer, "ERR EXEC without MULTI");
        return;
    }
    struct transaction ready = transaction_take(transaction);
    if (ready.is_spoiled) {
        write_error(request->writer, "EXECABORT Transaction discarded because of previous errors.");
    } else {
        struct command command;
        write_array(request->writer, ready.count);
        while (transaction_next(&ready, &command))
            run_queued(request, &command);
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
