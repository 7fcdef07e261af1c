/* SPDX-License-Identifier: MIT */
#include "relay/downstream/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_list.h"
#include "inbox.h"
#include "outbox.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/net/tls.h"
#include "replconf.h"

enum {
    DRAIN_MS = 5 * 1000,
    COMMAND_NAME_MAX = 32,
};

struct client {
    TAILQ_ENTRY(client) entry;
    struct client_list *list;
    struct conn *conn; /* NULL: closed, or a replica's now; freed at the end of the turn */
    uint64_t id;
    int64_t connected_ms;
    int64_t active_ms;
    int64_t taken_ms;           /* when it last took something, or nothing was there for it, */
    uint64_t taken_bytes;       /* and how much it had taken by then */
    int64_t unauthenticated_ms; /* since when it might have authenticated; 0: not up yet */
    int64_t finish_ms;          /* 0: goes on; else when client_finish was called, */
    enum close_reason finished; /* and why */
    bool is_running;            /* a command: `input` and `output` are in use further up */
    bool has_input;             /* bytes have come; they are read when its turn comes */
    bool has_commands;          /* there may be whole commands in the input: it goes on then */
    struct chore chore;         /* its place in the queue for turns */
    bool is_blocked;            /* a command of it is answered later, */
    bool is_muted;              /* and CLIENT REPLY wants no answer */
    bool will_settle;           /* at the end of this turn */
    bool is_refused;            /* it has wanted to replicate, and may not */
    int64_t paused_until_ms;    /* nothing is sent, read or run before that; 0: it goes on */

    struct reader reader;
    struct inbox input;

    struct outbox output;
    struct writer writer;
    struct text pushed; /* while a command runs: what comes after its reply */

    void *kept; /* somebody else's */
    client_gone_fn *gone;

    struct client_session session;
    struct replica_terms terms;
    char last_command[COMMAND_NAME_MAX];
};

/* ---------------------------------------------------------------- what the command table sees */

uint64_t client_id(const struct client *client)
{
    return client->id;
}

struct client_session *client_session(struct client *client)
{
    return &client->session;
}

const char *client_peer(const struct client *client)
{
    return client->conn != NULL ? conn_peer(client->conn) : "";
}

const char *client_local(const struct client *client)
{
    return client->conn != NULL ? conn_local(client->conn) : "";
}

int64_t client_connected_ms(const struct client *client)
{
    return client->connected_ms;
}

int64_t client_active_ms(const struct client *client)
{
    return client->active_ms;
}

const char *client_last_command(const struct client *client)
{
    return client->last_command[0] != '\0' ? client->last_command : "NULL";
}

void client_set_last_command(struct client *client, const char *name)
{
    snprintf(client->last_command, sizeof(client->last_command), "%s", name);
}

struct writer *client_writer(struct client *client)
{
    client->writer.protocol = client->session.protocol;
    return &client->writer;
}

bool client_is_blocked(const struct client *client)
{
    return client->is_blocked;
}

void *client_kept(const struct client *client)
{
    return client->kept;
}

void client_keep(struct client *client, void *thing, client_gone_fn *gone)
{
    CHECK((thing == NULL) == (gone == NULL));
    client->kept = thing;
    client->gone = gone;
}

static bool is_unauthenticated(const struct client *client)
{
    return client->list->must_authenticate && client->session.user[0] == '\0';
}

/* ---------------------------------------------------------------- the list */

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

static void free_client(void *arg)
{
    struct client *client = arg;
    CHECK(client->conn == NULL);
    inbox_fini(&client->input);
    outbox_fini(&client->output);
    text_fini(&client->pushed);
    free(client);
}

/* The memory stays until the end of the turn: a command of it may be running. */
static void client_unlist(struct client *client)
{
    CHECK(client->list->count > 0);
    client->list->count--;
    TAILQ_REMOVE(&client->list->clients, client, entry);
    chore_leave(client->list->loop, &client->chore);
    client_gone_fn *gone = client->gone;
    client->gone = NULL;
    if (gone != NULL)
        gone(client->kept);
    loop_defer(client->list->loop, free_client, client);
}

/* Checks of health, scrapes and tools come and go all day: they are for debugging. What an operator does to
 * a client is told, and what is wrong with one as often as log_repeat.h says. */
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

static void log_closed(struct client *client, enum close_reason reason)
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

static void account(struct client *client, enum close_reason reason)
{
    log_closed(client, reason);
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
    account(client, reason);
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

/* ---------------------------------------------------------------- output */

static void note_buffers(struct client *client)
{
    buffer_peaks_note(&client->list->buffer_peaks, clock_ms(), client->input.capacity,
                      client->output.text.capacity);
}

/* False: the client has been closed. */
static bool flush(struct client *client)
{
    if (outbox_send(&client->output, client->conn))
        return true;
    client_close(client, CLOSE_FAILED);
    return false;
}

static bool has_much_output(const struct client *client)
{
    size_t most = is_unauthenticated(client) ? UNAUTHENTICATED_OUTPUT_MAX : CLIENT_OUTPUT_MAX;
    return outbox_left(&client->output) > most;
}

/* A held client goes on being read from, so that its end is noticed, as far as there is room. */
static bool may_read(const struct client *client)
{
    return client->finish_ms == 0 && !has_much_output(client) && !client->has_commands &&
           (!client->is_blocked || client->input.length < INBOX_MAX);
}

static bool may_run(const struct client *client)
{
    return client->conn != NULL && client->finish_ms == 0 && !client->is_blocked &&
           client->paused_until_ms == 0 && !client->output.text.failed && !has_much_output(client);
}

static void go(void *arg);

/* Clients have their turns one after the other, for a bounded time in all, behind the stream. */
static void queue_for_turn(struct client *client)
{
    if (!chore_is_queued(&client->chore))
        loop_put_off(client->list->loop, CHORE_WORK, &client->chore, go, client);
}

/* What is to be done after commands have run: send, and say which events shall come. */
static void settle(struct client *client)
{
    if (client->conn == NULL)
        return;
    if (client->output.text.failed) {
        client_close(client, CLOSE_OVERFLOW);
        return;
    }
    if (client->paused_until_ms != 0) {
        conn_want(client->conn, false, false);
        return;
    }
    note_buffers(client); /* before what is sent is freed */
    if (!flush(client))
        return;
    bool has_output = outbox_left(&client->output) > 0;
    if (client->finish_ms != 0 && !has_output) {
        account(client, client->finished);
        conn_drain(&client->conn, DRAIN_MS);
        client_unlist(client);
        return;
    }
    conn_want(client->conn, may_read(client), has_output);
    if (client->has_commands && may_run(client))
        queue_for_turn(client);
}

static void settle_now(void *arg)
{
    struct client *client = arg;
    client->will_settle = false;
    settle(client);
}

/* The memory of one that is closed meanwhile goes after this. */
static void settle_later(struct client *client)
{
    if (client->will_settle)
        return;
    client->will_settle = true;
    loop_defer(client->list->loop, settle_now, client);
}

void client_push(struct client *client, struct bytes message)
{
    if (client->conn == NULL || client->finish_ms != 0)
        return;
    if (client->is_running) {
        text_append(&client->pushed, message);
        return;
    }
    /* Many may write in one turn: only what the peer does not take counts. */
    bool works = true; /* if not, that is noticed when it settles */
    if (outbox_left(&client->output) + message.length > CLIENT_OUTPUT_MAX)
        works = outbox_send(&client->output, client->conn);
    if (works && outbox_left(&client->output) + message.length > CLIENT_OUTPUT_MAX)
        client->output.text.failed = true;
    text_append(&client->output.text, message);
    settle_later(client);
}

/* ---------------------------------------------------------------- commands */

static void run_command(struct client *client, const struct command *command)
{
    struct client_list *list = client->list;
    struct client_session *session = &client->session;
    list->commands++;
    client->active_ms = clock_ms();
    bool is_skipped = session->reply_skip_next;
    session->reply_skip_next = false;
    size_t length = client->output.text.length;

    client->is_running = true;
    list->on_command(client, command, list->on_command_arg);
    client->is_running = false;
    if (client->conn == NULL)
        return;
    bool is_muted = is_skipped || session->reply_off;
    if (is_muted)
        outbox_take_back(&client->output, length);
    client->is_muted = is_muted && client->is_blocked;
    client->output.text.failed |= client->pushed.failed;
    text_append(&client->output.text, text_bytes(&client->pushed));
    text_fini(&client->pushed);
}

void client_hold(struct client *client)
{
    CHECK(client->is_running && !client->is_blocked);
    client->is_blocked = true;
}

void client_resume(struct client *client, struct bytes reply)
{
    CHECK(client->is_blocked && !client->is_running);
    client->is_blocked = false;
    client->active_ms = clock_ms();
    if (!client->is_muted)
        text_append(&client->output.text, reply);
    client->has_commands = client->input.length > 0 && client->finish_ms == 0;
    settle_later(client);
}

/* A browser, or an attacker through one: what follows would be commands of its choice. Servers of this
 * protocol look for the same two words. */
static bool is_http(const struct command *command)
{
    return bytes_is(command->argument[0], "post") || bytes_is(command->argument[0], "host:");
}

/* One command. False: there is no whole one, or no client any more. */
static bool run_next(struct client *client)
{
    struct command command;
    struct inbox *input = &client->input;
    reader_set_unauthenticated(&client->reader, is_unauthenticated(client));
    switch (reader_next(&client->reader, input->bytes + input->taken, input->length - input->taken,
                        &command)) {
    case READER_MORE:
        return false;
    case READER_ERROR:
        write_error(client_writer(client), "ERR %s", client->reader.error);
        client_finish(client, CLOSE_PROTOCOL);
        return false;
    case READER_COMMAND:
        client->input.taken += command.length;
        if (command.argument_count == 0)
            return true;
        if (is_http(&command)) {
            client_close(client, CLOSE_PROTOCOL);
            return false;
        }
        run_command(client, &command);
        return true;
    }
    UNREACHABLE("no such result");
}

static void run_commands(struct client *client)
{
    bool has_more = client->input.length > 0;
    int64_t until_us = clock_us() + CLIENT_GO_US_MAX;
    for (int i = 0; i < CLIENT_GO_COMMANDS_MAX && has_more && may_run(client); i++) {
        has_more = run_next(client) && client->input.taken < client->input.length;
        if (clock_us() >= until_us)
            break;
    }
    if (client->conn == NULL)
        return;
    client->has_commands = has_more && client->finish_ms == 0 && !client->is_blocked;
    inbox_drop_taken(&client->input);
}

/* ---------------------------------------------------------------- input */

/* One that speaks TLS to the plain port would wait for our answer, and we for its first command. */
static bool is_tls_hello(const struct client *client)
{
    return conn_received_total(client->conn) == client->input.length &&
           tls_is_hello(bytes_at(client->input.bytes, client->input.length));
}

/* False: nothing came, or the client has been closed. */
static bool receive(struct client *client)
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
        if (is_tls_hello(client)) {
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

/* Its turn has come. */
static void go(void *arg)
{
    struct client *client = arg;
    bool reads = client->has_input && may_read(client); /* else it is told of them again */
    client->has_input = false;
    if (!reads || receive(client))
        run_commands(client);
    settle(client);
}

static void on_conn(struct conn *conn, enum conn_event event, void *arg)
{
    struct client *client = arg;
    CHECK(client->conn == conn);
    switch (event) {
    case CONN_EVENT_UP:
        client->unauthenticated_ms = clock_ms();
        settle(client);
        return;
    case CONN_EVENT_READABLE:
        /* Told again while it is queued, it has to wait, and is told no more. */
        if (client->has_input)
            conn_want(conn, false, outbox_left(&client->output) > 0);
        client->has_input = true;
        queue_for_turn(client);
        return;
    case CONN_EVENT_WRITABLE:
        if (flush(client))
            settle(client);
        return;
    case CONN_EVENT_DOWN:
        client_close(client, CLOSE_FAILED);
        return;
    }
    UNREACHABLE("no such event");
}

/* ---------------------------------------------------------------- coming */

void client_accept(struct client_list *list, int fd, struct tls_context *tls, uint64_t id)
{
    struct conn_options options = {.keepalive_s = list->keepalive_s,
                                   .tls = tls,
                                   .handshake_ms = tls != NULL ? TLS_HANDSHAKE_MS_MAX : 0};
    struct client *client = calloc(1, sizeof(*client));
    struct conn *conn = conn_accept(list->loop, fd, &options, on_conn, client);
    if (client == NULL || conn == NULL) {
        log_errorx("downstream: connection refused: out of memory");
        conn_close(&conn);
        free(client);
        return;
    }
    client->list = list;
    client->conn = conn;
    client->id = id;
    client->connected_ms = client->active_ms = client->taken_ms = clock_ms();
    reader_init(&client->reader);
    outbox_init(&client->output, CLIENT_REPLIES_MAX);
    text_init(&client->pushed, CLIENT_OUTPUT_MAX);
    client->writer.out = &client->output.text;
    client->session.protocol = 2;
    TAILQ_INSERT_TAIL(&list->clients, client, entry);
    list->count++;
    log_debug("downstream: client id=%" PRIu64 " addr=%s laddr=%s accepted%s", id, conn_peer(conn),
              conn_local(conn), tls != NULL ? " tls=yes" : "");
}

/* ---------------------------------------------------------------- going */

static bool is_idle(const struct client *client)
{
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
    if (client->unauthenticated_ms != 0 && !is_unauthenticated(client))
        client->unauthenticated_ms = now_ms;
    return client->unauthenticated_ms != 0 &&
           clock_silence_ms(client->unauthenticated_ms) > UNAUTHENTICATED_MS_MAX;
}

static void end_pause(struct client *client, int64_t now_ms)
{
    if (client->paused_until_ms == 0 || now_ms < client->paused_until_ms)
        return;
    client->paused_until_ms = 0;
    settle(client); /* first: the next command may be another of that kind */
    if (client->conn != NULL && client->has_commands) {
        run_commands(client);
        settle(client);
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
        end_pause(client, now_ms);
        if (client->conn == NULL)
            continue;
        if (client->finish_ms != 0 && now_ms - client->finish_ms > CLIENT_FINISH_MS_MAX)
            client_close(client, client->finished);
        else if (client->finish_ms == 0 && update_login_time(client, now_ms))
            client_close(client, CLOSE_UNAUTHENTICATED);
        else if (update_stall(client, now_ms))
            client_close(client, CLOSE_OVERFLOW);
        else if (client->finish_ms == 0 && is_idle(client))
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

/* ---------------------------------------------------------------- becoming a replica */

static void become_replica(struct client *client, const struct psync_request *request)
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
        .owed = &client->output.text,
        .input = inbox_left(&client->input),
    };
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
    become_replica(client, &request);
    return true;
}

void client_sync(struct client *client)
{
    become_replica(client, NULL);
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
    replconf_apply(&client->terms, command, client_writer(client));
}
