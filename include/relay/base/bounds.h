/* SPDX-License-Identifier: MIT
 *
 * What one connection to us may make us hold, and for how long: each bound once. docs/security.md tells
 * operators of them. An unauthenticated client is one that must authenticate and has not done so.
 */
#ifndef RELAY_BASE_BOUNDS_H
#define RELAY_BASE_BOUNDS_H

enum {
    /* One command, headers included; it is also all that is read ahead of the command that runs. */
    COMMAND_ARGUMENTS_MAX = 1024,
    COMMAND_LENGTH_MAX = 64 * 1024,
    UNAUTHENTICATED_ARGUMENTS_MAX = 10,    /* as redis-server has it */
    UNAUTHENTICATED_LENGTH_MAX = 8 * 1024, /* the longest password fits, with a user and a name */
    /* To authenticate, from when the connection (and its TLS) is up. */
    UNAUTHENTICATED_MS_MAX = 10 * 1000,
    TLS_HANDSHAKE_MS_MAX = 10 * 1000,

    /* Replies and messages that the client does not take: from here on it is not read from, */
    CLIENT_OUTPUT_MAX = 1024 * 1024,
    UNAUTHENTICATED_OUTPUT_MAX = 8 * 1024,
    CLIENT_REPLIES_MAX = 16 * CLIENT_OUTPUT_MAX, /* and here it is closed: one reply may be long */
    CLIENT_STUCK_MS_MAX = 60 * 1000,             /* for taking any of them */
    CLIENT_FINISH_MS_MAX = 10 * 1000,            /* for taking the last ones */

    /* TLS records that its socket does not take; plain bytes are not held. */
    TLS_UNSENT_MAX = 264 * 1024,

    /* Between MULTI and EXEC. */
    TRANSACTION_COMMANDS_MAX = 256,
    TRANSACTION_BYTES_MAX = 256 * 1024,

    /* Of a turn of a thread, for the commands and scrapes of all clients together, as much for all TLS
     * handshakes, and for all replicas of a worker that catch up: the rest goes on in the next turn, behind
     * the stream. */
    TURN_CHORES_US_MAX = 1000,
    CLIENT_GO_COMMANDS_MAX = 64, /* of one client; then it queues behind the others, */
    CLIENT_GO_US_MAX = 250,      /* as it does after that time, whichever is sooner */

    SUBSCRIPTIONS_MAX = 256, /* of one subscriber, to channels, and as many to patterns */
    TOPIC_NAME_MAX = 512,    /* bytes */
};

#endif
