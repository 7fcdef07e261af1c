/* SPDX-License-Identifier: MIT
 *
 * How a replica is sent what it asks for: plain, or compressed in one of two dialects (docs/protocol.md 7.5). The
 * decision is ours alone: what we are set to, among what the replica has named. Pure.
 */
#ifndef RELAY_DOWNSTREAM_REPLICA_CODEC_H
#define RELAY_DOWNSTREAM_REPLICA_CODEC_H

#include <stdbool.h>

#include "relay/codec/codec.h"
#include "relay/downstream/client.h"

struct replica_codec {
    struct compression compression; /* CODEC_NONE: plain */
    bool has_envelope;              /* the dialect of Valkey, in which the RDB is compressed, too */
};

/* `wanted`: repl-compression. A Valkey reads zstd over TLS as one frame that never ends, which no two replicas can
 * share: it gets LZ4 there, which it always names as well. A relay reads any. */
struct replica_codec replica_codec_choose(const struct replica_terms *terms,
                                          struct compression wanted, bool is_tls);

#endif
