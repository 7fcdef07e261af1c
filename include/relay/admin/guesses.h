/* SPDX-License-Identifier: MIT
 *
 * Passwords that were tried, by the address that they came from (IPv6 by its /64, which is what one
 * machine has): who may try at once, and who waits his turn. Each try costs GUESS_COST_MS, which time
 * pays back; GUESSES_FREE of them may be owed, beyond that a try has to wait until it is one of them,
 * however many connections there are. A right password costs nothing. The answer to a right one waits
 * as well: one that came sooner would tell.
 *
 *     struct guess guess = guesses_take(&guesses, key, now_ms);
 *     wait guess.wait_ms, or refuse; if the password was right: guesses_pardon(&guesses, key)
 *
 * A thousand addresses are remembered; the one that has nearly paid makes room for a new one. Pure.
 */
#ifndef RELAY_ADMIN_GUESSES_H
#define RELAY_ADMIN_GUESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"

enum {
    GUESSES_PLACES = 1024,
    GUESSES_FREE = 10,
    GUESS_COST_MS = 1000,
    GUESS_WAIT_MS_MAX = 3000, /* a replica gives up on an answer after five seconds */
    GUESS_BURST_MS = 60 * 1000,
    GUESS_REFUSED = -1,
};

/* All zeros: an address that is none. */
struct guess_key {
    uint8_t byte[16];
};

struct guesses {
    struct guess_place {
        struct guess_key key;
        int64_t paid_ms; /* when all is paid; 0: the place is free */
        int64_t last_ms;
        bool wrong_told; /* in this burst, which ends after GUESS_BURST_MS without a guess */
        bool slow_told;
    } place[GUESSES_PLACES];
};

struct guess {
    int64_t wait_ms; /* GUESS_REFUSED: too many wait already; it has cost nothing */
    bool is_slow_news;
};

/* Of "192.0.2.7:50000", "[2001:db8::7]:50000". An IPv4 address mapped into IPv6 is that IPv4 address. */
struct guess_key guess_key_of(const char *peer);

struct guess guesses_take(struct guesses *guesses, struct guess_key key, int64_t now_ms);

/* For those who are sent away rather than kept waiting: would a try be answered at once? Costs nothing. */
bool guesses_may_try(const struct guesses *guesses, struct guess_key key, int64_t now_ms);

void guesses_pardon(struct guesses *guesses, struct guess_key key);

/* A guess was wrong: is it the first of a burst? */
bool guesses_is_wrong_news(struct guesses *guesses, struct guess_key key);

#endif
