/* SPDX-License-Identifier: MIT */
#include "info_moment.h"

#include <inttypes.h>
#include <stdio.h>

#include "component.h"
#include "relay/base/clock.h"
#include "relay/base/report.h"
#include "relay/store/history.h"
#include "relay/store/status.h"
#include "relay/store/store.h"

enum {
    LINES_LENGTH_MAX = 8 * 1024 * 1024,
    FULL_SYNC_LINES_LENGTH_MAX = 32 * 1024,
    PROGRESS_LENGTH_MAX = 256,
};

/* The state as a primary would name it; NULL: it is on its way out, and not listed. */
static const char *replica_state(const struct peer_status *replica)
{
    switch (replica->state) {
    case REPLICA_WAITING:
        return "wait_bgsave";
    case REPLICA_LOADING:
        return "send_bulk";
    case REPLICA_STREAMING:
        return replica->is_online ? "online" : "send_bulk";
    case REPLICA_CLOSING:
        return NULL;
    }
    UNREACHABLE("a replica state that is none");
}

const char *info_plain_address(const char *address, char out[INFO_ADDRESS_MAX])
{
    size_t i = 0;
    for (; address[i] != '\0' && i < INFO_ADDRESS_MAX - 1; i++)
        out[i] = address[i] == ',' || address[i] == '=' ? '?' : address[i];
    out[i] = '\0';
    return out;
}

static void add_full_sync(struct info_moment *moment, const struct peer_status *replica)
{
    if (!replica->full_sync.is_active || moment->full_syncs == INFO_FULL_SYNCS_MAX)
        return;
    char name[40];
    char address[INFO_ADDRESS_MAX];
    struct text progress;
    text_init(&progress, PROGRESS_LENGTH_MAX);
    progress_view_format(&replica->full_sync, ',', &progress);
    struct report report = {.out = &moment->full_sync_lines};
    snprintf(name, sizeof(name), "full_sync%zu", moment->full_syncs++);
    report_text(&report, name, "id=%" PRIu64 ",ip=%s,port=%u,%s", replica->id,
                info_plain_address(replica->address, address), replica->listening_port,
                text_string(&progress));
    text_fini(&progress);
}

static void add_line(const struct peer_status *replica, void *arg)
{
    struct info_moment *moment = arg;
    holders_note(&moment->holders, replica);
    add_full_sync(moment, replica);
    char name[32];
    char address[INFO_ADDRESS_MAX];
    const char *state = replica_state(replica);
    if (state == NULL)
        return;
    /* As primaries do: only who is online is expected to say something. */
    int64_t lag_s =
        replica->is_online ? info_moment_seconds_since(moment, replica->last_ack_ms) : 0;
    struct report report = {.out = &moment->replica_lines};
    snprintf(name, sizeof(name), "slave%" PRIu64, moment->replicas++);
    char compression[96] = "";
    if (replica->compression != CODEC_NONE) /* as a Valkey has it */
        snprintf(compression, sizeof(compression),
                 ",repl_compression=%s,repl_compressed_bytes=%" PRIu64
                 ",repl_uncompressed_bytes=%" PRIu64,
                 codec_name(replica->compression), replica->compressed_bytes,
                 replica->uncompressed_bytes);
    report_text(&report, name, "ip=%s,port=%u,state=%s,offset=%" PRIu64 ",lag=%" PRId64 "%s",
                info_plain_address(replica->address, address), replica->listening_port, state,
                replica->acknowledged, lag_s, compression);
}

void info_moment_take(struct info_moment *moment, const struct commands *commands, bool has_lines)
{
    *moment = (struct info_moment){.commands = commands, .now_ms = clock_ms()};
    text_init(&moment->replica_lines, LINES_LENGTH_MAX);
    text_init(&moment->full_sync_lines, FULL_SYNC_LINES_LENGTH_MAX);
    link_status(commands->link, &moment->link);
    store_status(commands->store, &moment->store);
    holders_init(&moment->holders, moment->store.published, moment->store.window_bytes);
    if (has_lines)
        downstream_observe(commands->downstream, &moment->counts, add_line, moment);
    else
        downstream_counts(commands->downstream, &moment->counts);
}

void info_moment_fini(struct info_moment *moment)
{
    text_fini(&moment->replica_lines);
    text_fini(&moment->full_sync_lines);
}

int64_t info_moment_seconds_since(const struct info_moment *moment, int64_t then_ms)
{
    return moment->now_ms > then_ms ? (moment->now_ms - then_ms) / 1000 : 0;
}

int64_t info_last_save_s(const struct commands *commands)
{
    const struct history *history = store_current(commands->store);
    const struct snapshot *snapshot = history != NULL ? history_snapshot(history) : NULL;
    if (snapshot == NULL)
        return commands->started_wall_us / 1000000; /* as a server that has not saved yet */
    int64_t age_ms = clock_ms() - snapshot_completed_ms(snapshot);
    return (clock_wall_us() / 1000 - age_ms) / 1000;
}
