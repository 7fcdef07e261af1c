/* SPDX-License-Identifier: MIT
 *
 * Logins of clients, by AUTH or HELLO. Where many wrong passwords have come from the client's address
 * (login_throttle.h) the answer comes later: the client is blocked, and no other client notices. Whether the password is
 * right is found out at once; the client is told, and is logged in, when the time has come.
 *
 * Owner: struct commands has the logins, the client's state the login that blocks it. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_LOGIN_H
#define RELAY_COMMANDS_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "error_stats.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/queue.h"
#include "relay/commands/login_throttle.h"
#include "relay/commands/users.h"
#include "relay/downstream/client.h"
#include "relay/resp/writer.h"

struct login;
struct loop;
struct timer;

/* Writes the reply to a login that has succeeded; client_session has the user already. `arg` is logins.reply_arg. */
typedef void login_reply_fn(const struct login *login, struct writer *writer, void *arg);

struct login {
    TAILQ_ENTRY(login) entry; /* while it is blocked */
    struct client *client;
    bool is_blocked;
    int64_t due_ms;           /* clock_ms */
    char user[USER_NAME_MAX]; /* the user that is logged in; "": the password was wrong */
    login_reply_fn *reply;
    /* Of HELLO, for its reply. */
    int protocol;
    bool has_name;
    char name[CLIENT_NAME_MAX];
};

TAILQ_HEAD(login_list, login);

struct logins {
    const struct users *users;
    struct error_stats *errors; /* late replies that are errors are counted here */
    void *reply_arg;
    struct login_throttle throttle;
    struct login_list blocked;
    struct timer *timer;
    uint64_t denied; /* logins with a wrong password or an unknown user */
};

/* `users` and `errors` live longer. False: out of memory; logins_close is due all the same. */
MUST_CHECK bool logins_open(struct logins *logins, struct loop *loop, const struct users *users,
                            struct error_stats *errors, void *reply_arg);
void logins_close(struct logins *logins);

/* Tries name and password for login->client. 0: the reply is written. Otherwise so many milliseconds are to pass before
 * it, and logins_block is due. With `may_block` false (a transaction) such a login is refused instead. */
MUST_CHECK int64_t logins_try(struct logins *logins, struct login *login, struct bytes name,
                              struct bytes password, bool may_block, struct writer *writer);

/* Blocks the client for `wait_ms` and replies then. The login, a copy of what logins_try was given, stays where it is until
 * then, or until logins_forget. */
void logins_block(struct logins *logins, struct login *login, int64_t wait_ms);

/* The users have changed: a blocked client may have given the password of a user that is gone. They are denied. */
void logins_deny_blocked(struct logins *logins);

/* The client of the login goes: it is not answered. */
void logins_forget(struct logins *logins, struct login *login);

#endif
