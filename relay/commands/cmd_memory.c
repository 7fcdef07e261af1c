/* SPDX-License-Identifier: MIT
 *
 * MEMORY: what the process has allocated. A relay holds no keys.
 */
#include <stdio.h>
#include <stdlib.h>

#include "handlers.h"
#include "relay/os/memory.h"
#include "request.h"

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
        write_error(request->writer, "ERR the memory allocator reports no statistics");
        if (into != NULL)
            fclose(into);
    } else {
        fclose(into);
        write_verbatim(request->writer, bytes_at(xml, length));
    }
    free(xml);
}
