/* SPDX-License-Identifier: MIT
 *
 * SLOWLOG: always empty. LATENCY HISTOGRAM and INFO commandstats show how long commands take.
 */
#include "handlers.h"
#include "request.h"

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
