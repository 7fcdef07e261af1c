/* SPDX-License-Identifier: MIT
 *
 * RELAY: what only a relay has, under its own name, so that no word of redis-server gets a second
 * meaning. Replies are maps (flat arrays in RESP2), whose keys are the names that INFO has for the same.
 */
#include <inttypes.h>

#include "handlers.h"
#include "relay/base/clock.h"
#include "relay/base/report.h"
#include "relay/downstream/known.h"
#include "relay/store/cursor.h"
#include "relay/store/history.h"
#include "relay/store/status.h"
#include "relay/store/store.h"
#include "replica_address.h"
#include "report_map.h"
#include "request.h"

enum { REPORT_LENGTH_MAX = 256 * 1024, REPLICAS_LENGTH_MAX = 16 * 1024 * 1024 };

void on_relay_accept(struct request *request)
{
    struct primary_address upstream;
    bool is_named = argument_count(request) == 4;
    if (argument_count(request) != 2 && !is_named) {
        reply_syntax_error(request);
        return;
    }
    if (is_named && !request_read_address(request, 2, &upstream))
        return;
    const char *reason = link_accept(request->commands->link, is_named ? &upstream : NULL);
    if (reason == NULL)
        reply_ok(request);
    else
        write_error(request->writer, "ERR %s", reason);
}

void on_relay_snapshot(struct request *request)
{
    const char *reason = link_refresh_now(request->commands->link);
    if (reason == NULL)
        reply_ok(request);
    else
        write_error(request->writer, "ERR cannot fetch a newer snapshot now: %s", reason);
}

void on_relay_store(struct request *request)
{
    struct text out;
    text_init(&out, REPORT_LENGTH_MAX);
    struct report report = {.out = &out};
    store_report(request->commands->store, &report);
    if (out.failed)
        write_error(request->writer, "ERR out of memory");
    else
        report_write_map(request->writer, text_bytes(&out));
    text_fini(&out);
}

/* ---------------------------------------------------------------- RELAY REPLICAS */

struct listing {
    struct writer writer; /* aside: how many there are must be said first */
    size_t count;
    uint64_t published;
    int64_t now_ms;
};

static void write_text(struct writer *writer, const char *name, const char *value)
{
    write_bulk_string(writer, name);
    write_bulk_string(writer, value);
}

static void cmd_relay_write_number(struct writer *writer, const char *name, int64_t value)
{
    write_bulk_string(writer, name);
    write_integer(writer, value);
}

static int64_t seconds_since(const struct listing *listing, int64_t then_ms)
{
    return listing->now_ms > then_ms ? (listing->now_ms - then_ms) / 1000 : 0;
}

/* How much it has not told that it has: what was sent stands for it where it tells nothing. */
static int64_t behind(const struct listing *listing, const struct peer_status *replica)
{
    uint64_t has = replica->acknowledges ? replica->acknowledged : replica->sent_offset;
    uint64_t end = replica->runs_behind ? replica->limit : listing->published;
    return has < end ? (int64_t)(end - has) : 0;
}

static void list_replica(const struct peer_status *replica, void *arg)
{
    struct listing *listing = arg;
    struct writer *writer = &listing->writer;
    listing->count++;
    const struct progress_view *full_sync = &replica->full_sync;
    write_map(writer, 24);
    cmd_relay_write_number(writer, "id", (int64_t)replica->id);
    write_text(writer, "addr", replica->peer);
    write_text(writer, "ip", replica->address);
    cmd_relay_write_number(writer, "port", replica->listening_port);
    write_text(writer, "version", replica->version);
    write_text(writer, "carrier", replica->carrier);
    write_text(writer, "state", replica->state_name);
    write_bulk_string(writer, "acknowledges");
    write_bulk_string(writer, replica->acknowledges ? "yes" : "no");
    cmd_relay_write_number(writer, "offset", (int64_t)replica->acknowledged);
    cmd_relay_write_number(writer, "sent_offset", (int64_t)replica->sent_offset);
    cmd_relay_write_number(writer, "lag_bytes", replica->is_online ? behind(listing, replica) : -1);
    cmd_relay_write_number(writer, "lag", seconds_since(listing, replica->last_ack_ms));
    cmd_relay_write_number(writer, "age", seconds_since(listing, replica->connected_ms));
    cmd_relay_write_number(writer, "sent_bytes", (int64_t)replica->sent_bytes);
    cmd_relay_write_number(writer, "stream_missing", (int64_t)replica->stream_missing);
    write_text(writer, "held", replica->is_held ? "yes" : "no");
    write_text(writer, "delayed", replica->runs_behind ? "yes" : "no");
    write_text(writer, "paused", hold_kind_name(replica->hold));
    cmd_relay_write_number(writer, "limit", replica->runs_behind ? (int64_t)replica->limit : -1);
    cmd_relay_write_number(writer, "full_sync_bytes",
                           full_sync->is_active ? (int64_t)full_sync->bytes : -1);
    cmd_relay_write_number(writer, "full_sync_total",
                           full_sync->total != 0 ? (int64_t)full_sync->total : -1);
    write_text(writer, "full_sync_estimated", full_sync->is_estimate ? "yes" : "no");
    cmd_relay_write_number(writer, "full_sync_rate",
                           full_sync->is_active ? (int64_t)full_sync->rate : -1);
    cmd_relay_write_number(
        writer, "full_sync_left",
        full_sync->is_active && full_sync->left_ms >= 0 ? (full_sync->left_ms + 999) / 1000 : -1);
}

static void reply_list(struct request *request, const struct listing *listing)
{
    if (listing->writer.out->failed) {
        write_error(request->writer, "ERR the list of replicas is too long");
    } else {
        write_array(request->writer, listing->count);
        text_append(request->writer->out, text_bytes(listing->writer.out));
    }
}

void on_relay_replicas(struct request *request)
{
    const struct commands *commands = request->commands;
    struct history *history = store_current(commands->store);
    struct text out;
    text_init(&out, REPLICAS_LENGTH_MAX);
    struct listing listing = {
        .writer = {.out = &out, .protocol = request->writer->protocol},
        .published = history != NULL ? history_published(history) : 0,
        .now_ms = clock_ms(),
    };
    downstream_each_replica(commands->downstream, list_replica, &listing);
    reply_list(request, &listing);
    text_fini(&out);
}

/* Not of a client: a number mistaken shall close nobody else. */
void on_relay_drop(struct request *request)
{
    uint64_t id;
    if (!bytes_to_u64(argument(request, 2), &id) || id == 0)
        write_error(request->writer,
                    "ERR Invalid replica id: expected a number that RELAY REPLICAS shows");
    else if (!downstream_drop(request->commands->downstream, id))
        write_error(request->writer, "ERR No such replica");
    else
        reply_ok(request);
}

/* ---------------------------------------------------------------- RELAY AWAY, RELAY FORGET */

static void list_away(const struct known_status *replica, void *arg)
{
    struct listing *listing = arg;
    struct writer *writer = &listing->writer;
    listing->count++;
    write_map(writer, 8);
    cmd_relay_write_number(writer, "id", (int64_t)replica->id);
    write_text(writer, "addr", replica->peer);
    write_text(writer, "ip", replica->address);
    cmd_relay_write_number(writer, "port", replica->listening_port);
    write_text(writer, "version", replica->version);
    cmd_relay_write_number(writer, "offset", (int64_t)replica->acknowledged);
    cmd_relay_write_number(writer, "lag", seconds_since(listing, replica->heard_ms));
    cmd_relay_write_number(writer, "forgotten_in", (replica->left_ms + 999) / 1000);
}

/* Those that have left, and that `ack = all` still waits for. */
void on_relay_away(struct request *request)
{
    struct text out;
    text_init(&out, REPLICAS_LENGTH_MAX);
    struct listing listing = {.writer = {.out = &out, .protocol = request->writer->protocol},
                              .now_ms = clock_ms()};
    known_each_away(downstream_known(request->commands->downstream), list_away, &listing);
    reply_list(request, &listing);
    text_fini(&out);
}

void on_relay_forget(struct request *request)
{
    struct bytes word = argument(request, 2);
    struct known_who who = {.is_anybody = bytes_is(word, "all")};
    bool good = who.is_anybody || (bytes_to_u64(word, &who.id) && who.id > 0) ||
                parse_replica_address(word, &who);
    if (!good) {
        write_error(request->writer,
                    "ERR Invalid replica: expected an id, an ip or an ip:port that "
                    "RELAY REPLICAS or RELAY AWAY shows, or ALL");
        return;
    }
    size_t count = known_forget(downstream_known(request->commands->downstream), &who);
    if (count == 0 && !who.is_anybody)
        write_error(request->writer, "ERR No such replica");
    else
        write_integer(request->writer, (int64_t)count);
}
