/* SPDX-License-Identifier: MIT
 *
 *      post: push                      open: take all, turn round
 *
 *      top -> C -> B -> A -> NULL      top -> NULL      A, B, C to fn
 *
 * Only whole stacks are taken, never one message, so the push cannot suffer from a message that was
 * taken and came back in between (ABA).
 */
#include "relay/net/mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "relay/net/loop.h"

struct mailbox {
    _Atomic(struct message *) top; /* the message that came last */
    struct notifier *notifier;
    mailbox_fn *fn;
    void *arg;
};

static struct message *turn_round(struct message *newest)
{
    struct message *oldest = NULL;
    while (newest != NULL) {
        struct message *before = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = before;
    }
    return oldest;
}

static void open_messages(void *arg)
{
    struct mailbox *mailbox = arg;
    /* acquire: pairs with the release of each push, so that the messages' contents are seen. */
    struct message *message =
        turn_round(atomic_exchange_explicit(&mailbox->top, NULL, memory_order_acquire));
    while (message != NULL) {
        struct message *next = message->next; /* fn may free the message, or post it again */
        message->next = NULL;
        mailbox->fn(message, mailbox->arg);
        message = next;
    }
}

struct mailbox *mailbox_new(struct loop *loop, mailbox_fn *fn, void *arg)
{
    CHECK(fn != NULL);
    struct mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox == NULL)
        return NULL;
    mailbox->fn = fn;
    mailbox->arg = arg;
    atomic_init(&mailbox->top, NULL);
    mailbox->notifier = notifier_new(loop, open_messages, mailbox);
    if (mailbox->notifier == NULL) {
        free(mailbox);
        return NULL;
    }
    return mailbox;
}

void mailbox_post(struct mailbox *mailbox, struct message *message)
{
    /* relaxed: the value is only a guess that the exchange below confirms. */
    struct message *top = atomic_load_explicit(&mailbox->top, memory_order_relaxed);
    do
        message->next = top;
    /* release: the message's content and `next` are written before it can be found. relaxed on
     * failure: nothing is read through `top`. */
    while (!atomic_compare_exchange_weak_explicit(&mailbox->top, &top, message,
                                                  memory_order_release, memory_order_relaxed));
    /* After the push: a notifier that was heard before it is rung again. */
    notifier_wake(mailbox->notifier);
}

void mailbox_free(struct mailbox **where)
{
    struct mailbox *mailbox = *where;
    *where = NULL;
    if (mailbox == NULL)
        return;
    open_messages(mailbox);
    notifier_free(&mailbox->notifier);
    free(mailbox);
}
