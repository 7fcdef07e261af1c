/* SPDX-License-Identifier: MIT */
#include "connection_limiter.h"

#include <inttypes.h>

#include "relay/base/bytes.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/caller.h"

enum {
    DESCRIPTORS_SPARE = 32, /* for a segment, an RDB, the link, while a crowd is at the door */
};

/* The words of servers of this protocol, which clients look for. */
static const struct refusal {
    const char *words;
    const char *cause; /* for the log */
} refusals[ENTRY_COUNT] = {
    [ENTRY_PROTECTED] =
        {"-DENIED psync-relay is running in protected mode because protected mode is enabled and "
         "no "
         "password is set. In this mode connections are only accepted from the loopback interface. "
         "If you want to connect from external computers you may adopt one of the following "
         "solutions: 1) Set a password with requirepass or requirepass-file in [downstream], and "
         "restart the relay. 2) Disable protected mode by setting protected-mode to no in "
         "[downstream], and restart it; however MAKE SURE it is not publicly accessible from the "
         "internet if you do so. 3) If you started it manually just for testing, restart it with "
         "the option --set downstream.protected-mode=no. NOTE: You only need to do one of the "
         "above "
         "things in order for it to start accepting connections from the outside.\r\n",
         "no password is set and protected-mode is on: set requirepass"},
    [ENTRY_CLIENTS] = {"-ERR max number of clients reached\r\n",
                       "there are maxclients connections already"},
    [ENTRY_DESCRIPTORS] = {"-ERR max number of clients reached\r\n",
                           "few open files are left, and the store needs them: raise the limit "
                           "(ulimit -n, LimitNOFILE)"},
};

static const char unavailable[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                                  "Content-Length: 0\r\nConnection: close\r\n\r\n";

enum entry connection_limiter_judge(const struct connection_limiter *connection_limiter, int fd,
                                    bool is_local, uint64_t connected)
{
    if (connection_limiter->local_only && !is_local)
        return ENTRY_PROTECTED;
    if (connected >= connection_limiter->clients_max)
        return ENTRY_CLIENTS;
    if (connection_limiter->descriptors_max != 0 &&
        (uint64_t)fd + DESCRIPTORS_SPARE >= connection_limiter->descriptors_max)
        return ENTRY_DESCRIPTORS;
    return ENTRY_FREE;
}

static void connection_limiter_tell(struct connection_limiter *connection_limiter, enum entry entry,
                                    int fd)
{
    char sum[LOG_REPEAT_SUM_MAX];
    connection_limiter->refused++;
    if (!log_repeat_note(&connection_limiter->refusals[entry], "", clock_ms(), sum))
        return;
    char peer[CALLER_NAME_MAX];
    caller_format(fd, peer);
    log_warnx("downstream: connection addr=%s refused%s: %s (further ones are summarised)", peer,
              sum, refusals[entry].cause);
}

/* Somebody is let in: what had no room has it again. */
static void tell_end(struct connection_limiter *connection_limiter)
{
    static const enum entry of_room[] = {ENTRY_CLIENTS, ENTRY_DESCRIPTORS};
    char sum[LOG_REPEAT_SUM_MAX];
    for (size_t i = 0; i < LENGTH_OF(of_room); i++) {
        if (log_repeat_goes_on(&connection_limiter->refusals[of_room[i]]) &&
            log_repeat_end(&connection_limiter->refusals[of_room[i]], clock_ms(), sum))
            log_info("downstream: connections are accepted again%s", sum);
    }
}

bool connection_limiter_admit(struct connection_limiter *connection_limiter, int fd,
                              uint64_t connected, bool is_tls, bool is_http)
{
    bool is_known = is_tls && connection_limiter->tls_knows_callers;
    bool is_local = !connection_limiter->local_only || is_known || caller_is_local(fd);
    enum entry entry = connection_limiter_judge(connection_limiter, fd, is_local, connected);
    if (entry == ENTRY_FREE) {
        tell_end(connection_limiter);
        return true;
    }
    connection_limiter_tell(connection_limiter, entry, fd);
    const char *words = is_http ? unavailable : refusals[entry].words;
    caller_turn_away(fd, bytes_of(is_tls ? "" : words));
    return false;
}
