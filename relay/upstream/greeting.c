/* SPDX-License-Identifier: MIT */
#include "greeting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/resp/rdb_version.h"
#include "relay/resp/writer.h"
#include "relay/upstream/origin_rights.h"

enum verdict { NEXT, PASSED, FAILED, DONE };

struct step {
    const char *name;
    bool (*is_needed)(const struct greeting *greeting);
    void (*send)(const struct greeting *greeting, struct writer *writer);
    enum verdict (*judge)(struct greeting *greeting, struct bytes answer);
    unsigned right; /* ORIGIN_RIGHT_*: what it takes; 0: everybody may */
};

enum { WORDS_MAX = 8 };

/* The first word is the command, which may have another name there. */
static void send_words(const struct greeting *greeting, struct writer *writer,
                       const char *const *words, size_t count)
{
    const char *renamed[WORDS_MAX];
    CHECK(count > 0 && count <= WORDS_MAX);
    memcpy(renamed, words, count * sizeof(*words));
    renamed[0] = renames_word(greeting->terms.renames, words[0]);
    write_command(writer, renamed, count);
}

#define SEND(greeting, writer, ...)                                                                \
    send_words(greeting, writer, (const char *const[]){__VA_ARGS__},                               \
               LENGTH_OF(((const char *const[]){__VA_ARGS__})))

/* ------------------------------------------------------------------ when a step is needed */

static bool always(const struct greeting *greeting)
{
    (void)greeting;
    return true;
}

static bool has_text(const char *string)
{
    return string != NULL && string[0] != '\0';
}

static bool has_password(const struct greeting *greeting)
{
    return has_text(greeting->terms.password);
}

static bool has_announce_ip(const struct greeting *greeting)
{
    return has_text(greeting->terms.announce_ip);
}

static bool announces_version(const struct greeting *greeting)
{
    return greeting->terms.announce_version != 0;
}

static bool asks_keys(const struct greeting *greeting)
{
    return greeting->asks_keys;
}

static bool asks_limits(const struct greeting *greeting)
{
    return greeting->terms.asks_limits;
}

static bool is_at_relay(const struct greeting *greeting)
{
    return greeting->info.is_relay;
}

static bool is_fetch(const struct greeting *greeting)
{
    return greeting->terms.rdb_only;
}

/* ------------------------------------------------------------------ what is sent */

static void send_ping(const struct greeting *greeting, struct writer *writer)
{
    (void)greeting;
    SEND(greeting, writer, "PING");
}

static void send_auth(const struct greeting *greeting, struct writer *writer)
{
    const struct greeting_terms *terms = &greeting->terms;
    if (has_text(terms->user))
        SEND(greeting, writer, "AUTH", terms->user, terms->password);
    else
        SEND(greeting, writer, "AUTH", terms->password);
}

static void send_info_server(const struct greeting *greeting, struct writer *writer)
{
    (void)greeting;
    SEND(greeting, writer, "INFO", "server");
}

static void send_info_replication(const struct greeting *greeting, struct writer *writer)
{
    (void)greeting;
    SEND(greeting, writer, "INFO", "replication");
}

static void send_info_keyspace(const struct greeting *greeting, struct writer *writer)
{
    (void)greeting;
    SEND(greeting, writer, "INFO", "keyspace");
}

static void send_info_stats(const struct greeting *greeting, struct writer *writer)
{
    SEND(greeting, writer, "INFO", "stats");
}

static void send_info_memory(const struct greeting *greeting, struct writer *writer)
{
    SEND(greeting, writer, "INFO", "memory");
}

/* Before PSYNC: behind it no command may be sent that is answered. */
static void send_config(const struct greeting *greeting, struct writer *writer)
{
    SEND(greeting, writer, "CONFIG", "GET", "client-output-buffer-limit");
}

static void send_listening_port(const struct greeting *greeting, struct writer *writer)
{
    char port[8];
    snprintf(port, sizeof(port), "%" PRIu16, greeting->terms.announce_port);
    SEND(greeting, writer, "REPLCONF", "listening-port", port);
}

static void send_ip_address(const struct greeting *greeting, struct writer *writer)
{
    SEND(greeting, writer, "REPLCONF", "ip-address", greeting->terms.announce_ip);
}

static void send_capa(const struct greeting *greeting, struct writer *writer)
{
    (void)greeting;
    SEND(greeting, writer, "REPLCONF", "capa", "eof", "capa", "psync2");
}

/* A relay knows by this that we can keep an RDB that the version which we announce cannot read. */
static void send_relay_capa(const struct greeting *greeting, struct writer *writer)
{
    SEND(greeting, writer, "REPLCONF", "capa", "psync-relay");
}

/* A Valkey of 9.1 and later chooses the RDB format by it (protocol 7.4, announced_version.h). */
static void send_version(const struct greeting *greeting, struct writer *writer)
{
    char version[SERVER_VERSION_MAX];
    SEND(greeting, writer, "REPLCONF", "version",
         server_version_format(greeting->terms.announce_version, version));
}

static void send_rdb_only(const struct greeting *greeting, struct writer *writer)
{
    (void)greeting;
    SEND(greeting, writer, "REPLCONF", "rdb-only", "1");
}

static void send_psync(const struct greeting *greeting, struct writer *writer)
{
    char id[REPLID_DIGITS + 1];
    char first_wanted[24];
    const struct greeting_terms *terms = &greeting->terms;
    psync_request_format(terms->has_history ? &terms->replid : NULL, terms->offset, id,
                         first_wanted);
    SEND(greeting, writer, "PSYNC", id, first_wanted);
}

/* ------------------------------------------------------------------ how the answer is judged */

/* An error that only says that AUTH comes next is as good as PONG. */
static enum verdict judge_ping(struct greeting *greeting, struct bytes answer)
{
    bool good = bytes_starts(answer, "+") || bytes_starts(answer, "-NOAUTH") ||
                bytes_starts(answer, "-NOPERM") ||
                bytes_starts(answer, "-ERR operation not permitted");
    if (good) /* it may be another server than the one before */
        origin_info_init(&greeting->info);
    return good ? NEXT : FAILED;
}

static enum verdict judge_auth(struct greeting *greeting, struct bytes answer)
{
    (void)greeting;
    return bytes_starts(answer, "+") ? NEXT : FAILED;
}

/* Errors are tolerated: the server does not know the option, and goes on without. Anything that is
 * neither an answer nor an error is not a server. */
static enum verdict judge_option(struct greeting *greeting, struct bytes answer)
{
    (void)greeting;
    return bytes_starts(answer, "+") || bytes_starts(answer, "-") ? NEXT : FAILED;
}

static enum verdict judge_version(struct greeting *greeting, struct bytes answer)
{
    greeting->took_version = bytes_starts(answer, "+");
    return judge_option(greeting, answer);
}

/* A user without the right to ask is no hindrance: then we do not know. */
static enum verdict judge_info(struct greeting *greeting, struct bytes answer)
{
    return bytes_starts(answer, "$") ? NEXT : judge_option(greeting, answer);
}

/* Now we know what the server is: may we follow it, and from where on can it go on with us? */
static enum verdict judge_server(struct greeting *greeting)
{
    struct greeting_terms *terms = &greeting->terms;
    const char *veto = terms->veto != NULL ? terms->veto(&greeting->info, terms->veto_arg) : NULL;
    if (veto != NULL) {
        snprintf(greeting->error, sizeof(greeting->error), "%s", veto);
        return PASSED;
    }
    if (terms->has_history) {
        uint64_t common = origin_info_common(&greeting->info, &terms->replid, terms->offset);
        if (common >= terms->offset_min)
            terms->offset = common;
    }
    return NEXT;
}

static enum verdict judge_role(struct greeting *greeting, struct bytes answer)
{
    const struct greeting_terms *terms = &greeting->terms;
    if (judge_info(greeting, answer) == FAILED)
        return FAILED;
    greeting->asks_keys =
        terms->wants_keys != NULL && terms->wants_keys(&greeting->info, terms->veto_arg);
    return greeting->asks_keys ? NEXT : judge_server(greeting);
}

static enum verdict judge_keys(struct greeting *greeting, struct bytes answer)
{
    return judge_info(greeting, answer) == FAILED ? FAILED : judge_server(greeting);
}

/* Servers that do not know it answer with an empty array. */
static enum verdict judge_config(struct greeting *greeting, struct bytes answer)
{
    return bytes_starts(answer, "*0") ? NEXT : judge_info(greeting, answer);
}

static enum verdict judge_psync(struct greeting *greeting, struct bytes answer)
{
    greeting->reply = psync_reply_parse(answer);
    switch (greeting->reply.verdict) {
    case PSYNC_FULLRESYNC:
        return DONE;
    case PSYNC_CONTINUE: /* of what, if we asked for all of it? */
        return greeting->terms.has_history ? DONE : FAILED;
    case PSYNC_LATER:
    case PSYNC_DENIED:
    case PSYNC_REFUSED:
    case PSYNC_NONSENSE:
        return FAILED;
    }
    UNREACHABLE("a verdict without a case");
}

static const struct step steps[] = {
    {"PING", always, send_ping, judge_ping, 0},
    {"AUTH", has_password, send_auth, judge_auth, 0},
    {"INFO server", always, send_info_server, judge_info, ORIGIN_RIGHT_INFO},
    {"INFO replication", always, send_info_replication, judge_role, ORIGIN_RIGHT_INFO},
    {"INFO keyspace", asks_keys, send_info_keyspace, judge_keys, ORIGIN_RIGHT_INFO},
    {"INFO stats", asks_limits, send_info_stats, judge_info, ORIGIN_RIGHT_INFO},
    {"INFO memory", asks_limits, send_info_memory, judge_info, ORIGIN_RIGHT_INFO},
    {"CONFIG GET", asks_limits, send_config, judge_config, 0},
    {"REPLCONF listening-port", always, send_listening_port, judge_option, ORIGIN_RIGHT_REPLCONF},
    {"REPLCONF ip-address", has_announce_ip, send_ip_address, judge_option, ORIGIN_RIGHT_REPLCONF},
    {"REPLCONF capa", always, send_capa, judge_option, ORIGIN_RIGHT_REPLCONF},
    {"REPLCONF capa psync-relay", is_at_relay, send_relay_capa, judge_option, 0},
    {"REPLCONF version", announces_version, send_version, judge_version, ORIGIN_RIGHT_REPLCONF},
    {"REPLCONF rdb-only", is_fetch, send_rdb_only, judge_option, ORIGIN_RIGHT_REPLCONF},
    {"PSYNC", always, send_psync, judge_psync, ORIGIN_RIGHT_PSYNC},
};

enum { LAST_STEP = LENGTH_OF(steps) - 1 };

/* ------------------------------------------------------------------ walking the list */

void greeting_init(struct greeting *greeting)
{
    memset(greeting, 0, sizeof(*greeting));
    origin_info_init(&greeting->info);
    text_init(&greeting->bulk_line, GREETING_LINE_MAX);
}

void greeting_fini(struct greeting *greeting)
{
    text_fini(&greeting->bulk_line);
}

bool greeting_has_asked(const struct greeting *greeting)
{
    return greeting->step == LAST_STEP;
}

static void send_step(struct greeting *greeting, struct text *out)
{
    while (!steps[greeting->step].is_needed(greeting))
        greeting->step++;
    CHECK(greeting->step <= LAST_STEP);
    greeting->line_length = 0;
    greeting->in_bulk = false;
    greeting->items = 0;
    text_clear(&greeting->bulk_line);
    struct writer writer = {out, 2};
    steps[greeting->step].send(greeting, &writer);
}

void greeting_start(struct greeting *greeting, const struct greeting_terms *terms, struct text *out)
{
    greeting->terms = *terms;
    greeting->step = 0;
    greeting->error[0] = '\0';
    greeting->asks_keys = false;
    greeting->info.has_role = false; /* this server has not said yet what it is */
    greeting->took_version = false;
    greeting->denied = 0;
    greeting->reply = (struct psync_reply){.verdict = PSYNC_NONSENSE};
    send_step(greeting, out);
}

static enum greeting_result fail(struct greeting *greeting, const char *what, struct bytes answer)
{
    char shown[160];
    const char *hint = bytes_starts(answer, "-ERR unknown command")
                           ? " (an origin that renames commands needs rename-command)"
                           : "";
    snprintf(greeting->error, sizeof(greeting->error), "%s: %s%s%s", steps[greeting->step].name,
             what, bytes_printable(answer, shown, sizeof(shown)), hint);
    return GREETING_FAILED;
}

/* A command that is not known is one that was renamed, where all servers have it. */
static void note_rights(struct greeting *greeting, struct bytes answer)
{
    unsigned right = steps[greeting->step].right;
    bool is_unknown = right == ORIGIN_RIGHT_INFO && bytes_starts(answer, "-ERR unknown command");
    if (bytes_starts(answer, "-NOPERM") || is_unknown)
        greeting->denied |= right;
}

/* A whole answer has come: a line, and what a bulk string held. */
static enum greeting_result act(struct greeting *greeting, struct text *out)
{
    struct bytes answer = bytes_at(greeting->line, greeting->line_length);
    note_rights(greeting, answer);
    switch (steps[greeting->step].judge(greeting, answer)) {
    case NEXT:
        CHECK(greeting->step < LAST_STEP);
        greeting->step++;
        send_step(greeting, out);
        return GREETING_MORE;
    case DONE:
        return GREETING_DONE;
    case PASSED:
        return GREETING_PASSED;
    case FAILED:
        break;
    }
    return fail(greeting, "the origin answered: ", answer);
}

/* Reads a bulk string line by line: an INFO may be long, as it has a line for each replica. */
static void take_bulk(struct greeting *greeting, struct bytes piece)
{
    while (piece.length > 0) {
        size_t length = bytes_find(piece, '\n');
        text_append(&greeting->bulk_line, bytes_first(piece, length));
        if (length == piece.length)
            return;
        if (!greeting->bulk_line.failed) /* one that is too long is none that we look for */
            origin_info_read(&greeting->info, text_bytes(&greeting->bulk_line));
        text_clear(&greeting->bulk_line);
        piece = bytes_skip(piece, length + 1);
    }
}

static enum greeting_result feed_bulk(struct greeting *greeting, struct bytes *input,
                                      struct text *out)
{
    uint64_t take = input->length < greeting->awaited ? input->length : greeting->awaited;
    take_bulk(greeting, bytes_first(*input, (size_t)take));
    *input = bytes_skip(*input, (size_t)take);
    greeting->awaited -= take;
    if (greeting->awaited > 0)
        return GREETING_MORE;
    if (greeting->items <= 1)
        return act(greeting, out);
    greeting->items--;
    greeting->in_bulk = false;
    greeting->line_length = 0;
    return GREETING_MORE;
}

/* "*2": an array, of bulk strings, where one may be the answer. */
static bool takes_array(struct greeting *greeting, struct bytes line)
{
    uint64_t count;
    if (steps[greeting->step].judge != judge_config || greeting->items > 0 ||
        !bytes_starts(line, "*") || !bytes_to_u64(bytes_skip(line, 1), &count) || count == 0 ||
        count > GREETING_ITEMS_MAX)
        return false;
    greeting->items = (unsigned)count;
    return true;
}

static enum greeting_result end_line(struct greeting *greeting, struct text *out)
{
    if (greeting->line_length > 0 && greeting->line[greeting->line_length - 1] == '\r')
        greeting->line_length--;
    struct bytes line = bytes_at(greeting->line, greeting->line_length);
    if (line.length == 0)
        return GREETING_MORE; /* keepalive: the origin has not made up its mind (protocol 1.4) */
    if (takes_array(greeting, line))
        return GREETING_MORE;
    if (line.data[0] != '$')
        return act(greeting, out);
    if (greeting->step ==
        LAST_STEP) /* Redis and Valkey look at the word itself: not "psync" is SYNC */
        return fail(greeting,
                    "the origin took it for SYNC, as it does where its rename-command renames "
                    "PSYNC, which no replica can do with: ",
                    line);
    uint64_t length;
    if (!bytes_to_u64(bytes_skip(line, 1), &length) || length > GREETING_BULK_MAX)
        return fail(greeting, "no answer of this protocol: ", line);
    greeting->in_bulk = true;
    greeting->awaited = length + 2;
    return GREETING_MORE;
}

static enum greeting_result feed_line(struct greeting *greeting, struct bytes *input,
                                      struct text *out)
{
    size_t length = bytes_find(*input, '\n');
    if (length > sizeof(greeting->line) - greeting->line_length) {
        struct bytes line = bytes_at(greeting->line, greeting->line_length);
        return fail(greeting, "a line without an end: ", line.length > 0 ? line : *input);
    }
    memcpy(greeting->line + greeting->line_length, input->data, length);
    greeting->line_length += length;
    if (length == input->length) {
        *input = bytes_skip(*input, length);
        return GREETING_MORE;
    }
    *input = bytes_skip(*input, length + 1);
    enum greeting_result result = end_line(greeting, out);
    if (!greeting->in_bulk)
        greeting->line_length = 0;
    return result;
}

enum greeting_result greeting_feed(struct greeting *greeting, struct bytes *input, struct text *out)
{
    enum greeting_result result = GREETING_MORE;
    while (result == GREETING_MORE && input->length > 0)
        result =
            greeting->in_bulk ? feed_bulk(greeting, input, out) : feed_line(greeting, input, out);
    return result;
}

const char *greeting_step(const struct greeting *greeting)
{
    return steps[greeting->step].name;
}
