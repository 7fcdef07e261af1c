/* SPDX-License-Identifier: MIT
 *
 * A state machine: its states, the edges between them, and the one place where the state changes. A change of
 * state is one line in the log:
 *
 *     upstream: link state=handshake->streaming primary=10.0.0.1:6379 cause=continue
 *     `------------´      `------------------´ `--------------------´      `-------´
 *     machine             rows                 describe                    the caller's
 *
 *     static const struct state_row rows[] = {
 *         [DOOR_OPEN] = {"open", STATE_BIT(DOOR_SHUT), enter_open},
 *         [DOOR_SHUT] = {"shut", STATE_BIT(DOOR_OPEN), NULL},
 *     };
 *     static const struct state_machine_kind kind = {.name = "house: door", .rows = rows};
 *     state_machine_init(&door->machine, &kind, door);      the first row is the first state
 *     state_machine_enter(&door->machine, DOOR_SHUT, LOG_LEVEL_INFO, "wind speed=%d", speed);
 *
 * Owner: who has it as a member. Thread: the owner's.
 */
#ifndef RELAY_BASE_STATE_MACHINE_H
#define RELAY_BASE_STATE_MACHINE_H

#include "relay/base/check.h"
#include "relay/base/log.h"

enum { STATE_WORDS_MAX = 512 };

#define STATE_BIT(state) (1u << (state))

struct state_row {
    const char *name;
    unsigned next; /* the states that may follow: STATE_BIT of each */
    /* Runs when the state has been entered, as the last thing: it may enter another. NULL: nothing to do. */
    void (*enter)(void *owner);
};

/* What a line of the log says besides. */
struct state_words {
    char subject[STATE_WORDS_MAX]; /* before "state=": " id=7", or "" */
    char details[STATE_WORDS_MAX]; /* before "cause=": " primary=10.0.0.1:6379", or "" */
};

/* Before a change: fills in `words`, which are empty, and returns the level of the line; `level` is the caller's. */
typedef enum log_level state_describe_fn(void *owner, unsigned next, enum log_level level,
                                         const char *cause, struct state_words *words);

struct state_machine_kind {
    const char *name;
    const struct state_row *rows;
    state_describe_fn *describe;    /* NULL: nothing besides */
    void (*on_change)(void *owner); /* before `enter`: what each change does; NULL: nothing */
};

struct state_machine {
    const struct state_machine_kind *kind;
    void *owner;
    unsigned state;    /* row; written by state_machine_enter alone, as */
    unsigned previous; /* the one before it */
};

/* In the state of the first row, without a line in the log. */
void state_machine_init(struct state_machine *machine, const struct state_machine_kind *kind,
                        void *owner);

/* `cause` ends the line: a word, then what belongs to it. CHECKs that there is such an edge. */
void state_machine_enter(struct state_machine *machine, unsigned state, enum log_level level,
                         const char *cause, ...) PRINTF_LIKE(4, 5);

const char *state_machine_name(const struct state_machine *machine);

#endif
