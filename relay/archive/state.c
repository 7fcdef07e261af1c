/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <inttypes.h>
#include <string.h>

#include "lines.h"

static const char first_line[] = "psync-relay archive-state 1";

void archive_state_format(const struct archive_state *state, struct text *out)
{
    text_format(out, "%s\nsystem %s\ntimeline %" PRIu64 "\n", first_line, state->system.id,
                state->timeline);
    text_format(out, "history %" PRIu64 "\nreplid %s\nbegin %" PRIu64 "\n", state->history,
                state->replid.hex, state->root.begin);
    text_format(out, "parent %" PRIu64 "\narchived %" PRIu64 "\n", state->root.parent,
                state->archived);
    if (state->has_snapshot)
        text_format(out, "snapshot %" PRIu64 " %" PRIi64 "\n", state->snapshot_offset,
                    state->snapshot_us);
    lines_seal(out);
}

static bool take_state_line(struct archive_state *state, const struct line_words *line)
{
    const struct bytes *word = line->word;
    const struct {
        const char *name;
        uint64_t *place;
    } numbers[] = {
        {"timeline", &state->timeline}, {"history", &state->history},
        {"begin", &state->root.begin},  {"parent", &state->root.parent},
        {"archived", &state->archived},
    };
    for (size_t i = 0; i < LENGTH_OF(numbers); i++) {
        if (line->count == 2 && bytes_equal(word[0], bytes_of(numbers[i].name)))
            return bytes_to_u64(word[1], numbers[i].place) && *numbers[i].place <= OFFSET_MAX;
    }
    if (line->count == 2 && bytes_equal(word[0], bytes_of("system")))
        return archive_system_parse(word[1], &state->system);
    if (line->count == 2 && bytes_equal(word[0], bytes_of("replid")))
        return replid_parse(word[1], &state->replid);
    state->has_snapshot = true;
    return line->count == 3 && bytes_equal(word[0], bytes_of("snapshot")) &&
           bytes_to_u64(word[1], &state->snapshot_offset) &&
           bytes_to_i64(word[2], &state->snapshot_us);
}

bool archive_state_parse(struct bytes file, struct archive_state *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    if (!lines_open(&file, first_line, error))
        return false;
    while (file.length > 0) {
        struct line_words line;
        if (!lines_next(&file, &line, error))
            return false;
        if (!take_state_line(out, &line))
            return error_set(error, ERROR_DAMAGED, "it says what cannot be");
    }
    return out->system.id[0] != '\0' ||
           error_set(error, ERROR_DAMAGED, "it does not name the system");
}
