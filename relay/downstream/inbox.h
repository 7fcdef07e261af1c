/* SPDX-License-Identifier: MIT
 *
 * Bytes that have come from a client: received at the one end, taken as commands at the other. Holds no
 * memory while it is empty.
 *
 *     bytes                taken                length        capacity
 *       |#####################|=====================|..............|
 *        commands that have run   not looked at yet
 *
 * Owner: the client. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_INBOX_H
#define RELAY_DOWNSTREAM_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bounds.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum { INBOX_MAX = COMMAND_LENGTH_MAX + 4096 }; /* the reader gives up before it is full */

struct inbox {
    uint8_t *bytes; /* NULL while there is nothing in it */
    size_t length;
    size_t capacity;
    size_t taken; /* commands that have been run, the one that runs included */
};

void inbox_fini(struct inbox *inbox);

/* What is not taken yet. */
struct bytes inbox_left(const struct inbox *inbox);

/* Makes room for some bytes behind `length`, of which there are less than INBOX_MAX. False: out of memory. */
MUST_CHECK bool inbox_make_space(struct inbox *inbox);

/* An idle client holds no input, and of what has been run, a password maybe, nothing is left. */
void inbox_drop_taken(struct inbox *inbox);

#endif
