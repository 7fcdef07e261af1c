/* SPDX-License-Identifier: MIT
 *
 * A peer from its first byte on: client, REPLCONF, PSYNC or SYNC, the wait, the RDB, the stream. From
 * PSYNC on it is sent the replies owed, newlines, the answer, the RDB and the stream, and nothing else.
 * In the input "\n@s" lets a second go by, "\n@a" appends to the stream, "\n@r" has the snapshot arrive
 * a bit more and then be complete.
 */
#include "../../relay/downstream/client_list.h"
#include "../../relay/downstream/full_sync_limits.h"
#include "../../relay/downstream/waiting.h"
#include "fuzz.h"
#include "relay/downstream/options.h"

#include "fake_clock.h"
#include "fake_conn.h"
#include "fake_loop.h"
#include "fake_readahead.h"
#include "fake_store.h"

#define ID "8e7f0123456789abcdef0123456789abcdef0123"
#define STREAM "*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"
#define RDB "REDIS0009 these bytes stand for a data set"

enum { X = 100, TIMEOUT_MS = 5000, APPENDS_MAX = 50 };

static struct scene {
    struct client_list room;
    struct waiting waiting;
    struct downstream_callbacks callbacks;
    struct full_sync_limits limits;
    struct snapshot *snapshot;
    struct conn *peer;
    struct replica_stats stats;
    struct replica *replica; /* NULL: it is a client, or gone */
    bool is_attached;
    unsigned wanted; /* snapshots */
    bool continues;
    uint64_t offset;  /* of the first byte of the stream that it is to get */
    size_t before;    /* sent until PSYNC */
    size_t owed;      /* and to be sent before the answer */
    unsigned appends; /* of STREAM */
} scene;

/* ---- the composition ---- */

static void on_command(struct client *client, const struct command *command, void *arg)
{
    (void)arg;
    struct bytes name = command->argument[0];
    if (bytes_is(name, "replconf"))
        client_replconf(client, command);
    else if (bytes_is(name, "sync"))
        client_sync(client);
    else if (bytes_is(name, "psync") && command->argument_count >= 3)
        (void)client_psync(client, command);
    else if (bytes_is(name, "quit"))
        client_finish(client, CLOSE_QUIT);
    else
        write_bulk(client_writer(client), name);
}

static void on_gone(struct replica *replica, struct replica_stats *stats, void *arg)
{
    (void)arg;
    if (scene.is_attached)
        waiting_note_gone(&scene.waiting, stats);
    else
        waiting_remove(&scene.waiting, replica);
    scene.replica = NULL;
    loop_defer(scene.room.loop, replica_free, replica);
}

static void ask_all(void *arg)
{
    waiting_ask(arg);
}

static void on_newcomer(const struct newcomer *newcomer, void *arg)
{
    (void)arg;
    scene.before = fake_conn_sent(newcomer->conn).length;
    scene.owed = newcomer->unsent_replies->length;
    scene.offset = newcomer->request != NULL ? newcomer->request->offset : 0;
    scene.stats =
        (struct replica_stats){.id = newcomer->id, .acknowledges = newcomer->request != NULL};
    scene.stats.terms = *newcomer->terms;
    scene.replica =
        replica_new(&scene.stats, newcomer->unsent_replies, TIMEOUT_MS, newcomer->request);
    CHECK(scene.replica != NULL);
    CHECK(conn_attach(newcomer->conn, scene.room.loop, replica_on_conn, scene.replica));
    scene.replica->on_gone = on_gone;
    waiting_add(&scene.waiting, scene.replica);
    replica_begin(scene.replica, newcomer->conn, newcomer->input);
    loop_defer(scene.room.loop, ask_all, &scene.waiting);
}

static void on_attached(struct replica *replica, const char *cause, void *arg)
{
    (void)arg;
    scene.is_attached = true;
    scene.continues = !scene.stats.full_sync;
    CHECK(!scene.continues || REPLICA_STATS_GET(&scene.stats, sent_offset) == scene.offset);
    replica->loop = scene.room.loop;
    replica->readahead = readahead_new(NULL);
    replica_start(replica, cause);
}

static void on_snapshot_wanted(uint64_t from, void *arg)
{
    (void)from;
    (void)arg;
    scene.wanted++;
}

static void on_version(uint32_t version, void *arg)
{
    (void)version;
    (void)arg;
}

static bool is_upstream_streaming(void *arg)
{
    (void)arg;
    return true;
}

static void open_scene(void)
{
    scene = (struct scene){.callbacks = {.on_snapshot_wanted = on_snapshot_wanted,
                                         .on_version = on_version,
                                         .on_unreadable = on_version,
                                         .is_upstream_streaming = is_upstream_streaming},
                           .room = {.loop = loop_new(&(struct error){0}),
                                    .on_command = on_command,
                                    .on_newcomer = on_newcomer,
                                    .timeout_ms = TIMEOUT_MS}};
    fuzz_log_nowhere();
    client_list_init(&scene.room);
    waiting_init(&scene.waiting, &fake_store, &scene.callbacks, TIMEOUT_MS, &scene.limits,
                 on_attached, NULL);
    fake_store.current = fake_history_new(1, ID, X);
    fake_history_append(fake_store.current, bytes_of(STREAM));
    scene.appends = 1;
    scene.snapshot = fake_snapshot_new(X, bytes_of(RDB));
    fake_history_set_snapshots(fake_store.current, NULL, scene.snapshot);
    client_accept(&scene.room, 5, NULL, NULL, false, 1);
    scene.peer = fake_conn_newest();
    fake_conn_up(scene.peer);
}

static void close_scene(void)
{
    client_list_close_all(&scene.room, CLOSE_SHUTDOWN);
    if (scene.replica != NULL)
        replica_close(scene.replica, CLOSE_SHUTDOWN);
    loop_free(&scene.room.loop);
    CHECK(scene.room.count == 0 && scene.waiting.count == 0);
    CHECK(fake_conn_is_closed(scene.peer));
    fake_conn_reset();
    fake_store_reset();
}

/* ---- what happens ---- */

static void pass_second(void)
{
    fake_clock_advance(1000);
    client_list_tick(&scene.room);
    waiting_tick(&scene.waiting);
    if (scene.replica != NULL && scene.is_attached)
        replica_handle(scene.replica, REPLICA_EVENT_TICK);
}

static void wake(void)
{
    waiting_ask(&scene.waiting);
    if (scene.replica != NULL && scene.is_attached)
        replica_handle(scene.replica, REPLICA_EVENT_WAKE);
}

static void act(char letter)
{
    if (letter == 's')
        pass_second();
    if (letter == 'a' && scene.appends < APPENDS_MAX) {
        fake_history_append(fake_store.current, bytes_of(STREAM));
        scene.appends++;
        wake();
    }
    if (letter == 'r' && snapshot_readable(scene.snapshot) == 0) {
        fake_snapshot_set_readable(scene.snapshot, 10);
        wake();
    } else if (letter == 'r') {
        fake_snapshot_set_state(scene.snapshot, SNAPSHOT_COMPLETE);
        fake_history_set_snapshots(fake_store.current, scene.snapshot, NULL);
        wake();
    }
    fake_loop_turn(scene.room.loop);
    fake_conn_run_all();
}

/* ---- what it was sent ---- */

static bool take(struct bytes *sent, const char *expected)
{
    size_t length = strlen(expected);
    bool same = sent->length >= length && memcmp(sent->data, expected, length) == 0;
    if (same)
        *sent = bytes_skip(*sent, length);
    return same;
}

/* `sent` is the beginning of `expected`, or all of it, which is taken off. */
static bool is_cut_off(struct bytes *sent, struct bytes expected)
{
    size_t length = sent->length < expected.length ? sent->length : expected.length;
    CHECK(memcmp(sent->data, expected.data, length) == 0);
    *sent = bytes_skip(*sent, length);
    return length < expected.length;
}

static void check_stream(struct bytes sent, uint64_t from)
{
    uint64_t behind = scene.appends * strlen(STREAM);
    CHECK(from >= X && from - X <= behind && sent.length <= behind - (from - X));
    for (size_t i = 0; i < sent.length; i++)
        CHECK(sent.data[i] == (uint8_t)STREAM[(from - X + i) % strlen(STREAM)]);
}

static void check_rdb(struct bytes sent, struct bytes mark)
{
    bool is_empty = scene.stats.terms.filter_empty && !scene.stats.terms.rdb_only;
    if (is_empty) {
        CHECK(bytes_starts(sent, "REDIS0009\xff"));
        sent = bytes_skip(sent, 18);
    } else if (is_cut_off(&sent, bytes_of(RDB)) || is_cut_off(&sent, mark)) {
        return;
    }
    CHECK(mark.length == 0 || scene.stats.terms.capa_eof);
    CHECK(mark.length == 0 || sent.length == 0 || scene.stats.has_acknowledged);
    CHECK(!scene.stats.terms.rdb_only || sent.length == 0);
    uint64_t x = is_empty ? X + (scene.appends * strlen(STREAM)) - sent.length : X;
    if (!is_empty)
        check_stream(sent, x);
}

/* Called when everything has been sent that there is. */
static void check_sent(void)
{
    struct bytes sent = fake_conn_sent(scene.peer);
    if (sent.length < scene.before + scene.owed) {
        CHECK(fake_conn_is_closed(scene.peer)); /* for what stood behind PSYNC */
        return;
    }
    sent = bytes_skip(sent, scene.before + scene.owed);
    while (take(&sent, "\n"))
        continue;
    if (!scene.is_attached) {
        CHECK(sent.length == 0);
        return;
    }
    if (scene.continues) {
        CHECK(
            take(&sent, scene.stats.terms.capa_psync2 ? "+CONTINUE " ID "\r\n" : "+CONTINUE\r\n"));
        check_stream(sent, scene.offset);
        return;
    }
    if (scene.stats.acknowledges)
        CHECK(bytes_starts(sent, "+FULLRESYNC " ID " "));
    if (scene.stats.acknowledges)
        sent = bytes_skip(sent, bytes_find(sent, '\n') + 1);
    struct bytes header = bytes_first(sent, bytes_find(sent, '\n'));
    CHECK(bytes_starts(header, "$") && header.length < sent.length);
    bool has_mark = bytes_starts(header, "$EOF:");
    struct bytes mark = has_mark ? bytes_first(bytes_skip(header, 5), 40) : bytes_at("", 0);
    check_rdb(bytes_skip(sent, header.length + 1), mark);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_at(data, size);
    struct cuts cuts = cuts_of(data, size);
    open_scene();
    while (input.length > 0 && !fake_conn_is_closed(scene.peer)) {
        struct bytes part;
        char letter = fuzz_part(&input, &part);
        while (part.length > 0 && !fake_conn_is_closed(scene.peer)) {
            fake_conn_feed(scene.peer, cuts_next(&cuts, &part));
            fake_conn_run(scene.peer);
        }
        act(letter);
    }
    if (scene.stats.id != 0)
        check_sent();
    close_scene();
    return 0;
}
