/* SPDX-License-Identifier: MIT
 *
 * Passwords that were tried, by the address that they came from (IPv6 by its /64, which is what one
 * machine has): who may try at once, and who waits his turn. Each try costs GUESS_COST_MS, which time
 * pays back; LOGIN_THROTTLE_FREE of them may be owed, beyond that a try has to wait until it is one of them,
 * however many connections there are. A right password costs nothing. The answer to a right one waits
 * as well: one that came sooner would tell.
 *
 *     struct guess guess = login_throttle_take(&throttle, key, now_ms);
 *     wait guess.wait_ms, or refuse; if the password was right: login_throttle_pardon(&throttle, key)
 *
 * A thousand addresses are remembered; the one that has nearly paid makes room for a new one. Pure.
 */
#ifndef RELAY_COMMANDS_LOGIN_THROTTLE_H
#define RELAY_COMMANDS_LOGIN_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"

enum {
    LOGIN_THROTTLE_PLACES = 1024,
    LOGIN_THROTTLE_FREE = 10,
    GUESS_COST_MS = 1000,
    GUESS_WAIT_MS_MAX = 3000, /* a replica gives up on an answer after five seconds */
    GUESS_BURST_MS = 60 * 1000,
    GUESS_REFUSED = -1,
};

/* All zeros: an address that is none. */
struct guess_key {
    uint8_t byte[16];
};

struct login_throttle {
    struct guess_place {
        struct guess_key key;
        int64_t paid_ms; /* when all is paid; 0: the place is free */
        int64_t last_ms;
        bool wrong_told; /* in this burst, which ends after GUESS_BURST_MS without a guess */
        bool slow_told;
    } place[LOGIN_THROTTLE_PLACES];
};

struct guess {
    int64_t wait_ms; /* GUESS_REFUSED: too many wait already; it has cost nothing */
    bool is_slow_news;
};

/* Of "192.0.2.7:50000", "[2001:db8::7]:50000". An IPv4 address mapped into IPv6 is that IPv4 address. */
struct guess_key guess_key_of(const char *peer);

struct guess login_throttle_take(struct login_throttle *login_throttle, struct guess_key key,
                                 int64_t now_ms);

/* For those who are sent away rather than kept waiting: would a try be answered at once? Costs nothing. */
bool login_throttle_may_try(const struct login_throttle *login_throttle, struct guess_key key,
                            int64_t now_ms);

void login_throttle_pardon(struct login_throttle *login_throttle, struct guess_key key);

/* A guess was wrong: is it the first of a burst? */
bool login_throttle_is_wrong_news(struct login_throttle *login_throttle, struct guess_key key);

#endif
