/* SPDX-License-Identifier: MIT
 *
 * How an operator names a replica that may be away. Pure.
 */
#ifndef RELAY_COMMANDS_REPLICA_ADDRESS_H
#define RELAY_COMMANDS_REPLICA_ADDRESS_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/downstream/known.h"

/* "address", "address:port" or "[address]:port". Without brackets, several colons are of IPv6. False: it is none of
 * these. */
MUST_CHECK bool parse_replica_address(struct bytes word, struct known_who *who);

#endif
