/* SPDX-License-Identifier: MIT */
#include "login.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"

enum { REPLY_MAX = 4096 };

static struct guess_key login_key_of(const struct client *client)
{
    return guess_key_of(client_peer(client));
}

/* ---------------------------------------------------------------- the answer */

/* A client that is logged in already keeps its user when it gives a wrong password. */
static void login_finish(struct logins *logins, const struct login *login, struct writer *writer)
{
    /* By name, once more: the users may have been read again while the client waited. */
    const struct user *user = users_find(logins->users, bytes_of(login->user));
    if (user == NULL) {
        logins->denied++;
        write_error(writer, "WRONGPASS invalid username-password pair or user is disabled.");
        return;
    }
    struct client_session *session = client_session(login->client);
    login_throttle_pardon(&logins->throttle, login_key_of(login->client));
    snprintf(session->user, sizeof(session->user), "%s", user->name);
    session->role = (int)user->role;
    login->reply(login, writer, logins->reply_arg);
}

/* ---------------------------------------------------------------- blocked clients */

static void login_unlist(struct logins *logins, struct login *login)
{
    CHECK(login->is_blocked);
    login->is_blocked = false;
    TAILQ_REMOVE(&logins->blocked, login, entry);
}

static void login_arm_timer(struct logins *logins)
{
    const struct login *login;
    int64_t now_ms = clock_ms();
    int64_t next_ms = INT64_MAX;
    TAILQ_FOREACH(login, &logins->blocked, entry)
    {
        if (login->due_ms < next_ms)
            next_ms = login->due_ms;
    }
    if (next_ms != INT64_MAX)
        timer_arm(logins->timer, next_ms > now_ms ? next_ms - now_ms : 0);
}

static void login_finish_blocked(struct logins *logins, struct login *login)
{
    struct text reply;
    text_init(&reply, REPLY_MAX);
    struct writer writer = {.out = &reply, .protocol = client_session(login->client)->protocol};
    login_unlist(logins, login);
    login_finish(logins, login, &writer);
    error_stats_note(logins->errors, text_bytes(&reply));
    client_resume(login->client, text_bytes(&reply));
    text_fini(&reply);
}

/* Closes nobody. */
static void login_on_timer(void *arg)
{
    struct logins *logins = arg;
    int64_t now_ms = clock_ms();
    struct login *next;
    for (struct login *login = TAILQ_FIRST(&logins->blocked); login != NULL; login = next) {
        next = TAILQ_NEXT(login, entry);
        if (login->due_ms <= now_ms)
            login_finish_blocked(logins, login);
    }
    login_arm_timer(logins);
}

void logins_block(struct logins *logins, struct login *login, int64_t wait_ms)
{
    login->is_blocked = true;
    login->due_ms = clock_ms() + wait_ms;
    TAILQ_INSERT_TAIL(&logins->blocked, login, entry);
    client_hold(login->client);
    login_arm_timer(logins);
}

bool logins_open(struct logins *logins, struct loop *loop, const struct users *users,
                 struct error_stats *errors, void *reply_arg)
{
    *logins = (struct logins){.users = users, .errors = errors, .reply_arg = reply_arg};
    TAILQ_INIT(&logins->blocked);
    logins->timer = timer_new(loop, login_on_timer, logins);
    return logins->timer != NULL;
}

void logins_close(struct logins *logins)
{
    CHECK(TAILQ_EMPTY(&logins->blocked));
    if (logins->timer != NULL)
        timer_free(&logins->timer);
}

void logins_deny_blocked(struct logins *logins)
{
    struct login *login;
    TAILQ_FOREACH(login, &logins->blocked, entry)
    {
        login->user[0] = '\0';
    }
}

void logins_forget(struct logins *logins, struct login *login)
{
    if (login->is_blocked)
        login_unlist(logins, login);
}

/* ---------------------------------------------------------------- names and passwords */

/* An unknown name may be a password in the wrong place: it is not logged. */
static void log_wrong_password(struct logins *logins, const struct client *client,
                               struct bytes name)
{
    const struct user *named = users_find(logins->users, name);
    if (login_throttle_is_wrong_news(&logins->throttle, login_key_of(client)))
        log_warnx("commands: client id=%" PRIu64
                  " addr=%s user=%s gave a wrong password (logged again "
                  "after a quiet minute; acl_access_denied_auth in INFO counts all)",
                  client_id(client), client_peer(client), named != NULL ? named->name : "?");
}

static void log_throttled(const struct client *client)
{
    log_warnx("commands: client addr=%s: %d wrong passwords came from this address: from now on it "
              "may try one a second, over all its connections",
              client_peer(client), LOGIN_THROTTLE_FREE);
}

int64_t logins_try(struct logins *logins, struct login *login, struct bytes name,
                   struct bytes password, bool may_block, struct writer *writer)
{
    const struct client *client = login->client;
    struct guess guess = login_throttle_take(&logins->throttle, login_key_of(client), clock_ms());
    if (guess.is_slow_news)
        log_throttled(client);
    if (guess.wait_ms == GUESS_REFUSED || (guess.wait_ms > 0 && !may_block)) {
        logins->denied++;
        write_error(writer, "ERR too many wrong passwords came from your address, try again later");
        return 0;
    }
    /* Judged at once, told later, right or wrong: the time of the answer says nothing. The password itself is not kept
     * meanwhile. */
    const struct user *user = users_judge(logins->users, name, password);
    if (user == NULL)
        log_wrong_password(logins, client, name);
    snprintf(login->user, sizeof(login->user), "%s", user != NULL ? user->name : "");
    if (guess.wait_ms == 0)
        login_finish(logins, login, writer);
    return guess.wait_ms;
}
