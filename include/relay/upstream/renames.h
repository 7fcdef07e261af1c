/* SPDX-License-Identifier: MIT
 *
 * The words that a primary with `rename-command` in its redis.conf has for the commands that we send it.
 * Redis and Valkey themselves take PSYNC under another word for SYNC; servers of others, and proxies, do not.
 * Plain values. Pure. Any thread.
 */
#ifndef RELAY_UPSTREAM_RENAMES_H
#define RELAY_UPSTREAM_RENAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum { RENAMES_MAX = 8, RENAME_WORD_MAX = 128 };

struct renames {
    size_t count;
    struct rename {
        const char *command; /* of the table in renames.c: a constant */
        char word[RENAME_WORD_MAX];
    } at[RENAMES_MAX];
};

/* "PSYNC xyz, REPLCONF abc"; may be empty. False: it is none, or names a command that we never send, or one
 * twice; *out has not changed. */
MUST_CHECK bool renames_parse(struct bytes text, struct renames *out);

/* What is sent for `command`; itself where it has no other name, or `renames` is NULL. */
const char *renames_word(const struct renames *renames, const char *command);

#endif
