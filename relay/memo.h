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
#ifndef RELAY_MEMO_H
#define RELAY_MEMO_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/upstream/origin.h"

struct config;
struct store;

enum memo_verdict {
    MEMO_COUNTS,    /* follow that one */
    MEMO_OVERRULED, /* the ini says something else than it did */
    MEMO_NONSENSE,
};

enum memo_teller { MEMO_TELLER_REPLICAOF, MEMO_TELLER_SENTINEL };

void memo_format(const struct config *config, const struct origin_address *origin,
                 enum memo_teller teller, struct text *out);
enum memo_verdict memo_parse(struct bytes note, const struct config *config,
                             struct origin_address *out);

/* Where it cannot be written, the log says so: following is not held up by a full disk. */
void memo_keep(struct store *store, const struct config *config,
               const struct origin_address *origin, enum memo_teller teller);

/* The one that counts; one that does not is removed, with a line in the log. False: there is none. */
MUST_CHECK bool memo_recall(struct store *store, const struct config *config,
                            struct origin_address *out);

#endif
