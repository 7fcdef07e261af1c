/* SPDX-License-Identifier: MIT
 *
 * The one table of commands, as data. Handlers get at it through struct commands.
 */
#ifndef RELAY_COMMANDS_COMMAND_ROWS_H
#define RELAY_COMMANDS_COMMAND_ROWS_H

#include "command_table.h"

extern const struct command_table command_rows;

#endif
