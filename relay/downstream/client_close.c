/* SPDX-License-Identifier: MIT
 *
 * How a client ends: what is logged and counted, and when its memory is freed.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "client_list.h"
#include "client_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"

static void client_free(void *arg)
{
    struct client *client = arg;
    CHECK(client->conn == NULL);
    inbox_fini(&client->input);
    outbox_fini(&client->output);
    text_fini(&client->pushed);
    free(client);
}

void client_unlist(struct client *client)
{
    CHECK(client->list->count > 0);
    client->list->count--;
    TAILQ_REMOVE(&client->list->clients, client, entry);
    chore_leave(client->list->loop, &client->chore);
    client_gone_fn *gone = client->gone;
    client->gone = NULL;
    if (gone != NULL)
        gone(client->kept);
    loop_defer(client->list->loop, client_free, client);
}

/* Health checks, scrapes and tools connect and disconnect all day: that is logged at debug. What an operator does to a
 * client is logged, and what is wrong with a client as often as log_repeat.h allows. */
static enum log_level level_of_close(struct client *client, enum close_reason reason,
                                     const char *error, char sum[LOG_REPEAT_SUM_MAX])
{
    enum log_level level = close_reason_level(reason);
    bool was_up = client->unauthenticated_ms != 0;
    sum[0] = '\0';
    if (reason == CLOSE_KILLED || reason == CLOSE_REVOKED || level == LOG_LEVEL_ERROR)
        return level;
    bool is_wrong = level == LOG_LEVEL_WARNING || (reason == CLOSE_FAILED && !was_up);
    const char *what = error[0] != '\0' ? error : close_reason_name(reason);
    bool is_told =
        is_wrong && log_repeats_note(&client->list->repeats, conn_peer_address(client->conn), what,
                                     clock_ms(), sum);
    return is_told ? level : LOG_LEVEL_DEBUG;
}

static void client_log_closed(struct client *client, enum close_reason reason)
{
    char sum[LOG_REPEAT_SUM_MAX];
    const char *error = reason == CLOSE_FAILED ? conn_error(client->conn) : "";
    log_at(level_of_close(client, reason, error, sum),
           "downstream: client id=%" PRIu64 " addr=%s closed reason=%s%s sent=%" PRIu64
           " received=%" PRIu64 " duration=%.3fs: %s%s%s",
           client->id, conn_peer(client->conn), close_reason_name(reason), sum,
           conn_sent_total(client->conn), conn_received_total(client->conn),
           (double)(clock_ms() - client->connected_ms) / 1000.0, close_reason_text(reason),
           error[0] != '\0' ? ": " : "", error);
}

void client_account(struct client *client, enum close_reason reason)
{
    client_log_closed(client, reason);
    client->list->closed[reason]++;
    conn_traffic_add(&client->list->traffic, conn_traffic(client->conn));
}

void client_close(struct client *client, enum close_reason reason)
{
    if (client->conn == NULL)
        return;
    if (client->is_running) {
        client_finish(client, reason);
        return;
    }
    client_account(client, reason);
    conn_close(&client->conn);
    client_unlist(client);
}

void client_finish(struct client *client, enum close_reason reason)
{
    if (client->finish_ms != 0)
        return;
    client->finish_ms = clock_ms();
    client->finished = reason;
}
