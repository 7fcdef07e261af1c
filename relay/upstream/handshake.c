/* SPDX-License-Identifier: MIT */
#include "handshake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "login.h"
#include "relay/resp/rdb_version.h"
#include "relay/resp/writer.h"
#include "relay/upstream/primary_rights.h"

enum verdict { NEXT, PASSED, FAILED, DONE };

struct step {
    const char *name;
    bool (*is_needed)(const struct handshake *handshake);
    void (*send)(const struct handshake *handshake, struct writer *writer);
    enum verdict (*judge)(struct handshake *handshake, struct bytes answer);
    unsigned right; /* PRIMARY_RIGHT_*: what it takes; 0: everybody may */
};

enum {
    WORDS_MAX = 10,
    ZSTD_LEVEL_MAX = 22,
    ZSTD_LEVEL_LARGE = 20, /* from here on the windows are larger than 8 MiB */
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

/* In the order in which a Valkey names them: it may send what is named, or nothing compressed. */
static void send_capa(const struct handshake *handshake, struct writer *writer)
{
    switch (handshake->asked.codec) {
    case CODEC_NONE:
        SEND(handshake, writer, "REPLCONF", "capa", "eof", "capa", "psync2");
        return;
    case CODEC_LZ4:
        SEND(handshake, writer, "REPLCONF", "capa", "eof", "capa", "psync2", "capa", "lz4");
        return;
    case CODEC_ZSTD:
        if (codec_is_built(CODEC_LZ4))
            SEND(handshake, writer, "REPLCONF", "capa", "eof", "capa", "psync2", "capa", "zstd",
                 "capa", "lz4");
        else
            SEND(handshake, writer, "REPLCONF", "capa", "eof", "capa", "psync2", "capa", "zstd");
        return;
    }
    UNREACHABLE("a codec without a case");
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
static enum verdict judge_ping(struct handshake *handshake, struct bytes answer)
{
    bool good = bytes_starts(answer, "+") || bytes_starts(answer, "-NOAUTH") ||
                bytes_starts(answer, "-NOPERM") ||
                bytes_starts(answer, "-ERR operation not permitted");
    if (good) /* it may be another server than the one before */
        primary_info_init(&handshake->info);
    return good ? NEXT : FAILED;
}

static enum verdict handshake_judge_auth(struct handshake *handshake, struct bytes answer)
{
    (void)handshake;
    return bytes_starts(answer, "+") ? NEXT : FAILED;
}

/* Errors are tolerated: the server does not know the option, and goes on without. Anything that is
 * neither an answer nor an error is not a server. */
static enum verdict judge_option(struct handshake *handshake, struct bytes answer)
{
    (void)handshake;
    return bytes_starts(answer, "+") || bytes_starts(answer, "-") ? NEXT : FAILED;
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

static enum verdict judge_compression(struct handshake *handshake, struct bytes answer)
{
    if (bytes_starts(answer, "+OK"))
        handshake->frames_level = handshake->asked.level;
    else if (bytes_starts(answer, "-ERR Requested level"))
        handshake->other_level = level_in(answer);
    return judge_option(handshake, answer);
}

static enum verdict judge_other_level(struct handshake *handshake, struct bytes answer)
{
    if (bytes_starts(answer, "+OK"))
        handshake->frames_level = handshake->other_level;
    return judge_option(handshake, answer);
}

static enum verdict judge_version(struct handshake *handshake, struct bytes answer)
{
    handshake->took_version = bytes_starts(answer, "+");
    return judge_option(handshake, answer);
}

/* A relay that does not know it, or has another RDB by now, begins with one anew. */
static enum verdict judge_rdb_resume(struct handshake *handshake, struct bytes answer)
{
    handshake->took_part = bytes_starts(answer, "+");
    return judge_option(handshake, answer);
}

/* A user without the right to ask is no hindrance: then we do not know. */
static enum verdict judge_info(struct handshake *handshake, struct bytes answer)
{
    return bytes_starts(answer, "$") ? NEXT : judge_option(handshake, answer);
}

/* Now we know what the server is: may we follow it, and from where on can it go on with us? */
static enum verdict judge_server(struct handshake *handshake)
{
    struct handshake_terms *terms = &handshake->terms;
    const char *veto = terms->veto != NULL ? terms->veto(&handshake->info, terms->veto_arg) : NULL;
    if (veto != NULL) {
        snprintf(handshake->error, sizeof(handshake->error), "%s", veto);
        return PASSED;
    }
    if (terms->has_history) {
        uint64_t common = primary_info_common(&handshake->info, &terms->replid, terms->offset);
        if (common >= terms->offset_min)
            terms->offset = common;
    }
    return NEXT;
}

static enum verdict judge_role(struct handshake *handshake, struct bytes answer)
{
    const struct handshake_terms *terms = &handshake->terms;
    if (judge_info(handshake, answer) == FAILED)
        return FAILED;
    handshake->asks_keys =
        terms->wants_keys != NULL && terms->wants_keys(&handshake->info, terms->veto_arg);
    return handshake->asks_keys ? NEXT : judge_server(handshake);
}

static enum verdict judge_keys(struct handshake *handshake, struct bytes answer)
{
    return judge_info(handshake, answer) == FAILED ? FAILED : judge_server(handshake);
}

/* Servers that do not know it answer with an empty array. */
static enum verdict judge_config(struct handshake *handshake, struct bytes answer)
{
    return bytes_starts(answer, "*0") ? NEXT : judge_info(handshake, answer);
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
static enum verdict judge_psync(struct handshake *handshake, struct bytes answer)
{
    handshake->reply = psync_reply_parse(answer);
    switch (handshake->reply.verdict) {
    case PSYNC_FULLRESYNC:
        return has_good_beginning(handshake) ? DONE : FAILED;
    case PSYNC_CONTINUE: /* of what, if we asked for all of it? */
        return handshake->terms.has_history ? DONE : FAILED;
    case PSYNC_LATER:
    case PSYNC_DENIED:
    case PSYNC_REFUSED:
    case PSYNC_NONSENSE:
        return FAILED;
    }
    UNREACHABLE("a verdict without a case");
}

/* In the order of docs/protocol.md 1.2, one at a time, each answered before the next: INFO
 * decides from where on PSYNC asks (docs/protocol.md 4.1), and a PSYNC that is sent behind a
 * command without an answer yet is refused. Each option is a REPLCONF of its own, since a server
 * stops at the first that it does not know; the values of capa are in one, since those that it
 * does not know are ignored. */
static const struct step steps[] = {
    {"PING", handshake_always, send_ping, judge_ping, 0},
    {"AUTH", has_password, handshake_send_auth, handshake_judge_auth, 0},
    {"INFO server", handshake_always, send_info_server, judge_info, PRIMARY_RIGHT_INFO},
    {"INFO replication", handshake_always, send_info_replication, judge_role, PRIMARY_RIGHT_INFO},
    {"INFO keyspace", asks_keys, send_info_keyspace, judge_keys, PRIMARY_RIGHT_INFO},
    {"INFO stats", asks_limits, send_info_stats, judge_info, PRIMARY_RIGHT_INFO},
    {"INFO memory", asks_limits, send_info_memory, judge_info, PRIMARY_RIGHT_INFO},
    {"CONFIG GET", asks_limits, send_config, judge_config, 0},
    {"REPLCONF listening-port", handshake_always, send_listening_port, judge_option,
     PRIMARY_RIGHT_REPLCONF},
    {"REPLCONF ip-address", has_announce_ip, send_ip_address, judge_option, PRIMARY_RIGHT_REPLCONF},
    {"REPLCONF compression", asks_frames, send_compression, judge_compression,
     PRIMARY_RIGHT_REPLCONF},
    {"REPLCONF compression", asks_frames_again, send_other_level, judge_other_level,
     PRIMARY_RIGHT_REPLCONF},
    {"REPLCONF capa", handshake_always, send_capa, judge_option, PRIMARY_RIGHT_REPLCONF},
    {"REPLCONF capa psync-relay", is_at_relay, send_relay_capa, judge_option, 0},
    {"REPLCONF version", announces_version, send_version, judge_version, PRIMARY_RIGHT_REPLCONF},
    {"REPLCONF rdb-only", is_refresh, send_rdb_only, judge_option, PRIMARY_RIGHT_REPLCONF},
    {"REPLCONF rdb-resume", asks_for_rest, send_rdb_resume, judge_rdb_resume, 0},
    {"PSYNC", handshake_always, send_psync, judge_psync, PRIMARY_RIGHT_PSYNC},
};

enum { LAST_STEP = LENGTH_OF(steps) - 1 };

/* ------------------------------------------------------------------ walking the list */

void handshake_init(struct handshake *handshake)
{
    memset(handshake, 0, sizeof(*handshake));
    primary_info_init(&handshake->info);
    text_init(&handshake->bulk_line, HANDSHAKE_LINE_MAX);
}

void handshake_fini(struct handshake *handshake)
{
    text_fini(&handshake->bulk_line);
}

bool handshake_has_asked(const struct handshake *handshake)
{
    return handshake->step == LAST_STEP;
}

static void send_step(struct handshake *handshake, struct text *out)
{
    while (!steps[handshake->step].is_needed(handshake))
        handshake->step++;
    CHECK(handshake->step <= LAST_STEP);
    handshake->line_length = 0;
    handshake->in_bulk = false;
    handshake->items = 0;
    text_clear(&handshake->bulk_line);
    struct writer writer = {out, 2};
    steps[handshake->step].send(handshake, &writer);
}

void handshake_start(struct handshake *handshake, const struct handshake_terms *terms,
                     struct text *out)
{
    /* `info` stays until this server has answered PING: meanwhile the status tells of the one
     * before. */
    handshake->terms = *terms;
    handshake->step = 0;
    handshake->error[0] = '\0';
    handshake->asks_keys = false;
    handshake->info.has_role = false; /* this server has not said yet what it is */
    handshake->asked = (struct compression){.codec = CODEC_NONE};
    if (terms->compression != NULL)
        handshake->asked = compression_use_now(terms->compression);
    handshake->frames_level = 0;
    handshake->other_level = 0;
    handshake->took_version = false;
    handshake->took_part = false;
    handshake->denied = 0;
    handshake->reply = (struct psync_reply){.verdict = PSYNC_NONSENSE};
    send_step(handshake, out);
}

static enum handshake_result handshake_fail(struct handshake *handshake, const char *what,
                                            struct bytes answer)
{
    char shown[160];
    const char *hint = bytes_starts(answer, "-ERR unknown command")
                           ? " (a primary that renames commands needs rename-command)"
                           : "";
    snprintf(handshake->error, sizeof(handshake->error), "%s: %s%s%s", steps[handshake->step].name,
             what, bytes_printable(answer, shown, sizeof(shown)), hint);
    return HANDSHAKE_FAILED;
}

/* A command that is not known is one that was renamed, where all servers have it. */
static void handshake_note_rights(struct handshake *handshake, struct bytes answer)
{
    unsigned right = steps[handshake->step].right;
    bool is_unknown = right == PRIMARY_RIGHT_INFO && bytes_starts(answer, "-ERR unknown command");
    if (bytes_starts(answer, "-NOPERM") || is_unknown)
        handshake->denied |= right;
}

/* A whole answer has come: a line, and what a bulk string held. */
static enum handshake_result act(struct handshake *handshake, struct text *out)
{
    struct bytes answer = bytes_at(handshake->line, handshake->line_length);
    handshake_note_rights(handshake, answer);
    switch (steps[handshake->step].judge(handshake, answer)) {
    case NEXT:
        CHECK(handshake->step < LAST_STEP);
        handshake->step++;
        send_step(handshake, out);
        return HANDSHAKE_MORE;
    case DONE:
        return HANDSHAKE_DONE;
    case PASSED:
        return HANDSHAKE_PASSED;
    case FAILED:
        break;
    }
    return handshake_fail(handshake, "the primary answered: ", answer);
}

/* Reads a bulk string line by line: an INFO may be long, as it has a line for each replica. */
static void take_bulk(struct handshake *handshake, struct bytes piece)
{
    while (piece.length > 0) {
        size_t length = bytes_find(piece, '\n');
        text_append(&handshake->bulk_line, bytes_first(piece, length));
        if (length == piece.length)
            return;
        if (!handshake->bulk_line.failed) /* one that is too long is none that we look for */
            primary_info_read(&handshake->info, text_bytes(&handshake->bulk_line));
        text_clear(&handshake->bulk_line);
        piece = bytes_skip(piece, length + 1);
    }
}

static enum handshake_result feed_bulk(struct handshake *handshake, struct bytes *input,
                                       struct text *out)
{
    uint64_t take = input->length < handshake->awaited ? input->length : handshake->awaited;
    take_bulk(handshake, bytes_first(*input, (size_t)take));
    *input = bytes_skip(*input, (size_t)take);
    handshake->awaited -= take;
    if (handshake->awaited > 0)
        return HANDSHAKE_MORE;
    if (handshake->items <= 1)
        return act(handshake, out);
    handshake->items--;
    handshake->in_bulk = false;
    handshake->line_length = 0;
    return HANDSHAKE_MORE;
}

/* "*2": an array, of bulk strings, where one may be the answer. */
static bool takes_array(struct handshake *handshake, struct bytes line)
{
    uint64_t count;
    if (steps[handshake->step].judge != judge_config || handshake->items > 0 ||
        !bytes_starts(line, "*") || !bytes_to_u64(bytes_skip(line, 1), &count) || count == 0 ||
        count > HANDSHAKE_ITEMS_MAX)
        return false;
    handshake->items = (unsigned)count;
    return true;
}

static enum handshake_result handshake_end_line(struct handshake *handshake, struct text *out)
{
    if (handshake->line_length > 0 && handshake->line[handshake->line_length - 1] == '\r')
        handshake->line_length--;
    struct bytes line = bytes_at(handshake->line, handshake->line_length);
    if (line.length == 0)
        return HANDSHAKE_MORE; /* keepalive: the primary has not made up its mind (docs/protocol.md 1.4) */
    if (takes_array(handshake, line))
        return HANDSHAKE_MORE;
    if (line.data[0] != '$')
        return act(handshake, out);
    if (handshake->step ==
        LAST_STEP) /* Redis and Valkey look at the word itself: not "psync" is SYNC */
        return handshake_fail(
            handshake,
            "the primary took it for SYNC, as it does where its rename-command renames "
            "PSYNC, which no replica can do with: ",
            line);
    uint64_t length;
    if (!bytes_to_u64(bytes_skip(line, 1), &length) || length > HANDSHAKE_BULK_MAX)
        return handshake_fail(handshake, "no answer of this protocol: ", line);
    handshake->in_bulk = true;
    handshake->awaited = length + 2;
    return HANDSHAKE_MORE;
}

/* Real replicas read an answer into 256 bytes, so no server sends a longer line
 * (docs/protocol.md 1.1); we allow for more, and not for any length. */
static enum handshake_result feed_line(struct handshake *handshake, struct bytes *input,
                                       struct text *out)
{
    size_t length = bytes_find(*input, '\n');
    if (length > sizeof(handshake->line) - handshake->line_length) {
        struct bytes line = bytes_at(handshake->line, handshake->line_length);
        return handshake_fail(handshake,
                              "a line without an end: ", line.length > 0 ? line : *input);
    }
    memcpy(handshake->line + handshake->line_length, input->data, length);
    handshake->line_length += length;
    if (length == input->length) {
        *input = bytes_skip(*input, length);
        return HANDSHAKE_MORE;
    }
    *input = bytes_skip(*input, length + 1);
    enum handshake_result result = handshake_end_line(handshake, out);
    if (!handshake->in_bulk)
        handshake->line_length = 0;
    return result;
}

enum handshake_result handshake_feed(struct handshake *handshake, struct bytes *input,
                                     struct text *out)
{
    enum handshake_result result = HANDSHAKE_MORE;
    while (result == HANDSHAKE_MORE && input->length > 0)
        result = handshake->in_bulk ? feed_bulk(handshake, input, out)
                                    : feed_line(handshake, input, out);
    return result;
}

const char *handshake_step(const struct handshake *handshake)
{
    return steps[handshake->step].name;
}

struct decompressor_options handshake_decompression(const struct handshake *handshake,
                                                    enum envelope_kind kind)
{
    bool is_large = handshake->frames_level >= ZSTD_LEVEL_LARGE;
    return (struct decompressor_options){
        .kind = kind,
        .expects_frames = kind == ENVELOPE_STREAM && handshake->frames_level > 0,
        .window_log = is_large ? DECOMPRESSOR_WINDOW_LOG_MAX : DECOMPRESSOR_WINDOW_LOG,
    };
}
