/* SPDX-License-Identifier: MIT
 *
 * The open rooms, and the doors between them: what one room wants from another that must not know it.
 * relay.c opens and closes the rooms and runs the turns; doors.c says what happens behind each door.
 *
 * Owner: relay.c. Thread: thread 0.
 */
#ifndef RELAY_ROOMS_H
#define RELAY_ROOMS_H

#include <stdbool.h>

#include "notify.h"
#include "relay/admin/admin.h"
#include "relay/downstream/downstream.h"
#include "relay/status/status.h"
#include "relay/upstream/link.h"
#include "relay/upstream/sentinel.h"
#include "tls_sides.h"

struct bell;
struct config;
struct loop;
struct store;
struct timer;

/* NULL: not open, or not used. */
struct rooms {
    struct config *config; /* what may change while it runs is changed in it */
    struct loop *loop;
    struct timer *tick;
    struct bell *durable; /* rung by the store's thread */
    struct store *store;
    struct tls_sides tls;
    struct downstream *downstream;
    struct link *link;
    struct sentinel *sentinel;
    struct admin *admin;
    struct status *status;
    struct notify notify;    /* the service manager */
    bool replicas_must_look; /* the store has changed in a way that store_publish does not tell */
    struct origin_address told;  /* by a Sentinel, last; port 0: nothing yet */
    struct origin_address noted; /* remembered over a restart, as far as this process knows */
    bool admin_watches;          /* a client waits for acknowledgements */
    unsigned ticks;
    const char *stop_cause;
};

struct downstream_doors doors_of_downstream(struct rooms *rooms);
struct link_doors doors_of_link(struct rooms *rooms);
struct status_sources doors_of_status(const struct rooms *rooms);
struct admin_doors doors_of_admin(struct rooms *rooms);

/* A Sentinel says where the origin is; `arg` is the rooms. */
sentinel_fn doors_on_sentinel;

/* Every second: what a Sentinel told is remembered over a restart once the stream flows from there. */
void doors_note_told(struct rooms *rooms);

/* Workers tell of acknowledgements while somebody wants to know: the rule of what is acknowledged to the
 * origin, or a client. */
void doors_watch_acknowledged(struct rooms *rooms);

/* Which versions the replicas have that are here: the link announces the lowest. */
void doors_note_versions(struct rooms *rooms);

/* The TLS that we have now, for the connections that come. */
void doors_lend_tls(struct rooms *rooms);

/* Ends loop_run. */
void doors_stop(struct rooms *rooms, const char *cause);

#endif
