/* SPDX-License-Identifier: MIT
 *
 * What people and monitors look at over HTTP, without a word of the replication protocol:
 *
 *     /             the status page
 *     /status.json  what it shows
 *     /metrics      for Prometheus
 *     /healthz      200 while the process turns
 *     /readyz       200 when replicas can be served, and with what is true; else 503, and why not;
 *                   ?max-silence=30s: and has the primary been heard in that time?
 *
 * Nothing can be changed through it. Where it listens only on this machine, it answers only requests that
 * were meant for this machine (a page of another site cannot read it through a name that it lets point
 * here), or for one of `allowed_hosts`. With a password it is asked for everywhere but at /healthz and
 * /readyz, which tell who does not have it no more than yes or no. Who tries passwords is slowed down by
 * address (relay/commands/login_throttle.h).
 *
 * Owner: the composition. Thread: thread 0.
 */
#ifndef RELAY_STATUS_STATUS_H
#define RELAY_STATUS_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/net/digest.h"
#include "relay/status/sources.h"

struct loop;
struct status;
struct tls_context;

struct status_options {
    const char *bind;        /* addresses separated by blanks */
    uint16_t port;           /* 0: no plain port */
    uint16_t tls_port;       /* 0: no TLS port; one of the two is needed */
    struct tls_context *tls; /* for tls_port; lent, see status_set_tls */
    int64_t ready_max_silence_ms;
    const char *allowed_hosts; /* names with blanks between: see guard.h of the component */
    bool has_password;
    struct digest password;
};

/* NULL: `why`. */
MUST_CHECK struct status *status_open(struct loop *loop, const struct status_options *options,
                                      const struct status_sources *sources, struct text *why);

/* What it tells of has other bounds now; the components are the same. */
void status_change(struct status *status, const struct status_sources *sources);

/* Another context for the connections that come to the TLS port; it lives until the next call, or
 * status_close. */
void status_set_tls(struct status *status, struct tls_context *tls);

/* For --check: would status_open find its port free? What somebody else has is told in `taken`, all else in
 * `why`, a line each. False: `why` has grown. */
MUST_CHECK bool status_probe(const struct status_options *options, struct text *taken,
                             struct text *why);

/* Every second: takes a sample for the plots. */
void status_tick(struct status *status);

void status_close(struct status **status);

#endif
