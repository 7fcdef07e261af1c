/* SPDX-License-Identifier: MIT
 *
 * A client's turn: its bytes are received, its commands are run, its replies are sent, and the events that are to come
 * next are chosen. Clients have their turns one after the other, each for a bounded time, behind the stream.
 */
#include "client_list.h"
#include "client_private.h"
#include "relay/base/clock.h"
#include "relay/net/loop.h"
#include "relay/net/tls.h"

enum { CLIENT_DRAIN_MS = 5 * 1000 };

static void note_buffers(struct client *client)
{
    buffer_peaks_note(&client->list->buffer_peaks, clock_ms(), client->input.capacity,
                      client->output.text.capacity);
}

/* False: the client has been closed. */
static bool client_flush(struct client *client)
{
    if (outbox_send(&client->output, client->conn))
        return true;
    client_close(client, CLOSE_FAILED);
    return false;
}

/* A blocked client is still read from while there is room, so that the end of its connection is noticed. */
static bool client_may_read(const struct client *client)
{
    return client->finish_ms == 0 && !client_has_much_output(client) && !client->has_commands &&
           (!client->is_blocked || client->input.length < INBOX_MAX);
}

static void client_go(void *arg);

/* Commands are chores: the stream and all other events of this turn come first, and one client's pipeline takes turns
 * with the others'. */
static void client_queue(struct client *client)
{
    if (!chore_is_queued(&client->chore))
        loop_put_off(client->list->loop, CHORE_WORK, &client->chore, client_go, client);
}

void client_settle(struct client *client)
{
    if (client->conn == NULL)
        return;
    /* A reply is missing in it: what follows would be taken for the answer to another command. */
    if (client->output.text.failed) {
        client_close(client, CLOSE_OVERFLOW);
        return;
    }
    if (client->paused_until_ms != 0) {
        conn_want(client->conn, false, false);
        return;
    }
    note_buffers(client); /* before what is sent is freed */
    if (!client_flush(client))
        return;
    bool has_output = outbox_left(&client->output) > 0;
    /* All is sent, as far as the kernel goes: the rest is the connection's, and the client is done. */
    if (client->finish_ms != 0 && !has_output) {
        client_account(client, client->finished);
        conn_drain(&client->conn, CLIENT_DRAIN_MS);
        client_unlist(client);
        return;
    }
    conn_want(client->conn, client_may_read(client), has_output);
    if (client->has_commands && client_may_run(client))
        client_queue(client);
}

static void client_settle_now(void *arg)
{
    struct client *client = arg;
    client->will_settle = false;
    client_settle(client);
}

/* loop_defer keeps the order: the memory of a client that is closed meanwhile is freed after this. */
void client_settle_later(struct client *client)
{
    if (client->will_settle)
        return;
    client->will_settle = true;
    loop_defer(client->list->loop, client_settle_now, client);
}

void client_push(struct client *client, struct bytes message)
{
    if (client->conn == NULL || client->finish_ms != 0)
        return;
    /* In the middle of a command: between the pieces of its reply the message would break it. */
    if (client->is_running) {
        text_append(&client->pushed, message);
        return;
    }
    /* Many messages may come in one turn: only what the peer does not take counts as overflow. */
    bool works = true; /* client_settle notices a broken connection */
    if (outbox_left(&client->output) + message.length > CLIENT_OUTPUT_MAX)
        works = outbox_send(&client->output, client->conn);
    if (works && outbox_left(&client->output) + message.length > CLIENT_OUTPUT_MAX)
        client->output.text.failed = true;
    text_append(&client->output.text, message);
    client_settle_later(client);
}

void client_resume(struct client *client, struct bytes reply)
{
    CHECK(client->is_blocked && !client->is_running);
    client->is_blocked = false;
    /* `timeout` counts from the answer on, and not from the command that waited for it. */
    client->active_ms = clock_ms();
    if (!client->is_muted)
        text_append(&client->output.text, reply);
    /* What it has pipelined behind the command that blocked it. Not run here: the caller may be walking over the
     * clients. */
    client->has_commands = client->input.length > 0 && client->finish_ms == 0;
    client_settle_later(client);
}

/* A client that speaks TLS to the plain port would wait for our answer, and we for its first command. */
static bool client_sends_tls(const struct client *client)
{
    /* Only the first bytes of a connection: later they may be anybody's data. */
    return conn_received_total(client->conn) == client->input.length &&
           tls_is_hello(bytes_at(client->input.bytes, client->input.length));
}

/* False: nothing came, or the client has been closed. */
static bool client_receive(struct client *client)
{
    if (!inbox_make_space(&client->input)) {
        client_close(client, CLOSE_MEMORY);
        return false;
    }
    size_t received = 0;
    switch (conn_receive(client->conn, client->input.bytes + client->input.length,
                         client->input.capacity - client->input.length, &received)) {
    case CONN_OK:
        client->input.length += received;
        note_buffers(client);
        if (client_sends_tls(client)) {
            client_close(client, CLOSE_TLS);
            return false;
        }
        return true;
    case CONN_AGAIN:
        inbox_drop_taken(&client->input); /* frees the room that was made for nothing */
        return false;
    case CONN_END:
        client_close(client, CLOSE_ENDED);
        return false;
    case CONN_FAILED:
    case CONN_UNREADABLE:
        client_close(client, CLOSE_FAILED);
        return false;
    }
    UNREACHABLE("no such result");
}

static void client_go(void *arg)
{
    struct client *client = arg;
    /* Bytes that are not read now bring the event again. */
    bool reads = client->has_input && client_may_read(client);
    client->has_input = false;
    if (!reads || client_receive(client))
        client_run_commands(client);
    client_settle(client);
}

void client_on_conn(struct conn *conn, enum conn_event event, void *arg)
{
    struct client *client = arg;
    CHECK(client->conn == conn);
    switch (event) {
    case CONN_EVENT_UP:
        client->unauthenticated_ms = clock_ms();
        client_settle(client);
        return;
    case CONN_EVENT_READABLE:
        /* It is queued already: the event would come again in each loop turn until its turn is there. */
        if (client->has_input)
            conn_want(conn, false, outbox_left(&client->output) > 0);
        client->has_input = true;
        client_queue(client);
        return;
    case CONN_EVENT_WRITABLE:
        if (client_flush(client))
            client_settle(client);
        return;
    case CONN_EVENT_DOWN:
        client_close(client, CLOSE_FAILED);
        return;
    }
    UNREACHABLE("no such event");
}
