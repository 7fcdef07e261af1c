/* SPDX-License-Identifier: MIT */
#include "handshake_steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "login.h"
#include "relay/resp/rdb_version.h"
#include "relay/upstream/primary_rights.h"

enum {
    WORDS_MAX = 16,
    ZSTD_LEVEL_MAX = 22,
};

/* The first word is the command, which may have another name there. */
static void send_words(const struct handshake *handshake, struct writer *writer,
                       const char *const *words, size_t count)
{
    const char *renamed[WORDS_MAX];
    CHECK(count > 0 && count <= WORDS_MAX);
    memcpy(renamed, words, count * sizeof(*words));
    renamed[0] = renames_word(handshake->terms.renames, words[0]);
    write_command(writer, renamed, count);
}

#define SEND(handshake, writer, ...)                                                               \
    send_words(handshake, writer, (const char *const[]){__VA_ARGS__},                              \
               LENGTH_OF(((const char *const[]){__VA_ARGS__})))

/* ------------------------------------------------------------------ when a step is needed */

bool handshake_offers_rdb_channel(const struct handshake *handshake)
{
    const struct handshake_terms *terms = &handshake->terms;
    return terms->offers_rdb_channel && !terms->rdb_only && !handshake->info.is_relay;
}

static bool handshake_always(const struct handshake *handshake)
{
    (void)handshake;
    return true;
}

static bool has_password(const struct handshake *handshake)
{
    return string_is_given(handshake->terms.password);
}

static bool has_announce_ip(const struct handshake *handshake)
{
    return string_is_given(handshake->terms.announce_ip);
}

static bool announces_version(const struct handshake *handshake)
{
    return handshake->terms.announce_version != 0;
}

static bool asks_keys(const struct handshake *handshake)
{
    return handshake->asks_keys;
}

static bool asks_limits(const struct handshake *handshake)
{
    return handshake->terms.asks_limits;
}

static bool is_at_relay(const struct handshake *handshake)
{
    return handshake->info.is_relay;
}

static bool asks_for_rest(const struct handshake *handshake)
{
    return handshake->info.is_relay && handshake->terms.has_part;
}

static bool asks_for_newer(const struct handshake *handshake)
{
    return handshake->info.is_relay && handshake->terms.rdb_only;
}

static bool is_refresh(const struct handshake *handshake)
{
    return handshake->terms.rdb_only;
}

/* A Valkey is asked by capabilities, and so is a relay. One that has not said what it is may be either. */
static bool asks_frames(const struct handshake *handshake)
{
    const struct primary_info *info = &handshake->info;
    return handshake->asked.codec == CODEC_ZSTD && !handshake->terms.rdb_only && !info->is_relay &&
           info->valkey_version[0] == '\0';
}

static bool asks_frames_again(const struct handshake *handshake)
{
    return handshake->other_level != 0;
}

/* ------------------------------------------------------------------ what is sent */

static void send_ping(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "PING");
}

static void handshake_send_auth(const struct handshake *handshake, struct writer *writer)
{
    const struct handshake_terms *terms = &handshake->terms;
    login_write(writer, renames_word(terms->renames, "AUTH"), terms->user, terms->password);
}

static void send_info_server(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "INFO", "server");
}

static void send_info_replication(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "INFO", "replication");
}

static void send_info_keyspace(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "INFO", "keyspace");
}

static void send_info_stats(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "INFO", "stats");
}

static void send_info_memory(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "INFO", "memory");
}

/* Before PSYNC: behind it no command may be sent that is answered. */
static void send_config(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "CONFIG", "GET", "client-output-buffer-limit");
}

static void send_listening_port(const struct handshake *handshake, struct writer *writer)
{
    char port[8];
    snprintf(port, sizeof(port), "%" PRIu16, handshake->terms.announce_port);
    SEND(handshake, writer, "REPLCONF", "listening-port", port);
}

static void send_ip_address(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "REPLCONF", "ip-address", handshake->terms.announce_ip);
}

static void send_level(const struct handshake *handshake, struct writer *writer, int level)
{
    char text[8];
    snprintf(text, sizeof(text), "%d", level);
    SEND(handshake, writer, "REPLCONF", "compression", text);
}

/* A Redis agrees to its own level only (docs/protocol.md 7.5), and says which one that is. */
static void send_compression(const struct handshake *handshake, struct writer *writer)
{
    send_level(handshake, writer, handshake->asked.level);
}

static void send_other_level(const struct handshake *handshake, struct writer *writer)
{
    send_level(handshake, writer, handshake->other_level);
}

/* The codecs in the order in which a Valkey names them: it may send what is named, or nothing compressed. Returns how
 * many words there are. */
static size_t add_codecs(const struct handshake *handshake, const char **words, size_t count)
{
    enum codec codec = handshake->asked.codec;
    if (codec == CODEC_ZSTD) {
        words[count++] = "capa";
        words[count++] = "zstd";
    }
    if (codec == CODEC_LZ4 || (codec == CODEC_ZSTD && codec_is_built(CODEC_LZ4))) {
        words[count++] = "capa";
        words[count++] = "lz4";
    }
    return count;
}

static void send_capa(const struct handshake *handshake, struct writer *writer)
{
    const char *words[WORDS_MAX] = {"REPLCONF", "capa", "eof", "capa", "psync2"};
    size_t count = 5;
    if (handshake_offers_rdb_channel(handshake)) {
        words[count++] = "capa";
        words[count++] = "rdb-channel-repl";
        words[count++] = "capa";
        words[count++] = "dual-channel";
    }
    send_words(handshake, writer, words, add_codecs(handshake, words, count));
}

/* A relay knows by this that we can keep an RDB that the version which we announce cannot read. */
static void send_relay_capa(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "REPLCONF", "capa", "psync-relay");
}

/* A Valkey of 9.1 and later chooses the RDB format by it (docs/protocol.md 7.4, announced_version.h). */
static void send_version(const struct handshake *handshake, struct writer *writer)
{
    char version[SERVER_VERSION_MAX];
    SEND(handshake, writer, "REPLCONF", "version",
         server_version_format(handshake->terms.announce_version, version));
}

static void send_rdb_only(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "REPLCONF", "rdb-only", "1");
}

/* A relay that does not know it sends the one that it has (docs/protocol.md 2.8). */
static void send_rdb_from(const struct handshake *handshake, struct writer *writer)
{
    char offset[24];
    snprintf(offset, sizeof(offset), "%" PRIu64, handshake->terms.rdb_from);
    SEND(handshake, writer, "REPLCONF", "rdb-from", offset);
}

/* The answer to PSYNC says whether it is sent (docs/protocol.md 2.7). */
static void send_rdb_resume(const struct handshake *handshake, struct writer *writer)
{
    struct text word;
    text_init(&word, RDB_PART_WORD_MAX);
    rdb_part_format(&handshake->terms.part, &word);
    SEND(handshake, writer, "REPLCONF", "rdb-resume", text_string(&word));
    text_fini(&word);
}

static void send_psync(const struct handshake *handshake, struct writer *writer)
{
    char id[REPLID_DIGITS + 1];
    char first_wanted[24];
    const struct handshake_terms *terms = &handshake->terms;
    psync_request_format(terms->has_history ? &terms->replid : NULL, terms->offset, id,
                         first_wanted);
    SEND(handshake, writer, "PSYNC", id, first_wanted);
}

/* ------------------------------------------------------------------ how the answer is judged */

/* An error that only says that AUTH comes next is as good as PONG (docs/protocol.md 1.2). */
static enum handshake_verdict judge_ping(struct handshake *handshake, struct bytes answer)
{
    bool good = bytes_starts(answer, "+") || bytes_starts(answer, "-NOAUTH") ||
                bytes_starts(answer, "-NOPERM") ||
                bytes_starts(answer, "-ERR operation not permitted");
    if (good) /* it may be another server than the one before */
        primary_info_init(&handshake->info);
    return good ? HANDSHAKE_STEP_NEXT : HANDSHAKE_STEP_FAILED;
}

static enum handshake_verdict handshake_judge_auth(struct handshake *handshake, struct bytes answer)
{
    (void)handshake;
    return bytes_starts(answer, "+") ? HANDSHAKE_STEP_NEXT : HANDSHAKE_STEP_FAILED;
}

/* Errors are tolerated: the server does not know the option, and goes on without. Anything that is
 * neither an answer nor an error is not a server. */
static enum handshake_verdict judge_option(struct handshake *handshake, struct bytes answer)
{
    (void)handshake;
    return bytes_starts(answer, "+") || bytes_starts(answer, "-") ? HANDSHAKE_STEP_NEXT
                                                                  : HANDSHAKE_STEP_FAILED;
}

/* The number behind "...master's level: "; 0: none that a level could be. */
static int level_in(struct bytes answer)
{
    uint64_t level;
    struct bytes rest = answer;
    for (size_t at; (at = bytes_find(rest, ':')) < rest.length;)
        rest = bytes_skip(rest, at + 1);
    bool is_one = rest.length < answer.length && bytes_to_u64(bytes_trim(rest), &level) &&
                  level >= 1 && level <= ZSTD_LEVEL_MAX;
    return is_one ? (int)level : 0;
}

static enum handshake_verdict judge_compression(struct handshake *handshake, struct bytes answer)
{
    if (bytes_starts(answer, "+OK"))
        handshake->frames_level = handshake->asked.level;
    else if (bytes_starts(answer, "-ERR Requested level"))
        handshake->other_level = level_in(answer);
    return judge_option(handshake, answer);
}

static enum handshake_verdict judge_other_level(struct handshake *handshake, struct bytes answer)
{
    if (bytes_starts(answer, "+OK"))
        handshake->frames_level = handshake->other_level;
    return judge_option(handshake, answer);
}

static enum handshake_verdict judge_version(struct handshake *handshake, struct bytes answer)
{
    handshake->took_version = bytes_starts(answer, "+");
    return judge_option(handshake, answer);
}

/* A relay that does not know it, or has another RDB by now, begins with one anew. */
static enum handshake_verdict judge_rdb_resume(struct handshake *handshake, struct bytes answer)
{
    handshake->took_part = bytes_starts(answer, "+");
    return judge_option(handshake, answer);
}

/* A user without the right to ask is no hindrance: then we do not know. */
static enum handshake_verdict judge_info(struct handshake *handshake, struct bytes answer)
{
    return bytes_starts(answer, "$") ? HANDSHAKE_STEP_NEXT : judge_option(handshake, answer);
}

/* Now we know what the server is: may we follow it, and from where on can it go on with us? */
static enum handshake_verdict judge_server(struct handshake *handshake)
{
    struct handshake_terms *terms = &handshake->terms;
    const char *veto = terms->veto != NULL ? terms->veto(&handshake->info, terms->veto_arg) : NULL;
    if (veto != NULL) {
        snprintf(handshake->error, sizeof(handshake->error), "%s", veto);
        return HANDSHAKE_STEP_PASSED;
    }
    if (terms->has_history) {
        uint64_t common = primary_info_common(&handshake->info, &terms->replid, terms->offset);
        if (common >= terms->offset_min)
            terms->offset = common;
    }
    return HANDSHAKE_STEP_NEXT;
}

static enum handshake_verdict judge_role(struct handshake *handshake, struct bytes answer)
{
    const struct handshake_terms *terms = &handshake->terms;
    if (judge_info(handshake, answer) == HANDSHAKE_STEP_FAILED)
        return HANDSHAKE_STEP_FAILED;
    handshake->asks_keys =
        terms->wants_keys != NULL && terms->wants_keys(&handshake->info, terms->veto_arg);
    return handshake->asks_keys ? HANDSHAKE_STEP_NEXT : judge_server(handshake);
}

static enum handshake_verdict judge_keys(struct handshake *handshake, struct bytes answer)
{
    return judge_info(handshake, answer) == HANDSHAKE_STEP_FAILED ? HANDSHAKE_STEP_FAILED
                                                                  : judge_server(handshake);
}

/* Servers that do not know it answer with an empty array. */
static enum handshake_verdict judge_config(struct handshake *handshake, struct bytes answer)
{
    return bytes_starts(answer, "*0") ? HANDSHAKE_STEP_NEXT : judge_info(handshake, answer);
}

/* Does it go on where we are, if it goes on at all? */
static bool has_good_beginning(const struct handshake *handshake)
{
    const struct psync_reply *reply = &handshake->reply;
    const struct rdb_part *part = &handshake->terms.part;
    return reply->rdb_begin == 0 || (handshake->took_part && reply->rdb_begin == part->bytes &&
                                     rdb_part_is_of(part, &reply->replid, reply->offset, 0));
}

/* No error leads to SYNC, as it does in servers: a sync without id and offset allows no ACK and
 * no partial resync (docs/protocol.md 1.4). */
static enum handshake_verdict judge_psync(struct handshake *handshake, struct bytes answer)
{
    handshake->reply = psync_reply_parse(answer);
    switch (handshake->reply.verdict) {
    case PSYNC_RDB_CHANNEL:
    case PSYNC_DUAL_CHANNEL:
        return handshake_offers_rdb_channel(handshake) ? HANDSHAKE_STEP_DONE
                                                       : HANDSHAKE_STEP_FAILED;
    case PSYNC_FULLRESYNC:
        return has_good_beginning(handshake) ? HANDSHAKE_STEP_DONE : HANDSHAKE_STEP_FAILED;
    case PSYNC_CONTINUE: /* of what, if we asked for all of it? */
        return handshake->terms.has_history ? HANDSHAKE_STEP_DONE : HANDSHAKE_STEP_FAILED;
    case PSYNC_LATER:
    case PSYNC_DENIED:
    case PSYNC_REFUSED:
    case PSYNC_NONSENSE:
        return HANDSHAKE_STEP_FAILED;
    }
    UNREACHABLE("a verdict without a case");
}

/* ------------------------------------------------------------------ the RDB's own connection */

/* What makes the connection that of the RDB is one command, as in real replicas: without all of it a server would take us
 * for a second replica. */
static void send_redis_channel(const struct handshake *handshake, struct writer *writer)
{
    char client[24];
    snprintf(client, sizeof(client), "%" PRIu64, handshake->terms.client_id);
    SEND(handshake, writer, "REPLCONF", "capa", "eof", "rdb-only", "1", "rdb-channel", "1",
         "main-ch-client-id", client);
}

static void send_valkey_channel(const struct handshake *handshake, struct writer *writer)
{
    const char *words[WORDS_MAX] = {"REPLCONF", "capa", "eof", "rdb-only", "1", "rdb-channel", "1"};
    send_words(handshake, writer, words, add_codecs(handshake, words, 7));
}

static void send_psync_all(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "PSYNC", "?", "-1");
}

static void send_sync(const struct handshake *handshake, struct writer *writer)
{
    SEND(handshake, writer, "SYNC");
}

static void send_rdb_client(const struct handshake *handshake, struct writer *writer)
{
    char client[24];
    snprintf(client, sizeof(client), "%" PRIu64, handshake->terms.client_id);
    SEND(handshake, writer, "REPLCONF", "set-rdb-client-id", client);
}

/* An error here must end it: a Redis would go on, and send the RDB to a replica without a stream (docs/protocol.md
 * 7.2). */
static enum handshake_verdict judge_required(struct handshake *handshake, struct bytes answer)
{
    (void)handshake;
    return bytes_starts(answer, "+OK") ? HANDSHAKE_STEP_NEXT : HANDSHAKE_STEP_FAILED;
}

static enum handshake_verdict judge_channel_psync(struct handshake *handshake, struct bytes answer)
{
    handshake->reply = psync_reply_parse(answer);
    bool is_good = handshake->reply.verdict == PSYNC_FULLRESYNC && handshake->reply.rdb_begin == 0;
    return is_good ? HANDSHAKE_STEP_DONE : HANDSHAKE_STEP_FAILED;
}

static enum handshake_verdict judge_endoff(struct handshake *handshake, struct bytes answer)
{
    handshake->reply = psync_endoff_parse(answer);
    return handshake->reply.verdict == PSYNC_FULLRESYNC ? HANDSHAKE_STEP_DONE
                                                        : HANDSHAKE_STEP_FAILED;
}

/* The stream goes on under the id that the RDB has, or it is that of another data set. */
static enum handshake_verdict judge_join(struct handshake *handshake, struct bytes answer)
{
    const struct handshake_terms *terms = &handshake->terms;
    handshake->reply = psync_reply_parse(answer);
    const struct psync_reply *reply = &handshake->reply;
    bool is_good = reply->verdict == PSYNC_CONTINUE && reply->has_replid &&
                   replid_equal(&reply->replid, &terms->replid);
    return is_good ? HANDSHAKE_STEP_DONE : HANDSHAKE_STEP_FAILED;
}

/* ------------------------------------------------------------------ the scripts */

/* In the order of docs/protocol.md 1.2, one at a time, each answered before the next: INFO
 * decides from where on PSYNC asks (docs/protocol.md 4.1), and a PSYNC that is sent behind a
 * command without an answer yet is refused. Each option is a REPLCONF of its own, since a server
 * stops at the first that it does not know; the values of capa are in one, since those that it
 * does not know are ignored. */
static const struct handshake_step replica_steps[] = {
    {"PING", handshake_always, send_ping, judge_ping, 0, 0},
    {"AUTH", has_password, handshake_send_auth, handshake_judge_auth, 0, 0},
    {"INFO server", handshake_always, send_info_server, judge_info, PRIMARY_RIGHT_INFO, 0},
    {"INFO replication", handshake_always, send_info_replication, judge_role, PRIMARY_RIGHT_INFO,
     0},
    {"INFO keyspace", asks_keys, send_info_keyspace, judge_keys, PRIMARY_RIGHT_INFO, 0},
    {"INFO stats", asks_limits, send_info_stats, judge_info, PRIMARY_RIGHT_INFO, 0},
    {"INFO memory", asks_limits, send_info_memory, judge_info, PRIMARY_RIGHT_INFO, 0},
    {"CONFIG GET", asks_limits, send_config, judge_config, 0, HANDSHAKE_TAKES_ARRAY},
    {"REPLCONF listening-port", handshake_always, send_listening_port, judge_option,
     PRIMARY_RIGHT_REPLCONF, 0},
    {"REPLCONF ip-address", has_announce_ip, send_ip_address, judge_option, PRIMARY_RIGHT_REPLCONF,
     0},
    {"REPLCONF compression", asks_frames, send_compression, judge_compression,
     PRIMARY_RIGHT_REPLCONF, 0},
    {"REPLCONF compression", asks_frames_again, send_other_level, judge_other_level,
     PRIMARY_RIGHT_REPLCONF, 0},
    {"REPLCONF capa", handshake_always, send_capa, judge_option, PRIMARY_RIGHT_REPLCONF, 0},
    {"REPLCONF capa psync-relay", is_at_relay, send_relay_capa, judge_option, 0, 0},
    {"REPLCONF version", announces_version, send_version, judge_version, PRIMARY_RIGHT_REPLCONF, 0},
    {"REPLCONF rdb-only", is_refresh, send_rdb_only, judge_option, PRIMARY_RIGHT_REPLCONF, 0},
    {"REPLCONF rdb-from", asks_for_newer, send_rdb_from, judge_option, 0, 0},
    {"REPLCONF rdb-resume", asks_for_rest, send_rdb_resume, judge_rdb_resume, 0, 0},
    {"PSYNC", handshake_always, send_psync, judge_psync, PRIMARY_RIGHT_PSYNC, 0},
};

/* docs/protocol.md 7.2 */
static const struct handshake_step redis_channel_steps[] = {
    {"AUTH", has_password, handshake_send_auth, handshake_judge_auth, 0, 0},
    {"REPLCONF listening-port", handshake_always, send_listening_port, judge_option, 0, 0},
    {"REPLCONF ip-address", has_announce_ip, send_ip_address, judge_option, 0, 0},
    {"REPLCONF rdb-channel", handshake_always, send_redis_channel, judge_required, 0, 0},
    {"PSYNC", handshake_always, send_psync_all, judge_channel_psync, 0, 0},
};

/* docs/protocol.md 7.1 */
static const struct handshake_step valkey_channel_steps[] = {
    {"AUTH", has_password, handshake_send_auth, handshake_judge_auth, 0, 0},
    {"REPLCONF listening-port", handshake_always, send_listening_port, judge_option, 0, 0},
    {"REPLCONF ip-address", has_announce_ip, send_ip_address, judge_option, 0, 0},
    {"REPLCONF version", announces_version, send_version, judge_option, 0, 0},
    {"REPLCONF rdb-channel", handshake_always, send_valkey_channel, judge_required, 0, 0},
    {"SYNC", handshake_always, send_sync, judge_endoff, 0, HANDSHAKE_TAKES_DOLLAR},
};

static const struct handshake_step valkey_join_steps[] = {
    {"REPLCONF set-rdb-client-id", handshake_always, send_rdb_client, judge_required, 0, 0},
    {"PSYNC", handshake_always, send_psync, judge_join, 0, 0},
};

static const struct handshake_script scripts[] = {
    [HANDSHAKE_REPLICA] = {replica_steps, LENGTH_OF(replica_steps)},
    [HANDSHAKE_REDIS_CHANNEL] = {redis_channel_steps, LENGTH_OF(redis_channel_steps)},
    [HANDSHAKE_VALKEY_CHANNEL] = {valkey_channel_steps, LENGTH_OF(valkey_channel_steps)},
    [HANDSHAKE_VALKEY_JOIN] = {valkey_join_steps, LENGTH_OF(valkey_join_steps)},
};

const struct handshake_script *handshake_script_of(const struct handshake *handshake)
{
    return &scripts[handshake->terms.kind];
}
