/* SPDX-License-Identifier: MIT */
#include "relay/commands/users.h"

#include <stdlib.h>
#include <string.h>

static const char *const role_names[] = {
    [ROLE_NONE] = "none",
    [ROLE_REPLICA] = "replica",
    [ROLE_MONITOR] = "monitor",
    [ROLE_ADMIN] = "admin",
};

void users_init(struct users *users)
{
    *users = (struct users){.open_role = ROLE_NONE};
}

void users_fini(struct users *users)
{
    if (users->all != NULL)
        explicit_bzero(users->all, users->count * sizeof(*users->all));
    free(users->all);
    users_init(users);
}

bool users_add(struct users *users, const struct user *user)
{
    struct bytes name = bytes_of(user->name);
    CHECK(user_is_name(name) && user->role != ROLE_NONE);
    if (users->count == USERS_MAX || users_find(users, name) != NULL)
        return false;
    struct user *all = reallocarray(users->all, users->count + 1, sizeof(*all));
    CHECK(all != NULL);
    users->all = all;
    users->all[users->count++] = *user;
    /* Looked up with each command of those who have not logged in: kept here. */
    if (user->needs_none && bytes_equal(name, bytes_of(USER_DEFAULT)))
        users->open_role = user->role;
    return true;
}

const struct user *users_find(const struct users *users, struct bytes name)
{
    for (size_t i = 0; i < users->count; i++) {
        if (bytes_equal(bytes_of(users->all[i].name), name))
            return &users->all[i];
    }
    return NULL;
}

/* All are looked at: whether there is a user of that name is not told by the clock either. */
const struct user *users_judge(const struct users *users, struct bytes name, struct bytes password)
{
    const struct user *found = NULL;
    struct digest given = digest_of(password);
    /* Where nobody needs a password any is right: a replica that has a masterauth must get in (docs/protocol.md 5.3). */
    bool is_anybody = users->count == 1 && users->open_role != ROLE_NONE;
    for (size_t i = 0; i < users->count; i++) {
        const struct user *user = &users->all[i];
        bool is_named = bytes_equal(bytes_of(user->name), name) || is_anybody;
        bool is_right = digest_equal(&user->password, &given) || user->needs_none;
        if (is_named && is_right)
            found = user;
    }
    explicit_bzero(&given, sizeof(given));
    return found;
}

bool user_is_name(struct bytes name)
{
    if (name.length == 0 || name.length >= USER_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] <= ' ' || name.data[i] > '~' || strchr("=:;#[]", name.data[i]) != NULL)
            return false;
    }
    return true;
}

bool user_role_parse(struct bytes word, enum user_role *out)
{
    for (unsigned i = ROLE_REPLICA; i < LENGTH_OF(role_names); i++) {
        if (bytes_is(word, role_names[i])) {
            *out = (enum user_role)i;
            return true;
        }
    }
    return false;
}

const char *user_role_name(enum user_role role)
{
    return role_names[role];
}

bool user_password_parse(struct bytes written, struct digest *out)
{
    static const char form[] = "sha256:";
    if (written.length == 0)
        return false;
    if (bytes_starts(written, form))
        return digest_parse(bytes_skip(written, sizeof(form) - 1), out);
    *out = digest_of(written);
    return true;
}
