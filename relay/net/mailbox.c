/* SPDX-License-Identifier: MIT
 *
 *      post: push                      open: take all, turn round
 *
 *      top -> C -> B -> A -> NULL      top -> NULL      A, B, C to fn
 *
 * Only whole stacks are taken, never one letter, so the push cannot suffer from a letter that was
 * taken and came back in between (ABA).
 */
#include "relay/net/mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "relay/net/loop.h"

struct mailbox {
    _Atomic(struct letter *) top; /* the letter that came last */
    struct bell *bell;
    mailbox_fn *fn;
    void *arg;
};

static struct letter *turn_round(struct letter *newest)
{
    struct letter *oldest = NULL;
    while (newest != NULL) {
        struct letter *before = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = before;
    }
    return oldest;
}

static void open_letters(void *arg)
{
    struct mailbox *mailbox = arg;
    /* acquire: pairs with the release of each push, so that the letters' contents are seen. */
    struct letter *letter =
        turn_round(atomic_exchange_explicit(&mailbox->top, NULL, memory_order_acquire));
    while (letter != NULL) {
        struct letter *next = letter->next; /* fn may free the letter, or post it again */
        letter->next = NULL;
        mailbox->fn(letter, mailbox->arg);
        letter = next;
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
    mailbox->bell = bell_new(loop, open_letters, mailbox);
    if (mailbox->bell == NULL) {
        free(mailbox);
        return NULL;
    }
    return mailbox;
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    /* relaxed: the value is only a guess that the exchange below confirms. */
    struct letter *top = atomic_load_explicit(&mailbox->top, memory_order_relaxed);
    do
        letter->next = top;
    /* release: the letter's content and `next` are written before it can be found. relaxed on
     * failure: nothing is read through `top`. */
    while (!atomic_compare_exchange_weak_explicit(&mailbox->top, &top, letter, memory_order_release,
                                                  memory_order_relaxed));
    /* After the push: a bell that was heard before it is rung again. */
    bell_ring(mailbox->bell);
}

void mailbox_free(struct mailbox **where)
{
    struct mailbox *mailbox = *where;
    *where = NULL;
    if (mailbox == NULL)
        return;
    open_letters(mailbox);
    bell_free(&mailbox->bell);
    free(mailbox);
}
