/* SPDX-License-Identifier: MIT
 *
 * The section [users]: its keys are names of users, each with a role and a password:
 *
 *     alice = replica sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
 *     bob   = monitor file:/etc/psync-relay/bob.password
 *     carol = admin a password in clear
 *     default = monitor nopass
 *
 * Of a password nothing but its digest is kept. Thread: thread 0.
 */
#ifndef RELAY_CONFIG_USER_SETTINGS_H
#define RELAY_CONFIG_USER_SETTINGS_H

#include "errors.h"
#include "relay/commands/users.h"
#include "relay/config/options.h"

#define USERS_SECTION "users"

struct user_setting {
    struct user user;
    const char *file; /* that holds the password; NULL: it does not come from one */
    unsigned line;    /* of the ini, or FOUND_IN_OVERRIDE */
};

/* A key and its value. An override replaces what the ini says, or an earlier override. */
void user_settings_take(struct user_settings *settings, const char *name, const char *value,
                        unsigned line, struct errors *errors);

bool user_settings_has(const struct user_settings *settings, const char *name);

/* Reads the files and adds all to `users`. */
void user_settings_settle(const struct user_settings *settings, struct users *users,
                          struct errors *errors);

/* As in an ini; "***" for passwords. Nothing where there is nobody. */
void user_settings_format(const struct user_settings *settings, struct text *out);

/* Is there a password, or the digest of one, in the ini itself? */
bool user_settings_stand_in_ini(const struct user_settings *settings);

/* Each file that one names, as "[users] NAME". */
typedef void user_file_fn(const char *what, const char *path, void *arg);
void user_settings_each_file(const struct user_settings *settings, user_file_fn *fn, void *arg);

void user_settings_fini(struct user_settings *settings);

#endif
