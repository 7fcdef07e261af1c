/* SPDX-License-Identifier: MIT
 *
 * Bytes that begin and end as an RDB does, with the right CRC-64, and something known in between.
 */
#ifndef TESTS_UNIT_STORE_RDB_H
#define TESTS_UNIT_STORE_RDB_H

#include "relay/base/crc64.h"
#include "stream.h"

enum { RDB_FOOTER = 8 };

struct rdb {
    uint8_t *data;
    size_t length;
};

static inline void rdb_sum(struct rdb *rdb)
{
    uint64_t crc = crc64(0, rdb->data, rdb->length - RDB_FOOTER);
    for (size_t i = 0; i < RDB_FOOTER; i++)
        rdb->data[rdb->length - RDB_FOOTER + i] = (uint8_t)(crc >> (8 * i));
}

/* `branch` makes two of one length different. length > 20. */
static inline struct rdb rdb_make(size_t length, unsigned branch)
{
    struct rdb rdb = {malloc(length), length};
    assert_non_null(rdb.data);
    stream_fill(rdb.data, 0, length, branch);
    memcpy(rdb.data, "REDIS0011", 9);
    rdb.data[9] = 0xfe; /* no field comes first */
    rdb.data[length - RDB_FOOTER - 1] = 0xff;
    rdb_sum(&rdb);
    return rdb;
}

/* It says where it was taken, as servers from Redis 4 on do. length > 130. */
static inline void rdb_say_primary(struct rdb *rdb, char id_digit, uint64_t offset)
{
    char fields[128];
    char digits[24];
    int count = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)offset);
    int length = snprintf(fields, sizeof(fields),
                          "\xfa\x09redis-ver\x05"
                          "7.0.0\xfa\x07repl-id\x28");
    memset(fields + length, id_digit, 40);
    length += 40;
    length += snprintf(fields + length, sizeof(fields) - (size_t)length,
                       "\xfa\x0brepl-offset%c%s\xfe", (char)count, digits);
    memcpy(rdb->data + 9, fields, (size_t)length);
    rdb_sum(rdb);
}

/* As a primary with `rdbchecksum no` sends it. */
static inline void rdb_switch_checksum_off(struct rdb *rdb)
{
    memset(rdb->data + rdb->length - RDB_FOOTER, 0, RDB_FOOTER);
}

static inline struct bytes rdb_bytes(const struct rdb *rdb)
{
    return bytes_at(rdb->data, rdb->length);
}

static inline void rdb_free(struct rdb *rdb)
{
    free(rdb->data);
    rdb->data = NULL;
}

#endif
