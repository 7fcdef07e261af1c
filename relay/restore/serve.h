/* SPDX-License-Identifier: MIT
 *
 * Is a primary that has the data of a plan, and no more: who says REPLICAOF to it gets the RDB and the stream up to
 * the target, and stays there. Nothing is written; all is proven before the first replica is answered.
 *
 * It gives each replica a full sync under an id of its own, so that none goes on from here with a partial resync at
 * the real primary. Behind the target comes nothing but a PING every ten seconds, which keeps the replica from taking
 * the connection for dead, and changes no data.
 *
 *     handshake  PING, AUTH, REPLCONF are answered as a primary does (docs/protocol.md 2.1)
 *     sending    after PSYNC: +FULLRESYNC, the RDB, the stream
 *     done       PING; the acknowledgement of the target is told once
 *
 * Thread: the caller's, with a loop of its own.
 */
#ifndef RELAY_RESTORE_SERVE_H
#define RELAY_RESTORE_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"
#include "relay/base/check.h"
#include "relay/base/error.h"

enum { SERVE_REPLICAS_MAX = 64, SERVE_PING_MS = 10 * 1000 };

/* Serves the plan, which was proven and ends at the boundary `until`, until SIGTERM or SIGINT. False: `error`; it
 * cannot listen there. */
MUST_CHECK bool serve_plan(const struct restore_plan *plan, uint64_t until, const char *address,
                           uint16_t port, struct error *error);

#endif
