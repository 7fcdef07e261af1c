/* SPDX-License-Identifier: MIT */
#include "client_list.h"

#include <inttypes.h>
#include <stdlib.h>

#include "client_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"

void client_list_init(struct client_list *list)
{
    TAILQ_INIT(&list->clients);
}

struct client *client_list_first(const struct client_list *list)
{
    return TAILQ_FIRST(&list->clients);
}

struct client *client_next(const struct client *client)
{
    return TAILQ_NEXT(client, entry);
}

struct conn_traffic client_traffic(const struct client *client)
{
    return conn_traffic(client->conn);
}

void client_accept(struct client_list *list, int fd, struct tls_context *tls,
                   const struct websocket_rules *rules, bool is_delayed, uint64_t id)
{
    bool has_handshake = tls != NULL || rules != NULL;
    struct conn_options options = {.keepalive_s = list->keepalive_s,
                                   .tls = tls,
                                   .websocket_rules = rules,
                                   .accepts_plain = rules != NULL,
                                   .handshake_ms = has_handshake ? TLS_HANDSHAKE_MS_MAX : 0};
    struct client *client = calloc(1, sizeof(*client));
    struct conn *conn = conn_accept(list->loop, fd, &options, client_on_conn, client);
    if (client == NULL || conn == NULL) {
        log_errorx("downstream: connection refused: out of memory");
        conn_close(&conn);
        free(client);
        return;
    }
    client->list = list;
    client->conn = conn;
    client->id = id;
    client->is_delayed = is_delayed;
    client->connected_ms = client->active_ms = client->taken_ms = clock_ms();
    reader_init(&client->reader);
    outbox_init(&client->output, CLIENT_REPLIES_MAX);
    text_init(&client->pushed, CLIENT_OUTPUT_MAX);
    client->writer.out = &client->output.text;
    client->session.protocol = 2;
    TAILQ_INSERT_TAIL(&list->clients, client, entry);
    list->count++;
    log_debug("downstream: client id=%" PRIu64 " addr=%s laddr=%s accepted%s%s", id,
              conn_peer(conn), conn_local(conn), tls != NULL ? " tls=yes" : "",
              rules != NULL ? " websocket=yes" : "");
}

static bool client_is_idle(const struct client *client)
{
    /* It waits for us, or for others: that it says nothing is right. */
    if (client->is_blocked || client->session.is_listener)
        return false;
    return client->list->timeout_ms > 0 &&
           clock_silence_ms(client->active_ms) > client->list->timeout_ms;
}

/* It asks and does not read what it is answered: it would hold its replies for ever. */
static bool update_stall(struct client *client, int64_t now_ms)
{
    uint64_t taken_bytes = client_traffic(client).sent_bytes;
    if (outbox_left(&client->output) == 0 || taken_bytes != client->taken_bytes) {
        client->taken_bytes = taken_bytes;
        client->taken_ms = now_ms;
        return false;
    }
    return clock_silence_ms(client->taken_ms) > CLIENT_STUCK_MS_MAX;
}

/* It must authenticate, and takes its time. RESET begins a new one. */
static bool update_login_time(struct client *client, int64_t now_ms)
{
    /* While it is logged in the time stands at now, so that it begins when RESET logs it out. */
    if (client->unauthenticated_ms != 0 && !client_is_unauthenticated(client))
        client->unauthenticated_ms = now_ms;
    return client->unauthenticated_ms != 0 &&
           clock_silence_ms(client->unauthenticated_ms) > UNAUTHENTICATED_MS_MAX;
}

static void client_end_pause(struct client *client, int64_t now_ms)
{
    if (client->paused_until_ms == 0 || now_ms < client->paused_until_ms)
        return;
    client->paused_until_ms = 0;
    client_settle(client); /* first: the next command may be another of that kind */
    if (client->conn != NULL && client->has_commands) {
        client_run_commands(client);
        client_settle(client);
    }
}

static void tell_ends(struct client_list *list, int64_t now_ms)
{
    char address[LOG_REPEAT_KEY_MAX];
    char sum[LOG_REPEAT_SUM_MAX];
    while (log_repeats_take_over(&list->repeats, now_ms, address, sum))
        log_info("downstream: no more errors from clients at addr=%s%s", address, sum);
}

void client_list_tick(struct client_list *list)
{
    int64_t now_ms = clock_ms();
    tell_ends(list, now_ms);
    struct client *next;
    for (struct client *client = client_list_first(list); client != NULL; client = next) {
        next = client_next(client);
        client_end_pause(client, now_ms);
        if (client->conn == NULL)
            continue;
        if (client->finish_ms != 0 && now_ms - client->finish_ms > CLIENT_FINISH_MS_MAX)
            client_close(client, client->finished);
        else if (client->finish_ms == 0 && update_login_time(client, now_ms))
            client_close(client, CLOSE_UNAUTHENTICATED);
        else if (update_stall(client, now_ms))
            client_close(client, CLOSE_OVERFLOW);
        else if (client->finish_ms == 0 && client_is_idle(client))
            client_close(client, CLOSE_IDLE);
    }
}

void client_list_close_all(struct client_list *list, enum close_reason reason)
{
    struct client *next;
    for (struct client *client = client_list_first(list); client != NULL; client = next) {
        next = client_next(client);
        client_close(client, reason);
    }
}
