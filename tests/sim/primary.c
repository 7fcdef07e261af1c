/* SPDX-License-Identifier: MIT */
#include "primary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "network.h"
#include "relay/base/check.h"
#include "sim.h"
#include "talker.h"

enum {
    GUESTS_MAX = 64,
    FORK_US_LEAST = 5 * SIM_MS,
    FORK_US_MOST = 900 * SIM_MS,
    WRITE_US_MOST = 120 * SIM_MS,
    PING_US = 10 * SIM_S,
    ROOM_LEAST = 4096,
};

enum guest_state {
    GUEST_COMMANDS,
    GUEST_WAITS_FORK,
    GUEST_TAKES_RDB,
    GUEST_WAITS_ACK,
    GUEST_ONLINE
};

struct rdb {
    unsigned users;
    uint64_t offset;
    uint8_t *bytes;
    size_t length;
};

struct guest {
    struct primary *primary; /* NULL: free */
    struct talker talker;
    enum guest_state state;
    bool has_eof;
    bool is_rdb_only;
    uint64_t next; /* offset of the stream's byte before the next to be sent */
    struct rdb *rdb;
    size_t rdb_sent;
    char mark[41];
};

struct primary {
    unsigned host;
    uint16_t port;
    bool is_up;
    bool is_quiet;
    unsigned life; /* alarms of an earlier one mean nothing */
    int64_t started_us;
    int64_t paused_until_us;
    int64_t pinged_us;
    char run_id[ID_BYTES];
    struct timeline *timeline;
    size_t rdb_filler;
    uint64_t backlog_bytes;
    uint64_t backlog_first; /* the first offset that a PSYNC may ask for */
    struct socket *listener;
    struct guest guests[GUESTS_MAX];
    bool is_forking;
    struct primary_counts counts;
    primary_ack_fn *on_ack;
    void *on_ack_arg;
    primary_psync_fn *on_psync;
    void *on_psync_arg;
};

struct life {
    struct primary *primary;
    unsigned life;
};

static void guest_advance(struct guest *guest);

struct primary *primary_new(unsigned host, uint16_t port)
{
    struct primary *primary = calloc(1, sizeof *primary);
    CHECK(primary != NULL);
    primary->host = host;
    primary->port = port;
    primary->rdb_filler = 4096;
    primary->backlog_bytes = 256 * 1024;
    return primary;
}

void primary_on_ack(struct primary *primary, primary_ack_fn *fn, void *arg)
{
    primary->on_ack = fn;
    primary->on_ack_arg = arg;
}

void primary_on_psync(struct primary *primary, primary_psync_fn *fn, void *arg)
{
    primary->on_psync = fn;
    primary->on_psync_arg = arg;
}

void primary_set_rdb_bytes(struct primary *primary, size_t filler)
{
    primary->rdb_filler = filler;
}

void primary_set_backlog(struct primary *primary, uint64_t bytes)
{
    primary->backlog_bytes = bytes;
}

bool primary_is_up(const struct primary *primary)
{
    return primary->is_up;
}

struct timeline *primary_timeline(const struct primary *primary)
{
    return primary->timeline;
}

unsigned primary_host(const struct primary *primary)
{
    return primary->host;
}

const struct primary_counts *primary_counts(const struct primary *primary)
{
    return &primary->counts;
}

void primary_set_quiet(struct primary *primary, bool on)
{
    primary->is_quiet = on;
}

void primary_drop_backlog(struct primary *primary)
{
    trace("primary %u has no backlog any more", primary->host);
    primary->backlog_first = timeline_end(primary->timeline) + 1;
}

void primary_pause(struct primary *primary, int64_t until_us)
{
    if (until_us > sim_now_us())
        trace("primary %u is paused", primary->host);
    primary->paused_until_us = until_us;
}

/* ---- guests ---- */

static void release_rdb(struct rdb *rdb)
{
    if (rdb == NULL || --rdb->users > 0)
        return;
    free(rdb->bytes);
    free(rdb);
}

static void guest_end(struct guest *guest)
{
    release_rdb(guest->rdb);
    guest->rdb = NULL;
    talker_close(&guest->talker);
    guest->primary = NULL;
}

static void say_info(struct guest *guest, const char *section)
{
    struct primary *primary = guest->primary;
    struct timeline *timeline = primary->timeline;
    char text[1024];
    int length;
    if (strcasecmp(section, "server") == 0)
        length =
            snprintf(text, sizeof text,
                     "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nrun_id:%s\r\n"
                     "uptime_in_seconds:%" PRId64 "\r\n",
                     primary->run_id, (sim_now_us() - primary->started_us) / SIM_S);
    else if (strcasecmp(section, "replication") == 0)
        length =
            snprintf(text, sizeof text,
                     "# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:%s\r\n"
                     "master_replid2:%s\r\nmaster_repl_offset:%" PRIu64
                     "\r\nsecond_repl_offset:%" PRId64 "\r\n",
                     timeline->id,
                     timeline->before != NULL ? timeline->before->id
                                              : "0000000000000000000000000000000000000000",
                     timeline_end(timeline),
                     timeline->before != NULL ? (int64_t)timeline->parted_at + 1 : -1);
    else if (strcasecmp(section, "keyspace") == 0)
        length = snprintf(text, sizeof text, "# Keyspace\r\n%s",
                          timeline->length > 0 ? "db0:keys=17,expires=0,avg_ttl=0\r\n" : "");
    else
        length = snprintf(text, sizeof text, "# %s\r\nused_memory_dataset:100000\r\n", section);
    talker_say(&guest->talker, "$%d\r\n%s\r\n", length, text);
}

/* Is the byte that is asked for still there, and was all before it the same? */
static bool may_continue(const struct primary *primary, const struct timeline *asked,
                         uint64_t first)
{
    const struct timeline *timeline = primary->timeline;
    if (asked == NULL || first < primary->backlog_first || first > timeline_end(timeline) + 1)
        return false;
    if (asked == timeline)
        return true;
    /* As a server has it: it knows one id before its own. */
    return asked == timeline->before && first <= timeline->parted_at + 1;
}

static void end_fork(void *arg);

static void begin_fork(struct primary *primary)
{
    if (primary->is_forking)
        return;
    primary->is_forking = true;
    primary->counts.forks++;
    struct life *life = malloc(sizeof *life);
    CHECK(life != NULL);
    *life = (struct life){primary, primary->life};
    alarm_in(random_between(FORK_US_LEAST, FORK_US_MOST), end_fork, life);
}

static void answer_psync(struct guest *guest, const char *id, const char *first_text)
{
    struct primary *primary = guest->primary;
    uint64_t first = strtoull(first_text, NULL, 10);
    struct timeline *asked = timeline_find(id);
    if (primary->on_psync != NULL && !guest->is_rdb_only)
        primary->on_psync(primary, guest->talker.socket->peer_host, asked, first,
                          primary->on_psync_arg);
    if (!guest->is_rdb_only && may_continue(primary, asked, first)) {
        trace("primary %u continues %.8s at %" PRIu64, primary->host, id, first);
        primary->counts.continued++;
        guest->next = first - 1;
        guest->state = GUEST_ONLINE;
        talker_say(&guest->talker, "+CONTINUE %s\r\n", primary->timeline->id);
        return;
    }
    trace("primary %u full sync for %.8s at %s", primary->host, id, first_text);
    primary->counts.full_syncs++;
    guest->state = GUEST_WAITS_FORK;
    begin_fork(primary);
}

static void take_ack(struct guest *guest, const char *text)
{
    struct primary *primary = guest->primary;
    primary->counts.acks++;
    if (primary->on_ack != NULL)
        primary->on_ack(primary, guest->talker.socket, strtoull(text, NULL, 10),
                        primary->on_ack_arg);
    if (guest->state == GUEST_WAITS_ACK)
        guest->state = GUEST_ONLINE;
}

static void take_replconf(struct guest *guest, const struct words *words)
{
    const char *option = words->count > 1 ? words->word[1] : "";
    if (strcasecmp(option, "ACK") == 0) {
        take_ack(guest, words->word[2]);
        return;
    }
    for (unsigned i = 1; i + 1 < words->count; i += 2) {
        guest->has_eof = guest->has_eof || strcasecmp(words->word[i + 1], "eof") == 0;
        guest->is_rdb_only = guest->is_rdb_only || strcasecmp(words->word[i], "rdb-only") == 0;
    }
    talker_say(&guest->talker, "+OK\r\n");
}

static void guest_run(struct guest *guest, const struct words *words)
{
    const char *name = words->word[0];
    if (strcasecmp(name, "PING") == 0)
        talker_say(&guest->talker, "+PONG\r\n");
    else if (strcasecmp(name, "INFO") == 0)
        say_info(guest, words->count > 1 ? words->word[1] : "");
    else if (strcasecmp(name, "CONFIG") == 0)
        talker_say(&guest->talker,
                   "*2\r\n$26\r\nclient-output-buffer-limit\r\n$67\r\n"
                   "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60\r\n");
    else if (strcasecmp(name, "REPLCONF") == 0)
        take_replconf(guest, words);
    else if (strcasecmp(name, "PSYNC") == 0 && words->count == 3)
        answer_psync(guest, words->word[1], words->word[2]);
    else
        talker_say(&guest->talker, "-ERR unknown command\r\n");
}

/* ---- sending ---- */

/* A full sync begins for all who wait for one. */
static void end_fork(void *arg)
{
    struct life life = *(struct life *)arg;
    free(arg);
    struct primary *primary = life.primary;
    if (!primary->is_up || primary->life != life.life)
        return;
    primary->is_forking = false;
    struct rdb *rdb = calloc(1, sizeof *rdb);
    CHECK(rdb != NULL);
    rdb->users = 1;
    rdb->offset = timeline_end(primary->timeline);
    rdb->bytes = rdb_make(primary->timeline, rdb->offset, primary->rdb_filler, &rdb->length);
    bool is_diskless = random_is_one_in(2);
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        struct guest *guest = &primary->guests[i];
        if (guest->primary == NULL || guest->state != GUEST_WAITS_FORK)
            continue;
        rdb->users++;
        guest->rdb = rdb;
        guest->rdb_sent = 0;
        guest->next = rdb->offset;
        guest->state = GUEST_TAKES_RDB;
        guest->mark[0] = '\0';
        talker_say(&guest->talker, "+FULLRESYNC %s %" PRIu64 "\r\n", primary->timeline->id,
                   rdb->offset);
        if (is_diskless && guest->has_eof) {
            random_hex_digits(guest->mark, 40);
            talker_say(&guest->talker, "$EOF:%s\r\n", guest->mark);
        } else {
            talker_say(&guest->talker, "$%zu\r\n", rdb->length);
        }
        guest_advance(guest);
    }
    release_rdb(rdb);
}

static void guest_end_rdb(struct guest *guest)
{
    bool has_mark = guest->mark[0] != '\0';
    if (has_mark)
        talker_say_bytes(&guest->talker, guest->mark, 40);
    release_rdb(guest->rdb);
    guest->rdb = NULL;
    guest->state = has_mark ? GUEST_WAITS_ACK : GUEST_ONLINE;
    talker_flush(&guest->talker);
    if (guest->is_rdb_only) {
        /* What is still in the buffer goes before the end. */
        socket_shut(guest->talker.socket);
        guest_end(guest);
    }
}

static void guest_send_rdb(struct guest *guest)
{
    struct rdb *rdb = guest->rdb;
    while (guest->rdb_sent < rdb->length) {
        size_t left = rdb->length - guest->rdb_sent;
        ssize_t sent = socket_send(guest->talker.socket, rdb->bytes + guest->rdb_sent, left);
        if (sent <= 0)
            return;
        guest->rdb_sent += (size_t)sent;
    }
    /* Behind it comes the mark, for which there has to be room. */
    if (socket_room(guest->talker.socket) >= ROOM_LEAST)
        guest_end_rdb(guest);
}

static void guest_send_stream(struct guest *guest)
{
    struct timeline *timeline = guest->primary->timeline;
    while (guest->next < timeline_end(timeline)) {
        size_t left = (size_t)(timeline_end(timeline) - guest->next);
        ssize_t sent =
            socket_send(guest->talker.socket, timeline_bytes(timeline, guest->next), left);
        if (sent <= 0)
            return;
        guest->next += (uint64_t)sent;
    }
}

static void guest_advance(struct guest *guest)
{
    struct talker *talker = &guest->talker;
    talker_flush(talker);
    if (talker->socket == NULL || talker->out_length > 0)
        return;
    if (guest->state == GUEST_TAKES_RDB)
        guest_send_rdb(guest);
    if (guest->primary != NULL && guest->state == GUEST_ONLINE)
        guest_send_stream(guest);
}

static void on_guest(struct socket *socket, void *arg)
{
    struct guest *guest = arg;
    struct primary *primary = guest->primary;
    if (primary == NULL || guest->talker.socket != socket)
        return;
    if (primary->paused_until_us > sim_now_us())
        return;
    talker_receive(&guest->talker, SIZE_MAX);
    struct words words;
    while (guest->primary != NULL && talker_take_command(&guest->talker, &words))
        guest_run(guest, &words);
    if (guest->primary != NULL && guest->talker.has_ended) {
        guest_end(guest);
        return;
    }
    if (guest->primary != NULL)
        guest_advance(guest);
}

static void on_accept(struct socket *socket, void *arg)
{
    struct primary *primary = arg;
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        struct guest *guest = &primary->guests[i];
        if (guest->primary != NULL)
            continue;
        guest->primary = primary;
        guest->state = GUEST_COMMANDS;
        guest->has_eof = false;
        guest->is_rdb_only = false;
        guest->rdb = NULL;
        talker_open(&guest->talker, socket);
        socket_own(socket, on_guest, guest);
        return;
    }
    socket_close(socket);
}

/* ---- its clients ---- */

static void trim_backlog(struct primary *primary)
{
    uint64_t end = timeline_end(primary->timeline);
    if (end > primary->backlog_bytes && end - primary->backlog_bytes + 1 > primary->backlog_first)
        primary->backlog_first = end - primary->backlog_bytes + 1;
}

static void write_something(struct primary *primary)
{
    uint64_t kind = random_below(20);
    if (kind == 0)
        timeline_write_getack(primary->timeline);
    else if (kind == 1)
        timeline_write_transaction(primary->timeline, 1 + (unsigned)random_below(5));
    else if (kind == 2)
        for (uint64_t i = random_below(60); i > 0; i--)
            timeline_write(primary->timeline, 1 + (size_t)random_below(500));
    else
        timeline_write(primary->timeline, 1 + (size_t)random_below(200));
}

static void write_ping(struct primary *primary)
{
    timeline_write_ping(primary->timeline);
    primary->pinged_us = sim_now_us();
}

/* What was not taken while it was paused is looked at again here. */
static void serve_all(struct primary *primary)
{
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        struct guest *guest = &primary->guests[i];
        if (guest->primary != NULL)
            on_guest(guest->talker.socket, guest);
    }
}

static void on_write(void *arg)
{
    struct life *life = arg;
    struct primary *primary = life->primary;
    if (!primary->is_up || primary->life != life->life) {
        free(life);
        return;
    }
    if (primary->paused_until_us <= sim_now_us()) {
        if (!primary->is_quiet)
            write_something(primary);
        else if (sim_now_us() - primary->pinged_us >= PING_US)
            write_ping(primary);
        trim_backlog(primary);
        serve_all(primary);
    }
    alarm_in(random_between(100, WRITE_US_MOST), on_write, life);
}

/* ---- its life ---- */

void primary_start(struct primary *primary, struct timeline *timeline)
{
    CHECK(!primary->is_up);
    primary->is_up = true;
    primary->is_forking = false;
    primary->life++;
    primary->started_us = sim_now_us();
    primary->paused_until_us = 0;
    primary->timeline = timeline;
    random_hex_digits(primary->run_id, ID_BYTES - 1);
    uint64_t known = timeline->before != NULL ? timeline->parted_at : timeline_end(timeline);
    uint64_t kept = known - timeline->start < primary->backlog_bytes ? known - timeline->start
                                                                     : primary->backlog_bytes;
    primary->backlog_first = known - kept + 1;
    primary->listener = socket_listen(primary->host, primary->port, on_accept, primary);
    trace("primary %u starts with %.8s at %" PRIu64, primary->host, timeline->id,
          timeline_end(timeline));
    struct life *life = malloc(sizeof *life);
    CHECK(life != NULL);
    *life = (struct life){primary, primary->life};
    alarm_in(random_between(100, WRITE_US_MOST), on_write, life);
}

void primary_end(struct primary *primary, bool is_power_loss)
{
    if (!primary->is_up)
        return;
    trace("primary %u %s at %" PRIu64, primary->host, is_power_loss ? "is gone" : "ends",
          timeline_end(primary->timeline));
    primary->is_up = false;
    sockets_end_host(primary->host, is_power_loss);
    for (size_t i = 0; i < GUESTS_MAX; i++) {
        struct guest *guest = &primary->guests[i];
        if (guest->primary != NULL)
            guest_end(guest);
    }
}
