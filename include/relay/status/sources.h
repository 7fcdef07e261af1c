/* SPDX-License-Identifier: MIT
 *
 * What the status tells of: the components that it asks, and the settings that it shows. Thread: thread 0.
 */
#ifndef RELAY_STATUS_SOURCES_H
#define RELAY_STATUS_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

struct archive;
struct digest;
struct downstream;
struct link;
struct store;
struct tls_certificates;

/* All outlive whom they are given to. */
struct status_sources {
    const struct store *store;
    const struct link *link;
    const struct downstream *downstream;
    const struct archive *archive; /* NULL: it is off */
    unsigned clients_max;
    bool serves_old_history;                     /* [downstream] serve-old-history */
    int64_t max_silence_ms;                      /* [http] ready-max-silence; 0: any */
    const char *allowed_hosts;                   /* [http] allowed-hosts */
    const struct digest *password;               /* NULL: none is needed */
    const struct tls_certificates *certificates; /* those in use; NULL: none */
};

#endif
