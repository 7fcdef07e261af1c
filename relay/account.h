/* SPDX-License-Identifier: MIT
 *
 * The user that the relay is, when it was started as root and told to be somebody else. What only root can
 * do comes before: reading the ini, password files and keys, raising limits.
 *
 *     account_find       who that is
 *     account_prepare    the data directory and the log file are made for him where they are missing
 *     account_open_log   with his rights, since SIGHUP opens it again with no others
 *     account_become     for good; that there is no way back is tried
 *
 * Owner: relay.c. Thread: thread 0, while there is no other.
 */
#ifndef RELAY_ACCOUNT_H
#define RELAY_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct config;

struct account {
    const char *name; /* NULL: it stays who it is */
    uid_t uid;
    gid_t gid;
};

/* False: there is no such user or group, or it is root. */
MUST_CHECK bool account_find(struct account *account, const struct config *config,
                             struct text *why);

/* False: we are not root, and somebody else. An account that we are already becomes none. */
MUST_CHECK bool account_check(struct account *account, struct text *why);

/* Its rights for a while, to see what they allow; and back. Both without effect where there is none. */
void account_try_on(const struct account *account);
void account_take_off(const struct account *account);

/* As account_check, and False: what is missing cannot be made. What is there is left as
 * it is. An account that we are already becomes none. */
MUST_CHECK bool account_prepare(struct account *account, const struct config *config,
                                struct text *why);

MUST_CHECK bool account_open_log(const struct account *account, const struct config *config,
                                 struct text *why);

/* May the account, whose rights we have now, write in the data directory? False: `why`. */
MUST_CHECK bool account_may_write(const struct account *account, const struct config *config,
                                  struct text *why);

MUST_CHECK bool account_become(const struct account *account, const struct config *config,
                               struct text *why);

#endif
