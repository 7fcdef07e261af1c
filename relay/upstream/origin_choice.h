/* SPDX-License-Identifier: MIT
 *
 * Whether the origin chooses the RDB's format by the version that we announce, as far as the handshake tells.
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_ORIGIN_CHOICE_H
#define RELAY_UPSTREAM_ORIGIN_CHOICE_H

#include "announced_version.h"
#include "greeting.h"

struct store;

/* Pure. */
struct origin_choice origin_choice_of(const struct greeting *greeting);

/* The origin has ended the connection in the midst of an RDB for which this handshake asked: it may not have been
 * able to write it in that format. Then another version is announced next, which is logged and noted. */
void origin_cut_off(struct announced_version *announced, const struct greeting *greeting,
                    struct store *store);

#endif
