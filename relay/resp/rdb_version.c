/* SPDX-License-Identifier: MIT */
#include "relay/resp/rdb_version.h"

#include <stdio.h>
#include <string.h>

enum {
    REDIS_DIGITS = 4,
    VALKEY_DIGITS = 3,
    REDIS_SHARED_LAST = 11, /* what comes behind it Valkey does not read */
    PART_MAX = 255,
};

/* Which format came with which server that announces its version, or stands for one that does
 * (docs/protocol.md 9); the oldest first. Each reads those before it. */
static const struct {
    uint32_t since;
    struct rdb_version newest;
    const char *readers;
} rows[] = {
    {SERVER_VERSION(4, 0, 0), {false, 8}, "Redis 4.0 and later, and every Valkey"},
    {SERVER_VERSION(5, 0, 0), {false, 9}, "Redis 5.0 and later, and every Valkey"},
    {SERVER_VERSION(7, 0, 0), {false, 10}, "Redis 7.0 and later, and every Valkey"},
    {SERVER_VERSION(7, 2, 0), {false, 11}, "Redis 7.2 and later, and every Valkey"},
    {SERVER_VERSION(9, 0, 0), {true, 80}, "Valkey 9.0 and later"},
    {SERVER_VERSION(9, 2, 0), {true, 81}, "Valkey 9.2 and later"},
};

static const struct {
    unsigned number;
    const char *readers;
} redis_alone[] = {
    {12, "Redis 7.4 and later, and no Valkey"},
    {13, "Redis 8.6 and later, and no Valkey"},
    {14, "Redis 8.8 and later, and no Valkey"},
};

bool rdb_version_parse(struct bytes head, struct rdb_version *out)
{
    *out = (struct rdb_version){0};
    if (head.length < RDB_MAGIC_LENGTH)
        return false;
    head = bytes_first(head, RDB_MAGIC_LENGTH);
    bool is_valkey = bytes_starts(head, "VALKEY");
    if (!is_valkey && !bytes_starts(head, "REDIS"))
        return false;
    size_t digits = is_valkey ? VALKEY_DIGITS : REDIS_DIGITS;
    uint64_t number;
    if (!bytes_to_u64(bytes_skip(head, RDB_MAGIC_LENGTH - digits), &number) || number == 0)
        return false;
    *out = (struct rdb_version){.is_valkey = is_valkey, .number = (unsigned)number};
    return true;
}

const char *rdb_version_format(struct rdb_version rdb, char *out)
{
    if (rdb.number == 0)
        snprintf(out, RDB_MAGIC_LENGTH + 1, "?");
    else if (rdb.is_valkey)
        snprintf(out, RDB_MAGIC_LENGTH + 1, "VALKEY%03u", rdb.number % 1000);
    else
        snprintf(out, RDB_MAGIC_LENGTH + 1, "REDIS%04u", rdb.number % 10000);
    return out;
}

bool rdb_version_equal(struct rdb_version a, struct rdb_version b)
{
    return a.is_valkey == b.is_valkey && a.number == b.number;
}

const char *rdb_version_readers(struct rdb_version rdb)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct rdb_version newest = rows[i].newest;
        if (newest.is_valkey == rdb.is_valkey && rdb.number <= newest.number && rdb.number != 0)
            return rows[i].readers;
    }
    for (size_t i = 0; i < LENGTH_OF(redis_alone); i++) {
        if (!rdb.is_valkey && redis_alone[i].number == rdb.number)
            return redis_alone[i].readers;
    }
    return rdb.is_valkey ? "a newer Valkey" : "a newer Redis, and no Valkey";
}

bool server_version_parse(struct bytes text, uint32_t *out)
{
    uint32_t version = 0;
    text = bytes_first(text, bytes_find(text, '-'));
    for (int part = 0; part < 3; part++) {
        size_t length = bytes_find(text, '.');
        bool is_last = length == text.length;
        uint64_t number;
        if (is_last != (part == 2) || !bytes_to_u64(bytes_first(text, length), &number) ||
            number > PART_MAX)
            return false;
        version = version << 8 | (uint32_t)number;
        text = bytes_skip(text, is_last ? length : length + 1);
    }
    *out = version;
    return version != 0;
}

const char *server_version_format(uint32_t version, char *out)
{
    snprintf(out, SERVER_VERSION_MAX, "%u.%u.%u", version >> 16 & PART_MAX, version >> 8 & PART_MAX,
             version & PART_MAX);
    return out;
}

struct rdb_version rdb_version_newest(uint32_t version)
{
    struct rdb_version newest = {0};
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if (version >= rows[i].since)
            newest = rows[i].newest;
    }
    return newest;
}

/* All formats that servers who announce a version have had, in the order in which they came. */
static bool is_older_or_same(struct rdb_version a, struct rdb_version b)
{
    if (a.is_valkey != b.is_valkey)
        return !a.is_valkey && a.number <= REDIS_SHARED_LAST;
    return a.number <= b.number;
}

enum rdb_reading rdb_version_reading(struct rdb_version rdb, uint32_t version)
{
    struct rdb_version newest = rdb_version_newest(version);
    if (rdb.number == 0 || newest.number == 0)
        return RDB_UNKNOWN;
    if (is_older_or_same(rdb, newest))
        return RDB_READABLE;
    /* A Valkey that is newer than this table may read what is newer than this table. */
    bool is_newest_we_know = version >= rows[LENGTH_OF(rows) - 1].since;
    return is_newest_we_know && rdb.is_valkey ? RDB_UNKNOWN : RDB_UNREADABLE;
}

uint32_t rdb_version_needs(struct rdb_version rdb)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct rdb_version newest = rows[i].newest;
        if (newest.is_valkey == rdb.is_valkey && rdb.number <= newest.number && rdb.number != 0)
            return rows[i].since;
    }
    return 0;
}
