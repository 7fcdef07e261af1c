/* SPDX-License-Identifier: MIT
 *
 * Looks through a stream for the last command with a name or a key: the mistake that a restore is to end before.
 *
 * Pure. Owner: the caller.
 */
#ifndef RELAY_RESTORE_COMMAND_SEARCH_H
#define RELAY_RESTORE_COMMAND_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/resp/command_scanner.h"

struct command_search {
    struct command_scanner scanner;
    const char *name; /* that is looked for; NULL: the key is */
    uint64_t after;   /* only commands that begin here or later */
    uint64_t found;   /* how many */
    uint64_t begin;   /* of the last one */
    uint64_t cut;     /* the boundary before it; before its MULTI, where it is in a transaction */
};

/* Begins at `offset`, a boundary. `name` or `key` is given; both outlive the search. */
void command_search_init(struct command_search *search, uint64_t offset, const char *name,
                         struct bytes key, uint64_t after);

/* The next bytes. False: `error`; they are no stream. */
MUST_CHECK bool command_search_feed(struct command_search *search, struct bytes view,
                                    struct error *error);

#endif
