/* SPDX-License-Identifier: MIT
 *
 * Compression of what the primary sends (docs/protocol.md 7.5): whether we ask for it, and what it has brought. Shared
 * by the link and the refresh, which count what they receive. A primary that sends what cannot be decompressed is
 * asked for plain bytes for a while after COMPRESSION_FAULTS_MAX connections in a row.
 *
 * Owner: the link. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_COMPRESSION_USE_H
#define RELAY_UPSTREAM_COMPRESSION_USE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/codec/codec.h"

enum { COMPRESSION_FAULTS_MAX = 3, COMPRESSION_PAUSE_MS = 10 * 60 * 1000 };

struct compression_use {
    struct compression wanted; /* repl-compression */
    unsigned faults;           /* in a row */
    int64_t plain_until_ms;    /* clock_ms; 0: not paused */
    uint64_t faults_total;
    enum codec stream_codec; /* of the stream that flows, or flowed last */
    uint64_t wire_bytes;     /* RDBs and streams that were compressed, as they came, */
    uint64_t plain_bytes;    /* and what was made of them */
};

/* What to ask the next server for. */
struct compression compression_use_now(const struct compression_use *use);

/* What cannot be decompressed has come; what has been was good. */
void compression_use_note_fault(struct compression_use *use);
void compression_use_note_good(struct compression_use *use);

/* Another setting: asked for again. */
void compression_use_change(struct compression_use *use, struct compression wanted);

#endif
