/* SPDX-License-Identifier: MIT */
#include "relay/resp/psync.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_WANTED_CAPACITY = 24 };

/* An error is judged by the words it begins with; the first row that fits counts. */
static const struct {
    const char *words;
    enum psync_verdict verdict;
} errors[] = {
    {"NOMASTERLINK", PSYNC_LATER},
    {"LOADING", PSYNC_LATER},
    {"BUSY", PSYNC_LATER},
    {"MASTERDOWN", PSYNC_LATER},
    {"ERR Can't SYNC while not connected with my master",
     PSYNC_LATER}, /* NOMASTERLINK before 4.0 */
    {"NOAUTH", PSYNC_DENIED},
    {"NOPERM", PSYNC_DENIED},
};

/* Takes `words` off the front of *line, where it has them and a blank or nothing follows. */
static bool take_words(struct bytes *line, const char *words)
{
    if (!bytes_starts(*line, words))
        return false;
    struct bytes rest = bytes_skip(*line, bytes_of(words).length);
    if (rest.length > 0 && rest.data[0] != ' ')
        return false;
    *line = rest;
    return true;
}

static enum psync_verdict judge_error(struct bytes message)
{
    for (size_t i = 0; i < LENGTH_OF(errors); i++) {
        if (take_words(&message, errors[i].words))
            return errors[i].verdict;
    }
    return PSYNC_REFUSED;
}

/* "" or " resume <bytes>", of at least one */
static bool parse_resume(struct bytes fields, uint64_t *rdb_begin)
{
    static const char word[] = " resume ";
    *rdb_begin = 0;
    if (fields.length == 0)
        return true;
    return bytes_starts(fields, word) &&
           bytes_to_u64(bytes_skip(fields, strlen(word)), rdb_begin) && *rdb_begin > 0 &&
           *rdb_begin <= INT64_MAX;
}

/* " <replid> <X>[ resume <bytes>]" */
static bool parse_fullresync(struct bytes fields, struct psync_reply *reply)
{
    if (!bytes_starts(fields, " "))
        return false;
    fields = bytes_skip(fields, 1);
    size_t id_length = bytes_find(fields, ' ');
    if (id_length == fields.length || !replid_parse(bytes_first(fields, id_length), &reply->replid))
        return false;
    fields = bytes_skip(fields, id_length + 1);
    size_t digits = bytes_find(fields, ' ');
    uint64_t offset;
    if (!bytes_to_u64(bytes_first(fields, digits), &offset) || offset > OFFSET_FIRST_MAX)
        return false;
    reply->has_replid = true;
    reply->offset = offset;
    return parse_resume(bytes_skip(fields, digits), &reply->rdb_begin);
}

/* "" or " <replid>" */
static bool parse_continue(struct bytes fields, struct psync_reply *reply)
{
    if (fields.length == 0)
        return true;
    reply->has_replid = replid_parse(bytes_skip(fields, 1), &reply->replid);
    return reply->has_replid;
}

/* " <client id>" */
static bool parse_client_id(struct bytes fields, uint64_t *client_id)
{
    return bytes_starts(fields, " ") && bytes_to_u64(bytes_skip(fields, 1), client_id) &&
           *client_id <= INT64_MAX;
}

struct psync_reply psync_reply_parse(struct bytes line)
{
    const struct psync_reply nonsense = {.verdict = PSYNC_NONSENSE, .replid = replid_none()};
    struct psync_reply reply = nonsense;
    if (bytes_starts(line, "-")) {
        reply.verdict = judge_error(bytes_skip(line, 1));
        return reply;
    }
    if (take_words(&line, "+FULLRESYNC")) {
        reply.verdict = PSYNC_FULLRESYNC;
        return parse_fullresync(line, &reply) ? reply : nonsense;
    }
    if (take_words(&line, "+CONTINUE")) {
        reply.verdict = PSYNC_CONTINUE;
        return parse_continue(line, &reply) ? reply : nonsense;
    }
    if (take_words(&line, "+RDBCHANNELSYNC")) {
        reply.verdict = PSYNC_RDB_CHANNEL;
        return parse_client_id(line, &reply.client_id) ? reply : nonsense;
    }
    if (take_words(&line, "+DUALCHANNELSYNC")) {
        reply.verdict = PSYNC_DUAL_CHANNEL;
        return line.length == 0 ? reply : nonsense;
    }
    return nonsense;
}

/* What is before the next blank, without both; all of it where there is none. */
static struct bytes take_endoff_field(struct bytes *line)
{
    struct bytes field = bytes_first(*line, bytes_find(*line, ' '));
    *line = bytes_skip(*line, field.length < line->length ? field.length + 1 : field.length);
    return field;
}

struct psync_reply psync_endoff_parse(struct bytes line)
{
    static const char word[] = "$ENDOFF:";
    const struct psync_reply nonsense = {.verdict = PSYNC_NONSENSE, .replid = replid_none()};
    struct psync_reply reply = nonsense;
    uint64_t db;
    if (bytes_starts(line, "-")) {
        reply.verdict = judge_error(bytes_skip(line, 1));
        return reply;
    }
    if (!bytes_starts(line, word))
        return nonsense;
    line = bytes_skip(line, strlen(word));
    bool is_good = bytes_to_u64(take_endoff_field(&line), &reply.offset) &&
                   reply.offset <= OFFSET_FIRST_MAX &&
                   replid_parse(take_endoff_field(&line), &reply.replid) &&
                   bytes_to_u64(take_endoff_field(&line), &db) &&
                   bytes_to_u64(line, &reply.client_id) && reply.client_id <= INT64_MAX;
    reply.verdict = PSYNC_FULLRESYNC;
    reply.has_replid = true;
    return is_good ? reply : nonsense;
}

bool psync_request_parse(const struct command *command, struct psync_request *out)
{
    CHECK(command->argument_count >= 3);
    const struct bytes *argument = command->argument;
    int64_t first_wanted;
    if (!bytes_to_i64(argument[2], &first_wanted))
        return false;

    struct psync_request request = {.replid = replid_none()};
    if (first_wanted > 0 && replid_parse(argument[1], &request.replid)) {
        request.has_replid = true;
        request.offset = (uint64_t)first_wanted - 1;
    }
    request.failover = command->argument_count > 3 && bytes_is(argument[3], "failover");
    *out = request;
    return true;
}

void psync_request_format(const struct replid *replid, uint64_t offset, char *id,
                          char *first_wanted)
{
    CHECK(offset < INT64_MAX);
    snprintf(id, REPLID_DIGITS + 1, "%s", replid != NULL ? replid->hex : "?");
    if (replid != NULL)
        snprintf(first_wanted, FIRST_WANTED_CAPACITY, "%" PRIu64, offset + 1);
    else
        snprintf(first_wanted, FIRST_WANTED_CAPACITY, "-1");
}

void psync_format_fullresync(struct text *out, const struct replid *replid, uint64_t offset,
                             uint64_t rdb_begin)
{
    text_format(out, "+FULLRESYNC %s %" PRIu64, replid->hex, offset);
    if (rdb_begin > 0)
        text_format(out, " resume %" PRIu64, rdb_begin);
    text_append_string(out, "\r\n");
}

void psync_format_continue(struct text *out, const struct replid *replid, bool psync2)
{
    if (psync2)
        text_format(out, "+CONTINUE %s\r\n", replid->hex);
    else
        text_append_string(out, "+CONTINUE\r\n");
}
