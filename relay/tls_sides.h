/* SPDX-License-Identifier: MIT
 *
 * TLS of all sides, as the settings name it and the files are at the moment: one context for the primary, one
 * for Sentinels (with the files of [upstream], but their own names), one for replicas and clients, one for
 * the HTTP port (with the files of [downstream] that [http] does not set). The components are lent them.
 *
 * Owner: relay.c. Thread: thread 0.
 */
#ifndef RELAY_TLS_SIDES_H
#define RELAY_TLS_SIDES_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/net/tls_certificates.h"

struct config;
struct tls_context;

enum tls_use {
    TLS_UPSTREAM,
    TLS_SENTINEL,
    TLS_SNAPSHOT_SOURCE,
    TLS_DOWNSTREAM,
    TLS_HTTP,
    TLS_USES
};

struct tls_sides {
    struct tls_context *context[TLS_USES]; /* NULL: those connections are plain */
    struct text made_of[TLS_USES];         /* the settings, to see what has changed */
    struct tls_certificates certificates;  /* of all contexts, by section and setting */
    unsigned told[TLS_CERTIFICATES_MAX];   /* how near its end each was when that was logged */
};

/* Reads the files. False: `why`, a line for each side at fault; there is nothing to close. */
MUST_CHECK bool tls_sides_open(struct tls_sides *sides, const struct config *config,
                               struct text *why);

/* What each has, a line for each. */
void tls_sides_log(const struct tls_sides *sides);

void tls_sides_close(struct tls_sides *sides);

/* Every second: logs each certificate that ends soon, once when 30 days are left, when 7 are, and when it
 * has ended, and again after its files have been read again. */
void tls_sides_tick(struct tls_sides *sides);

/* Reads the files again. A side whose files do not fit keeps what it has, and the log says why. The
 * components are to be told: what they were lent is gone. */
void tls_sides_reload(struct tls_sides *sides, const struct config *config);

/* Settings may have changed: reads the files of the sides of which that is so. False: `why`, as above, and
 * all sides keep what they have. The components are to be told as after a reload. */
MUST_CHECK bool tls_sides_follow(struct tls_sides *sides, const struct config *config,
                                 struct text *why);

#endif
