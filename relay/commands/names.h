/* SPDX-License-Identifier: MIT
 *
 * Names that several handlers give and show: of clients, and of the server we appear to be.
 */
#ifndef RELAY_COMMANDS_NAMES_H
#define RELAY_COMMANDS_NAMES_H

#include <stdbool.h>

#include "request.h"

/* Names and versions appear as "key=value" in CLIENT LIST: no blanks and no control characters. */
bool is_plain_name(struct bytes name);

/* Copies a name into a field of the session; cut where it is longer than there is room: a tool with
 * a long name is better served by that than by an error. */
void copy_name(char field[CLIENT_NAME_MAX], struct bytes name);

/* CLIENT SETNAME and HELLO ... SETNAME. False: the error reply was written. */
MUST_CHECK bool may_be_name(struct request *request, struct bytes name);

/* The redis_version that we report: tools gate their features on it, and what they learn here is
 * what they will find at the primary. */
const char *primary_version(const struct link_status *upstream);

#endif
