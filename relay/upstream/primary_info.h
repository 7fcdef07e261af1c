/* SPDX-License-Identifier: MIT
 *
 * What a server says of itself in INFO, as far as a replica wants to know before it asks PSYNC. Pure.
 */
#ifndef RELAY_UPSTREAM_PRIMARY_INFO_H
#define RELAY_UPSTREAM_PRIMARY_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/replid.h"
#include "relay/upstream/primary_address.h"
#include "run_id_chain.h"

enum { PRIMARY_VERSION_MAX = 32 };

/* Of client-output-buffer-limit, what is for replicas; 0: none. */
struct primary_output_limit {
    bool is_known;
    uint64_t hard; /* bytes */
    uint64_t soft; /* bytes, for so long: */
    uint64_t soft_seconds;
};

struct primary_info {
    char server_version[PRIMARY_VERSION_MAX]; /* redis_version; "" while not known */
    char valkey_version[PRIMARY_VERSION_MAX]; /* "" where it is no Valkey */
    char run_id[REPLID_DIGITS + 1];           /* "" while not known */
    bool is_relay;                            /* it is one of us, and serves from its disk */
    uint64_t uptime_s;                        /* 0 while not known */
    bool has_keys;                            /* INFO keyspace told of some */
    bool has_role;                            /* the fields below are known */
    bool is_primary;
    struct primary_address primary; /* of a replica */
    bool link_is_up;                /* of a replica: to its primary */
    bool is_writable;               /* of a replica: clients may write to it */
    bool is_syncing;                /* of a replica: it receives a full sync */
    uint64_t offset;                /* master_repl_offset */
    struct run_id_chain chain;      /* of a relay: who is above it */
    struct replid replid;
    struct replid replid2;
    bool has_disconnections; /* INFO stats told of */
    uint64_t disconnections; /* clients that it closed for client-output-buffer-limit */
    struct primary_output_limit output_limit;
    uint64_t
        dataset_bytes; /* of memory, which is more than the RDB takes as a rule; 0: not known */
    uint64_t second_offset; /* bytes that are common to replid and replid2; 0 without replid2 */
};

/* Nothing is known. */
void primary_info_init(struct primary_info *info);

/* Takes over what a section of INFO tells, or the value of client-output-buffer-limit; what it does not tell is left
 * as it is. */
void primary_info_read(struct primary_info *info, struct bytes section);

/* From which offset on can this server go on with us, who have `offset` bytes of `replid`? A replica that
 * was promoted has the new id from where it stood, which is usually behind us, who execute nothing: then
 * the common part ends there, and not at `offset` (docs/protocol.md 4.1). */
uint64_t primary_info_common(const struct primary_info *info, const struct replid *replid,
                             uint64_t offset);

/* Does it know the history at all? True also where it did not tell. */
bool primary_info_knows(const struct primary_info *info, const struct replid *replid);

#endif
