/* SPDX-License-Identifier: MIT
 *
 * Who may log in, and what their role allows. Passwords are kept as SHA-256 and nothing else, and two
 * digests are compared, so that time tells nothing of a password, not even its length.
 *
 * The user `default` is who has not said AUTH, or said it with a password alone. An empty table lets
 * nobody in.
 *
 * Owner: whoever called users_init; the config has the one of the relay. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_USERS_H
#define RELAY_COMMANDS_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/net/digest.h"

enum { USER_NAME_MAX = 64, USERS_MAX = 1000 };

#define USER_DEFAULT "default"

enum user_role {
    ROLE_NONE,
    ROLE_REPLICA, /* may replicate */
    ROLE_MONITOR, /* may look */
    ROLE_ADMIN,   /* may do everything */
};

struct user {
    char name[USER_NAME_MAX];
    enum user_role role;
    bool needs_none; /* any password is right */
    struct digest password;
};

struct users {
    struct user *all;
    size_t count;
    enum user_role open_role; /* that of who has not said AUTH: of a default user that needs none */
};

void users_init(struct users *users);
void users_fini(struct users *users);

/* False: there are USERS_MAX already, or one of that name. */
MUST_CHECK bool users_add(struct users *users, const struct user *user);

/* NULL: there is none. */
const struct user *users_find(const struct users *users, struct bytes name);

/* AUTH: the user that gets in with this; NULL: nobody does. Where the default user is the only one and
 * needs no password everybody is that one: a replica that has a masterauth must be able to attach, and
 * takes any error for an answer (docs/protocol.md 5.3). */
const struct user *users_judge(const struct users *users, struct bytes name, struct bytes password);

/* One word of printable ASCII, without what means something in an ini: = : ; # [ ] */
bool user_is_name(struct bytes name);

/* "replica", "monitor", "admin", letter case ignored. False leaves *out alone. */
MUST_CHECK bool user_role_parse(struct bytes word, enum user_role *out);
const char *user_role_name(enum user_role role);

/* A password as it is written down: in clear, or "sha256:" with the digits of its digest. False: it is
 * empty, or what follows "sha256:" is none. */
MUST_CHECK bool user_password_parse(struct bytes written, struct digest *out);

#endif
