/* SPDX-License-Identifier: MIT
 *
 * What the service manager is told: that we are ready, reload, stop, live, and in a line how we are
 * (`systemctl status`). It is sd_notify(3)'s protocol, which systemd keeps stable and lets everybody
 * implement: a datagram of NAME=VALUE lines to the socket that NOTIFY_SOCKET names. It is so small that
 * libsystemd, with what that is linked with, is no part of this program.
 *
 *     notify_open(&notify);
 *     notify_say(&notify, NOTIFY_READY);
 *     each second: notify_tick(&notify, "streaming from 10.0.0.1:6379");
 *     notify_close(&notify);
 *
 * Without a NOTIFY_SOCKET nothing is sent. Nothing here waits: a word that the manager has no room for
 * is sent again at the next tick.
 *
 * Owner: relay.c. Thread: thread 0.
 */
#ifndef RELAY_NOTIFY_H
#define RELAY_NOTIFY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

enum notify_word {
    NOTIFY_NOTHING, /* yet */
    NOTIFY_READY,
    NOTIFY_RELOADING, /* until the next NOTIFY_READY */
    NOTIFY_STOPPING,
};

enum { NOTIFY_STATUS_MAX = 256 };

struct notify {
    int socket; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_length;
    bool
        watched; /* WatchdogSec is set: each tick is a sign of life, so it must be 2 seconds or more */
    enum notify_word word;          /* the last one */
    bool is_word_owed;              /* the manager had no room for it */
    char status[NOTIFY_STATUS_MAX]; /* told last */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. What cannot be used is logged, and no obstacle. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

void notify_say(struct notify *notify, enum notify_word word);

/* Every second: a sign of life, and `status` when it is another than before. Of a status only printable
 * ASCII is told, so that what a peer has said is no line of the protocol. */
void notify_tick(struct notify *notify, const char *status);

#endif
