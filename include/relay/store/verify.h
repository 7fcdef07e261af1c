/* SPDX-License-Identifier: MIT
 *
 * Checks a data directory without starting: reads the identity, every segment and every snapshot of
 * each history, and says in a table what the files prove. Nothing is changed, nobody is served.
 *
 *     history    part      from   to     state    what
 *     history-1  identity  -      -      good     replid 8e7f..., 0 earlier
 *     history-1  segment   0      65536  good
 *     history-1  newest    65536  70011  good     boundary 70011
 *     history-1  snapshot  0      297958 good     crc64
 *
 * It may take long: how far it has come is told meanwhile.
 *
 * Thread: any, while no relay uses the directory.
 */
#ifndef RELAY_STORE_VERIFY_H
#define RELAY_STORE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

/* `done` of `total` bytes of that history have been read, the newest piece of `part` ("history-1 segment 4711"). */
typedef void store_verify_fn(const char *part, uint64_t done, uint64_t total, void *arg);

/* True: all that the newest history says of itself is proven, and there is one. False: something is
 * not, as `table` tells, or the directory cannot be read or is in use, as `why` tells. */
MUST_CHECK bool store_verify(const char *data_dir, store_verify_fn *tell, void *arg,
                             struct text *table, struct text *why);

#endif
