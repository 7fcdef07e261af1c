/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <inttypes.h>
#include <stdio.h>

#include "stream_filter.h"

enum { SELECT_MAX = 64, DB_DIGITS_MAX = 24 };

struct restore_work {
    const struct restore_plan *plan;
    struct output *output; /* NULL: nothing is written */
    struct progress *progress;
    struct stream_filter filter;
};

static bool restore_take_rdb(const struct history_view_piece *piece, void *arg, struct error *error)
{
    struct restore_work *work = arg;
    progress_add(work->progress, piece->bytes.length);
    return work->output == NULL || output_copy(work->output, piece, error);
}

static bool restore_take_stream(const struct history_view_piece *piece, void *arg,
                                struct error *error)
{
    struct restore_work *work = arg;
    return stream_filter_feed(&work->filter, piece->bytes, error);
}

static void restore_read(uint64_t bytes, void *arg)
{
    struct restore_work *work = arg;
    progress_add(work->progress, bytes);
}

static bool write_commands(struct bytes bytes, void *arg, struct error *error)
{
    struct restore_work *work = arg;
    return work->output == NULL || output_write(work->output, bytes, error);
}

static bool restore_rdb(struct restore_work *work, struct error *error)
{
    struct output *output = work->output;
    const struct restore_plan *plan = work->plan;
    if (output != NULL && !output_begin_rdb(output, error))
        return false;
    if (!history_view_read_snapshot(plan->view, plan->base, restore_take_rdb, work, error))
        return false;
    if (output != NULL)
        output_end_rdb(output);
    return true;
}

/* The database that the stream goes on in. A primary selects it again behind an RDB, a replica with replicas of its
 * own does not (docs/protocol.md 2.5). */
static bool write_select(struct restore_work *work, uint64_t *length, struct error *error)
{
    uint64_t db;
    char digits[DB_DIGITS_MAX];
    char command[SELECT_MAX];
    *length = 0;
    if (!history_view_stream_db(work->plan->base, &db))
        return true;
    int count = snprintf(digits, sizeof(digits), "%" PRIu64, db);
    *length = (uint64_t)snprintf(command, sizeof(command), "*2\r\n$6\r\nSELECT\r\n$%d\r\n%s\r\n",
                                 count, digits);
    return write_commands(bytes_of(command), work, error);
}

static bool restore_stream(struct restore_work *work, enum output_format format,
                           struct error *error)
{
    struct output *output = work->output;
    const struct restore_plan *plan = work->plan;
    bool is_copy = format == OUTPUT_RDB_AND_LOG;
    uint64_t select = 0;
    stream_filter_init(&work->filter, plan->base->offset, is_copy, write_commands, work);
    if (output != NULL && !output_begin_stream(output, error))
        return false;
    if (!is_copy && !write_select(work, &select, error))
        return false;
    return history_view_read_stream(plan->view, plan->base->offset, plan->until,
                                    restore_take_stream, restore_read, work, error) &&
           (output == NULL ||
            output_end_stream(output, select + work->filter.passed_boundary, error));
}

bool restore_run(const struct restore_plan *plan, enum output_format format, struct output *output,
                 struct progress *progress, struct restore_result *result, struct error *error)
{
    struct restore_work work = {.plan = plan, .output = output, .progress = progress};
    uint64_t stream = history_view_stream_bytes(plan->view, plan->base->offset, plan->until);
    progress_begin(progress, output == NULL ? "verifying" : "restoring",
                   plan->base->length + stream);
    bool good =
        history_view_fetch(plan->view, plan->base, plan->base->offset, plan->until, error) &&
        restore_rdb(&work, error) && restore_stream(&work, format, error) &&
        (output == NULL || output_finish(output, error));
    progress_end(progress);
    result->offset = work.filter.scanner.boundary;
    result->commands = work.filter.commands;
    return good;
}
