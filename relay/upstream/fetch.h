/* SPDX-License-Identifier: MIT
 *
 * Fetches a newer snapshot on a second connection, announced with the same listening-port and address,
 * so that nobody takes us for two, and as `rdb-only` (protocol 2.6). The stream on the link is not
 * touched: the new X lies in it, or will in a moment.
 *
 *     idle --- fetch_start ---> busy --- the RDB is in the store, or it failed ---> idle
 *
 * Owner: the link. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_FETCH_H
#define RELAY_UPSTREAM_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "greeting.h"
#include "relay/base/check.h"
#include "relay/upstream/link.h"

struct announced_version;
struct fetch;
struct loop;
struct store;
struct tls_context;

/* `announced` is the link's. NULL: memory is out. */
MUST_CHECK struct fetch *fetch_new(struct loop *loop, struct store *store,
                                   struct announced_version *announced);
void fetch_free(struct fetch **fetch);

bool fetch_is_busy(const struct fetch *fetch);

/* Its connections are made under TLS from the next one on, as the link's are. NULL: plain. */
void fetch_set_tls(struct fetch *fetch, struct tls_context *tls);

/* Also for one that is busy: the strings before are not used any more. */
void fetch_set_credentials(struct fetch *fetch, const char *user, const char *password);

/* Begins, for the store's current history; `cause` is constant. `terms` are the link's own; what makes a fetch of them is
 * added here. Not while busy. */
void fetch_start(struct fetch *fetch, const char *host, uint16_t port,
                 const struct greeting_terms *terms, const char *cause);

/* One is due, and the disk has no room for it, as `why` says: told, and told of in the report, until one begins, or
 * none is due any more (NULL). */
void fetch_note_no_room(struct fetch *fetch, const char *why);

/* Gives it up: the history it was for goes, or the origin is another. Idle: no effect. */
void fetch_cancel(struct fetch *fetch, const char *why);

/* Every second: gives up after `timeout_ms` of silence. */
void fetch_tick(struct fetch *fetch, int64_t timeout_ms);

/* From when on (clock_ms) the next may begin: see refresh_pace.h. */
int64_t fetch_next_ms(const struct fetch *fetch, bool somebody_waits, int64_t interval_ms);

/* Fills in what the status says of fetches. */
void fetch_report(const struct fetch *fetch, struct link_status *out);

#endif
