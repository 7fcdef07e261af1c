/* SPDX-License-Identifier: MIT
 *
 * What of a replication stream goes into an append-only file: the commands, without what primary and replica only
 * say to each other, and never a part of a command or of a transaction.
 *
 *     left out   PING, REPLCONF (GETACK among others), PUBLISH, SPUBLISH, and empty lines between commands
 *     kept       all else, byte for byte: SELECT, MULTI and EXEC included
 *
 * What is passed on may end in the middle of a command. At the end, `passed_boundary` says how much of it counts:
 * the caller cuts its file there.
 *
 * Pure. Owner: the caller.
 */
#ifndef RELAY_RESTORE_STREAM_FILTER_H
#define RELAY_RESTORE_STREAM_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/resp/command_scanner.h"

/* Takes all of `bytes`. False: `error`. */
typedef bool stream_filter_fn(struct bytes bytes, void *arg, struct error *error);

struct stream_filter {
    struct command_scanner scanner;
    bool keeps_all; /* nothing is left out */
    stream_filter_fn *pass;
    void *arg;
    uint64_t passed;          /* bytes so far */
    uint64_t passed_boundary; /* of them, up to the last boundary */
    uint64_t commands;        /* kept, up to there */
    uint64_t commands_passed; /* kept, whole ones so far */
    size_t head_length;
    uint8_t head[COMMAND_HEAD_MAX]; /* of a command whose name is not known yet */
};

/* Begins at `offset`, a boundary. */
void stream_filter_init(struct stream_filter *filter, uint64_t offset, bool keeps_all,
                        stream_filter_fn *pass, void *arg);

/* The next bytes of the stream. False: `error`; they are no stream, or `pass` said so. */
MUST_CHECK bool stream_filter_feed(struct stream_filter *filter, struct bytes view,
                                   struct error *error);

#endif
