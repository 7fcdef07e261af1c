/* SPDX-License-Identifier: MIT
 *
 * Who holds the window: replicas that have yet to be sent a part of the stream that `repl-backlog-size` alone
 * would have given up, since they are behind, or still take the RDB that it follows on. Made of the status of
 * each replica; keeps the few that hold most. Pure. Thread: the owner's.
 */
#ifndef RELAY_DOWNSTREAM_HOLDERS_H
#define RELAY_DOWNSTREAM_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/downstream/peer_status.h"

enum { HOLDERS_KEPT = 4, HOLDER_ADDRESS_MAX = 256 };

struct holder {
    uint64_t id;
    uint16_t port;   /* that it listens on; 0: it has not told */
    bool is_loading; /* it takes an RDB: the stream from there on is kept for it */
    uint64_t offset; /* of the next byte that it is sent */
    uint64_t bytes;  /* of the stream, kept for it beyond repl-backlog-size */
    char address[HOLDER_ADDRESS_MAX];
};

struct holders {
    uint64_t kept_from; /* what repl-backlog-size keeps begins here */
    uint64_t count;
    uint64_t loading; /* of them take an RDB */
    size_t listed;
    struct holder most[HOLDERS_KEPT]; /* the one that holds most first */
};

/* Nobody yet, of a window that ends at `end`. */
void holders_init(struct holders *holders, uint64_t end, uint64_t window_bytes);

void holders_note(struct holders *holders, const struct peer_status *replica);

#endif
