/* SPDX-License-Identifier: MIT
 *
 * What `REPLCONF version` says to the primary, and so, from Valkey 9.1 on, in which version of the format it
 * writes the RDB (docs/protocol.md 7.4): the one that all of our replicas can read. `announce-version` fixes it;
 * with `auto` it is the lowest version of
 *
 *   - the replicas that are here, or were within ANNOUNCED_KEPT_MS: one that is away for a while comes back and
 *     needs its RDB. A replica that announces none is taken for ANNOUNCED_DEFAULT, as Valkey takes it.
 *   - ANNOUNCED_DEFAULT, while none is known: what all servers read that are likely to come.
 *
 * But a primary cannot write everything in an old format, and ends the connection in the midst of the RDB when
 * it comes to what it cannot (the time to live of a hash's field, say). So after an RDB that was cut off the
 * next higher version is announced, if the primary may choose by it, until one is written; that one is then the
 * least for ANNOUNCED_KEPT_MS. Where even the highest is cut off, it was something else, and it begins anew.
 *
 * Both are kept in a note beside the histories (STORE_NOTE_VERSIONS), over restarts; times are of the wall's
 * clock:
 *
 *     psync-relay versions 1
 *     replica 8.1.0 1767225600000      a version, and when one was here last
 *     least 9.0.0 1767225600000        what the data needed, and when that was found
 *
 * Owner: the link. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_ANNOUNCED_VERSION_H
#define RELAY_UPSTREAM_ANNOUNCED_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/resp/rdb_version.h"

struct store;

#define ANNOUNCED_DEFAULT SERVER_VERSION(7, 2, 0)

enum { ANNOUNCED_PLACES = 16, ANNOUNCED_KEPT_MS = 24 * 60 * 60 * 1000 };

struct announced_version {
    uint32_t fixed; /* announce-version; 0: auto */
    size_t count;
    struct {
        uint32_t version;
        int64_t seen_ms;
    } replica[ANNOUNCED_PLACES];
    uint32_t least; /* 0: none */
    int64_t least_ms;
    uint32_t
        tried; /* what was announced for the last RDB that came whole; 0: by a process before us */
};

/* What a primary is, as far as this is concerned. */
struct primary_choice {
    bool may_choose;  /* it is a Valkey that chooses by the version, or may be one */
    uint32_t version; /* Valkey's; 0: not known */
};

/* A replica of that version is here; 0: it has announced none. True: that is news, which a restart should
 * know of. */
bool announced_version_note(struct announced_version *announced, uint32_t version, int64_t wall_ms);

/* The lowest of the replicas; 0: none is known. */
uint32_t announced_version_lowest(const struct announced_version *announced, int64_t wall_ms);

/* What is to be announced. */
uint32_t announced_version_now(const struct announced_version *announced, int64_t wall_ms);

/* A primary to which `version` was announced has cut the RDB off. True: another is announced from now on. */
bool announced_version_cut_off(struct announced_version *announced,
                               const struct primary_choice *primary, uint32_t version,
                               int64_t wall_ms);

void announced_version_format(const struct announced_version *announced, struct text *out);

/* Into a fresh one. False: it is no such note; nothing is known then. */
MUST_CHECK bool announced_version_parse(struct bytes note, struct announced_version *out);

/* From and to the note. What the disk says against it is logged. */
void announced_version_recall(const struct store *store, struct announced_version *announced);
void announced_version_keep(struct store *store, const struct announced_version *announced);

#endif
