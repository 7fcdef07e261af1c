/* SPDX-License-Identifier: MIT
 *
 * RELAY PAUSE and RELAY RESUME, of replicas that run behind ([delayed]).
 */
#include "handlers.h"
#include "relay/base/clock.h"
#include "relay/base/moment.h"
#include "relay/downstream/delayed.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "replica_address.h"
#include "request.h"

enum { PAUSED_LENGTH_MAX = 1024 * 1024 };

static void reply_outcome(struct request *request, const char *error)
{
    if (error == NULL)
        reply_ok(request);
    else
        write_error(request->writer, "%s", error);
}

void on_relay_pause(struct request *request)
{
    uint64_t id;
    if (!bytes_to_u64(argument(request, 2), &id) || id == 0)
        write_error(request->writer,
                    "ERR Invalid replica id: expected a number that RELAY REPLICAS shows");
    else
        reply_outcome(request, downstream_pause(request->commands->downstream, id));
}

/* An offset, or the last command boundary that had come by a time. False: the reply was written. */
static bool read_target(struct request *request, struct bytes word, uint64_t *until)
{
    const struct history *history = store_current(request->commands->store);
    int64_t now_us = clock_wall_us();
    struct time_answer answer;
    struct error error;
    int64_t wall_us;
    if (bytes_to_u64(word, until))
        return true;
    if (!moment_parse(word, now_us, &wall_us, &error)) {
        write_error(request->writer, "ERR %s", error.text);
        return false;
    }
    if (wall_us > now_us || history == NULL || !history_offset_at(history, wall_us, &answer)) {
        write_error(request->writer, "ERR Nothing is known of that time");
        return false;
    }
    *until = answer.entry.offset;
    return true;
}

void on_relay_resume(struct request *request)
{
    struct bytes word = argument(request, 2);
    struct known_who who = {.id = 0};
    uint64_t until = 0;
    bool has_target = argument_count(request) == 5 && bytes_is(argument(request, 3), "to");
    if (argument_count(request) != 3 && !has_target) {
        reply_syntax_error(request);
        return;
    }
    bool is_id = bytes_to_u64(word, &who.id) && who.id > 0;
    if (!is_id && !parse_replica_address(word, &who)) {
        write_error(request->writer, "ERR Invalid replica: expected an id or an ip:port that RELAY "
                                     "REPLICAS or RELAY PAUSED shows");
        return;
    }
    if (has_target && !read_target(request, argument(request, 4), &until))
        return;
    reply_outcome(request, downstream_resume(request->commands->downstream, &who,
                                             has_target ? &until : NULL));
}

/* ---------------------------------------------------------------- RELAY PAUSED */

struct paused_listing {
    struct writer writer;
    size_t count;
};

static void cmd_delayed_write_number(struct writer *writer, const char *name, int64_t value)
{
    write_bulk_string(writer, name);
    write_integer(writer, value);
}

static void list_hold(const struct hold_status *hold, void *arg)
{
    struct paused_listing *listing = arg;
    struct writer *writer = &listing->writer;
    bool has_target = hold->is_current && hold->kind == HOLD_TARGET;
    listing->count++;
    write_map(writer, 6);
    cmd_delayed_write_number(writer, "id", (int64_t)hold->id);
    write_bulk_string(writer, "ip");
    write_bulk_string(writer, hold->address);
    cmd_delayed_write_number(writer, "port", hold->port);
    write_bulk_string(writer, "paused");
    write_bulk_string(writer, hold_kind_name(hold->kind));
    cmd_delayed_write_number(writer, "offset", hold->is_current ? (int64_t)hold->offset : -1);
    cmd_delayed_write_number(writer, "target", has_target ? (int64_t)hold->until : -1);
}

void on_relay_paused(struct request *request)
{
    struct text out;
    text_init(&out, PAUSED_LENGTH_MAX);
    struct paused_listing listing = {
        .writer = {.out = &out, .protocol = request->writer->protocol}};
    downstream_each_hold(request->commands->downstream, list_hold, &listing);
    if (out.failed) {
        write_error(request->writer, "ERR out of memory");
    } else {
        write_array(request->writer, listing.count);
        text_append(request->writer->out, text_bytes(&out));
    }
    text_fini(&out);
}
