/* SPDX-License-Identifier: MIT */
#include "replica.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "relay/base/check.h"
#include "sim.h"
#include "talker.h"

enum {
    RETRY_US = SIM_S,
    TICK_US = SIM_S,
    SILENCE_US = 60 * SIM_S,
    LOAD_US_MOST = 2 * SIM_S,
    RDB_BYTES_MAX = 4 * 1024 * 1024,
};

enum replica_state {
    REPLICA_OFF,
    REPLICA_RETRIES,
    REPLICA_CONNECTS,
    REPLICA_ASKS, /* its handshake */
    REPLICA_AWAITS_PSYNC,
    REPLICA_AWAITS_RDB,
    REPLICA_TAKES_RDB,
    REPLICA_LOADS,
    REPLICA_ONLINE,
};

struct replica {
    unsigned number;
    unsigned host;
    unsigned to;
    uint16_t port;
    enum replica_state state;
    unsigned life;
    int64_t paused_until_us;
    int64_t heard_us;
    struct talker talker;
    unsigned answers;          /* still to come in the handshake */
    struct timeline *timeline; /* what it has is of; NULL: nothing */
    uint64_t offset;           /* the last boundary that it has applied */
    uint64_t received;         /* the last byte: beyond it half a command */
    uint64_t acknowledged;
    struct timeline *told; /* by +FULLRESYNC */
    uint64_t told_offset;
    size_t rdb_length; /* 0: up to the mark */
    char mark[41];
    uint64_t full_syncs;
    uint64_t links_lost;
    int64_t online_us;            /* since when */
    uint64_t most[TIMELINES_MAX]; /* the greatest offset that it has had of each timeline */
    struct timeline *of[TIMELINES_MAX];
};

struct life {
    struct replica *replica;
    unsigned life;
};

static void on_socket(struct socket *socket, void *arg);

struct replica *replica_new(unsigned number, unsigned host, unsigned to, uint16_t port)
{
    struct replica *replica = calloc(1, sizeof *replica);
    CHECK(replica != NULL);
    *replica = (struct replica){.number = number, .host = host, .to = to, .port = port};
    return replica;
}

bool replica_is_running(const struct replica *replica)
{
    return replica->state != REPLICA_OFF;
}

bool replica_is_online(const struct replica *replica)
{
    return replica->state == REPLICA_ONLINE;
}

unsigned replica_follows(const struct replica *replica)
{
    return replica->to;
}

struct timeline *replica_timeline(const struct replica *replica)
{
    return replica->timeline;
}

uint64_t replica_offset(const struct replica *replica)
{
    return replica->offset;
}

uint64_t replica_acknowledged(const struct replica *replica)
{
    return replica->acknowledged;
}

uint64_t replica_full_syncs(const struct replica *replica)
{
    return replica->full_syncs;
}

uint64_t replica_links_lost(const struct replica *replica)
{
    return replica->links_lost;
}

uint64_t replica_most(const struct replica *replica)
{
    uint64_t most = 0;
    for (size_t i = 0; i < TIMELINES_MAX; i++)
        most = replica->most[i] > most ? replica->most[i] : most;
    return most;
}

bool replica_ever_had(const struct replica *replica, const struct timeline *timeline,
                      uint64_t offset)
{
    for (size_t i = 0; i < TIMELINES_MAX; i++) {
        if (replica->of[i] != NULL && replica->most[i] >= offset &&
            timeline_common(replica->of[i], timeline) >= offset)
            return true;
    }
    return false;
}

int64_t replica_attached_since_us(const struct replica *replica)
{
    bool is_attached = replica->state == REPLICA_ONLINE && !replica->talker.socket->peer->is_closed;
    return is_attached ? replica->online_us : SIM_NEVER;
}

static void set_state(struct replica *replica, enum replica_state state)
{
    if (state == REPLICA_ONLINE)
        replica->online_us = sim_now_us();
    replica->state = state;
}

static void set_offset(struct replica *replica, uint64_t offset)
{
    unsigned number = replica->timeline->number;
    replica->offset = offset;
    replica->of[number] = replica->timeline;
    if (offset > replica->most[number])
        replica->most[number] = offset;
}

/* ---- its link ---- */

static struct life *life_of(struct replica *replica)
{
    struct life *life = malloc(sizeof *life);
    CHECK(life != NULL);
    *life = (struct life){replica, replica->life};
    return life;
}

static bool take_life(void *arg, struct replica **replica)
{
    struct life life = *(struct life *)arg;
    free(arg);
    *replica = life.replica;
    return life.replica->life == life.life;
}

static void on_retry(void *arg)
{
    struct replica *replica;
    if (!take_life(arg, &replica) || replica->state != REPLICA_RETRIES)
        return;
    replica->state = REPLICA_CONNECTS;
    replica->heard_us = sim_now_us();
    talker_open(&replica->talker,
                socket_dial(replica->host, replica->to, replica->port, on_socket, replica));
}

/* The link is lost: what was half a command is forgotten. */
static void lose_link(struct replica *replica)
{
    replica->links_lost += replica->state == REPLICA_ONLINE;
    if (replica->state > REPLICA_CONNECTS)
        trace("replica %u loses its link at %" PRIu64, replica->number, replica->offset);
    talker_close(&replica->talker);
    replica->received = replica->offset;
    replica->acknowledged = 0;
    replica->state = REPLICA_RETRIES;
    replica->life++;
    alarm_in(random_between(SIM_MS, RETRY_US), on_retry, life_of(replica));
}

static void acknowledge(struct replica *replica)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, replica->offset);
    replica->acknowledged = replica->offset;
    talker_command(&replica->talker, "REPLCONF", "ACK", number, NULL);
}

static void on_tick(void *arg)
{
    struct replica *replica;
    if (!take_life(arg, &replica))
        return;
    bool is_paused = replica->paused_until_us > sim_now_us();
    if (!is_paused && sim_now_us() - replica->heard_us > SILENCE_US) {
        lose_link(replica);
        return;
    }
    if (!is_paused && replica->state == REPLICA_ONLINE)
        acknowledge(replica);
    if (!is_paused && replica->state == REPLICA_LOADS)
        talker_say(&replica->talker, "\n");
    if (!is_paused && replica->talker.socket != NULL)
        on_socket(replica->talker.socket, replica);
    if (replica->talker.socket != NULL)
        alarm_in(TICK_US, on_tick, life_of(replica));
}

static void begin_handshake(struct replica *replica)
{
    char port[8];
    snprintf(port, sizeof port, "%u", 7000 + replica->number);
    replica->state = REPLICA_ASKS;
    replica->answers = 3;
    talker_command(&replica->talker, "PING", NULL);
    talker_command(&replica->talker, "REPLCONF", "listening-port", port, NULL);
    talker_command(&replica->talker, "REPLCONF", "capa", "eof", "capa", "psync2", NULL);
    alarm_in(TICK_US, on_tick, life_of(replica));
}

static void ask_psync(struct replica *replica)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64,
             replica->timeline == NULL ? -1 : (int64_t)replica->offset + 1);
    replica->state = REPLICA_AWAITS_PSYNC;
    talker_command(&replica->talker, "PSYNC",
                   replica->timeline == NULL ? "?" : replica->timeline->id, number, NULL);
}

/* ---- what the relay answers ---- */

static bool take_fullresync(struct replica *replica, const char *line)
{
    char id[ID_BYTES];
    if (sscanf(line, "+FULLRESYNC %40s %" SCNu64, id, &replica->told_offset) != 2)
        return false;
    replica->told = timeline_find(id);
    if (replica->told == NULL)
        sim_fail("replica %u was told the id %s, which no primary has", replica->number, id);
    else if (replica->told_offset > timeline_end(replica->told))
        sim_fail("replica %u was told offset %" PRIu64 " of %.8s, which ends at %" PRIu64,
                 replica->number, replica->told_offset, id, timeline_end(replica->told));
    trace("replica %u full sync %.8s %" PRIu64, replica->number, id, replica->told_offset);
    replica->full_syncs++;
    replica->state = REPLICA_AWAITS_RDB;
    return true;
}

static bool take_continue(struct replica *replica, const char *line)
{
    char id[ID_BYTES];
    if (sscanf(line, "+CONTINUE %40s", id) != 1)
        return false;
    struct timeline *timeline = timeline_find(id);
    uint64_t common = timeline == NULL ? 0 : timeline_common(timeline, replica->timeline);
    if (timeline == NULL)
        sim_fail("replica %u was told to continue %s, which no primary has", replica->number, id);
    else if (common < replica->offset)
        sim_fail("replica %u has %" PRIu64
                 " of %.8s and was told to continue %.8s, which parts at %" PRIu64,
                 replica->number, replica->offset, replica->timeline->id, id, common);
    trace("replica %u continues %.8s at %" PRIu64, replica->number, id, replica->offset);
    replica->timeline = timeline;
    replica->received = replica->offset;
    set_state(replica, REPLICA_ONLINE);
    return true;
}

/* False: the line is not whole, or the link is lost. */
static bool take_line(struct replica *replica)
{
    char line[256];
    if (!talker_take_line(&replica->talker, line, sizeof line))
        return false;
    if (line[0] == '\0')
        return true;
    if (replica->state == REPLICA_ASKS) {
        if (line[0] != '+') {
            lose_link(replica);
            return false;
        }
        if (--replica->answers == 0)
            ask_psync(replica);
        return true;
    }
    if (replica->state == REPLICA_AWAITS_PSYNC) {
        if (take_fullresync(replica, line) || take_continue(replica, line))
            return true;
        trace("replica %u is refused: %s", replica->number, line);
        lose_link(replica);
        return false;
    }
    replica->mark[0] = '\0';
    replica->rdb_length = 0;
    if (sscanf(line, "$EOF:%40s", replica->mark) != 1 &&
        sscanf(line, "$%zu", &replica->rdb_length) != 1)
        sim_fail("replica %u got '%s' in place of an RDB", replica->number, line);
    replica->state = REPLICA_TAKES_RDB;
    return true;
}

static void end_loading(void *arg)
{
    struct replica *replica;
    if (!take_life(arg, &replica) || replica->state != REPLICA_LOADS)
        return;
    set_state(replica, REPLICA_ONLINE);
    acknowledge(replica);
    on_socket(replica->talker.socket, replica);
}

static bool take_rdb(struct replica *replica)
{
    struct talker *talker = &replica->talker;
    bool has_mark = replica->mark[0] != '\0';
    size_t length = replica->rdb_length;
    if (has_mark) {
        /* Nothing follows the mark before the first ACK, so it is the end of what has come. */
        if (talker->in_length < 40 ||
            memcmp(talker->in + talker->in_length - 40, replica->mark, 40) != 0)
            return false;
        length = talker->in_length - 40;
    }
    if (talker->in_length < length)
        return false;
    const char *why = rdb_check(talker->in, length, replica->told->id, replica->told_offset);
    if (why != NULL)
        sim_fail("replica %u got an RDB of %.8s %" PRIu64 ": %s", replica->number,
                 replica->told->id, replica->told_offset, why);
    talker_drop(talker, length + (has_mark ? 40 : 0));
    replica->timeline = replica->told;
    replica->received = replica->told_offset;
    set_offset(replica, replica->told_offset);
    replica->state = REPLICA_LOADS;
    alarm_in(random_between(SIM_MS, LOAD_US_MOST), end_loading, life_of(replica));
    return true;
}

/* Every byte is that of the primary at this offset; whole commands are applied. */
static void take_stream(struct replica *replica)
{
    struct talker *talker = &replica->talker;
    struct timeline *timeline = replica->timeline;
    if (replica->received + talker->in_length > timeline_end(timeline)) {
        sim_fail("replica %u got %zu bytes behind %" PRIu64 " of %.8s, which ends at %" PRIu64,
                 replica->number, talker->in_length, replica->received, timeline->id,
                 timeline_end(timeline));
        return;
    }
    const uint8_t *truth = timeline_bytes(timeline, replica->received);
    if (memcmp(truth, talker->in, talker->in_length) != 0) {
        size_t at = 0;
        while (truth[at] == talker->in[at])
            at++;
        sim_fail("replica %u got a wrong byte at %" PRIu64 " of %.8s", replica->number,
                 replica->received + at + 1, timeline->id);
        return;
    }
    static const char getack[] = "GETACK";
    bool asks = memmem(talker->in, talker->in_length, getack, sizeof getack - 1) != NULL;
    replica->received += talker->in_length;
    talker_drop(talker, talker->in_length);
    set_offset(replica, timeline_boundary_before(timeline, replica->received));
    if (asks)
        acknowledge(replica);
}

static void on_socket(struct socket *socket, void *arg)
{
    struct replica *replica = arg;
    struct talker *talker = &replica->talker;
    if (talker->socket != socket || replica->paused_until_us > sim_now_us())
        return;
    if (socket->state == SOCKET_CONNECTING)
        return;
    if (socket->state == SOCKET_UP && replica->state == REPLICA_CONNECTS)
        begin_handshake(replica);
    if (replica->state == REPLICA_LOADS) /* it does not read meanwhile */
        return;
    size_t before = talker->in_length;
    talker_receive(talker, RDB_BYTES_MAX);
    if (talker->in_length > before)
        replica->heard_us = sim_now_us();
    bool goes_on = true;
    while (goes_on && sim_failure() == NULL) {
        if (replica->state == REPLICA_TAKES_RDB)
            goes_on = take_rdb(replica);
        else if (replica->state >= REPLICA_ASKS && replica->state < REPLICA_TAKES_RDB)
            goes_on = take_line(replica);
        else
            goes_on = false;
    }
    if (replica->state == REPLICA_ONLINE && talker->in_length > 0)
        take_stream(replica);
    if (replica->talker.socket == socket && talker->has_ended && replica->state != REPLICA_LOADS)
        lose_link(replica);
    else
        talker_flush(talker);
}

/* ---- its life ---- */

void replica_start(struct replica *replica)
{
    CHECK(replica->state == REPLICA_OFF);
    trace("replica %u starts at %" PRIu64, replica->number, replica->offset);
    replica->paused_until_us = 0;
    lose_link(replica);
}

void replica_end(struct replica *replica, bool keeps_data)
{
    trace("replica %u ends%s", replica->number, keeps_data ? "" : " and loses its data");
    talker_close(&replica->talker);
    replica->state = REPLICA_OFF;
    replica->life++;
    replica->acknowledged = 0;
    replica->received = replica->offset;
    if (!keeps_data)
        replica->timeline = NULL;
}

/* What has come meanwhile is looked at. */
static void on_resume(void *arg)
{
    struct replica *replica = arg;
    if (replica->talker.socket != NULL)
        on_socket(replica->talker.socket, replica);
}

void replica_pause(struct replica *replica, int64_t until_us)
{
    if (until_us > sim_now_us())
        trace("replica %u is paused", replica->number);
    replica->paused_until_us = until_us;
    alarm_at(until_us, on_resume, replica);
}

void replica_cut(struct replica *replica)
{
    if (replica->talker.socket != NULL)
        socket_reset(replica->talker.socket);
}
