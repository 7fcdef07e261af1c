/* SPDX-License-Identifier: MIT */
#include "reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "disk.h"
#include "process.h"
#include "relay/base/check.h"
#include "relay/store/history_view.h"
#include "sim.h"
#include "timeline.h"

static unsigned views;

unsigned reader_views(void)
{
    return views;
}

/* ---- the time index ---- */

/* Of the times at which an entry can be found, one of two is asked for. */
static void check_answer(const struct time_index *times, int64_t wall_us)
{
    const struct time_entry *entries = times->entries + times->first;
    size_t last = 0; /* 1 + the last that had come at or before the time */
    for (size_t i = 0; i < times->count; i++)
        last = entries[i].wall_us <= wall_us ? i + 1 : last;
    struct time_answer answer;
    bool is_found = time_index_find(times, wall_us, &answer);
    if (is_found != (last > 0)) {
        sim_fail("a time is %s in the time index", is_found ? "found, and is not" : "not found");
        return;
    }
    if (!is_found)
        return;
    const struct time_entry *right = &entries[last - 1];
    if (answer.entry.offset != right->offset || answer.entry.wall_us != right->wall_us ||
        answer.has_next != (last < times->count))
        sim_fail("the time index answers %" PRIu64 " where %" PRIu64 " is right",
                 answer.entry.offset, right->offset);
    bool was_later = false; /* the clock had shown a later time before */
    for (size_t i = 0; i + 1 < last; i++)
        was_later = was_later || entries[i].wall_us > wall_us;
    if (answer.was_set_back != was_later)
        sim_fail("the time index answers %" PRIu64 " and does not tell of a clock set back",
                 answer.entry.offset);
}

static void check_times(const struct history_view *view, const struct timeline *timeline)
{
    const struct time_index *times = &view->times;
    const struct time_entry *entries = times->entries + times->first;
    for (size_t i = 0; i < times->count && sim_failure() == NULL; i++) {
        const struct time_entry *entry = &entries[i];
        if (i > 0 && entry->offset <= entries[i - 1].offset)
            sim_fail("offsets of the time index do not rise: %" PRIu64 " behind %" PRIu64,
                     entry->offset, entries[i - 1].offset);
        else if (entry->offset > view->boundary)
            sim_fail("the time index has offset %" PRIu64 ", and the history ends at %" PRIu64,
                     entry->offset, view->boundary);
        else if (!timeline_is_boundary(timeline, entry->offset))
            sim_fail("the time index has offset %" PRIu64 " of %.8s, which is no boundary",
                     entry->offset, timeline->id);
        else if (!host_has_shown(process_self()->host, entry->wall_us,
                                 timeline_written_us(timeline, entry->offset)))
            sim_fail("the time index has a time for %" PRIu64 " of %.8s that has not been since it "
                     "was written",
                     entry->offset, timeline->id);
        else
            check_answer(times, entry->wall_us + random_between(-1, 1) * SIM_S);
    }
}

/* ---- bytes ---- */

struct comparison {
    const struct timeline *timeline;
    bool is_different;
    uint64_t at;
};

static bool compare_stream(const struct history_view_piece *piece, void *arg, struct error *error)
{
    struct comparison *comparison = arg;
    (void)error;
    const struct timeline *timeline = comparison->timeline;
    bool is_there = piece->position >= timeline->start &&
                    piece->position + piece->bytes.length <= timeline_end(timeline);
    bool is_equal = is_there && memcmp(timeline_bytes(timeline, piece->position), piece->bytes.data,
                                       piece->bytes.length) == 0;
    if (!comparison->is_different && !is_equal) {
        comparison->is_different = true;
        comparison->at = piece->position;
    }
    return true;
}

/* False: it could not be proven, as after a power failure: nothing is claimed. */
static bool check_stream(const struct history_view *view, const struct timeline *timeline)
{
    struct comparison comparison = {.timeline = timeline};
    struct error error;
    bool is_proven = history_view_read_stream(view, view->first, view->end, compare_stream, NULL,
                                              &comparison, &error);
    if (is_proven && comparison.is_different)
        sim_fail("a view of %.8s has a wrong byte behind %" PRIu64, timeline->id, comparison.at);
    return is_proven && !comparison.is_different;
}

struct copy {
    uint8_t *bytes;
    size_t length;
    size_t capacity;
};

static bool copy_piece(const struct history_view_piece *piece, void *arg, struct error *error)
{
    struct copy *copy = arg;
    (void)error;
    if (copy->length + piece->bytes.length > copy->capacity)
        return false;
    memcpy(copy->bytes + copy->length, piece->bytes.data, piece->bytes.length);
    copy->length += piece->bytes.length;
    return true;
}

static void check_snapshot(const struct history_view *view,
                           const struct history_view_snapshot *snapshot)
{
    struct copy copy = {.bytes = malloc(snapshot->length), .capacity = snapshot->length};
    struct error error;
    CHECK(copy.bytes != NULL);
    if (history_view_read_snapshot(view, snapshot, copy_piece, &copy, &error)) {
        const char *why =
            rdb_check(copy.bytes, copy.length, view->identity.replid.hex, snapshot->offset);
        if (why != NULL)
            sim_fail("a view has an RDB of offset %" PRIu64 ": %s", snapshot->offset, why);
    }
    free(copy.bytes);
}

/* ---- a look ---- */

static void check_view(const struct history_view *view)
{
    const struct timeline *timeline = timeline_find(view->identity.replid.hex);
    views++;
    trace("a view of %.8s %" PRIu64 "..%" PRIu64 " with %zu snapshots and %zu times",
          view->identity.replid.hex, view->first, view->end, view->snapshot_count,
          view->times.count);
    if (timeline == NULL) {
        sim_fail("a view has the id %s, which no primary has", view->identity.replid.hex);
        return;
    }
    if (!check_stream(view, timeline))
        return;
    if (view->first > view->boundary || view->boundary > view->end ||
        view->first < timeline->start || view->end > timeline_end(timeline)) {
        sim_fail("a view of %.8s has %" PRIu64 "..%" PRIu64 " with boundary %" PRIu64
                 ", and there is %" PRIu64 "..%" PRIu64,
                 timeline->id, view->first, view->end, view->boundary, timeline->start,
                 timeline_end(timeline));
        return;
    }
    check_times(view, timeline);
    for (size_t i = 0; i < view->snapshot_count && sim_failure() == NULL; i++)
        check_snapshot(view, &view->snapshots[i]);
}

static void look(struct process *process)
{
    struct error error;
    uint64_t *numbers;
    size_t count;
    (void)process;
    if (!history_view_list("/data", &numbers, &count, &error))
        return; /* there is no directory yet, or it cannot be read */
    for (size_t i = 0; i < count && sim_failure() == NULL; i++) {
        struct history_view view;
        if (!history_view_open(&view, "/data", numbers[i], &error)) {
            trace("no view of history %" PRIu64 ": %s", numbers[i], error.text);
            continue;
        }
        check_view(&view);
        history_view_close(&view);
    }
    free(numbers);
}

struct process *reader_new(struct process *relay)
{
    struct process *reader = process_new("reader", relay->host, relay->disk);
    reader->run = look;
    relay->neighbour = reader;
    return reader;
}

void reader_look(struct process *reader)
{
    if (!reader->is_alive)
        process_start(reader);
}
