/* SPDX-License-Identifier: MIT
 *
 * The tail queue of BSD's queue(3), which glibc has and musl has not: those of its macros that we use.
 */
#ifndef RELAY_BASE_QUEUE_H
#define RELAY_BASE_QUEUE_H

#if __has_include(<sys/queue.h>)
#include <sys/queue.h>
#else

/* `last` is where the next one's address goes. */
#define TAILQ_HEAD(name, type)                                                                     \
    struct name {                                                                                  \
        struct type *first;                                                                        \
        struct type **last;                                                                        \
    }

/* `link` is what points here. */
#define TAILQ_ENTRY(type)                                                                          \
    struct {                                                                                       \
        struct type *next;                                                                         \
        struct type **link;                                                                        \
    }

#define TAILQ_EMPTY(head) ((head)->first == NULL)
#define TAILQ_FIRST(head) ((head)->first)
#define TAILQ_NEXT(item, field) ((item)->field.next)

#define TAILQ_FOREACH(item, head, field)                                                           \
    for ((item) = TAILQ_FIRST(head); (item) != NULL; (item) = TAILQ_NEXT(item, field))

#define TAILQ_INIT(head)                                                                           \
    do {                                                                                           \
        (head)->first = NULL;                                                                      \
        (head)->last = &(head)->first;                                                             \
    } while (0)

#define TAILQ_INSERT_TAIL(head, item, field)                                                       \
    do {                                                                                           \
        (item)->field.next = NULL;                                                                 \
        (item)->field.link = (head)->last;                                                         \
        *(head)->last = (item);                                                                    \
        (head)->last = &(item)->field.next;                                                        \
    } while (0)

#define TAILQ_REMOVE(head, item, field)                                                            \
    do {                                                                                           \
        if ((item)->field.next != NULL)                                                            \
            (item)->field.next->field.link = (item)->field.link;                                   \
        else                                                                                       \
            (head)->last = (item)->field.link;                                                     \
        *(item)->field.link = (item)->field.next;                                                  \
    } while (0)

#endif

#endif
