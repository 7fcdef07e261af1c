/* SPDX-License-Identifier: MIT
 *
 * A client says who it is, by AUTH or HELLO. Where wrong passwords have come from its address the answer
 * waits (login_throttle.h): the client is held, and nobody else notices. Who it is was found out at once; it is
 * told, and takes effect, when the time has come.
 *
 * Owner: its client state. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_LOGIN_H
#define RELAY_COMMANDS_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/queue.h"
#include "relay/commands/login_throttle.h"
#include "relay/commands/users.h"
#include "relay/downstream/client.h"

struct commands;
struct request;
struct timer;

struct login {
    TAILQ_ENTRY(login) entry; /* while it waits */
    struct client *client;
    bool is_waiting;
    int64_t due_ms;           /* clock_ms */
    char user[USER_NAME_MAX]; /* who gets in; "": nobody */
    /* HELLO, and what comes with it. */
    bool is_hello;
    int protocol;
    bool has_name;
    char name[CLIENT_NAME_MAX];
};

TAILQ_HEAD(login_list, login);

struct logins {
    struct login_throttle login_throttle;
    struct login_list waiting;
    struct timer *timer;
    uint64_t denied; /* wrong passwords and users that there are not */
};

/* False: out of memory. */
MUST_CHECK bool logins_open(struct commands *commands);
void logins_close(struct commands *commands);

/* The users have changed: who waits has given the password of one that may be gone. */
void logins_deny_waiting(struct commands *commands);

/* Its client goes. */
void login_forget(struct commands *commands, struct login *login);

#endif
