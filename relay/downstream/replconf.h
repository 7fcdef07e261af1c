/* SPDX-License-Identifier: MIT
 *
 * REPLCONF: what a replica says of itself before PSYNC, and on the link afterwards. Pure.
 */
#ifndef RELAY_DOWNSTREAM_REPLCONF_H
#define RELAY_DOWNSTREAM_REPLCONF_H

#include <stdint.h>

#include "relay/downstream/client.h"
#include "relay/resp/reader.h"
#include "relay/resp/writer.h"

/* Before PSYNC: applies "REPLCONF option value ..." left to right to `terms` and writes the reply.
 * Stops at the first option that is unknown or has a bad value; what came before it stays. */
void replconf_apply(struct replica_terms *terms, const struct command *command,
                    struct writer *reply);

enum replconf_word {
    REPLCONF_ACK,        /* "REPLCONF ACK <offset> [FACK <offset>]" */
    REPLCONF_NO_REPLY,   /* nothing that concerns us, nothing that we would reply to */
    REPLCONF_UNEXPECTED, /* it would need a reply, and none may be sent on this link */
};

/* On the link, where only signs of life may come. */
enum replconf_word replconf_on_link(const struct command *command, uint64_t *acknowledged);

#endif
