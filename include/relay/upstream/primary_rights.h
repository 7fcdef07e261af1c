/* SPDX-License-Identifier: MIT
 *
 * What our user may not do at the primary, as far as the answers in the handshake tell, and what that costs.
 * Commands without which replication cannot be at all are among them. Pure. Any thread.
 */
#ifndef RELAY_UPSTREAM_PRIMARY_RIGHTS_H
#define RELAY_UPSTREAM_PRIMARY_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/text.h"

enum primary_right {
    PRIMARY_RIGHT_INFO = 1 << 0,
    PRIMARY_RIGHT_REPLCONF = 1 << 1,
    PRIMARY_RIGHT_PSYNC = 1 << 2,
};

/* "+info +replconf" */
void primary_rights_words(unsigned denied, struct text *out);

/* A sentence for each that says what is lost without it. */
void primary_rights_costs(unsigned denied, struct text *out);

/* Does replication work without these? */
bool primary_rights_suffice(unsigned denied);

#endif
