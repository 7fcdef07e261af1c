/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/replid.h"
#include "relay/base/text.h"
#include "relay/net/conn.h"
#include "relay/net/listener.h"
#include "relay/net/loop.h"
#include "relay/os/random.h"
#include "relay/resp/reader.h"

enum {
    INPUT_MAX = 16 * 1024,
    OUTPUT_MAX = 64 * 1024,
    SEND_BYTES_MAX = 1024 * 1024, /* to one replica, before the others have their turn */
    KEEPALIVE_S = 60,
};

/* A piece of a file that every replica is sent. */
struct served_part {
    int file;
    uint64_t position;
    uint64_t length;
};

struct server {
    struct loop *loop;
    struct listener *listener;
    struct timer *ping;
    struct replid replid;
    uint64_t first;            /* X of the RDB */
    uint64_t until;            /* the target */
    struct served_part *parts; /* the RDB, then the stream */
    size_t part_count;
    struct served_replica *replicas;
    size_t replica_count;
};

struct served_replica {
    struct server *server;
    struct served_replica *next;
    struct conn *conn; /* NULL: closed, to be freed */
    struct reader reader;
    uint8_t input[INPUT_MAX];
    size_t input_length;
    struct text output; /* before the parts; and PINGs behind them */
    bool is_synced;     /* it has said PSYNC */
    bool has_told;      /* that it has all */
    size_t part;        /* that is sent */
    uint64_t sent;      /* of it */
};

/* ------------------------------------------------------------------ a replica */

static void free_served_replica(void *arg)
{
    struct served_replica *replica = arg;
    text_fini(&replica->output);
    free(replica);
}

static void close_replica(struct served_replica *replica)
{
    struct server *server = replica->server;
    struct served_replica **place = &server->replicas;
    while (*place != replica)
        place = &(*place)->next;
    *place = replica->next;
    server->replica_count--;
    conn_close(&replica->conn);
    loop_defer(server->loop, free_served_replica, replica);
}

static bool has_all(const struct served_replica *replica)
{
    return replica->is_synced && replica->part == replica->server->part_count;
}

/* What is left of the output; false: nothing was, or not all went. */
static enum conn_io send_output(struct served_replica *replica)
{
    while (replica->output.length > 0) {
        size_t sent = 0;
        enum conn_io io = conn_send(replica->conn, text_bytes(&replica->output), false, &sent);
        if (io != CONN_OK)
            return io;
        text_skip(&replica->output, sent);
    }
    return CONN_OK;
}

static enum conn_io send_parts(struct served_replica *replica)
{
    const struct server *server = replica->server;
    uint64_t budget = SEND_BYTES_MAX;
    while (replica->part < server->part_count) {
        const struct served_part *part = &server->parts[replica->part];
        uint64_t left = part->length - replica->sent;
        if (left == 0) {
            replica->part++;
            replica->sent = 0;
            continue;
        }
        if (budget == 0)
            return CONN_AGAIN;
        size_t sent = 0;
        enum conn_io io = conn_send_file(replica->conn, part->file, part->position + replica->sent,
                                         (size_t)(left < budget ? left : budget), &sent);
        if (io != CONN_OK)
            return io;
        replica->sent += sent;
        budget -= sent;
    }
    return CONN_OK;
}

/* False: it was closed. */
static bool send_all(struct served_replica *replica)
{
    bool was_done = has_all(replica);
    enum conn_io io = was_done ? CONN_OK : send_output(replica);
    if (io == CONN_OK && replica->is_synced && !was_done)
        io = send_parts(replica);
    if (io == CONN_OK)
        io = send_output(replica); /* PINGs */
    if (io == CONN_OK || io == CONN_AGAIN) {
        conn_want(replica->conn, true, io == CONN_AGAIN);
        return true;
    }
    close_replica(replica);
    return false;
}

/* ------------------------------------------------------------------ its commands */

static void answer_psync(struct served_replica *replica, bool has_ids)
{
    const struct server *server = replica->server;
    if (has_ids)
        text_format(&replica->output, "+FULLRESYNC %s %" PRIu64 "\r\n", server->replid.hex,
                    server->first);
    text_format(&replica->output, "$%" PRIu64 "\r\n", server->parts[0].length);
    replica->is_synced = true;
}

static void take_ack(struct served_replica *replica, const struct command *command)
{
    uint64_t offset;
    if (replica->has_told || command->argument_count < 3 ||
        !bytes_to_u64(command->argument[2], &offset) || offset < replica->server->until)
        return;
    replica->has_told = true;
    fprintf(stderr, "psync-relay restore: replica %s has all of it, up to offset %" PRIu64 "\n",
            conn_peer(replica->conn), replica->server->until);
}

static void serve_answer(struct served_replica *replica, const struct command *command)
{
    struct bytes name = command->argument[0];
    bool is_replconf = bytes_is(name, "replconf");
    if (is_replconf && command->argument_count > 1 && bytes_is(command->argument[1], "ack"))
        take_ack(replica, command);
    else if (replica->is_synced)
        return; /* nothing but the stream goes to it */
    else if (bytes_is(name, "psync"))
        answer_psync(replica, true);
    else if (bytes_is(name, "sync"))
        answer_psync(replica, false);
    else if (bytes_is(name, "ping"))
        text_append_string(&replica->output, "+PONG\r\n");
    else if (is_replconf || bytes_is(name, "auth"))
        text_append_string(&replica->output, "+OK\r\n");
    else if (bytes_is(name, "info"))
        text_append_string(&replica->output, "$13\r\nrole:master\r\n\r\n");
    else
        text_append_string(
            &replica->output,
            "-ERR this is psync-relay restore --serve: it answers replicas only\r\n");
}

/* False: it is none of the protocol. */
static bool take_commands(struct served_replica *replica)
{
    struct command command;
    size_t taken = 0;
    enum reader_result result;
    while ((result = reader_next(&replica->reader, replica->input + taken,
                                 replica->input_length - taken, &command)) == READER_COMMAND) {
        taken += command.length;
        if (command.argument_count > 0)
            serve_answer(replica, &command);
    }
    replica->input_length -= taken;
    memmove(replica->input, replica->input + taken, replica->input_length);
    return result == READER_MORE && replica->input_length < INPUT_MAX && !replica->output.failed;
}

/* False: it has gone. */
static bool receive_commands(struct served_replica *replica)
{
    for (;;) {
        size_t received = 0;
        enum conn_io io = conn_receive(replica->conn, replica->input + replica->input_length,
                                       INPUT_MAX - replica->input_length, &received);
        if (io == CONN_AGAIN)
            return true;
        if (io != CONN_OK)
            return false;
        replica->input_length += received;
        if (!take_commands(replica))
            return false;
    }
}

static void on_replica_event(struct conn *conn, enum conn_event event, void *arg)
{
    struct served_replica *replica = arg;
    (void)conn;
    bool is_good = event != CONN_EVENT_DOWN;
    if (event == CONN_EVENT_READABLE)
        is_good = receive_commands(replica);
    if (is_good)
        (void)send_all(replica);
    else
        close_replica(replica);
}

/* ------------------------------------------------------------------ the server */

static void on_served_replica(int fd, void *arg)
{
    struct server *server = arg;
    static const struct conn_options options = {.keepalive_s = KEEPALIVE_S};
    struct served_replica *replica = calloc(1, sizeof(*replica));
    struct conn *conn = conn_accept(server->loop, fd, &options, on_replica_event, replica);
    if (conn == NULL || replica == NULL || server->replica_count == SERVE_REPLICAS_MAX) {
        if (conn != NULL)
            conn_close(&conn);
        free(replica);
        return;
    }
    replica->server = server;
    replica->conn = conn;
    reader_init(&replica->reader);
    text_init(&replica->output, OUTPUT_MAX);
    replica->next = server->replicas;
    server->replicas = replica;
    server->replica_count++;
    conn_want(conn, true, false);
}

static void on_ping(void *arg)
{
    struct server *server = arg;
    struct served_replica *next;
    for (struct served_replica *replica = server->replicas; replica != NULL; replica = next) {
        next = replica->next;
        if (!has_all(replica))
            continue;
        text_append_string(&replica->output, "*1\r\n$4\r\nPING\r\n");
        if (replica->output.failed)
            close_replica(replica);
        else
            (void)send_all(replica);
    }
    timer_arm(server->ping, SERVE_PING_MS);
}

static void on_end(void *arg)
{
    struct server *server = arg;
    loop_stop(server->loop);
}

/* The RDB, and of each segment what is between its offset and the target. */
static bool make_served_parts(struct server *server, const struct restore_plan *plan,
                              struct error *error)
{
    const struct history_view *view = plan->view;
    server->first = plan->base->offset;
    server->parts = calloc(view->identity.segment_count + 1, sizeof(*server->parts));
    if (server->parts == NULL)
        return error_set(error, ERROR_EXHAUSTED, "out of memory");
    server->parts[server->part_count++] =
        (struct served_part){.file = plan->base->file, .length = plan->base->length};
    for (size_t i = 0; i < view->identity.segment_count; i++) {
        const struct identity_segment *segment = &view->identity.segments[i];
        uint64_t from = segment->first > server->first ? segment->first : server->first;
        uint64_t to = segment->end < server->until ? segment->end : server->until;
        if (from >= to)
            continue;
        server->parts[server->part_count++] = (struct served_part){
            .file = view->files[i], .position = from - segment->first, .length = to - from};
    }
    return true;
}

static bool open_server(struct server *server, const char *address, uint16_t port,
                        struct error *error)
{
    server->loop = loop_new(error);
    if (server->loop == NULL)
        return false;
    server->ping = timer_new(server->loop, on_ping, server);
    if (server->ping == NULL || !loop_on_signal(server->loop, SIGTERM, on_end, server) ||
        !loop_on_signal(server->loop, SIGINT, on_end, server))
        return error_set(error, ERROR_EXHAUSTED, "out of memory");
    server->listener = listener_open(server->loop, address, port, on_served_replica, server, error);
    return server->listener != NULL;
}

static void close_server(struct server *server)
{
    while (server->replicas != NULL)
        close_replica(server->replicas);
    if (server->listener != NULL)
        listener_close(&server->listener);
    if (server->ping != NULL)
        timer_free(&server->ping);
    if (server->loop != NULL)
        loop_free(&server->loop);
    free(server->parts);
}

bool serve_plan(const struct restore_plan *plan, uint64_t until, const char *address, uint16_t port,
                struct error *error)
{
    struct server server = {.until = until};
    random_hex(server.replid.hex, REPLID_DIGITS);
    bool good =
        make_served_parts(&server, plan, error) && open_server(&server, address, port, error);
    if (good) {
        fprintf(stderr,
                "psync-relay restore: serves the data of offset %" PRIu64 ": REPLICAOF %s %u\n",
                until, address, listener_port(server.listener));
        timer_arm(server.ping, SERVE_PING_MS);
        loop_run(server.loop);
    }
    close_server(&server);
    return good;
}
