/* SPDX-License-Identifier: MIT */
#include "node.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "network.h"
#include "reader.h"
#include "sim.h"

enum { OVERHEARD_MAX = 512 };

/* ---- settings ---- */

__attribute__((format(printf, 2, 3))) static void set(struct node *node, const char *format, ...)
{
    char text[96];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    process_override(node->process, text);
}

static void draw_ack(struct node *node)
{
    static const char *const names[] = {"received", "durable", "replicas 1", "all"};
    node->ack = (enum ack_kind)random_below(4);
    node->ack_replicas = 1;
    set(node, "upstream.ack=%s", names[node->ack]);
}

static void draw_sizes(struct node *node)
{
    uint64_t segment = 64 << random_below(3);
    uint64_t backlog = segment * (uint64_t)random_between(2, 6);
    uint64_t most = backlog * (uint64_t)random_between(1, 4);
    set(node, "store.segment-size=%" PRIu64 "kb", segment);
    set(node, "store.repl-backlog-size=%" PRIu64 "kb", backlog);
    set(node, "store.repl-backlog-max-size=%" PRIu64 "kb", most);
    node->backlog_max = most * 1024;
    node->segment_bytes = segment * 1024;
}

/* What goes between two relays is compressed where both want that. */
static void draw_compression(struct node *node)
{
    static const char *const codecs[] = {"no", "lz4", "zstd"};
    set(node, "upstream.repl-compression=%s", codecs[random_below(3)]);
    set(node, "downstream.repl-compression=%s", codecs[random_below(3)]);
}

static void draw_durability(struct node *node)
{
    static const char *const syncs[] = {"no", "everysec", "always"};
    uint64_t sync = node->ack == ACK_DURABLE ? 1 + random_below(2) : random_below(3);
    node->has_fsync = sync > 0;
    set(node, "store.fsync=%s", syncs[sync]);
    node->is_always_ready = random_is_one_in(2);
    set(node, "%s",
        node->is_always_ready ? "store.snapshot-min-interval=5" : "store.snapshot=on-demand");
}

void node_set_up(struct node *node, struct world *world, unsigned host, const char *name,
                 const char *upstream)
{
    node->world = world;
    node->host = host;
    node->disk = disk_new(host, (uint64_t)random_between(4, 64) * 1024 * 1024);
    node->process = process_new(name, host, node->disk);
    node->reader = reader_new(node->process);
    node->claims = (struct claims){.world = world, .process = node->process};
    set(node, "upstream.replicaof=%s", upstream);
    set(node, "downstream.bind=10.0.0.%u", host);
    set(node, "downstream.port=6380");
    set(node, "downstream.protected-mode=no");
    set(node, "http.bind=10.0.0.%u", host);
    set(node, "http.port=6390");
    set(node, "relay.data-dir=/data");
    set(node, "relay.log-level=debug");
    draw_ack(node);
    draw_sizes(node);
    draw_durability(node);
    draw_compression(node);
    set(node, "relay.threads=%u", 1 + (unsigned)random_below(2));
}

void node_start(struct node *node)
{
    node->errors_before_start = node->disk->errors;
    process_start(node->process);
}

/* ---- what it tells ---- */

/* An acknowledgement is sent as a whole, and may be accepted by the socket in two parts. */
static void on_overheard(const void *bytes, size_t length, void *arg)
{
    static const char mark[] = "REPLCONF\r\n$3\r\nACK\r\n$";
    static char heard[OVERHEARD_MAX + 1];
    static size_t used;
    struct node *node = arg;
    size_t taken = length < OVERHEARD_MAX / 2 ? length : OVERHEARD_MAX / 2;
    if (used + taken > OVERHEARD_MAX) {
        memmove(heard, heard + OVERHEARD_MAX / 2, used - OVERHEARD_MAX / 2);
        used -= OVERHEARD_MAX / 2;
    }
    memcpy(heard + used, (const char *)bytes + (length - taken), taken);
    used += taken;
    heard[used] = '\0';
    uint64_t offset;
    for (const char *at = heard;
         (at = memmem(at, used - (size_t)(at - heard), mark, sizeof mark - 1)) != NULL; at++) {
        if (sscanf(at + sizeof mark - 1, "%*u\r\n%" SCNu64, &offset) == 1 &&
            offset > node->most_acknowledged)
            node->most_acknowledged = offset;
    }
}

void node_listen_to_acks(struct node *node, unsigned to)
{
    network_overhear(node->host, to, on_overheard, node);
}

void node_note_cut(struct node *node, const char *line)
{
    uint64_t offset;
    const char *at = strstr(line, "the primary goes on from offset ");
    if (at != NULL && sscanf(at, "the primary goes on from offset %" SCNu64, &offset) == 1)
        claims_note_cut(&node->claims, offset);
}
