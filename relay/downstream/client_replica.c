/* SPDX-License-Identifier: MIT
 *
 * A client that wants to replicate: it becomes a replica, or is refused.
 */
#include "client_list.h"
#include "client_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "replconf.h"

static void client_become_replica(struct client *client, const struct psync_request *request)
{
    struct client_list *list = client->list;
    outbox_forget_sent(&client->output);
    conn_detach(client->conn);
    struct newcomer newcomer = {
        .conn = client->conn,
        .id = client->id,
        .connected_ms = client->connected_ms,
        .terms = &client->terms,
        .local = conn_local(client->conn),
        .user = client->session.user,
        .request = request,
        .unsent_replies = &client->output.text,
        .input = inbox_left(&client->input),
        .runs_behind = client->is_delayed,
    };
    /* It leaves the clients before it is among the replicas: nobody who walks over both meets one connection twice.
     * Its memory stays until the end of the turn, and so does what `newcomer` points to. */
    client->conn = NULL;
    client_unlist(client);
    list->on_newcomer(&newcomer, list->on_newcomer_arg);
}

bool client_psync(struct client *client, const struct command *command)
{
    struct psync_request request;
    if (!psync_request_parse(command, &request)) {
        write_error(client_writer(client), "ERR value is not an integer or out of range");
        return false;
    }
    if (request.failover) {
        write_error(client_writer(client),
                    "ERR FAILOVER target is a relay, which cannot be promoted");
        return false;
    }
    client_become_replica(client, &request);
    return true;
}

void client_sync(struct client *client)
{
    client_become_replica(client, NULL);
}

void client_refuse_replica(struct client *client, const char *cause, bool is_replconf)
{
    struct client_list *list = client->list;
    int64_t now_ms = clock_ms();
    char sum[LOG_REPEAT_SUM_MAX];
    if (!is_replconf || !client->is_refused)
        client->paused_until_ms = now_ms + CLIENT_PAUSE_MS;
    if (client->is_refused)
        return;
    client->is_refused = true;
    list->replicas_refused++;
    if (log_repeats_note(&list->repeats, conn_peer_address(client->conn), cause, now_ms, sum))
        log_warnx("downstream: replica addr=%s refused%s: %s", conn_peer(client->conn), sum, cause);
}

void client_replconf(struct client *client, const struct command *command)
{
    client->terms.may_take_frames = client->list->sends_frames;
    replconf_apply(&client->terms, command, client_writer(client));
}
