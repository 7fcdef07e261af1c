/* SPDX-License-Identifier: MIT
 *
 * Whether the primary chooses the RDB's format by the version that we announce, as far as the handshake tells.
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_PRIMARY_CHOICE_H
#define RELAY_UPSTREAM_PRIMARY_CHOICE_H

#include "announced_version.h"
#include "handshake.h"

struct store;

/* Pure. */
struct primary_choice primary_choice_of(const struct handshake *handshake);

/* The primary has ended the connection in the midst of an RDB for which this handshake asked: it may not have been
 * able to write it in that format. Then another version is announced next, which is logged and noted. */
void primary_cut_off(struct announced_version *announced, const struct handshake *handshake,
                     struct store *store);

#endif
