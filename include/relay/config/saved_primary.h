/* SPDX-License-Identifier: MIT
 *
 * Whom we were told to follow while we ran, by REPLICAOF or by a Sentinel, remembered over a restart: a note
 * in the data directory, with the settings that it replaces. Who changes those settings in the ini means
 * it, so the note counts only while they are what they were. What a Sentinel told is noted when the stream
 * flows from there, and is followed until one answers again.
 *
 *     psync-relay origin 1
 *     follow 10.0.0.2 6379
 *     replicaof 10.0.0.1 6379
 *     sentinel mymaster 10.0.0.7:26379
 *     told-by sentinel                        this line only where it was one
 *
 * Thread: thread 0.
 */
#ifndef RELAY_CONFIG_SAVED_PRIMARY_H
#define RELAY_CONFIG_SAVED_PRIMARY_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/upstream/primary_address.h"

struct config;
struct store;

enum saved_primary_verdict {
    SAVED_PRIMARY_COUNTS,    /* follow that one */
    SAVED_PRIMARY_OVERRULED, /* the ini says something else than it did */
    SAVED_PRIMARY_NONSENSE,
};

enum saved_primary_teller { SAVED_PRIMARY_TELLER_REPLICAOF, SAVED_PRIMARY_TELLER_SENTINEL };

void saved_primary_format(const struct config *config, const struct primary_address *primary,
                          enum saved_primary_teller teller, struct text *out);
enum saved_primary_verdict saved_primary_parse(struct bytes note, const struct config *config,
                                               struct primary_address *out);

/* Where it cannot be written, the log says so: following is not held up by a full disk. */
void saved_primary_keep(struct store *store, const struct config *config,
                        const struct primary_address *primary, enum saved_primary_teller teller);

/* The one that counts; one that does not is removed, with a line in the log. False: there is none. */
MUST_CHECK bool saved_primary_recall(struct store *store, const struct config *config,
                                     struct primary_address *out);

#endif
