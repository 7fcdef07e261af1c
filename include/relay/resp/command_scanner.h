/* SPDX-License-Identifier: MIT
 *
 * Walks over the commands of a replication stream, and tells of each where it begins, where it ends, its name, and
 * whether its key is one that is looked for. As the tokenizer (relay/resp/tokenizer.h) it never holds a command,
 * headers may be split anywhere, and it has the same boundaries; unlike that one, it stops at each command.
 *
 * Pure. Thread: the owner's.
 */
#ifndef RELAY_RESP_COMMAND_SCANNER_H
#define RELAY_RESP_COMMAND_SCANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum {
    COMMAND_NAME_MAX = 32, /* a longer first word is no name */
    COMMAND_HEAD_MAX = 80, /* from where a command begins, the name is known within so many bytes */
};

enum command_scanner_state {
    COMMAND_SCANNER_BETWEEN, /* before '*', or an empty line */
    COMMAND_SCANNER_COUNT,   /* in the digits of "*<count>" */
    COMMAND_SCANNER_DOLLAR,  /* before "$" */
    COMMAND_SCANNER_LENGTH,  /* in the digits of "$<length>" */
    COMMAND_SCANNER_BODY,    /* in a body and its line end */
    COMMAND_SCANNER_BROKEN,  /* this is no stream */
};

struct command_scanner {
    enum command_scanner_state state;
    uint64_t offset;   /* after the last byte taken */
    uint64_t begin;    /* of the command in hand, or of the last one */
    uint64_t boundary; /* after the last complete command outside MULTI */
    bool in_multi;
    uint64_t count;     /* arguments of the command; 0: it is an empty line */
    uint64_t argument;  /* index of the one in hand */
    uint64_t remaining; /* of this body and its line end */
    uint64_t length;    /* of this body */
    uint64_t number;    /* digits read so far */
    unsigned digits;
    bool return_seen;
    uint8_t name[COMMAND_NAME_MAX]; /* in upper case */
    size_t name_length;
    bool has_name;     /* the first argument is complete, or is no name: name_length is 0 then */
    struct bytes key;  /* that is looked for; not owned; length 0 with data NULL: none is */
    bool has_key;      /* the command has it, as far as it was read */
    bool is_same;      /* the argument in hand is the key so far */
    const char *error; /* with COMMAND_SCANNER_BROKEN */
};

/* Begins at `offset`, which must be a boundary. `key`: bytes_at(NULL, 0), or what is looked for; it outlives the
 * scanner. A command has the key when it is its first; of DEL and UNLINK, when it is any of theirs. */
void command_scanner_init(struct command_scanner *scanner, uint64_t offset, struct bytes key);

enum command_scan {
    COMMAND_SCAN_COMMAND, /* one is complete: begin..offset, count, name, has_key */
    COMMAND_SCAN_MORE,    /* the view is used up */
    COMMAND_SCAN_BROKEN,  /* at `offset` stands what no stream has: `error` */
};

/* Takes bytes from *view up to the end of the next command. */
MUST_CHECK enum command_scan command_scanner_next(struct command_scanner *scanner,
                                                  struct bytes *view);

/* Is a command in hand that has begun and not ended? */
bool command_scanner_is_inside(const struct command_scanner *scanner);

/* Is it the name of the last command, or the one in hand? Case is ignored. */
bool command_scanner_is(const struct command_scanner *scanner, const char *name);

#endif
