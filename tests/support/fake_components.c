/* SPDX-License-Identifier: MIT */
#include "fake_components.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/report.h"
#include "relay/resp/reader.h"
#include "relay/store/cursor.h"
#include "relay/store/history.h"
#include "relay/store/snapshot.h"
#include "relay/store/status.h"
#include "relay/store/store.h"

struct client {
    uint64_t id;
    char peer[64];
    int64_t connected_ms;
    int64_t active_ms;
    char last_command[64];
    enum close_reason finished;
    bool is_gone;
    struct client_session session;
    struct replica_terms terms;
    struct text output;
    struct writer writer;
    bool is_running;
    bool is_held;
    bool is_muted;
    struct text pushed; /* while it runs */
    struct text heard;
    struct text told; /* `heard` as the test has it */
    void *kept;
    client_gone_fn *gone;
};

struct fake_components fake_components;

/* The opaque types of the components: one address each is all that is needed. */
static char handles[5];
enum { STORE, HISTORY, BACKLOG, SNAPSHOT, OTHER };

static void *handle(int which)
{
    return &handles[which];
}

void fake_components_reset(void)
{
    for (size_t i = 0; i < fake_components.client_count; i++) {
        struct client *client = fake_components.clients[i];
        CHECK(client->is_gone ||
              client->gone == NULL); /* whoever keeps something forgets it before */
        text_fini(&client->output);
        text_fini(&client->pushed);
        text_fini(&client->heard);
        text_fini(&client->told);
        free(client);
    }
    fake_components = (struct fake_components){
        .identity = {.replid = replid_none()},
        .link = {.host = "origin.example",
                 .carrier = "tcp",
                 .port = 6379,
                 .state = LINK_CONNECTING,
                 .state_name = "connecting",
                 .last_error = "",
                 .refresh_error = "",
                 .chain = "",
                 .wait = {.host = "", .replid = "", .left_ms = -1},
                 .server_version = "",
                 .valkey_version = ""},
        .port = 6380,
        .store = {.replid = replid_none(), .error = ""},
    };
}

struct store *fake_store(void)
{
    return handle(STORE);
}

struct link *fake_link(void)
{
    return handle(OTHER);
}

struct downstream *fake_downstream(void)
{
    return handle(OTHER);
}

/* --- store --- */

struct history *store_current(const struct store *store)
{
    CHECK(store == handle(STORE));
    return fake_components.has_history ? handle(HISTORY) : NULL;
}

void store_status(const struct store *store, struct store_status *out)
{
    CHECK(store == handle(STORE));
    *out = fake_components.store;
}

const char *snapshot_use_name(enum snapshot_use use)
{
    return use == SNAPSHOT_USE_NOW ? "usable" : "not_usable";
}

void store_report(const struct store *store, struct report *report)
{
    CHECK(store == handle(STORE));
    report_section(report, "Store");
    report_u64(report, "store_histories", fake_components.has_history);
}

const struct identity *history_identity(const struct history *history)
{
    CHECK(history == handle(HISTORY));
    return &fake_components.identity;
}

uint64_t history_boundary(const struct history *history)
{
    CHECK(history == handle(HISTORY));
    return fake_components.boundary;
}

uint64_t history_published_boundary(const struct history *history)
{
    CHECK(history == handle(HISTORY));
    return fake_components.published_boundary;
}

uint64_t history_number(const struct history *history)
{
    CHECK(history == handle(HISTORY));
    return fake_components.history_number;
}

const struct branches *history_branches(const struct history *history)
{
    CHECK(history == handle(HISTORY));
    return &fake_components.branches;
}

struct snapshot *history_snapshot(const struct history *history)
{
    CHECK(history == handle(HISTORY));
    return fake_components.has_snapshot ? handle(SNAPSHOT) : NULL;
}

int64_t snapshot_completed_ms(const struct snapshot *snapshot)
{
    CHECK(snapshot == handle(SNAPSHOT));
    return fake_components.snapshot_completed_ms;
}

uint64_t history_first(const struct history *history)
{
    CHECK(history == handle(HISTORY));
    return fake_components.first;
}

uint64_t history_published(const struct history *history)
{
    CHECK(history == handle(HISTORY));
    return fake_components.published;
}

uint64_t history_end(const struct history *history)
{
    CHECK(history == handle(HISTORY));
    return fake_components.end;
}

/* --- upstream --- */

void link_status(const struct link *link, struct link_status *out)
{
    CHECK(link == handle(OTHER));
    *out = fake_components.link;
}

void link_hops(const struct link *link, struct hops *out)
{
    CHECK(link == handle(OTHER));
    const struct link_status *own = &fake_components.link;
    *out = (struct hops){.count = 1};
    snprintf(out->at[0].to.host, sizeof(out->at[0].to.host), "%s", own->host);
    out->at[0].to.port = own->port;
    out->at[0].link = own->is_up ? HOP_UP : own->sync_in_progress ? HOP_SYNC : HOP_DOWN;
    out->at[0].silence_ms =
        own->stream_heard_ms != 0 ? clock_ms() - own->stream_heard_ms : fake_components.silence_ms;
    for (size_t i = 0; i < fake_components.above.count; i++)
        out->at[out->count++] = fake_components.above.at[i];
}

const char *link_refresh_now(struct link *link)
{
    CHECK(link == handle(OTHER));
    fake_components.refreshes_asked++;
    return fake_components.refresh_schedule_refusal;
}

void link_retry(struct link *link)
{
    CHECK(link == handle(OTHER));
    fake_components.retries++;
}

const char *link_accept(struct link *link, const struct primary_address *address)
{
    CHECK(link == handle(OTHER));
    fake_components.acceptances++;
    fake_components.accepted = address != NULL ? *address : (struct primary_address){.port = 0};
    return fake_components.acceptance_refusal;
}

struct ack_rule link_ack(const struct link *link)
{
    CHECK(link == handle(OTHER));
    return fake_components.ack;
}

void ack_rule_format(struct ack_rule rule, struct text *out)
{
    static const char *const names[] = {"received", "durable", "replicas", "all"};
    text_append_string(out, names[rule.policy]);
    if (rule.policy == ACK_REPLICAS)
        text_format(out, " %u", rule.replicas);
}

/* --- downstream --- */

uint16_t downstream_port(const struct downstream *downstream)
{
    CHECK(downstream == handle(OTHER));
    return fake_components.port;
}

uint16_t downstream_tls_port(const struct downstream *downstream)
{
    (void)downstream;
    return 0;
}

void downstream_counts(const struct downstream *downstream, struct downstream_counts *out)
{
    CHECK(downstream == handle(OTHER));
    *out = fake_components.counts;
}

void downstream_each_sync_failure(const struct downstream *downstream, sync_failure_fn *fn,
                                  void *arg)
{
    (void)downstream;
    for (size_t i = 0; i < fake_components.sync_failure_count; i++)
        fn(&fake_components.sync_failures[i], arg);
}

void downstream_each_replica(const struct downstream *downstream, peer_status_fn *fn, void *arg)
{
    CHECK(downstream == handle(OTHER));
    for (size_t i = 0; i < fake_components.replica_count; i++)
        fn(&fake_components.replicas[i], arg);
    for (size_t i = 0; i < fake_components.crowd; i++) {
        struct peer_status replica = fake_components.replicas[0];
        replica.id += 1000 + i;
        replica.listening_port = (uint16_t)(replica.listening_port + i + 1);
        replica.acknowledged -= i + 1;
        fn(&replica, arg);
    }
}

void downstream_observe(const struct downstream *downstream, struct downstream_counts *out,
                        peer_status_fn *fn, void *arg)
{
    downstream_counts(downstream, out);
    downstream_each_replica(downstream, fn, arg);
}

void downstream_each_client(const struct downstream *downstream, peer_status_fn *fn, void *arg)
{
    CHECK(downstream == handle(OTHER));
    for (size_t i = 0; i < fake_components.client_count; i++) {
        struct client *client = fake_components.clients[i];
        if (client->is_gone)
            continue;
        struct peer_status status = {.id = client->id,
                                     .peer = client->peer,
                                     .local = "127.0.0.1:6380",
                                     .client = client,
                                     .state_name = "",
                                     .user = "",
                                     .address = "",
                                     .version = "",
                                     .connected_ms = client->connected_ms};
        fn(&status, arg);
    }
}

struct known *downstream_known(struct downstream *downstream)
{
    CHECK(downstream == handle(OTHER));
    return handle(OTHER);
}

void known_each_away(const struct known *known, known_fn *fn, void *arg)
{
    CHECK(known == handle(OTHER));
    for (size_t i = 0; i < fake_components.known.away; i++)
        fn(&fake_components.away[i], arg);
}

void known_count(const struct known *known, struct known_counts *out)
{
    CHECK(known == handle(OTHER));
    *out = fake_components.known;
}

size_t known_forget(struct known *known, const struct known_who *who)
{
    CHECK(known == handle(OTHER));
    fake_components.forgotten = *who;
    snprintf(fake_components.forgotten_address, sizeof(fake_components.forgotten_address), "%.*s",
             (int)who->address.length,
             who->address.data != NULL ? (const char *)who->address.data : "");
    return fake_components.forgets;
}

const char *downstream_pause(struct downstream *downstream, uint64_t id)
{
    CHECK(downstream == handle(OTHER));
    fake_components.paused = id;
    return fake_components.hold_error;
}

const char *downstream_resume(struct downstream *downstream, const struct known_who *who,
                              const uint64_t *until)
{
    CHECK(downstream == handle(OTHER));
    fake_components.resumed = *who;
    fake_components.has_until = until != NULL;
    fake_components.until = until != NULL ? *until : 0;
    return fake_components.hold_error;
}

void downstream_each_hold(const struct downstream *downstream, hold_fn *fn, void *arg)
{
    CHECK(downstream == handle(OTHER));
    for (size_t i = 0; i < fake_components.hold_count; i++)
        fn(&fake_components.holds[i], arg);
}

void downstream_delayed(const struct downstream *downstream, struct delayed_status *out)
{
    CHECK(downstream == handle(OTHER));
    *out = fake_components.delayed;
}

bool history_offset_at(const struct history *history, int64_t wall_us, struct time_answer *out)
{
    (void)history;
    *out = fake_components.came;
    return out->entry.wall_us != 0 && wall_us >= out->entry.wall_us;
}

bool downstream_drop(struct downstream *downstream, uint64_t id)
{
    CHECK(downstream == handle(OTHER));
    for (size_t i = 0; i < fake_components.replica_count; i++) {
        if (fake_components.replicas[i].id == id)
            return downstream_kill(downstream, id);
    }
    return false;
}

bool downstream_kill(struct downstream *downstream, uint64_t id)
{
    return downstream_expel(downstream, id, CLOSE_KILLED);
}

bool downstream_expel(struct downstream *downstream, uint64_t id, enum close_reason reason)
{
    CHECK(reason == CLOSE_KILLED || reason == CLOSE_REVOKED);
    CHECK(downstream == handle(OTHER));
    CHECK(fake_components.killed_count < FAKE_PEERS_MAX);
    fake_components.killed[fake_components.killed_count++] = id;
    for (size_t i = 0; i < fake_components.client_count; i++) {
        struct client *client = fake_components.clients[i];
        if (client->id == id && client->gone != NULL)
            fake_client_leaves(client);
    }
    return true;
}

unsigned downstream_count_acknowledged(const struct downstream *downstream, uint64_t offset)
{
    CHECK(downstream == handle(OTHER));
    unsigned count = 0;
    fake_components.looks++;
    for (size_t i = 0; i < fake_components.replica_count; i++) {
        const struct peer_status *replica = &fake_components.replicas[i];
        count += replica->is_online && replica->acknowledges && replica->acknowledged >= offset;
    }
    return count;
}

/* --- clients --- */

struct client *fake_client(uint64_t id, const char *peer)
{
    CHECK(fake_components.client_count < FAKE_PEERS_MAX);
    struct client *client = calloc(1, sizeof(*client));
    CHECK(client != NULL);
    client->id = id;
    snprintf(client->peer, sizeof(client->peer), "%s", peer);
    client->connected_ms = client->active_ms = clock_ms();
    client->finished = CLOSE_REASON_COUNT;
    client->session.protocol = 2;
    text_init(&client->output, 1024 * 1024);
    text_init(&client->pushed, 1024 * 1024);
    text_init(&client->heard, 1024 * 1024);
    text_init(&client->told, 1024 * 1024);
    client->writer.out = &client->output;
    fake_components.clients[fake_components.client_count++] = client;
    return client;
}

struct bytes fake_client_says(struct client *client, client_command_fn *on_command, void *arg,
                              const char *line)
{
    uint8_t input[2048];
    struct reader reader;
    struct command command;
    int length = snprintf((char *)input, sizeof(input), "%s\r\n", line);
    CHECK(length > 0 && (size_t)length < sizeof(input));
    reader_init(&reader);
    CHECK(reader_next(&reader, input, (size_t)length, &command) == READER_COMMAND);
    text_clear(&client->output);
    client->active_ms = clock_ms();
    bool is_skipped = client->session.reply_skip_next;
    client->session.reply_skip_next = false;
    CHECK(!client->is_held && !client->is_gone);
    client->is_running = true;
    on_command(client, &command, arg);
    client->is_running = false;
    client->is_muted = is_skipped || client->session.reply_off;
    if (client->is_muted)
        text_clear(&client->output);
    text_append(&client->output, text_bytes(&client->pushed));
    text_clear(&client->pushed);
    return text_bytes(&client->output);
}

struct bytes fake_client_heard(struct client *client)
{
    text_clear(&client->told);
    text_append(&client->told, text_bytes(&client->heard));
    text_clear(&client->heard);
    return text_bytes(&client->told);
}

static void go(struct client *client)
{
    client->is_gone = true;
    if (client->gone != NULL)
        client->gone(client->kept);
    client->gone = NULL;
}

void fake_client_leaves(struct client *client)
{
    CHECK(!client->is_gone && !client->is_running);
    go(client);
}

enum close_reason fake_client_finished(const struct client *client)
{
    return client->finished;
}

bool fake_client_is_gone(const struct client *client)
{
    return client->is_gone;
}

uint64_t client_id(const struct client *client)
{
    return client->id;
}

struct client_session *client_session(struct client *client)
{
    return &client->session;
}

const char *client_peer(const struct client *client)
{
    return client->peer;
}

int64_t client_connected_ms(const struct client *client)
{
    return client->connected_ms;
}

int64_t client_active_ms(const struct client *client)
{
    return client->active_ms;
}

const char *client_last_command(const struct client *client)
{
    return client->last_command[0] != '\0' ? client->last_command : "NULL";
}

void client_set_last_command(struct client *client, const char *name)
{
    snprintf(client->last_command, sizeof(client->last_command), "%s", name);
}

struct writer *client_writer(struct client *client)
{
    client->writer.protocol = client->session.protocol;
    return &client->writer;
}

void *client_kept(const struct client *client)
{
    return client->kept;
}

void client_keep(struct client *client, void *thing, client_gone_fn *gone)
{
    CHECK((thing == NULL) == (gone == NULL) && !client->is_gone);
    client->kept = thing;
    client->gone = gone;
}

void client_hold(struct client *client)
{
    CHECK(client->is_running && !client->is_held);
    client->is_held = true;
}

bool client_is_blocked(const struct client *client)
{
    return client->is_held;
}

void client_resume(struct client *client, struct bytes reply)
{
    CHECK(client->is_held && !client->is_running && !client->is_gone);
    client->is_held = false;
    if (!client->is_muted)
        text_append(&client->heard, reply);
}

void client_push(struct client *client, struct bytes message)
{
    CHECK(!client->is_gone);
    text_append(client->is_running ? &client->pushed : &client->heard, message);
}

void client_finish(struct client *client, enum close_reason reason)
{
    client->finished = reason;
}

bool client_psync(struct client *client, const struct command *command)
{
    CHECK(command->argument_count >= 3);
    if (fake_components.psync_takes)
        go(client);
    else
        write_error(client_writer(client), "ERR value is not an integer or out of range");
    return client->is_gone;
}

void client_sync(struct client *client)
{
    go(client);
}

void client_refuse_replica(struct client *client, const char *cause, bool is_replconf)
{
    CHECK(!client->is_gone);
    (void)is_replconf;
    fake_components.replicas_refused++;
    snprintf(fake_components.refusal_cause, sizeof(fake_components.refusal_cause), "%s", cause);
}

void client_replconf(struct client *client, const struct command *command)
{
    CHECK(command->argument_count >= 1);
    write_simple(client_writer(client), "OK");
}

void archive_status(const struct archive *archive, struct archive_status *out)
{
    (void)archive;
    *out = fake_components.archive;
}
