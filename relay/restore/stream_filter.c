/* SPDX-License-Identifier: MIT */
#include "stream_filter.h"

#include <inttypes.h>
#include <string.h>

void stream_filter_init(struct stream_filter *filter, uint64_t offset, bool keeps_all,
                        stream_filter_fn *pass, void *arg)
{
    *filter = (struct stream_filter){.keeps_all = keeps_all, .pass = pass, .arg = arg};
    command_scanner_init(&filter->scanner, offset, bytes_at(NULL, 0));
}

/* The command in hand, whose name is known, or an empty line. */
static bool is_left_out(const struct stream_filter *filter)
{
    static const char *const names[] = {"PING", "REPLCONF", "PUBLISH", "SPUBLISH"};
    static const char initials[] = {'P', 'R', 'S'};
    if (filter->keeps_all)
        return false;
    if (filter->scanner.count == 0)
        return true;
    if (memchr(initials, filter->scanner.name[0], sizeof(initials)) == NULL)
        return false; /* nearly all of them, and sooner */
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        if (command_scanner_is(&filter->scanner, names[i]))
            return true;
    }
    return false;
}

/* A view of the stream, and where in it what was not passed on yet begins. */
struct stream_part {
    struct bytes view;
    uint64_t offset; /* of the view */
    uint64_t from;
};

static bool filter_pass(struct stream_filter *filter, struct bytes bytes, struct error *error)
{
    filter->passed += bytes.length;
    return bytes.length == 0 || filter->pass(bytes, filter->arg, error);
}

/* Passes on what is before `until`, which may be before `from`: then nothing. */
static bool pass_until(struct stream_filter *filter, struct stream_part *part, uint64_t until,
                       struct error *error)
{
    if (until <= part->from)
        return true;
    struct bytes bytes = bytes_first(part->view, (size_t)(until - part->offset));
    bytes = bytes_skip(bytes, (size_t)(part->from - part->offset));
    part->from = until;
    return filter_pass(filter, bytes, error);
}

static bool pass_head(struct stream_filter *filter, struct error *error)
{
    struct bytes head = bytes_at(filter->head, filter->head_length);
    filter->head_length = 0;
    return filter_pass(filter, head, error);
}

static bool take_command(struct stream_filter *filter, struct stream_part *part,
                         struct error *error)
{
    const struct command_scanner *scanner = &filter->scanner;
    bool is_out = is_left_out(filter);
    if (is_out) {
        if (!pass_until(filter, part, scanner->begin, error))
            return false;
        filter->head_length = 0;
        part->from = scanner->offset;
    } else if (!pass_head(filter, error)) {
        return false;
    }
    filter->commands_passed += !is_out;
    if (scanner->boundary == scanner->offset) {
        filter->passed_boundary = filter->passed + (scanner->offset - part->from);
        filter->commands = filter->commands_passed;
    }
    return true;
}

/* The view ends in the middle of a command: it goes on its way as soon as its name is known. */
static bool take_beginning(struct stream_filter *filter, struct stream_part *part,
                           struct error *error)
{
    const struct command_scanner *scanner = &filter->scanner;
    uint64_t end = scanner->offset;
    if (scanner->has_name && !is_left_out(filter))
        return pass_head(filter, error) && pass_until(filter, part, end, error);
    if (!pass_until(filter, part, scanner->begin, error))
        return false;
    if (scanner->has_name) {
        filter->head_length = 0;
        return true;
    }
    size_t length = (size_t)(end - part->from);
    CHECK(length <= COMMAND_HEAD_MAX - filter->head_length);
    memcpy(filter->head + filter->head_length, part->view.data + (part->from - part->offset),
           length);
    filter->head_length += length;
    return true;
}

bool stream_filter_feed(struct stream_filter *filter, struct bytes view, struct error *error)
{
    struct command_scanner *scanner = &filter->scanner;
    struct stream_part part = {.view = view, .offset = scanner->offset, .from = scanner->offset};
    enum command_scan scan;
    while ((scan = command_scanner_next(scanner, &view)) == COMMAND_SCAN_COMMAND) {
        if (!take_command(filter, &part, error))
            return false;
    }
    if (scan == COMMAND_SCAN_BROKEN)
        return error_set(error, ERROR_DAMAGED, "the stream is broken at offset %" PRIu64 ": %s",
                         scanner->offset, scanner->error);
    if (command_scanner_is_inside(scanner))
        return take_beginning(filter, &part, error);
    return pass_until(filter, &part, scanner->offset, error);
}
