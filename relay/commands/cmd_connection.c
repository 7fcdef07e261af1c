/* SPDX-License-Identifier: MIT
 *
 * What a client says to see whether we live, and to end. How it begins is in login.c.
 */
#include "client_state.h"
#include "handlers.h"
#include "request.h"

/* In RESP2 a subscriber gets it in the form of a message. */
static bool is_ping_a_message(const struct request *request)
{
    const struct client_state *client_state = client_state_find(request->client);
    return request->session->protocol == 2 && client_state != NULL &&
           subscriber_count(&client_state->subscriber) > 0;
}

void on_ping(struct request *request)
{
    if (argument_count(request) > 2) {
        write_error(request->writer, "ERR wrong number of arguments for 'ping' command");
    } else if (is_ping_a_message(request)) {
        write_array(request->writer, 2);
        write_bulk_string(request->writer, "pong");
        write_bulk(request->writer,
                   argument_count(request) == 2 ? argument(request, 1) : bytes_of(""));
    } else if (argument_count(request) == 2) {
        write_bulk(request->writer, argument(request, 1));
    } else {
        write_simple(request->writer, "PONG");
    }
}

void on_echo(struct request *request)
{
    write_bulk(request->writer, argument(request, 1));
}

void on_select(struct request *request)
{
    int64_t index;
    if (!bytes_to_i64(argument(request, 1), &index) || index > INT32_MAX || index < INT32_MIN)
        write_error(request->writer, "ERR value is not an integer or out of range");
    else if (index < 0)
        write_error(request->writer, "ERR DB index is out of range");
    else
        reply_ok(request);
}

void on_quit(struct request *request)
{
    reply_ok(request);
    client_finish(request->client, CLOSE_QUIT);
}

void on_reset(struct request *request)
{
    client_state_forget(request->client);
    *request->session = (struct client_session){.protocol = 2};
    request->writer->protocol = 2;
    write_simple(request->writer, "RESET");
}
