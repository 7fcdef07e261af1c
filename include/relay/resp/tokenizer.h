/* SPDX-License-Identifier: MIT
 *
 * Finds the ends of commands in the replication stream without ever holding a command: bodies of
 * bulk strings are skipped by their length, headers may be split anywhere. It tells the *boundary*,
 * the offset after the last complete command that is not inside MULTI, which is what a real replica
 * acknowledges and asks PSYNC from (docs/protocol.md 3.3), and notices REPLCONF GETACK (docs/protocol.md 3.2).
 *
 * A value that merely contains the text of a command is never taken for one. An empty line is
 * counted and is a boundary, as servers count it. Pure. Thread: the owner's.
 */
#ifndef RELAY_RESP_TOKENIZER_H
#define RELAY_RESP_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum { TOKENIZER_NAME_MAX = 8 };

enum tokenizer_state {
    TOKENIZER_COMMAND, /* between commands: '*', or an empty line */
    TOKENIZER_COUNT,   /* in the digits of "*<count>" */
    TOKENIZER_DOLLAR,  /* before "$" */
    TOKENIZER_LENGTH,  /* in the digits of "$<length>" */
    TOKENIZER_BODY,    /* in a body and its line end */
    TOKENIZER_BROKEN,  /* this is no stream: nothing more is taken */
};

struct tokenizer {
    enum tokenizer_state state;
    uint64_t offset;    /* after the last byte fed */
    uint64_t boundary;  /* <= offset */
    uint64_t commands;  /* complete ones so far */
    uint64_t getacks;   /* complete REPLCONF GETACK so far */
    uint64_t pings;     /* complete PING so far: a primary sends one now and then */
    uint64_t arguments; /* still to come in this command, the one in hand included */
    uint64_t remaining; /* of this body and its line end */
    uint64_t number;    /* digits read so far */
    unsigned digits;    /* how many */
    bool return_seen;   /* '\r' of a header line */
    bool in_multi;
    unsigned argument;    /* index of the one in hand, counted to 2 */
    unsigned name_length; /* of the word gathered: first arguments only */
    uint8_t name[TOKENIZER_NAME_MAX];
    unsigned word;     /* what the first argument was: see tokenizer.c */
    const char *error; /* set with TOKENIZER_BROKEN */
};

/* Begins at `offset`, which must be a boundary. */
void tokenizer_init(struct tokenizer *tokenizer, uint64_t offset);

/* Takes all of `view`. False: at tokenizer.offset stands what no stream has; see tokenizer.error. */
MUST_CHECK bool tokenizer_feed(struct tokenizer *tokenizer, struct bytes view);

#endif
