/* SPDX-License-Identifier: MIT */
#include "rewrites.h"

#include "relay/base/text.h"
#include "relay/downstream/client.h"

enum { WHY_MAX = 8192 };

#define NOT_IN_A_TRANSACTION                                                                       \
    "ERR CONFIG REWRITE waits for the disk, which a transaction does not: nothing was written. "   \
    "Send it outside of MULTI and EXEC"

void rewrites_init(struct rewrites *rewrites, const struct commands_callbacks *callbacks,
                   struct error_stats *errors)
{
    *rewrites = (struct rewrites){.callbacks = callbacks, .errors = errors};
    TAILQ_INIT(&rewrites->list);
}

static enum commands_rewrite begin_rewrite(struct rewrites *rewrites, bool may_begin,
                                           struct text *why)
{
    const struct commands_callbacks *callbacks = rewrites->callbacks;
    enum commands_rewrite outcome = callbacks->rewrite(may_begin, why, callbacks->arg);
    rewrites->is_under_way = outcome == COMMANDS_REWRITE_BEGUN;
    return outcome;
}

/* `why` NULL: it is in place. */
static void write_outcome(struct writer *writer, const char *why)
{
    if (why == NULL)
        write_simple(writer, "OK");
    else
        write_error(writer, "%s", why);
}

/* ---------------------------------------------------------------- blocked clients */

static void rewrite_block(struct rewrites *rewrites, struct rewrite_waiter *waiter,
                          struct client *client, bool waits_for_next)
{
    *waiter = (struct rewrite_waiter){
        .client = client, .is_blocked = true, .waits_for_next = waits_for_next};
    TAILQ_INSERT_TAIL(&rewrites->list, waiter, entry);
    rewrites->count++;
    client_hold(client);
}

void rewrites_forget(struct rewrites *rewrites, struct rewrite_waiter *waiter)
{
    if (!waiter->is_blocked)
        return;
    CHECK(rewrites->count > 0);
    waiter->is_blocked = false;
    TAILQ_REMOVE(&rewrites->list, waiter, entry);
    rewrites->count--;
}

static void rewrite_answer(struct rewrites *rewrites, struct rewrite_waiter *waiter,
                           const char *why)
{
    struct text reply;
    text_init(&reply, WHY_MAX);
    struct writer writer = {.out = &reply, .protocol = client_session(waiter->client)->protocol};
    write_outcome(&writer, why);
    error_stats_note(rewrites->errors, text_bytes(&reply));
    rewrites_forget(rewrites, waiter);
    client_resume(waiter->client, text_bytes(&reply));
    text_fini(&reply);
}

/* Nobody is closed in here, but a client that is answered leaves the list. */
static void answer_all(struct rewrites *rewrites, const char *why)
{
    struct rewrite_waiter *next;
    for (struct rewrite_waiter *waiter = TAILQ_FIRST(&rewrites->list); waiter != NULL;
         waiter = next) {
        next = TAILQ_NEXT(waiter, entry);
        if (!waiter->waits_for_next)
            rewrite_answer(rewrites, waiter, why);
    }
}

static void rewrite_begin_next(struct rewrites *rewrites)
{
    struct rewrite_waiter *waiter;
    struct text why;
    if (TAILQ_EMPTY(&rewrites->list))
        return;
    TAILQ_FOREACH(waiter, &rewrites->list, entry)
    {
        waiter->waits_for_next = false;
    }
    text_init(&why, WHY_MAX);
    enum commands_rewrite outcome = begin_rewrite(rewrites, true, &why);
    if (outcome != COMMANDS_REWRITE_BEGUN)
        answer_all(rewrites, outcome == COMMANDS_REWRITE_REFUSED ? text_string(&why) : NULL);
    text_fini(&why);
}

void rewrites_end(struct rewrites *rewrites, const char *why)
{
    CHECK(rewrites->is_under_way);
    /* Those who came meanwhile wait for the next: the text of this one was made before they asked. */
    rewrites->is_under_way = false;
    answer_all(rewrites, why);
    rewrite_begin_next(rewrites);
}

/* ---------------------------------------------------------------- CONFIG REWRITE */

void rewrites_ask(struct rewrites *rewrites, struct rewrite_waiter *waiter, struct client *client,
                  struct writer *writer)
{
    bool may_wait = waiter != NULL;
    struct text why;
    if (rewrites->is_under_way) {
        if (may_wait)
            rewrite_block(rewrites, waiter, client, true);
        else
            write_error(writer, "%s", NOT_IN_A_TRANSACTION);
        return;
    }
    text_init(&why, WHY_MAX);
    switch (begin_rewrite(rewrites, may_wait, &why)) {
    case COMMANDS_REWRITE_NOT_NEEDED:
        write_outcome(writer, NULL);
        break;
    case COMMANDS_REWRITE_REFUSED:
        write_outcome(writer, text_string(&why));
        break;
    case COMMANDS_REWRITE_NEEDED:
        write_outcome(writer, NOT_IN_A_TRANSACTION);
        break;
    case COMMANDS_REWRITE_BEGUN:
        rewrite_block(rewrites, waiter, client, false);
        break;
    }
    text_fini(&why);
}
