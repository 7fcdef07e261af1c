/* SPDX-License-Identifier: MIT
 *
 * How long addresses are waited for that have not answered: a few of them are remembered, the one asked
 * longest ago is forgotten first. Pure.
 *
 * Owner: a loop. Thread: its own.
 */
#ifndef RELAY_NET_PATIENCE_H
#define RELAY_NET_PATIENCE_H

#include <stdint.h>

#include "address.h"

enum { PATIENCE_ADDRESSES_MAX = 32 };

struct patience {
    struct patience_row {
        struct address address;
        unsigned silences; /* in a row; 0: the row is free */
        uint64_t used;
    } rows[PATIENCE_ADDRESSES_MAX];
    uint64_t uses;
};

/* For the next attempt: `first_ms`, doubled for each silence, at most `limit_ms`. */
int64_t patience_ms(const struct patience *patience, const struct address *address,
                    int64_t first_ms, int64_t limit_ms);

/* It did not answer in that time. */
void patience_note_silence(struct patience *patience, const struct address *address);

/* It did, if only with a refusal. */
void patience_note_answer(struct patience *patience, const struct address *address);

#endif
