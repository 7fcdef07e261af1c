/* SPDX-License-Identifier: MIT */
#include "primary_info.h"

#include <string.h>

void primary_info_init(struct primary_info *info)
{
    memset(info, 0, sizeof(*info));
    info->replid = replid_none();
    info->replid2 = replid_none();
}

static void read_version(struct bytes value, char out[PRIMARY_VERSION_MAX])
{
    (void)bytes_printable(value, out, PRIMARY_VERSION_MAX);
}

static void read_redis_version(struct primary_info *info, struct bytes value)
{
    read_version(value, info->server_version);
}

static void read_valkey_version(struct primary_info *info, struct bytes value)
{
    read_version(value, info->valkey_version);
}

static void read_relay_version(struct primary_info *info, struct bytes value)
{
    info->is_relay = value.length > 0;
}

static void read_run_id(struct primary_info *info, struct bytes value)
{
    struct replid id;
    if (replid_parse(value, &id))
        memcpy(info->run_id, id.hex, sizeof(info->run_id));
}

static void read_uptime(struct primary_info *info, struct bytes value)
{
    if (!bytes_to_u64(value, &info->uptime_s))
        info->uptime_s = 0;
}

static void read_role(struct primary_info *info, struct bytes value)
{
    info->has_role = true;
    info->is_primary = bytes_is(value, "master");
}

static void read_master_host(struct primary_info *info, struct bytes value)
{
    (void)bytes_printable(value, info->primary.host, sizeof(info->primary.host));
}

static void read_master_port(struct primary_info *info, struct bytes value)
{
    uint64_t port;
    if (bytes_to_u64(value, &port) && port <= UINT16_MAX)
        info->primary.port = (uint16_t)port;
}

static void read_link_status(struct primary_info *info, struct bytes value)
{
    info->link_is_up = bytes_is(value, "up");
}

static void read_read_only(struct primary_info *info, struct bytes value)
{
    info->is_writable = bytes_is(value, "0");
}

static void read_sync_in_progress(struct primary_info *info, struct bytes value)
{
    info->is_syncing = bytes_is(value, "1");
}

static void read_offset(struct primary_info *info, struct bytes value)
{
    if (!bytes_to_u64(value, &info->offset))
        info->offset = 0;
}

static void read_chain(struct primary_info *info, struct bytes value)
{
    run_id_chain_parse(value, &info->chain);
}

static void read_chain_complete(struct primary_info *info, struct bytes value)
{
    info->chain.is_complete = bytes_is(value, "1");
}

static void read_replid(struct primary_info *info, struct bytes value)
{
    if (!replid_parse(value, &info->replid))
        info->replid = replid_none();
}

static void read_replid2(struct primary_info *info, struct bytes value)
{
    if (!replid_parse(value, &info->replid2))
        info->replid2 = replid_none();
}

/* INFO tells the first byte that is not common, counted from one; -1: none. */
static void read_second_offset(struct primary_info *info, struct bytes value)
{
    uint64_t first;
    info->second_offset = bytes_to_u64(value, &first) && first > 0 ? first - 1 : 0;
}

/* "keys=17,expires=0,...", of a database that has some. */
static void read_keys(struct primary_info *info, struct bytes value)
{
    info->has_keys = info->has_keys || !bytes_starts(value, "keys=0,");
}

static void read_disconnections(struct primary_info *info, struct bytes value)
{
    info->has_disconnections = bytes_to_u64(value, &info->disconnections);
}

static void read_dataset(struct primary_info *info, struct bytes value)
{
    if (!bytes_to_u64(value, &info->dataset_bytes))
        info->dataset_bytes = 0;
}

static bool primary_info_take_word(struct bytes *line, struct bytes *word)
{
    while (line->length > 0 && line->data[0] == ' ')
        *line = bytes_skip(*line, 1);
    *word = bytes_first(*line, bytes_find(*line, ' '));
    *line = bytes_skip(*line, word->length);
    return word->length > 0;
}

/* "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60" */
static void read_output_limit(struct primary_info *info, struct bytes line)
{
    struct bytes class;
    struct bytes word[3];
    while (primary_info_take_word(&line, &class) && primary_info_take_word(&line, &word[0]) &&
           primary_info_take_word(&line, &word[1]) && primary_info_take_word(&line, &word[2])) {
        struct primary_output_limit limit = {.is_known = true};
        bool is_ours = bytes_is(class, "slave") || bytes_is(class, "replica");
        if (is_ours && bytes_to_u64(word[0], &limit.hard) && bytes_to_u64(word[1], &limit.soft) &&
            bytes_to_u64(word[2], &limit.soft_seconds))
            info->output_limit = limit;
    }
}

static const struct field {
    const char *name;
    void (*read)(struct primary_info *info, struct bytes value);
} fields[] = {
    {"redis_version:", read_redis_version},
    {"valkey_version:", read_valkey_version},
    {"psync_relay_version:", read_relay_version},
    {"run_id:", read_run_id},
    {"uptime_in_seconds:", read_uptime},
    {"client_output_buffer_limit_disconnections:", read_disconnections},
    {"used_memory_dataset:", read_dataset},
    {"role:", read_role},
    {"master_host:", read_master_host},
    {"master_port:", read_master_port},
    {"master_link_status:", read_link_status},
    {"master_sync_in_progress:", read_sync_in_progress},
    {"slave_read_only:", read_read_only},
    {"master_repl_offset:", read_offset},
    {"upstream_chain:", read_chain},
    {"upstream_chain_complete:", read_chain_complete},
    {"master_replid:", read_replid},
    {"master_replid2:", read_replid2},
    {"second_repl_offset:", read_second_offset},
};

void primary_info_read(struct primary_info *info, struct bytes section)
{
    while (section.length > 0) {
        size_t length = bytes_find(section, '\n');
        struct bytes line = bytes_first(section, length);
        line = bytes_first(line, bytes_find(line, '\r'));
        for (size_t i = 0; i < LENGTH_OF(fields); i++) {
            if (bytes_starts(line, fields[i].name))
                fields[i].read(info, bytes_skip(line, strlen(fields[i].name)));
        }
        if (bytes_starts(line, "normal "))
            read_output_limit(info, line);
        size_t name_length = bytes_find(line, ':');
        if (bytes_starts(line, "db") && name_length < line.length)
            read_keys(info, bytes_skip(line, name_length + 1));
        section = bytes_skip(section, length < section.length ? length + 1 : length);
    }
}

/* The new primary was promoted with our id as its second one: up to second_repl_offset both have
 * the same bytes. We are usually ahead of that, since we execute nothing, and would get a full
 * sync for our boundary (docs/protocol.md 4.1). */
uint64_t primary_info_common(const struct primary_info *info, const struct replid *replid,
                             uint64_t offset)
{
    const struct replid none = replid_none();
    bool was_promoted = replid_equal(&info->replid2, replid) &&
                        !replid_equal(&info->replid, replid) && !replid_equal(&info->replid, &none);
    return was_promoted && info->second_offset < offset ? info->second_offset : offset;
}

/* A server that tells no id, since it is too old or we have not the right to ask, may have ours:
 * the answer to PSYNC says so. */
bool primary_info_knows(const struct primary_info *info, const struct replid *replid)
{
    const struct replid none = replid_none();
    return replid_equal(&info->replid, &none) || replid_equal(&info->replid, replid) ||
           replid_equal(&info->replid2, replid);
}
