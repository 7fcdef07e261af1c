/* SPDX-License-Identifier: MIT */
#include "refresh_note.h"

#include <inttypes.h>
#include <string.h>

#include "refresh_pace.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/store/store.h"

enum { NOTE_LENGTH_MAX = 256, WHY_MAX = 512 };

static const char beginning[] = "psync-relay refresh 1\nasked ";

static int64_t wall_ms_now(void)
{
    return clock_wall_us() / 1000;
}

bool refresh_note_parse(struct bytes note, int64_t *wall_ms)
{
    if (!bytes_starts(note, beginning))
        return false;
    struct bytes rest = bytes_skip(note, strlen(beginning));
    size_t digits = bytes_find(rest, '\n');
    return digits + 1 == rest.length && bytes_to_i64(bytes_first(rest, digits), wall_ms) &&
           *wall_ms > 0;
}

static int64_t refresh_note_age_ms(struct bytes note)
{
    int64_t wall_ms;
    int64_t now_ms = wall_ms_now();
    if (!refresh_note_parse(note, &wall_ms)) {
        log_warnx("upstream: the note of when an RDB was fetched last cannot be read: it counts as "
                  "just now");
        return 0;
    }
    return wall_ms < now_ms ? now_ms - wall_ms : 0;
}

void refresh_note_recall(const struct store *store, struct refresh_pace *pace)
{
    struct text note;
    struct text why;
    text_init(&note, NOTE_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    if (!store_read_note(store, STORE_NOTE_REFRESH, &note, &why)) {
        log_warnx("upstream: when an RDB was fetched last was noted, but: %s", text_string(&why));
        refresh_pace_recall(pace, clock_ms(), 0);
    } else if (note.length > 0) {
        refresh_pace_recall(pace, clock_ms(), refresh_note_age_ms(text_bytes(&note)));
    }
    text_fini(&note);
    text_fini(&why);
}

void refresh_note_keep(struct store *store, const struct refresh_pace *pace)
{
    if (!pace->has_asked) {
        store_drop_note(store, STORE_NOTE_REFRESH);
        return;
    }
    struct text note;
    struct text why;
    text_init(&note, NOTE_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    text_format(&note, "%s%" PRId64 "\n", beginning, wall_ms_now() - (clock_ms() - pace->asked_ms));
    if (!store_jot_note(store, STORE_NOTE_REFRESH, text_bytes(&note), &why))
        log_warnx("upstream: a restart will not know when an RDB was fetched last: %s",
                  text_string(&why));
    text_fini(&note);
    text_fini(&why);
}
