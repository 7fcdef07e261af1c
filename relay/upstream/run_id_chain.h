/* SPDX-License-Identifier: MIT
 *
 * The run ids of the servers above a relay, the one that it follows first. A relay tells them in INFO
 * replication (upstream_chain, upstream_chain_complete), so that the next one below knows whether it
 * would follow itself: addresses and ports may be shared or translated, a run id cannot. Pure. Any thread.
 *
 *     primary P <- relay A <- relay B         A tells "P", complete; B tells "A,P", complete
 */
#ifndef RELAY_UPSTREAM_RUN_ID_CHAIN_H
#define RELAY_UPSTREAM_RUN_ID_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/bytes.h"
#include "relay/base/replid.h"
#include "relay/base/text.h"

enum { RUN_ID_CHAIN_MAX = 16, RUN_ID_CHAIN_TEXT_MAX = RUN_ID_CHAIN_MAX * (REPLID_DIGITS + 1) + 1 };

struct run_id_chain {
    size_t count;
    bool is_complete; /* the last one is a primary */
    char at[RUN_ID_CHAIN_MAX][REPLID_DIGITS + 1];
};

/* What a server tells of those above it: ids with commas between them. Anything else, and more than there
 * may be: none. */
void run_id_chain_parse(struct bytes value, struct run_id_chain *out);

/* Who follows a server with this run id ("": it does not tell) and this chain has these above it. */
void run_id_chain_extend(const char *run_id, bool is_primary, const struct run_id_chain *above,
                         struct run_id_chain *out);

bool run_id_chain_has(const struct run_id_chain *chain, const char *run_id);

/* As run_id_chain_parse takes it. */
void run_id_chain_format(const struct run_id_chain *chain, struct text *out);

#endif
