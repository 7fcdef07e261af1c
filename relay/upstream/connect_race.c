/* SPDX-License-Identifier: MIT */
#include "connect_race.h"

#include <assert.h>
#include <stdio.h>

#include "relay/base/clock.h"

static_assert(PRIMARY_CANDIDATES_MAX <= 32, "a place is a bit");

/* The only place where a state changes. */
static void connect_enter(struct connect_place *place, enum connect_state state)
{
    place->state = state;
    place->since_ms = clock_ms();
}

void connect_race_init(struct connect_race *race, struct loop *loop, connect_change_fn *on_change,
                       conn_event_fn *on_event, void *arg)
{
    *race = (struct connect_race){
        .loop = loop,
        .on_change = on_change,
        .on_event = on_event,
        .arg = arg,
    };
    for (size_t i = 0; i < PRIMARY_CANDIDATES_MAX; i++)
        race->at[i].race = race;
}

static void on_place_event(struct conn *conn, enum conn_event event, void *arg)
{
    struct connect_place *place = arg;
    struct connect_race *race = place->race;
    /* The callback stays with a connection that has been taken: from then on its events are the
     * owner's. */
    if (conn != place->conn) { /* it was taken */
        race->on_event(conn, event, race->arg);
        return;
    }
    switch (event) {
    case CONN_EVENT_UP:
        connect_enter(place, CONNECT_READY);
        break;
    case CONN_EVENT_DOWN:
        snprintf(place->error, sizeof(place->error), "%s", conn_error(conn));
        conn_close(&place->conn);
        connect_enter(place, CONNECT_FAILED);
        break;
    case CONN_EVENT_READABLE:
    case CONN_EVENT_WRITABLE:
        UNREACHABLE("nothing is wanted of a connection that was not taken");
    }
    race->on_change((size_t)(place - race->at), race->arg); /* last: it may drop the place */
}

bool connect_race_open(struct connect_race *race, size_t place,
                       const struct primary_address *address, const struct conn_options *options)
{
    struct connect_place *it = &race->at[place];
    CHECK(it->state == CONNECT_FREE);
    it->conn = conn_connect(race->loop, address->host, address->port, options, on_place_event, it);
    if (it->conn == NULL)
        return false;
    connect_enter(it, CONNECT_WAITING);
    return true;
}

struct conn *connect_race_take(struct connect_race *race, size_t place)
{
    struct connect_place *it = &race->at[place];
    struct conn *conn = it->conn;
    CHECK(it->state == CONNECT_READY);
    it->conn = NULL;
    connect_enter(it, CONNECT_FREE);
    return conn;
}

void connect_race_drop(struct connect_race *race, size_t place)
{
    struct connect_place *it = &race->at[place];
    if (it->conn != NULL)
        conn_close(&it->conn);
    connect_enter(it, CONNECT_FREE);
}

void connect_race_drop_all(struct connect_race *race)
{
    for (size_t i = 0; i < PRIMARY_CANDIDATES_MAX; i++)
        connect_race_drop(race, i);
}

/* A server may close a connection on which nothing is said: the turn of this one shall begin
 * with a new one. */
void connect_race_tick(struct connect_race *race)
{
    for (size_t i = 0; i < PRIMARY_CANDIDATES_MAX; i++) {
        const struct connect_place *place = &race->at[i];
        if (place->state == CONNECT_READY && clock_silence_ms(place->since_ms) > CONNECT_READY_MS)
            connect_race_drop(race, i);
    }
}

uint32_t connect_race_used(const struct connect_race *race)
{
    uint32_t used = 0;
    for (size_t i = 0; i < PRIMARY_CANDIDATES_MAX; i++)
        used |= race->at[i].state == CONNECT_FREE ? 0 : UINT32_C(1) << i;
    return used;
}

uint32_t connect_race_hanging(const struct connect_race *race)
{
    uint32_t hanging = 0;
    for (size_t i = 0; i < PRIMARY_CANDIDATES_MAX; i++) {
        bool hangs = race->at[i].state == CONNECT_WAITING && connect_race_patience_ms(race, i) == 0;
        hanging |= hangs ? UINT32_C(1) << i : 0;
    }
    return hanging;
}

int64_t connect_race_patience_ms(const struct connect_race *race, size_t place)
{
    int64_t left_ms = race->at[place].since_ms + CONNECT_STAGGER_MS - clock_ms();
    return left_ms > 0 ? left_ms : 0;
}
