/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <inttypes.h>

#include "command_search.h"
#include "relay/base/clock.h"
#include "relay/base/moment.h"

/* ------------------------------------------------------------------ told */

static const struct history_view_snapshot *oldest_base(const struct history_view *view)
{
    return view->snapshot_count == 0 ? NULL : &view->snapshots[view->snapshot_count - 1];
}

/* "2026-... (offset 4711)", or "offset 4711" where its time is not known. */
static void tell_place(const struct time_entry *entry, uint64_t offset, struct text *out)
{
    char moment[MOMENT_TEXT_MAX];
    if (entry != NULL)
        text_format(out, "%s (offset %" PRIu64 ")", moment_format(entry->wall_us, moment), offset);
    else
        text_format(out, "offset %" PRIu64, offset);
}

void restore_plan_tell_span(const struct history_view *view, struct text *out)
{
    const struct history_view_snapshot *base = oldest_base(view);
    text_format(out, "%s: ", view->name);
    if (base == NULL) {
        text_append_string(out, "no RDB to begin with\n");
        return;
    }
    text_append_string(out, "from ");
    tell_place(time_index_at_offset(&view->times, base->offset), base->offset, out);
    text_append_string(out, " to ");
    tell_place(time_index_newest(&view->times), view->boundary, out);
    text_append_string(out, "\n");
}

/* ------------------------------------------------------------------ a time */

static void tell_set_back(const struct time_answer *answer, struct text *notes)
{
    char from[MOMENT_TEXT_MAX];
    char to[MOMENT_TEXT_MAX];
    if (!answer->was_set_back)
        return;
    text_format(notes,
                "the clock was set back from %s to %s at offset %" PRIu64
                ": the last offset that came at or before the time is taken\n",
                moment_format(answer->back_from.wall_us, from),
                moment_format(answer->back_to.wall_us, to), answer->back_from.offset);
}

static bool plan_time(const struct history_view *view, int64_t time_us, uint64_t *until,
                      struct text *notes, struct error *error)
{
    char moment[MOMENT_TEXT_MAX];
    struct time_answer answer;
    if (time_us > clock_wall_us())
        return error_set(error, ERROR_INVALID, "%s is in the future",
                         moment_format(time_us, moment));
    if (!time_index_find(&view->times, time_us, &answer))
        return error_set(error, ERROR_MISSING, "%s: nothing is known of %s", view->name,
                         moment_format(time_us, moment));
    tell_set_back(&answer, notes);
    *until = answer.entry.offset;
    return true;
}

/* ------------------------------------------------------------------ before a command */

struct search_run {
    struct command_search search;
    struct progress *progress;
};

static bool search_piece(const struct history_view_piece *piece, void *arg, struct error *error)
{
    struct search_run *run = arg;
    return command_search_feed(&run->search, piece->bytes, error);
}

static void search_read(uint64_t bytes, void *arg)
{
    struct search_run *run = arg;
    progress_add(run->progress, bytes);
}

/* The newest at or before an offset; NULL: none. */
static const struct history_view_snapshot *base_for(const struct history_view *view,
                                                    uint64_t offset)
{
    for (size_t i = 0; i < view->snapshot_count; i++) {
        if (view->snapshots[i].offset <= offset)
            return &view->snapshots[i];
    }
    return NULL;
}

static void tell_found(const struct search_run *run, const struct history_view *view,
                       const struct restore_wish *wish, struct text *notes)
{
    text_format(notes, "the last %s%s", wish->kind == WISH_BEFORE_KEY ? "command on " : "",
                wish->word);
    text_format(notes, " of %" PRIu64 " begins at offset %" PRIu64, run->search.found,
                run->search.begin);
    const struct time_entry *came = time_index_at_offset(&view->times, run->search.begin + 1);
    char moment[MOMENT_TEXT_MAX];
    if (came != NULL)
        text_format(notes, " and had come by %s", moment_format(came->wall_us, moment));
    text_append_string(notes, "\n");
}

static bool plan_before(const struct history_view *view, const struct restore_wish *wish,
                        struct progress *progress, uint64_t *until, struct text *notes,
                        struct error *error)
{
    uint64_t after = oldest_base(view)->offset;
    struct time_answer answer;
    if (wish->has_after && time_index_find(&view->times, wish->after_us, &answer) &&
        answer.entry.offset > after)
        after = answer.entry.offset;
    const struct history_view_snapshot *base = base_for(view, after);
    struct search_run run = {.progress = progress};
    bool is_key = wish->kind == WISH_BEFORE_KEY;
    command_search_init(&run.search, base->offset, is_key ? NULL : wish->word,
                        is_key ? bytes_of(wish->word) : bytes_at(NULL, 0), after);
    if (!history_view_fetch(view, NULL, base->offset, view->boundary, error))
        return false;
    progress_begin(progress, "looking for the command",
                   history_view_stream_bytes(view, base->offset, view->boundary));
    bool good = history_view_read_stream(view, base->offset, view->boundary, search_piece,
                                         search_read, &run, error);
    progress_end(progress);
    if (!good)
        return false;
    if (run.search.found == 0)
        return error_set(error, ERROR_MISSING,
                         "%s: there is no %s%s between offset %" PRIu64 " and %" PRIu64, view->name,
                         is_key ? "command on " : "", wish->word, after, view->boundary);
    tell_found(&run, view, wish, notes);
    *until = run.search.cut;
    return true;
}

/* ------------------------------------------------------------------ all */

static bool plan_until(const struct history_view *view, const struct restore_wish *wish,
                       struct progress *progress, uint64_t *until, struct text *notes,
                       struct error *error)
{
    *until = view->boundary;
    switch (wish->kind) {
    case WISH_END:
        return true;
    case WISH_TIME:
        return plan_time(view, wish->time_us, until, notes, error);
    case WISH_OFFSET:
        *until = wish->offset;
        return wish->offset <= view->end ||
               error_set(error, ERROR_MISSING, "%s: offset %" PRIu64 " is behind its end",
                         view->name, wish->offset);
    case WISH_BEFORE_COMMAND:
    case WISH_BEFORE_KEY:
        return plan_before(view, wish, progress, until, notes, error);
    }
    UNREACHABLE("no such wish");
}

bool restore_plan_make(struct restore_plan *plan, const struct history_view *view,
                       const struct restore_wish *wish, struct progress *progress,
                       struct text *notes, struct error *error)
{
    *plan = (struct restore_plan){.view = view};
    if (view->snapshot_count == 0)
        return error_set(error, ERROR_MISSING, "%s has no RDB that a restore could begin with",
                         view->name);
    if (!plan_until(view, wish, progress, &plan->until, notes, error))
        return false;
    plan->base = base_for(view, plan->until);
    return plan->base != NULL ||
           error_set(error, ERROR_MISSING, "%s: there is no RDB at or before offset %" PRIu64,
                     view->name, plan->until);
}
