/* SPDX-License-Identifier: MIT */
#include "relay/os/service.h"

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
static bool read_address(struct service *service, const char *name)
{
    size_t length = strlen(name);
    bool is_local = name[0] == '/' || name[0] == '@';
    if (!is_local || length < 2 || length >= sizeof(service->address.sun_path)) {
        log_warnx("relay: NOTIFY_SOCKET=%s: expected a path, or @ and a name; the service manager "
                  "is not notified",
                  name);
        return false;
    }
    service->address.sun_family = AF_UNIX;
    memcpy(service->address.sun_path, name, length);
    if (name[0] == '@')
        service->address.sun_path[0] = '\0';
    service->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
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

void service_open(struct service *service)
{
    *service = (struct service){.socket = -1};
    const char *name = getenv("NOTIFY_SOCKET");
    if (!string_is_given(name) || !read_address(service, name))
        return;
    service->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (service->socket == -1)
        log_warn("relay: cannot speak to the service manager");
    service->watched = is_watched();
}

void service_close(struct service *service)
{
    if (service->socket != -1)
        close(service->socket);
    service->socket = -1;
}

/* --- what it is told --- */

/* Not connected: a manager that is replaced by a newer one has a new socket under the same name. False:
 * it must be tried again. One that refuses for good is not asked twice. */
static bool service_tell(const struct service *service, const char *lines)
{
    if (service->socket == -1)
        return true;
    ssize_t sent = sendto(service->socket, lines, strlen(lines), MSG_NOSIGNAL,
                          (const struct sockaddr *)&service->address, service->address_length);
    return sent != -1 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

static bool tell_word(const struct service *service)
{
    char lines[64];
    switch (service->word) {
    case SERVICE_NOTHING:
        return true;
    case SERVICE_READY:
        return service_tell(service, "READY=1\n");
    case SERVICE_RELOADING:
        /* By its time the manager knows which reload is meant. */
        snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\n", clock_us());
        return service_tell(service, lines);
    case SERVICE_STOPPING:
        return service_tell(service, "STOPPING=1\n");
    }
    UNREACHABLE("no such word");
}

void service_say(struct service *service, enum service_word word)
{
    service->word = word;
    service->is_word_owed = !tell_word(service);
}

static void tell_status(struct service *service, const char *status)
{
    char shown[SERVICE_STATUS_MAX];
    char line[SERVICE_STATUS_MAX + 16];
    bytes_printable(bytes_of(status), shown, sizeof(shown));
    if (strcmp(shown, service->status) == 0)
        return;
    snprintf(line, sizeof(line), "STATUS=%s\n", shown);
    if (service_tell(service, line))
        memcpy(service->status, shown, sizeof(shown));
}

void service_tick(struct service *service, const char *status)
{
    if (service->is_word_owed)
        service->is_word_owed = !tell_word(service);
    tell_status(service, status);
    if (service->watched && !service_tell(service, "WATCHDOG=1\n"))
        log_debug("relay: cannot send the watchdog notification: the queue of the service manager "
                  "is full");
}
