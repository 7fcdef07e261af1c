/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include <inttypes.h>

#include "relay/base/moment.h"

static void list_ids(const struct identity *identity, struct text *out)
{
    text_format(out, "  id        %s\n", identity->replid.hex);
    for (size_t i = 0; i < identity->earlier_count; i++)
        text_format(out, "            %s up to offset %" PRIu64 "\n",
                    identity->earlier[i].replid.hex, identity->earlier[i].limit);
}

static const char *moment_of(const struct time_entry *entry, char out[MOMENT_TEXT_MAX])
{
    return entry == NULL ? "an unknown time" : moment_format(entry->wall_us, out);
}

static void list_snapshots(const struct history_view *view, struct text *out)
{
    char moment[MOMENT_TEXT_MAX];
    for (size_t i = 0; i < view->snapshot_count; i++) {
        const struct history_view_snapshot *snapshot = &view->snapshots[i];
        text_format(out, "  snapshot  offset %" PRIu64 ", %" PRIu64 " bytes, of %s\n",
                    snapshot->offset, snapshot->length,
                    moment_of(time_index_at_offset(&view->times, snapshot->offset), moment));
    }
    if (view->snapshot_count == 0)
        text_append_string(out, "  snapshot  none that lies in the stream\n");
}

/* Where the clock was set back, as long as it is told by the entries that are there. */
static void list_set_backs(const struct history_view *view, struct text *out)
{
    enum { SHOWN_MAX = 10 };
    const struct time_entry *entries = time_index_oldest(&view->times);
    unsigned shown = 0;
    for (size_t i = 1; i < view->times.count && shown < SHOWN_MAX; i++) {
        char from[MOMENT_TEXT_MAX];
        char to[MOMENT_TEXT_MAX];
        if (entries[i - 1].wall_us <= entries[i].wall_us)
            continue;
        shown++;
        text_format(out, "  clock     set back from %s to %s at offset %" PRIu64 "\n",
                    moment_format(entries[i - 1].wall_us, from),
                    moment_format(entries[i].wall_us, to), entries[i - 1].offset);
    }
}

void listing_write(const struct history_view *view, struct text *out)
{
    char oldest[MOMENT_TEXT_MAX];
    char newest[MOMENT_TEXT_MAX];
    text_format(out, "%s\n", view->name);
    list_ids(&view->identity, out);
    text_format(out, "  stream    offset %" PRIu64 " to %" PRIu64 ", %" PRIu64 " bytes\n",
                view->first, view->end, view->end - view->first);
    list_snapshots(view, out);
    list_set_backs(view, out);
    if (view->snapshot_count == 0) {
        text_append_string(out, "  restore   not possible\n");
        return;
    }
    uint64_t offset = view->snapshots[view->snapshot_count - 1].offset;
    text_format(out, "  restore   from %s, offset %" PRIu64 "\n",
                moment_of(time_index_at_offset(&view->times, offset), oldest), offset);
    text_format(out, "            to   %s, offset %" PRIu64 "\n",
                moment_of(time_index_newest(&view->times), newest), view->boundary);
}
