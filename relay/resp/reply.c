/* SPDX-License-Identifier: MIT */
#include "relay/resp/reply.h"

#include "relay/base/check.h"

/* How much of the input was looked at, and how many elements each open array still lacks. */
struct progress {
    struct bytes rest;
    unsigned depth;
    int64_t missing[REPLY_DEPTH_MAX + 1];
};

static enum reply_result reply_nonsense(struct reply *reply, const char *error)
{
    reply->error = error;
    return REPLY_NONSENSE;
}

/* Takes a line with its end off the rest; `line` is without it. */
/* Strict: this is what a Sentinel or a relay answers. A lone LF or CR would be a line end to one
 * reader and not to another. */
static enum reply_result reply_take_line(struct progress *progress, struct bytes *line,
                                         struct reply *reply)
{
    struct bytes rest = progress->rest;
    size_t length = bytes_find(rest, '\r');
    if (bytes_find(bytes_first(rest, length), '\n') < length)
        return reply_nonsense(reply, "a line ends without CR");
    if (rest.length - length < 2)
        return REPLY_MORE;
    if (rest.data[length + 1] != '\n')
        return reply_nonsense(reply, "CR without LF in a line");
    *line = bytes_first(rest, length);
    progress->rest = bytes_skip(rest, length + 2);
    return REPLY_WHOLE;
}

static enum reply_result read_word(struct progress *progress, struct reply_item *item,
                                   struct bytes line, struct reply *reply)
{
    (void)progress;
    (void)reply;
    item->text = line;
    return REPLY_WHOLE;
}

static enum reply_result read_integer(struct progress *progress, struct reply_item *item,
                                      struct bytes line, struct reply *reply)
{
    (void)progress;
    return bytes_to_i64(line, &item->number) ? REPLY_WHOLE
                                             : reply_nonsense(reply, "a number that is none");
}

static enum reply_result reply_read_bulk(struct progress *progress, struct reply_item *item,
                                         struct bytes line, struct reply *reply)
{
    int64_t length;
    if (!bytes_to_i64(line, &length) || length < -1)
        return reply_nonsense(reply, "a bulk string of no length");
    if (length == -1) {
        item->kind = REPLY_NULL;
        return REPLY_WHOLE;
    }
    if (length > REPLY_LENGTH_MAX)
        return reply_nonsense(reply, "a bulk string over our limit");
    size_t wanted = (size_t)length;
    if (progress->rest.length < wanted + 2)
        return REPLY_MORE;
    item->text = bytes_first(progress->rest, wanted);
    progress->rest = bytes_skip(progress->rest, wanted);
    if (progress->rest.data[0] != '\r' || progress->rest.data[1] != '\n')
        return reply_nonsense(reply, "a bulk string that does not end where it should");
    progress->rest = bytes_skip(progress->rest, 2);
    return REPLY_WHOLE;
}

static enum reply_result read_array(struct progress *progress, struct reply_item *item,
                                    struct bytes line, struct reply *reply)
{
    if (!bytes_to_i64(line, &item->number) || item->number < -1)
        return reply_nonsense(reply, "an array of no length");
    if (item->number == -1) {
        item->kind = REPLY_NULL;
        item->number = 0;
        return REPLY_WHOLE;
    }
    if (item->number > (int64_t)(REPLY_ITEMS_MAX - reply->count))
        return reply_nonsense(reply, "an array over our limit");
    if (progress->depth == REPLY_DEPTH_MAX)
        return reply_nonsense(reply, "arrays nested over our limit");
    progress->depth++;
    progress->missing[progress->depth] = item->number;
    return REPLY_WHOLE;
}

static const struct sign {
    char byte;
    enum reply_kind kind;
    enum reply_result (*read)(struct progress *progress, struct reply_item *item, struct bytes line,
                              struct reply *reply);
} signs[] = {
    {'+', REPLY_STATUS, read_word},     {'-', REPLY_ERROR, read_word},
    {':', REPLY_INTEGER, read_integer}, {'$', REPLY_BULK, reply_read_bulk},
    {'*', REPLY_ARRAY, read_array},
};

static enum reply_result read_item(struct progress *progress, struct reply *reply)
{
    if (progress->rest.length == 0)
        return REPLY_MORE;
    const struct sign *sign = NULL;
    for (size_t i = 0; i < LENGTH_OF(signs); i++) {
        if (progress->rest.data[0] == (uint8_t)signs[i].byte)
            sign = &signs[i];
    }
    if (sign == NULL)
        return reply_nonsense(reply, "a byte that begins no reply");
    if (reply->count == REPLY_ITEMS_MAX)
        return reply_nonsense(reply, "an array over our limit");
    progress->rest = bytes_skip(progress->rest, 1);
    struct bytes line;
    enum reply_result result = reply_take_line(progress, &line, reply);
    if (result != REPLY_WHOLE)
        return result;
    struct reply_item *item = &reply->item[reply->count++];
    *item = (struct reply_item){.kind = sign->kind, .depth = progress->depth};
    return sign->read(progress, item, line, reply);
}

/* An array is whole with its last element, and so is the one that it was the last element of. */
static bool close_full_arrays(struct progress *progress)
{
    while (progress->depth > 0 && progress->missing[progress->depth] == 0)
        progress->depth--;
    return progress->depth == 0;
}

/* From the beginning each time that bytes have come: replies are short, and nothing has to be
 * kept of one that is half here. */
enum reply_result reply_read(struct bytes input, struct reply *reply)
{
    /* What is behind the limit is no part of this reply, whatever it is. */
    struct bytes seen =
        bytes_first(input, input.length < REPLY_LENGTH_MAX ? input.length : REPLY_LENGTH_MAX);
    struct progress progress = {.rest = seen};
    reply->length = 0;
    reply->count = 0;
    reply->error = NULL;
    do {
        unsigned parent = progress.depth;
        enum reply_result result = read_item(&progress, reply);
        if (result == REPLY_MORE && seen.length == REPLY_LENGTH_MAX)
            return reply_nonsense(reply, "a reply over our limit");
        if (result != REPLY_WHOLE)
            return result;
        if (parent > 0)
            progress.missing[parent]--;
    } while (!close_full_arrays(&progress));
    reply->length = seen.length - progress.rest.length;
    return REPLY_WHOLE;
}
