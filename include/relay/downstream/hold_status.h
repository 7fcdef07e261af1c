/* SPDX-License-Identifier: MIT
 *
 * Replicas that run behind, and that an operator has stopped, as plain values (relay/downstream/holds.h says what they
 * are). Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_HOLD_STATUS_H
#define RELAY_DOWNSTREAM_HOLD_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hold_kind { HOLD_NONE, HOLD_PAUSED, HOLD_TARGET };

struct hold_status {
    uint64_t id;         /* of its connection; 0: it has none now */
    const char *address; /* announced, else the connection's */
    uint16_t port;       /* that it listens on; 0: it has not told */
    enum hold_kind kind;
    uint64_t until;  /* HOLD_TARGET: no byte at or beyond it */
    uint64_t offset; /* where it stood when it was looked at last */
    bool is_current; /* the two are offsets of the current history */
};

struct delayed_status {
    bool is_on; /* there is a port for them */
    int64_t delay_ms;
    bool has_due;
    uint64_t due; /* they may be sent what is before it */
    size_t replicas;
    size_t holds;
};

const char *hold_kind_name(enum hold_kind kind); /* "no", "paused", "target" */

#endif
