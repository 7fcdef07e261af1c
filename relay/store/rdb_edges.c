/* SPDX-License-Identifier: MIT */
#include "rdb_edges.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    RDB_LENGTH_MIN = RDB_EDGES_MAGIC_LENGTH + RDB_ENDING_LENGTH,
    RDB_OPCODE_END = 0xff,
};

void rdb_edges_feed(struct rdb_edges *edges, uint64_t before, struct bytes view)
{
    for (uint64_t i = before; i < RDB_EDGES_MAGIC_LENGTH && i - before < view.length; i++)
        edges->magic[i] = view.data[i - before];
    size_t new_bytes = view.length < RDB_ENDING_LENGTH ? view.length : RDB_ENDING_LENGTH;
    size_t old_bytes = RDB_ENDING_LENGTH - new_bytes;
    memmove(edges->ending, edges->ending + new_bytes, old_bytes);
    if (new_bytes > 0)
        memcpy(edges->ending + old_bytes, view.data + view.length - new_bytes, new_bytes);
}

static bool read_edge(int file, uint8_t *out, size_t length, uint64_t at, struct error *error)
{
    ssize_t got = pread(file, out, length, (off_t)at);
    if (got == -1)
        return error_set_system(error, errno, "cannot read");
    return (size_t)got == length || error_set(error, ERROR_DAMAGED, "it is shorter than it was");
}

bool rdb_edges_read(struct rdb_edges *edges, int file, uint64_t length, struct error *error)
{
    return length < RDB_LENGTH_MIN ||
           (read_edge(file, edges->magic, sizeof(edges->magic), 0, error) &&
            read_edge(file, edges->ending, sizeof(edges->ending), length - sizeof(edges->ending),
                      error));
}

bool rdb_edges_have_checksum(const struct rdb_edges *edges)
{
    static const uint8_t switched_off[RDB_FOOTER_LENGTH] = {0};
    return memcmp(edges->ending + 1, switched_off, RDB_FOOTER_LENGTH) != 0;
}

static bool has_magic(const uint8_t magic[RDB_EDGES_MAGIC_LENGTH])
{
    return memcmp(magic, "REDIS", 5) == 0 || memcmp(magic, "VALKEY", 6) == 0;
}

bool rdb_edges_are_whole(const struct rdb_edges *edges, uint64_t length, struct error *error)
{
    if (length < RDB_LENGTH_MIN || !has_magic(edges->magic))
        return error_set(error, ERROR_DAMAGED,
                         "this is no RDB: it does not begin with REDIS or VALKEY");
    return edges->ending[0] == RDB_OPCODE_END ||
           error_set(error, ERROR_DAMAGED, "the RDB has no end opcode where it should end");
}
