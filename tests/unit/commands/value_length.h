/* SPDX-License-Identifier: MIT
 *
 * Where a value of the protocol ends: is a reply one whole value?
 */
#ifndef TESTS_UNIT_COMMANDS_VALUE_LENGTH_H
#define TESTS_UNIT_COMMANDS_VALUE_LENGTH_H

#include "test.h"

/* The bytes of the value that `rest` begins with; 0: it does not begin with a whole one. Types of
 * RESP3 count as none where `protocol` is 2. */
static inline size_t value_length(struct bytes rest, int protocol)
{
    size_t line = bytes_find(rest, '\n') + 1;
    uint64_t count;
    if (rest.length < 3 || line > rest.length || rest.data[line - 2] != '\r')
        return 0;
    struct bytes argument = bytes_skip(bytes_first(rest, line - 2), 1);
    char type = (char)rest.data[0];
    if (strchr("+-:", type) != NULL)
        return line;
    if (type == '_' || (type == '$' && bytes_equal(argument, bytes_of("-1"))))
        return (type == '_') == (protocol == 3) ? line : 0;
    if (strchr("$=*%~>", type) == NULL || !bytes_to_u64(argument, &count))
        return 0;
    if (strchr("=%~>", type) != NULL && protocol != 3)
        return 0;
    if (type == '$' || type == '=') {
        size_t whole = line + count + 2;
        return whole <= rest.length && rest.data[whole - 2] == '\r' ? whole : 0;
    }
    for (uint64_t left = type == '%' ? count * 2 : count; left > 0; left--) {
        size_t length = value_length(bytes_skip(rest, line), protocol);
        if (length == 0)
            return 0;
        line += length;
    }
    return line;
}

static inline bool is_one_value(struct bytes reply, int protocol)
{
    return reply.length > 0 && value_length(reply, protocol) == reply.length;
}

#endif
