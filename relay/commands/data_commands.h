/* SPDX-License-Identifier: MIT
 *
 * The commands that servers with data have and a relay has not. Whoever sends one has most likely taken the relay for
 * such a server, and gets an answer that says so instead of "unknown command". A name that is missing here does no harm:
 * it gets the answer of any server that does not know it.
 *
 * Pure.
 */
#ifndef RELAY_COMMANDS_DATA_COMMANDS_H
#define RELAY_COMMANDS_DATA_COMMANDS_H

#include "relay/base/bytes.h"

enum data_command {
    DATA_COMMAND_NONE,   /* not one of them */
    DATA_COMMAND_READ,   /* reads data */
    DATA_COMMAND_WRITE,  /* changes data */
    DATA_COMMAND_OTHER,  /* something else that only a server with data offers */
    DATA_COMMAND_CLUSTER /* asks for cluster mode */
};

/* Letter case is ignored. */
enum data_command data_command_find(struct bytes name);

#endif
