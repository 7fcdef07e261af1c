/* SPDX-License-Identifier: MIT
 *
 * The open components, and the callbacks between them: what one component wants from another that must not
 * know it. relay.c opens and closes the components and runs the turns; wiring.c has the callbacks; reload.c
 * uses both, and neither includes it but relay.c, which hands its two functions to the commands.
 *
 * Owner: relay.c. Thread: thread 0.
 */
#ifndef RELAY_COMPONENTS_H
#define RELAY_COMPONENTS_H

#include <stdbool.h>

#include "relay/archive/archive.h"
#include "relay/commands/commands.h"
#include "relay/downstream/downstream.h"
#include "relay/os/service.h"
#include "relay/status/status.h"
#include "relay/upstream/link.h"
#include "relay/upstream/sentinel.h"
#include "tls_sides.h"

struct config;
struct ini_rewriter;
struct loop;
struct notifier;
struct store;
struct timer;

/* NULL: not open, or not used. */
struct components {
    struct config *config; /* what may change while it runs is changed in it */
    struct loop *loop;
    struct timer *tick;
    struct notifier *durable; /* rung by the store's thread */
    struct store *store;
    struct tls_sides tls;
    struct downstream *downstream;
    struct link *link;
    struct archive *archive;
    struct sentinel *sentinel;
    struct commands *commands;
    struct ini_rewriter *ini_rewriter; /* CONFIG REWRITE */
    struct status *status;
    struct service service;  /* the service manager */
    bool replicas_must_look; /* the store has changed in a way that store_publish does not tell */
    struct primary_address told;  /* by a Sentinel, last; port 0: nothing yet */
    struct primary_address noted; /* remembered over a restart, as far as this process knows */
    bool commands_watches;        /* a client waits for acknowledgements */
    bool must_reload;             /* SIGHUP came, and waits for CONFIG REWRITE */
    unsigned ticks;
    const char *stop_cause;
};

struct downstream_callbacks wiring_downstream_callbacks(struct components *components);
struct link_callbacks wiring_link_callbacks(struct components *components);
struct archive_callbacks wiring_archive_callbacks(struct components *components);
struct status_sources wiring_status_sources(const struct components *components);
/* All but CONFIG SET and REWRITE, which reload.h has. */
struct commands_callbacks wiring_commands_callbacks(struct components *components);

/* A Sentinel says where the primary is; `arg` is the components. */
sentinel_fn wiring_on_sentinel;

/* Every second: what a Sentinel told is remembered over a restart once the stream flows from there. */
void wiring_note_told(struct components *components);

/* Workers tell of acknowledgements while somebody wants to know: the rule of what is acknowledged to the
 * primary, or a client. */
void wiring_watch_acknowledged(struct components *components);

/* Which versions the replicas have that are here: the link announces the lowest. */
void wiring_note_versions(struct components *components);

/* The TLS that we have now, for the connections that come. */
void wiring_lend_tls(struct components *components);

/* Ends loop_run. */
void wiring_stop(struct components *components, const char *cause);

#endif
