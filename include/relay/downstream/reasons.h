/* SPDX-License-Identifier: MIT
 *
 * Every reason for which a downstream connection ends: one row gives the enum, the name in logs and
 * INFO, the log level and the text for people.
 */
#ifndef RELAY_DOWNSTREAM_REASONS_H
#define RELAY_DOWNSTREAM_REASONS_H

#include "relay/base/log.h"

/*     enum            name             level    text */

/* Of clients and of replicas. */
#define CLOSE_REASONS_OF_ALL(REASON)                                                               \
    REASON(ENDED, ended, INFO, "the peer closed the connection")                                   \
    REASON(FAILED, failed, INFO, "the connection broke")                                           \
    REASON(KILLED, killed, INFO, "CLIENT KILL")                                                    \
    REASON(REVOKED, revoked, INFO, "its user was removed or has another role")                     \
    REASON(SHUTDOWN, shutdown, INFO, "the relay stops")                                            \
    REASON(MEMORY, memory, ERROR, "out of memory")

/* Of those who are no replica (yet). */
#define CLOSE_REASONS_OF_CLIENTS(REASON)                                                           \
    REASON(REJECTED, rejected, INFO, "it was not accepted")                                        \
    REASON(TLS, tls, WARNING, "it speaks TLS to the plain port")                                   \
    REASON(PROTOCOL, protocol, WARNING, "it does not speak the protocol")                          \
    REASON(UNAUTHENTICATED, unauthenticated, WARNING, "it did not authenticate in time")           \
    REASON(IDLE, idle, INFO, "idle for `timeout` seconds")                                         \
    REASON(OVERFLOW, overflow, WARNING, "it does not read its replies")                            \
    REASON(QUIT, quit, INFO, "the client sent QUIT")

/* Of replicas, waiting or attached: by what they do, what the store has for them, and what upstream has. */
#define CLOSE_REASONS_OF_REPLICAS(REASON)                                                          \
    REASON(SERVED, served, INFO, "it asked for an RDB only and has received it")                   \
    REASON(DROPPED, dropped, INFO, "RELAY DROP")                                                   \
    REASON(PAUSED, paused, INFO, "RELAY PAUSE")                                                    \
    REASON(UNEXPECTED, unexpected, WARNING, "a command on a replication link that needs a reply")  \
    REASON(SILENT, silent, WARNING, "no acknowledgement and no progress for repl-timeout")         \
    REASON(VANISHED, vanished, WARNING,                                                            \
           "its host no longer answers TCP: the host or the network is down")                      \
    REASON(LAGGED, lagged, WARNING, "it fell behind repl-backlog-max-size")                        \
    REASON(DISK_FULL, disk_full, WARNING,                                                          \
           "the disk was full, and the backlog it needed was removed")                             \
    REASON(UNREADABLE, unreadable, ERROR, "the next data to send cannot be read from disk")        \
    REASON(SNAPSHOT, snapshot, WARNING, "the RDB it was receiving turned out to be incomplete")    \
    REASON(WITHDRAWN, withdrawn, WARNING,                                                          \
           "the history it was receiving could not be stored on disk")                             \
    REASON(REWOUND, rewound, INFO, "it had received bytes that the primary does not have")         \
    REASON(RENAMED, renamed, INFO, "the primary has a new replication id")                         \
    REASON(REPLACED, replaced, INFO, "the primary has a new history")

#define CLOSE_REASONS(REASON)                                                                      \
    CLOSE_REASONS_OF_ALL(REASON)                                                                   \
    CLOSE_REASONS_OF_CLIENTS(REASON)                                                               \
    CLOSE_REASONS_OF_REPLICAS(REASON)

enum close_reason {
#define REASON(upper, lower, level, text) CLOSE_##upper,
    CLOSE_REASONS(REASON)
#undef REASON
        CLOSE_REASON_COUNT
};

const char *close_reason_name(enum close_reason reason);
const char *close_reason_text(enum close_reason reason);
enum log_level close_reason_level(enum close_reason reason);

#endif
