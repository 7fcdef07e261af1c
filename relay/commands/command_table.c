/* SPDX-License-Identifier: MIT */
#include "command_table.h"

#include <string.h>

#include "relay/base/check.h"

const char *command_word(const struct command_row *row)
{
    const char *bar = strchr(row->name, '|');
    return bar != NULL ? bar + 1 : row->name;
}

const struct command_row *command_find(const struct command_table *in, struct bytes name)
{
    for (size_t i = 0; i < in->count; i++) {
        if (bytes_is(name, command_word(&in->rows[i])))
            return &in->rows[i];
    }
    return NULL;
}

const struct command_row *command_find_path(const struct command_table *all, struct bytes path)
{
    size_t bar = bytes_find(path, '|');
    const struct command_row *row = command_find(all, bytes_first(path, bar));
    if (row == NULL || bar == path.length)
        return row;
    return row->children != NULL ? command_find(row->children, bytes_skip(path, bar + 1)) : NULL;
}

size_t command_number(const struct command_table *all, const struct command_row *row)
{
    size_t number = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct command_table *children = all->rows[i].children;
        if (row == &all->rows[i])
            return number;
        number++;
        if (children != NULL && row >= children->rows && row < children->rows + children->count)
            return number + (size_t)(row - children->rows);
        number += children != NULL ? children->count : 0;
    }
    UNREACHABLE("a row that is in no table");
}

static void count_row(const struct command_row *row, void *arg)
{
    (void)row;
    ++*(size_t *)arg;
}

size_t command_count(const struct command_table *all)
{
    size_t count = 0;
    command_each(all, count_row, &count);
    return count;
}

void command_each(const struct command_table *all, command_each_fn *fn, void *arg)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct command_table *children = all->rows[i].children;
        fn(&all->rows[i], arg);
        for (size_t k = 0; children != NULL && k < children->count; k++)
            fn(&children->rows[k], arg);
    }
}

bool command_accepts(const struct command_row *row, size_t words)
{
    CHECK(row->arity != 0);
    return row->arity > 0 ? words == (size_t)row->arity : words >= (size_t)-row->arity;
}

bool command_is_for(const struct command_row *row, enum user_role role)
{
    static const unsigned enough[] = {
        [ROLE_NONE] = COMMAND_NO_AUTH,
        [ROLE_REPLICA] = COMMAND_FOR_REPLICAS | COMMAND_NO_AUTH,
        [ROLE_MONITOR] = COMMAND_FOR_MONITORS | COMMAND_NO_AUTH,
        [ROLE_ADMIN] = ~0u,
    };
    return role == ROLE_ADMIN || (row->flags & enough[role]) != 0;
}
