/* SPDX-License-Identifier: MIT
 *
 * What a history says to bytes of the stream.
 */
#ifndef RELAY_STORE_BACKLOG_SPACE_H
#define RELAY_STORE_BACKLOG_SPACE_H

enum backlog_space {
    BACKLOG_SPACE,    /* they are taken, and more may come */
    BACKLOG_NO_SPACE, /* the disk is full even without all that may be given up, or it fails: later */
    BACKLOG_HELD, /* the next segment is being made; or the cap is reached, and cursors still hold what was given up, or
                   * more has to be durable before the oldest may be: very soon */
};

/* The most that is appended at once. */
enum { BACKLOG_APPEND_MAX = 256 * 1024 };

#endif
