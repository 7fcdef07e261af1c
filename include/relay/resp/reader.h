/* SPDX-License-Identifier: MIT
 *
 * Reads commands as clients send them: RESP arrays of bulk strings, or inline lines (docs/protocol.md 1.1).
 * The input is one growing buffer; the reader remembers how far it has looked, so that a command
 * that comes byte by byte is not scanned again from its start.
 *
 *     while ((result = reader_next(&reader, input, &command)) == READER_COMMAND) {
 *         act(&command);                     views into the input
 *         input = bytes_skip(input, command.length);
 *     }
 *
 * Inline lines are split as redis-server does it: blanks, "double" quotes with \n \r \t \b \a \\ \"
 * \xHH, 'single' quotes with \'. Unquoting happens in place, so the input must be writable.
 * Pure: knows no socket. Thread: the owner's.
 */
#ifndef RELAY_RESP_READER_H
#define RELAY_RESP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bounds.h"
#include "relay/base/bytes.h"

struct command {
    size_t argument_count; /* 0: an empty line (a replica's sign of life, docs/protocol.md 2.3) */
    size_t length;         /* bytes of the input that the command took */
    struct bytes argument[COMMAND_ARGUMENTS_MAX];
};

enum reader_result {
    READER_MORE,    /* the input ends before the command does */
    READER_COMMAND, /* one command */
    READER_ERROR,   /* not the protocol, or over a limit; see reader.error; the reader is done */
};

struct reader {
    size_t position;         /* looked at so far in the command that is being read */
    size_t item;             /* where the header line or the body in hand begins; <= position */
    int64_t arguments;       /* announced by "*<n>", -1 while not known */
    int64_t bulk;            /* announced by "$<n>" for the argument in hand, -1 while not known */
    size_t complete;         /* arguments that are there already */
    bool is_unauthenticated; /* whoever sends the command in hand */
    const char *error; /* in redis-server's words, without the "-ERR ": "Protocol error: ..." */
    char expected[48]; /* what `error` points to where it names a byte of the input */
};

void reader_init(struct reader *reader);

/* Is it an unauthenticated client who sends what comes? Then a command may have UNAUTHENTICATED_ARGUMENTS_MAX arguments and
 * UNAUTHENTICATED_LENGTH_MAX bytes. Holds from the next command on: without effect in the midst of one. */
void reader_set_unauthenticated(struct reader *reader, bool is_unauthenticated);

/* Reads one command from the beginning of `input`. After READER_MORE the same bytes, and more
 * behind them, must be given again (they may have moved); after READER_COMMAND the caller goes on
 * behind command.length. A command of more than COMMAND_LENGTH_MAX bytes, or with more than
 * COMMAND_ARGUMENTS_MAX arguments, is READER_ERROR. */
enum reader_result reader_next(struct reader *reader, uint8_t *input, size_t length,
                               struct command *command);

#endif
