/* SPDX-License-Identifier: MIT
 *
 * Which server can read which RDB: the versions of the format, and what a replica's `REPLCONF version`
 * says about it (docs/protocol.md 7.4, 9). Only servers of Valkey 8.0 and later announce a version, and Valkey 9.1
 * and later choose the format by it; of a replica that announces none nothing is known but that it is older,
 * or a Redis.
 *
 *     REDIS0009    Redis 5.0 - 6.2
 *     REDIS0010    Redis 7.0
 *     REDIS0011    Redis 7.2, Valkey 7.2 - 8.1; Valkey 9.1 and later for replicas that need it
 *     REDIS0012..  Redis 7.4 and later alone
 *     VALKEY080    Valkey 9.0, 9.1
 *     VALKEY081    Valkey 9.2
 *
 * Pure. Any thread.
 */
#ifndef RELAY_RESP_RDB_VERSION_H
#define RELAY_RESP_RDB_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum { RDB_MAGIC_LENGTH = 9, SERVER_VERSION_MAX = 16 };

/* "REDIS0011", "VALKEY080". */
struct rdb_version {
    bool is_valkey;
    unsigned number; /* 11, 80; 0: not known */
};

/* Reads the first RDB_MAGIC_LENGTH bytes of an RDB. False: it is none; *out is "not known" then. */
MUST_CHECK bool rdb_version_parse(struct bytes head, struct rdb_version *out);

/* The magic as a string, "?" where it is not known. `out` takes RDB_MAGIC_LENGTH + 1 bytes; returns it. */
const char *rdb_version_format(struct rdb_version rdb, char *out);

bool rdb_version_equal(struct rdb_version a, struct rdb_version b);

/* Which servers can read it, for people: "Valkey 9.0 and later". Constant. */
const char *rdb_version_readers(struct rdb_version rdb);

/* A server's version as a number that can be compared: 8.1.3 is 0x080103. Reads "x.y.z", where something
 * may follow behind a '-'. False: it is none. */
MUST_CHECK bool server_version_parse(struct bytes text, uint32_t *out);

/* "8.1.3"; `out` takes SERVER_VERSION_MAX bytes; returns it. */
const char *server_version_format(uint32_t version, char *out);

#define SERVER_VERSION(major, minor, patch)                                                        \
    ((uint32_t)(major) << 16 | (uint32_t)(minor) << 8 | (uint32_t)(patch))

/* Valkey from here on chooses the RDB's version by what the replica announces. */
#define SERVER_VERSION_CHOOSES SERVER_VERSION(9, 1, 0)

enum rdb_reading {
    RDB_READABLE,
    RDB_UNREADABLE, /* unless its `rdb-version-check` is `relaxed`, which makes it try */
    RDB_UNKNOWN,    /* newer than what we know of, or no version */
};

/* Can a server that announces `version` read it? 0: it announces none. */
enum rdb_reading rdb_version_reading(struct rdb_version rdb, uint32_t version);

/* The newest format that a server which announces `version` reads; "not known" for 0. */
struct rdb_version rdb_version_newest(uint32_t version);

/* The lowest version that is to be announced so that Valkey may send this format, or a newer one; 0 where that
 * cannot be had by announcing: a format of Redis alone, or one that we do not know of. */
uint32_t rdb_version_needs(struct rdb_version rdb);

#endif
