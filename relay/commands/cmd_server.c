/* SPDX-License-Identifier: MIT
 *
 * The process as a whole, and the questions that monitoring tools ask of every server and to which
 * the answer of a relay is empty: harmless, and in the form that they expect.
 */
#include <stdio.h>
#include <stdlib.h>

#include "command_table.h"
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

int64_t last_save_s(const struct commands *commands)
{
    const struct history *history = store_current(commands->store);
    const struct snapshot *snapshot = history != NULL ? history_snapshot(history) : NULL;
    if (snapshot == NULL)
        return commands->started_wall_us / 1000000; /* as a server that has not saved yet */
    int64_t age_ms = clock_ms() - snapshot_completed_ms(snapshot);
    return (clock_wall_us() / 1000 - age_ms) / 1000;
}

void on_lastsave(struct request *request)
{
    write_integer(request->writer, last_save_s(request->commands));
}

void on_empty_list(struct request *request)
{
    write_array(request->writer, 0);
}

void on_slowlog_get(struct request *request)
{
    int64_t count = 0;
    if (argument_count(request) > 3)
        write_error(request->writer, "ERR wrong number of arguments for 'slowlog|get' command");
    else if (argument_count(request) == 3 &&
             (!bytes_to_i64(argument(request, 2), &count) || count < -1))
        write_error(request->writer, "ERR count should be greater than or equal to -1");
    else
        write_array(request->writer, 0);
}

void on_slowlog_len(struct request *request)
{
    write_integer(request->writer, 0);
}

void on_slowlog_reset(struct request *request)
{
    reply_ok(request);
}

void on_memory_usage(struct request *request)
{
    write_null(request->writer);
}

void on_memory_purge(struct request *request)
{
    memory_purge();
    reply_ok(request);
}

void on_memory_stats(struct request *request)
{
    struct memory memory;
    memory_read(&memory);
    write_map(request->writer, 4);
    write_bulk_string(request->writer, "total.allocated");
    write_integer(request->writer, (int64_t)memory.used);
    write_bulk_string(request->writer, "resident");
    write_integer(request->writer, (int64_t)memory.resident);
    write_bulk_string(request->writer, "file-backed");
    write_integer(request->writer, (int64_t)memory.file_backed);
    write_bulk_string(request->writer, "keys.count");
    write_integer(request->writer, 0);
}

void on_memory_doctor(struct request *request)
{
    static const char advice[] =
        "psync-relay holds its data on disk: used_memory in INFO is what it allocated, "
        "mem_file_backed what the kernel keeps of its files and takes back when it needs it.\n";
    write_verbatim(request->writer, bytes_of(advice));
}

void on_memory_malloc_stats(struct request *request)
{
    char *xml = NULL;
    size_t length = 0;
    FILE *into = open_memstream(&xml, &length);
    if (into == NULL || !memory_write_statistics(into)) {
        write_error(request->writer, "ERR the allocator has nothing to say");
        if (into != NULL)
            fclose(into);
    } else {
        fclose(into);
        write_verbatim(request->writer, bytes_at(xml, length));
    }
    free(xml);
}
