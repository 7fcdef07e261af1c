/* SPDX-License-Identifier: MIT */
#include "replconf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/check.h"
#include "relay/codec/codec.h"

enum { LEVEL_MAX = 22 }; /* of zstd */

enum outcome {
    APPLIED,
    STOPPED,  /* an error was written */
    NO_REPLY, /* the whole command gets none, as on servers */
};

typedef enum outcome option_fn(struct replica_terms *terms, struct bytes value,
                               struct writer *reply);

static option_fn set_ack;
static option_fn set_address;
static option_fn set_capability;
static option_fn set_compression;
static option_fn set_port;
static option_fn set_rdb_filter;
static option_fn set_rdb_from;
static option_fn set_rdb_only;
static option_fn set_rdb_resume;
static option_fn set_version;

static const struct {
    const char *name;
    option_fn *set;
} options[] = {
    {"ack", set_ack},
    {"capa", set_capability},
    {"compression", set_compression},
    {"fack", set_ack},
    {"getack", set_ack},
    {"ip-address", set_address},
    {"listening-port", set_port},
    {"rdb-filter-only", set_rdb_filter},
    {"rdb-from", set_rdb_from},
    {"rdb-only", set_rdb_only},
    {"rdb-resume", set_rdb_resume},
    {"version", set_version},
};

/* What is told to people in lists of `key=value,...` must not break them. */
static bool replconf_copy_word(struct bytes value, const char *allowed, char *out, size_t capacity)
{
    if (value.length >= capacity)
        return false;
    for (size_t i = 0; i < value.length; i++) {
        int byte = value.data[i];
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool is_digit = byte >= '0' && byte <= '9';
        if (!is_letter && !is_digit && (byte == '\0' || strchr(allowed, byte) == NULL))
            return false;
    }
    if (value.length > 0)
        memcpy(out, value.data, value.length);
    out[value.length] = '\0';
    return true;
}

static bool to_number(struct bytes value, uint64_t max, uint64_t *out, struct writer *reply)
{
    if (bytes_to_u64(value, out) && *out <= max)
        return true;
    write_error(reply, "ERR value is not an integer or out of range");
    return false;
}

/* Signs of life belong on the link of a replica; elsewhere servers pass over them in silence. */
static enum outcome set_ack(struct replica_terms *terms, struct bytes value, struct writer *reply)
{
    (void)terms;
    (void)value;
    (void)reply;
    return NO_REPLY;
}

static enum outcome set_address(struct replica_terms *terms, struct bytes value,
                                struct writer *reply)
{
    if (replconf_copy_word(value, ".:-_%", terms->address, sizeof(terms->address)))
        return APPLIED;
    write_error(reply, "ERR REPLCONF ip-address is too long or no address");
    return STOPPED;
}

/* Unknown ones are for servers that have them: they are never promised, only passed over. */
static enum outcome set_capability(struct replica_terms *terms, struct bytes value,
                                   struct writer *reply)
{
    (void)reply;
    if (bytes_is(value, "eof"))
        terms->capa_eof = true;
    else if (bytes_is(value, "psync2"))
        terms->capa_psync2 = true;
    else if (bytes_is(value, "lz4"))
        terms->capa_lz4 = true;
    else if (bytes_is(value, "zstd"))
        terms->capa_zstd = true;
    else if (bytes_is(value, "psync-relay"))
        terms->is_relay = true;
    return APPLIED;
}

/* A Redis agrees to its own level only. The level is the effort of who compresses, so any is good where we do. The
 * words are those of a Redis that does not compress: the replica goes on without (docs/protocol.md 7.5). */
static enum outcome set_compression(struct replica_terms *terms, struct bytes value,
                                    struct writer *reply)
{
    uint64_t level;
    if (!to_number(value, LEVEL_MAX, &level, reply))
        return STOPPED;
    if (!terms->may_take_frames || level == 0) {
        write_error(reply, "ERR Requested level %" PRIu64 " differs from master's level: %d", level,
                    level == 0 ? CODEC_LEVEL_DEFAULT : 0);
        return STOPPED;
    }
    terms->takes_frames = true;
    return APPLIED;
}

static enum outcome set_port(struct replica_terms *terms, struct bytes value, struct writer *reply)
{
    uint64_t port;
    if (!to_number(value, UINT16_MAX, &port, reply))
        return STOPPED;
    terms->listening_port = (uint16_t)port;
    return APPLIED;
}

/* A part of an RDB would have to be read out of it; only "nothing" is easy. */
static enum outcome set_rdb_filter(struct replica_terms *terms, struct bytes value,
                                   struct writer *reply)
{
    if (value.length == 0) {
        terms->filter_empty = true;
        return APPLIED;
    }
    char shown[64];
    write_error(reply, "ERR Unsupported rdb-filter-only option: %s; a relay holds the RDB whole",
                bytes_printable(value, shown, sizeof(shown)));
    return STOPPED;
}

/* A word of relays (docs/protocol.md 2.8): an RDB is fetched for them where ours is too old. */
static enum outcome set_rdb_from(struct replica_terms *terms, struct bytes value,
                                 struct writer *reply)
{
    if (terms->is_relay)
        return to_number(value, OFFSET_MAX, &terms->rdb_from, reply) ? APPLIED : STOPPED;
    write_error(reply, "ERR Unrecognized REPLCONF option: rdb-from");
    return STOPPED;
}

static enum outcome set_rdb_only(struct replica_terms *terms, struct bytes value,
                                 struct writer *reply)
{
    uint64_t only;
    if (!to_number(value, 1, &only, reply))
        return STOPPED;
    terms->rdb_only = only == 1;
    return APPLIED;
}

/* A word of relays (docs/protocol.md 2.7): the answer to PSYNC has a field more, which nobody else expects. */
static enum outcome set_rdb_resume(struct replica_terms *terms, struct bytes value,
                                   struct writer *reply)
{
    if (!terms->is_relay) {
        write_error(reply, "ERR Unrecognized REPLCONF option: rdb-resume");
        return STOPPED;
    }
    terms->has_part = rdb_part_parse(value, &terms->part);
    if (terms->has_part)
        return APPLIED;
    write_error(reply, "ERR REPLCONF rdb-resume: not <replid>:<offset>:<length>:<bytes>:<crc>");
    return STOPPED;
}

static enum outcome set_version(struct replica_terms *terms, struct bytes value,
                                struct writer *reply)
{
    if (value.length > 0 && replconf_copy_word(value, ".-", terms->version, sizeof(terms->version)))
        return APPLIED;
    write_error(reply, "ERR Unrecognized version format");
    return STOPPED;
}

static enum outcome apply_option(struct replica_terms *terms, struct bytes name, struct bytes value,
                                 struct writer *reply)
{
    for (size_t i = 0; i < LENGTH_OF(options); i++) {
        if (bytes_is(name, options[i].name))
            return options[i].set(terms, value, reply);
    }
    char shown[64];
    write_error(reply, "ERR Unrecognized REPLCONF option: %s",
                bytes_printable(name, shown, sizeof(shown)));
    return STOPPED;
}

void replconf_apply(struct replica_terms *terms, const struct command *command,
                    struct writer *reply)
{
    if (command->argument_count % 2 == 0) {
        write_error(reply, "ERR syntax error");
        return;
    }
    for (size_t i = 1; i < command->argument_count; i += 2) {
        if (apply_option(terms, command->argument[i], command->argument[i + 1], reply) != APPLIED)
            return;
    }
    write_simple(reply, "OK");
}

enum replconf_word replconf_on_link(const struct command *command, uint64_t *acknowledged)
{
    const struct bytes *argument = command->argument;
    /* Servers pass over a second one in silence. */
    if (bytes_is(argument[0], "psync") || bytes_is(argument[0], "sync"))
        return REPLCONF_NO_REPLY;
    if (!bytes_is(argument[0], "replconf") || command->argument_count < 3)
        return REPLCONF_UNEXPECTED;
    if (bytes_is(argument[1], "getack"))
        return REPLCONF_NO_REPLY;
    if (bytes_is(argument[1], "ack") && bytes_to_u64(argument[2], acknowledged))
        return REPLCONF_ACK;
    return REPLCONF_UNEXPECTED;
}
