/* SPDX-License-Identifier: MIT
 *
 * The relay at one moment, as plain values: taken once from the reports of the components, then told as a
 * page, as JSON, as metrics. Looks at each replica once, and keeps a bounded number of them.
 *
 * Strings belong to the components and are valid until one of them is used; those of the rows are copies.
 * Thread: thread 0.
 */
#ifndef RELAY_STATUS_PICTURE_H
#define RELAY_STATUS_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/archive/archive.h"
#include "relay/downstream/downstream.h"
#include "relay/downstream/holders.h"
#include "relay/net/tls_certificates.h"
#include "relay/os/memory.h"
#include "relay/status/sources.h"
#include "relay/store/status.h"
#include "relay/upstream/link.h"
#include "samples.h"

enum { PICTURE_ROWS_MAX = 1000, ROW_ADDRESS_MAX = 256, ROW_VERSION_MAX = 32 };

enum row_state { ROW_WAITING, ROW_LOADING, ROW_ONLINE, ROW_STATE_COUNT };

const char *row_state_name(enum row_state state);

struct row {
    uint64_t id;
    enum row_state state;
    uint16_t port; /* 0: it has not told */
    bool acknowledges;
    uint64_t offset;    /* acknowledged */
    uint64_t lag_bytes; /* of one that is online and acknowledges; else 0, as the next */
    int64_t lag_ms;
    int64_t heard_ms; /* since its last sign of life */
    int64_t connected_ms;
    uint64_t sent_bytes;
    int64_t delayed_ms;      /* how long its full sync waits yet; 0: it does not */
    uint64_t stream_missing; /* as in peer_status.h */
    uint64_t stream_rate;
    bool runs_behind;     /* on purpose: [delayed] */
    uint64_t delay_bytes; /* then so much is kept from it, */
    enum hold_kind hold;  /* and whether an operator has stopped it */
    bool is_held;         /* its full sync waits until others are over */
    struct progress_view full_sync;
    char address[ROW_ADDRESS_MAX];
    char version[ROW_VERSION_MAX];
    const char *carrier; /* a constant */
};

struct failing_row {
    char address[ROW_ADDRESS_MAX];
    uint16_t port;
    char version[ROW_VERSION_MAX];
    unsigned failures;
    struct rdb_version rdb;
    enum rdb_reading reading;
    int64_t delayed_ms;
};

enum picture_order {
    PICTURE_WORST,  /* those who are most behind, or not online, are kept */
    PICTURE_OLDEST, /* those who came first */
};

struct picture {
    int64_t now_ms;
    int64_t wall_us;
    int64_t uptime_ms;
    uint16_t port;
    uint16_t tls_port;
    unsigned clients_max;
    bool serves_old_history; /* full syncs, while a new one arrives */
    int64_t max_silence_ms;  /* of /readyz, where it is not asked otherwise; 0: any */
    struct hops hops;        /* our link, and those of the relays above */
    int64_t silence_ms;      /* since the last byte of the stream, or the start */
    int64_t root_silence_ms; /* since the last that a relay above got; not below silence_ms */
    int64_t old_history_ms;  /* for how long the primary has had another history; -1: it has not */
    struct memory memory;
    double cpu_seconds;
    struct link_status link;
    struct ack_rule ack;
    struct store_status store;
    struct archive_status archive;
    struct downstream_counts counts;
    const struct tls_certificates *certificates; /* never NULL */
    /* Of all replicas. */
    uint64_t states[ROW_STATE_COUNT];
    uint64_t lag_bytes_max;
    uint64_t stream_short; /* replicas for whose way the stream is too much, */
    struct row shortest;   /* and the one that lacks most */
    struct row latest; /* of those online that acknowledge: the one behind for the longest time, */
    struct row silentest;     /* and the one not heard for the longest time; ids 0: there is none */
    uint64_t behind;          /* how many are behind by PICTURE_BEHIND_MS or more */
    uint64_t silent;          /* how many were not heard for PICTURE_SILENT_MS */
    struct holders holders;   /* of the window */
    uint64_t delayed;         /* how many wait since full syncs before came to nothing */
    uint64_t delayed_waiting; /* how many run behind on purpose, and wait */
    uint64_t paused;          /* how many an operator has stopped */
    uint64_t failing;         /* how many take full syncs and acknowledge none, */
    struct failing_row failing_most; /* and which has done so most often */
    /* The ones that are kept, in no order. */
    size_t row_count;
    uint64_t rows_left_out;
    struct row rows[PICTURE_ROWS_MAX];
};

enum { PICTURE_BEHIND_MS = 10 * 1000, PICTURE_SILENT_MS = 10 * 1000 };

/* Keeps at most `rows_max` rows. `started_ms`: clock_ms when the relay started. */
void picture_take(struct picture *picture, const struct status_sources *sources,
                  const struct samples *samples, int64_t started_ms, enum picture_order order,
                  size_t rows_max);

#endif
