/* SPDX-License-Identifier: MIT
 *
 * How long addresses are waited for that have not answered: a few of them are remembered, the one asked
 * longest ago is forgotten first. Pure.
 *
 * Owner: a loop. Thread: its own.
 */
#ifndef RELAY_NET_CONNECT_TIMEOUT_H
#define RELAY_NET_CONNECT_TIMEOUT_H

#include <stdint.h>

#include "address.h"

enum { CONNECT_TIMEOUT_ADDRESSES_MAX = 32 };

struct connect_timeout {
    struct connect_timeout_row {
        struct address address;
        unsigned silences; /* in a row; 0: the row is free */
        uint64_t used;
    } rows[CONNECT_TIMEOUT_ADDRESSES_MAX];
    uint64_t uses;
};

/* For the next attempt: `first_ms`, doubled for each silence, at most `limit_ms`. */
int64_t connect_timeout_ms(const struct connect_timeout *connect_timeout,
                           const struct address *address, int64_t first_ms, int64_t limit_ms);

/* It did not answer in that time. */
void connect_timeout_note_silence(struct connect_timeout *connect_timeout,
                                  const struct address *address);

/* It did, if only with a refusal. */
void connect_timeout_note_answer(struct connect_timeout *connect_timeout,
                                 const struct address *address);

#endif
