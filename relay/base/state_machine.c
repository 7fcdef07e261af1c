/* SPDX-License-Identifier: MIT */
#include "relay/base/state_machine.h"

#include <stdarg.h>
#include <stdio.h>

void state_machine_init(struct state_machine *machine, const struct state_machine_kind *kind,
                        void *owner)
{
    *machine = (struct state_machine){.kind = kind, .owner = owner};
}

void state_machine_enter(struct state_machine *machine, unsigned state, enum log_level level,
                         const char *cause, ...)
{
    const struct state_machine_kind *kind = machine->kind;
    const struct state_row *from = &kind->rows[machine->state];
    const struct state_row *to = &kind->rows[state];
    char text[STATE_WORDS_MAX];
    va_list list;
    va_start(list, cause);
    vsnprintf(text, sizeof(text), cause, list);
    va_end(list);
    CHECK((from->next & STATE_BIT(state)) != 0);
    struct state_words words;
    words.subject[0] = words.details[0] = '\0';
    if (kind->describe != NULL)
        level = kind->describe(machine->owner, state, level, text, &words);
    log_at(level, "%s%s state=%s->%s%s cause=%s", kind->name, words.subject, from->name, to->name,
           words.details, text);
    machine->previous = machine->state;
    machine->state = state;
    if (kind->on_change != NULL)
        kind->on_change(machine->owner);
    if (to->enter != NULL)
        to->enter(machine->owner); /* last: it may enter another, or end the owner */
}

const char *state_machine_name(const struct state_machine *machine)
{
    return machine->kind->rows[machine->state].name;
}
