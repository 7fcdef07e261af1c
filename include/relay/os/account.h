/* SPDX-License-Identifier: MIT
 *
 * The user that the relay runs as, when root has started it with [relay] user. What only root can do comes
 * first: reading the ini, password files and keys, raising limits.
 *
 *     account_find       looks up the user and the group
 *     account_prepare    makes the data directory and the log file for the user, if they are missing
 *     account_open_log   opens the log with the user's rights, because SIGHUP reopens it with no others
 *     account_become     becomes the user for good, and tries that there is no way back
 *
 * Owner: relay.c. Thread: thread 0, while there is no other.
 */
#ifndef RELAY_OS_ACCOUNT_H
#define RELAY_OS_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct account {
    const char *name; /* NULL: the process stays who it is */
    uid_t uid;
    gid_t gid;
};

/* Looks up `user`, and `group` where it is not "": else the user's own. An empty `user` is none. False: `why`:
 * there is no such user or group, or it is root. `user` must outlive the account. */
MUST_CHECK bool account_find(struct account *account, const char *user, const char *group,
                             struct text *why);

/* Can the process become the account? One that it is already becomes none. False: `why`: it is not root. */
MUST_CHECK bool account_check(struct account *account, struct text *why);

/* Takes the account's rights for a while, and gives them back. No effect where there is no account. */
void account_try_on(const struct account *account);
void account_take_off(const struct account *account);

/* As account_check, and makes the data directory and the log file ("": none) for the account if they are
 * missing; what is there is left as it is. False: `why`: one of them cannot be made. */
MUST_CHECK bool account_prepare(struct account *account, const char *data_dir, const char *log_file,
                                struct text *why);

/* Opens the log ("": stderr) with the account's rights. False: `why`. */
MUST_CHECK bool account_open_log(const struct account *account, const char *log_file,
                                 struct text *why);

/* May the account, whose rights the process has now, write in the data directory? False: `why`. */
MUST_CHECK bool account_may_write(const struct account *account, const char *data_dir,
                                  struct text *why);

/* Becomes the account for good. False: `why`, also where it may not write in the data directory. */
MUST_CHECK bool account_become(const struct account *account, const char *data_dir,
                               struct text *why);

#endif
