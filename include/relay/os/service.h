/* SPDX-License-Identifier: MIT
 *
 * What the service manager is told: that we are ready, reload, stop, live, and in a line how we are
 * (`systemctl status`). It is sd_notify(3)'s protocol, which systemd keeps stable and lets everybody
 * implement: a datagram of NAME=VALUE lines to the socket that NOTIFY_SOCKET names. It is so small that
 * libsystemd, with what that is linked with, is no part of this program.
 *
 *     service_open(&service);
 *     service_say(&service, SERVICE_READY);
 *     each second: service_tick(&service, "streaming from 10.0.0.1:6379");
 *     service_close(&service);
 *
 * Without a NOTIFY_SOCKET nothing is sent. Nothing here waits: a word that the manager has no room for
 * is sent again at the next tick.
 *
 * Owner: relay.c. Thread: thread 0.
 */
#ifndef RELAY_OS_SERVICE_H
#define RELAY_OS_SERVICE_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

enum service_word {
    SERVICE_NOTHING, /* yet */
    SERVICE_READY,
    SERVICE_RELOADING, /* until the next SERVICE_READY */
    SERVICE_STOPPING,
};

enum { SERVICE_STATUS_MAX = 256 };

struct service {
    int socket; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_length;
    bool
        watched; /* WatchdogSec is set: each tick is a sign of life, so it must be 2 seconds or more */
    enum service_word word;          /* the last one */
    bool is_word_owed;               /* the manager had no room for it */
    char status[SERVICE_STATUS_MAX]; /* told last */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. What cannot be used is logged, and no obstacle. */
void service_open(struct service *service);
void service_close(struct service *service);

void service_say(struct service *service, enum service_word word);

/* Every second: a sign of life, and `status` when it is another than before. Of a status only printable
 * ASCII is told, so that what a peer has said is no line of the protocol. */
void service_tick(struct service *service, const char *status);

#endif
