/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"

/* --- what the manager has left in the environment --- */

/* A path, or with '@' before it a name in the abstract namespace. */
static bool read_address(struct notify *notify, const char *name)
{
    size_t length = strlen(name);
    bool is_local = name[0] == '/' || name[0] == '@';
    if (!is_local || length < 2 || length >= sizeof(notify->address.sun_path)) {
        log_warnx("relay: NOTIFY_SOCKET=%s: expected a path, or @ and a name; the service manager "
                  "is not notified",
                  name);
        return false;
    }
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, name, length);
    if (name[0] == '@')
        notify->address.sun_path[0] = '\0';
    notify->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

/* WATCHDOG_PID names the process that is watched; without it any is. */
static bool is_watched(void)
{
    const char *interval = getenv("WATCHDOG_USEC");
    const char *whom = getenv("WATCHDOG_PID");
    uint64_t number;
    if (interval == NULL || !bytes_to_u64(bytes_of(interval), &number) || number == 0)
        return false;
    return whom == NULL || (bytes_to_u64(bytes_of(whom), &number) && number == (uint64_t)getpid());
}

void notify_open(struct notify *notify)
{
    *notify = (struct notify){.socket = -1};
    const char *name = getenv("NOTIFY_SOCKET");
    if (name == NULL || name[0] == '\0' || !read_address(notify, name))
        return;
    notify->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->socket == -1)
        log_warn("relay: cannot speak to the service manager");
    notify->watched = is_watched();
}

void notify_close(struct notify *notify)
{
    if (notify->socket != -1)
        close(notify->socket);
    notify->socket = -1;
}

/* --- what it is told --- */

/* Not connected: a manager that is replaced by a newer one has a new socket under the same name. False:
 * it must be tried again. One that refuses for good is not asked twice. */
static bool tell(const struct notify *notify, const char *lines)
{
    if (notify->socket == -1)
        return true;
    ssize_t sent = sendto(notify->socket, lines, strlen(lines), MSG_NOSIGNAL,
                          (const struct sockaddr *)&notify->address, notify->address_length);
    return sent != -1 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

static bool tell_word(const struct notify *notify)
{
    char lines[64];
    switch (notify->word) {
    case NOTIFY_NOTHING:
        return true;
    case NOTIFY_READY:
        return tell(notify, "READY=1\n");
    case NOTIFY_RELOADING:
        /* By its time the manager knows which reload is meant. */
        snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n", clock_us());
        return tell(notify, lines);
    case NOTIFY_STOPPING:
        return tell(notify, "STOPPING=1\n");
    }
    UNREACHABLE("no such word");
}

void notify_say(struct notify *notify, enum notify_word word)
{
    notify->word = word;
    notify->is_word_owed = !tell_word(notify);
}

static void tell_status(struct notify *notify, const char *status)
{
    char shown[NOTIFY_STATUS_MAX];
    char line[NOTIFY_STATUS_MAX + 16];
    bytes_printable(bytes_of(status), shown, sizeof(shown));
    if (strcmp(shown, notify->status) == 0)
        return;
    snprintf(line, sizeof(line), "STATUS=%s\n", shown);
    if (tell(notify, line))
        memcpy(notify->status, shown, sizeof(shown));
}

void notify_tick(struct notify *notify, const char *status)
{
    if (notify->is_word_owed)
        notify->is_word_owed = !tell_word(notify);
    tell_status(notify, status);
    if (notify->watched && !tell(notify, "WATCHDOG=1\n"))
        log_debug("relay: cannot send the watchdog notification: the queue of the service manager "
                  "is full");
}
