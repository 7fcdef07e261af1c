/* SPDX-License-Identifier: MIT
 *
 * Fetches a newer snapshot on a second connection, announced with the same listening-port and address,
 * so that nobody takes us for two, and as `rdb-only` (docs/protocol.md 2.6). The stream on the link is not
 * touched: the new X lies in it, or will in a moment. The connection goes to the primary, or to a replica
 * (snapshot_sources.h).
 *
 *     idle --- refresh_start ---> busy --- the RDB is in the store, or it failed ---> idle
 *
 * Owner: the link. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_REFRESH_H
#define RELAY_UPSTREAM_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "handshake.h"
#include "relay/base/check.h"
#include "relay/upstream/link_status.h"

struct announced_version;
struct compression_use;
struct loop;
struct primary_address;
struct refresh;
struct route;
struct snapshot_sources;
struct store;

/* `route`, `announced` and `compression` are the link's. NULL: out of memory. */
MUST_CHECK struct refresh *refresh_new(struct loop *loop, struct store *store,
                                       const struct route *route,
                                       struct announced_version *announced,
                                       struct compression_use *compression);
void refresh_free(struct refresh **refresh);

bool refresh_is_busy(const struct refresh *refresh);

/* Of its connections from the next one on; the caller's. */
void refresh_set_congestion(struct refresh *refresh, const char *congestion);

/* Also for one that is busy with the primary: the strings before are not used any more. */
void refresh_set_credentials(struct refresh *refresh, const char *user, const char *password);

/* Begins, for the store's current history; `cause` is constant. `terms` are the link's own; what makes a refresh of them is
 * added here. Not while busy. */
void refresh_start(struct refresh *refresh, const struct primary_address *primary,
                   const struct handshake_terms *terms, const char *cause);

/* The same, at this one in place of the primary; see snapshot_sources.h, which is told how it ends. */
void refresh_start_at(struct refresh *refresh, struct snapshot_sources *sources,
                      const struct primary_address *source, const struct handshake_terms *terms,
                      const char *cause);

/* One is due, and the disk has no room for it, as `why` says: told, and told of in the report, until one begins, or
 * none is due any more (NULL). */
void refresh_note_no_space(struct refresh *refresh, const char *why);

/* Gives it up: the history it was for goes, or the primary is another. Idle: no effect. */
void refresh_cancel(struct refresh *refresh, const char *why);

/* Every second: gives up after `timeout_ms` of silence. */
void refresh_tick(struct refresh *refresh, int64_t timeout_ms);

/* From when on (clock_ms) the next may begin: see refresh_pace.h. */
int64_t refresh_next_ms(const struct refresh *refresh, bool somebody_waits, int64_t interval_ms);

/* Fills in what the status says of refreshes. */
void refresh_report(const struct refresh *refresh, struct link_status *out);

#endif
