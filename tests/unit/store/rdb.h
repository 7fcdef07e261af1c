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

/* `branch` makes two of one length different. length > 20. */
static inline struct rdb rdb_make(size_t length, unsigned branch)
{
    struct rdb rdb = {malloc(length), length};
    assert_non_null(rdb.data);
    stream_fill(rdb.data, 0, length, branch);
    memcpy(rdb.data, "REDIS0011", 9);
    rdb.data[length - RDB_FOOTER - 1] = 0xff;
    uint64_t crc = crc64(0, rdb.data, length - RDB_FOOTER);
    for (size_t i = 0; i < RDB_FOOTER; i++)
        rdb.data[length - RDB_FOOTER + i] = (uint8_t)(crc >> (8 * i));
    return rdb;
}

/* As an origin with `rdbchecksum no` sends it. */
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
