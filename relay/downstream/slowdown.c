/* SPDX-License-Identifier: MIT */
#include "slowdown.h"

#include <stdio.h>
#include <string.h>

enum { NOT_FOUND = -1, FIRST_WAIT_MS = 1000 };

static int find(const struct slowdown *slowdown, const char *address, uint16_t port)
{
    for (int i = 0; i < SLOWDOWN_PLACES; i++) {
        if (slowdown->place[i].port == port && strcmp(slowdown->place[i].address, address) == 0)
            return i;
    }
    return NOT_FOUND;
}

static int oldest(const struct slowdown *slowdown)
{
    int found = 0;
    for (int i = 1; i < SLOWDOWN_PLACES; i++) {
        if (slowdown->place[i].last_ms < slowdown->place[found].last_ms)
            found = i;
    }
    return found;
}

/* Once may be chance: a replica that was restarted, a tool that had seen enough. */
static int64_t wait_ms(unsigned rounds)
{
    if (rounds < 2)
        return 0;
    int64_t wait = FIRST_WAIT_MS;
    for (unsigned i = 2; i < rounds && wait < SLOWDOWN_MS_MAX; i++)
        wait *= 2;
    return wait < SLOWDOWN_MS_MAX ? wait : SLOWDOWN_MS_MAX;
}

/* Its last round counts for as long as it was made to wait, and some more. */
static bool is_recent(const struct slowdown *slowdown, int place, int64_t now_ms)
{
    int64_t age_ms = now_ms - slowdown->place[place].last_ms;
    return age_ms <= SLOWDOWN_RECENT_MS + wait_ms(slowdown->place[place].rounds);
}

void slowdown_note(struct slowdown *slowdown, const char *address, uint16_t port,
                   int64_t rdb_sent_ms, int64_t now_ms)
{
    if (port == 0 || rdb_sent_ms == 0 || now_ms - rdb_sent_ms > SLOWDOWN_RECENT_MS)
        return;
    int place = find(slowdown, address, port);
    if (place == NOT_FOUND) {
        place = oldest(slowdown);
        slowdown->place[place].port = port;
        slowdown->place[place].rounds = 0;
        snprintf(slowdown->place[place].address, sizeof(slowdown->place[place].address), "%s",
                 address);
    } else if (!is_recent(slowdown, place, now_ms)) {
        slowdown->place[place].rounds = 0;
    }
    slowdown->place[place].rounds++;
    slowdown->place[place].last_ms = now_ms;
}

int64_t slowdown_ms(const struct slowdown *slowdown, const char *address, uint16_t port,
                    int64_t now_ms)
{
    int place = port != 0 ? find(slowdown, address, port) : NOT_FOUND;
    if (place == NOT_FOUND || !is_recent(slowdown, place, now_ms))
        return 0;
    return wait_ms(slowdown->place[place].rounds);
}

void slowdown_forget(struct slowdown *slowdown, const char *address, uint16_t port)
{
    int place = port != 0 ? find(slowdown, address, port) : NOT_FOUND;
    if (place != NOT_FOUND)
        memset(&slowdown->place[place], 0, sizeof(slowdown->place[place]));
}
