/* SPDX-License-Identifier: MIT
 *
 * What a command takes, written in the table as people write it and sent in COMMAND DOCS as clients
 * want it, for the hints that redis-cli and valkey-cli show while one types:
 *
 *     WORD            to be typed as it is
 *     word            a value
 *     word...         one or more
 *     [a b]           may be left out
 *     <a | b>         one of them; brackets may hold alternatives, too
 *
 * Pure.
 */
#ifndef RELAY_COMMANDS_SYNTAX_H
#define RELAY_COMMANDS_SYNTAX_H

#include "relay/resp/writer.h"

/* The array that is the value of "arguments". */
void syntax_write(struct writer *writer, const char *syntax);

#endif
