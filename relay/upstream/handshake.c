/* SPDX-License-Identifier: MIT */
#include "handshake.h"

#include <stdio.h>
#include <string.h>

#include "handshake_steps.h"
#include "relay/upstream/primary_rights.h"

enum { ZSTD_LEVEL_LARGE = 20 }; /* from here on the windows are larger than 8 MiB */

static const struct handshake_step *current_step(const struct handshake *handshake)
{
    return &handshake_script_of(handshake)->steps[handshake->step];
}

static bool is_last_step(const struct handshake *handshake)
{
    return handshake->step + 1 == handshake_script_of(handshake)->count;
}

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
    return is_last_step(handshake);
}

static void send_step(struct handshake *handshake, struct text *out)
{
    while (!current_step(handshake)->is_needed(handshake)) {
        CHECK(!is_last_step(handshake));
        handshake->step++;
    }
    handshake->line_length = 0;
    handshake->in_bulk = false;
    handshake->items = 0;
    text_clear(&handshake->bulk_line);
    struct writer writer = {out, 2};
    current_step(handshake)->send(handshake, &writer);
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

void handshake_join(struct handshake *handshake, const struct psync_reply *rdb, struct text *out)
{
    handshake->terms.kind = HANDSHAKE_VALKEY_JOIN;
    handshake->terms.client_id = rdb->client_id;
    handshake->terms.has_history = true;
    handshake->terms.replid = rdb->replid;
    handshake->terms.offset = rdb->offset;
    handshake->step = 0;
    handshake->error[0] = '\0';
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
    snprintf(handshake->error, sizeof(handshake->error), "%s: %s%s%s",
             current_step(handshake)->name, what, bytes_printable(answer, shown, sizeof(shown)),
             hint);
    return HANDSHAKE_FAILED;
}

/* A command that is not known is one that was renamed, where all servers have it. */
static void handshake_note_rights(struct handshake *handshake, struct bytes answer)
{
    unsigned right = current_step(handshake)->right;
    bool is_unknown = right == PRIMARY_RIGHT_INFO && bytes_starts(answer, "-ERR unknown command");
    if (bytes_starts(answer, "-NOPERM") || is_unknown)
        handshake->denied |= right;
}

/* A whole answer has come: a line, and what a bulk string held. */
static enum handshake_result act(struct handshake *handshake, struct text *out)
{
    struct bytes answer = bytes_at(handshake->line, handshake->line_length);
    handshake_note_rights(handshake, answer);
    switch (current_step(handshake)->judge(handshake, answer)) {
    case HANDSHAKE_STEP_NEXT:
        CHECK(!is_last_step(handshake));
        handshake->step++;
        send_step(handshake, out);
        return HANDSHAKE_MORE;
    case HANDSHAKE_STEP_DONE:
        return HANDSHAKE_DONE;
    case HANDSHAKE_STEP_PASSED:
        return HANDSHAKE_PASSED;
    case HANDSHAKE_STEP_FAILED:
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
    if ((current_step(handshake)->takes & HANDSHAKE_TAKES_ARRAY) == 0 || handshake->items > 0 ||
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
    if (line.data[0] != '$' || (current_step(handshake)->takes & HANDSHAKE_TAKES_DOLLAR) != 0)
        return act(handshake, out);
    if (is_last_step(handshake)) /* Redis and Valkey look at the word itself: not "psync" is SYNC */
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
    return current_step(handshake)->name;
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
