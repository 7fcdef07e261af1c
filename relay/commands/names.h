/* SPDX-License-Identifier: MIT
 *
 * Names that clients give themselves, and the version of the server that a relay reports.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_NAMES_H
#define RELAY_COMMANDS_NAMES_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/downstream/client.h"
#include "relay/resp/writer.h"
#include "relay/upstream/link_status.h"

/* Names and versions are shown as "key=value" in CLIENT LIST: no blanks and no control characters. */
bool name_is_plain(struct bytes name);

/* Copies a name into a field of the session. A name that is too long is cut: a tool with a long name is better served by
 * that than by an error. */
void name_copy(char field[CLIENT_NAME_MAX], struct bytes name);

/* CLIENT SETNAME and HELLO ... SETNAME. False: the name is not plain, and the error reply is written. */
MUST_CHECK bool name_check(struct bytes name, struct writer *writer);

/* The redis_version that is reported: that of the primary, because tools choose their features by it. */
const char *primary_version(const struct link_status *upstream);

#endif
