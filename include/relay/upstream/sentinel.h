/* SPDX-License-Identifier: MIT
 *
 * Asks Sentinels where the primary of a group is, and listens for it to move. One Sentinel is enough. They are
 * tried in turn. While one does not answer to the connection, the next are connected to beside it, and the first
 * that is connected is asked (connect_race.h). One that is silent, does not know the name, or answers nonsense is
 * passed over with a line in the log.
 *
 *     retrying --- back-off ---> asking --- get-master-addr-by-name ---> listening (+switch-master)
 *        ^                        |                                        |
 *        +------ refused, silent, unknown name, nonsense ------------------+
 *
 * Each address that is told goes to `fn`, also when it is the one that was told before: the callee
 * compares. Owner: the composition. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_SENTINEL_H
#define RELAY_UPSTREAM_SENTINEL_H

#include "relay/base/check.h"
#include "relay/upstream/primary_address.h"
#include "relay/upstream/sentinel_options.h"

struct loop;
struct sentinel;
struct tls_context;

typedef void sentinel_fn(const struct primary_address *primary, void *arg);

/* Options are copied, user and password are the caller's. NULL: out of memory. */
MUST_CHECK struct sentinel *sentinel_open(struct loop *loop, const struct sentinel_options *options,
                                          sentinel_fn *fn, void *arg);
void sentinel_close(struct sentinel **sentinel);

/* As link_set_tls: for the connections that come; NULL: plain, as before the first call. Whom `sentinels`
 * names must be who answers. */
void sentinel_set_tls(struct sentinel *sentinel, struct tls_context *tls);

/* The same for the proxy that they go through, as in link_options. */
void sentinel_set_proxy(struct sentinel *sentinel, const char *proxy);

/* The link cannot reach the primary: ask again now, another Sentinel if the one we listen to has
 * nothing new. */
void sentinel_ask(struct sentinel *sentinel);

/* Every second: looks at silence. */
void sentinel_tick(struct sentinel *sentinel);

#endif
