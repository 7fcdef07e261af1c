/* SPDX-License-Identifier: MIT
 *
 * The process as a whole, and the questions that monitoring tools ask of every server and to which
 * the answer of a relay is empty: harmless, and in the form that they expect.
 */
#include <stdio.h>
#include <stdlib.h>

#include "handlers.h"
#include "info_moment.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/os/memory.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "request.h"

void on_time(struct request *request)
{
    char digits[24];
    int64_t now_us = clock_wall_us();
    write_array(request->writer, 2);
    snprintf(digits, sizeof(digits), "%lld", (long long)(now_us / 1000000));
    write_bulk_string(request->writer, digits);
    snprintf(digits, sizeof(digits), "%lld", (long long)(now_us % 1000000));
    write_bulk_string(request->writer, digits);
}

/* As real servers do it there is no reply: the connection closes, with all others. */
void on_shutdown(struct request *request)
{
    bool save = false;
    bool no_save = false;
    bool abort_it = false;
    bool other = false;
    for (size_t i = 1; i < argument_count(request); i++) {
        bool is_known = true;
        if (argument_is(request, i, "save"))
            save = true;
        else if (argument_is(request, i, "nosave"))
            no_save = true;
        else if (argument_is(request, i, "abort"))
            abort_it = true;
        else if (argument_is(request, i, "now") || argument_is(request, i, "force"))
            other = true;
        else
            is_known = false;
        if (!is_known || (save && no_save) || (abort_it && (save || no_save || other))) {
            reply_syntax_error(request);
            return;
        }
    }
    if (abort_it) {
        write_error(request->writer, "ERR No shutdown in progress.");
        return;
    }
    log_info("commands: SHUTDOWN by %s", client_peer(request->client));
    request->commands->callbacks.shut_down(request->commands->callbacks.arg);
}

void on_dbsize(struct request *request)
{
    write_integer(request->writer, 0);
}

void on_lastsave(struct request *request)
{
    write_integer(request->writer, info_last_save_s(request->commands));
}

void on_empty_list(struct request *request)
{
    write_array(request->writer, 0);
}
