/* SPDX-License-Identifier: MIT */
#include "memo.h"

#include <string.h>

#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/config/value.h"
#include "relay/store/store.h"

enum { MEMO_LENGTH_MAX = 64 * 1024, WHY_MAX = 512 };

static const char first_line[] = "psync-relay origin 1\nfollow ";

static const char told_by_sentinel[] = "told-by sentinel\n";

static const struct value_kind candidates = {VALUE_CANDIDATES, .expected = ""};
static const struct value_kind sentinel = {VALUE_SENTINEL, .expected = ""};

void memo_format(const struct config *config, const struct origin_address *origin,
                 enum memo_teller teller, struct text *out)
{
    text_format(out, "%s%s %u\nreplicaof ", first_line, origin->host, (unsigned)origin->port);
    candidates.print(&candidates, &config->upstream.origin, VALUE_INI, out);
    text_append_string(out, "\nsentinel ");
    sentinel.print(&sentinel, &config->sentinel, VALUE_INI, out);
    text_append_string(out, "\n");
    if (teller == MEMO_TELLER_SENTINEL)
        text_append_string(out, told_by_sentinel);
}

/* The second line, read as one candidate. */
static bool parse_followed(struct bytes note, struct origin_address *out)
{
    if (!bytes_starts(note, first_line))
        return false;
    struct bytes rest = bytes_skip(note, strlen(first_line));
    struct text line;
    struct origin_candidates followed = {.count = 0};
    text_init(&line, MEMO_LENGTH_MAX);
    text_append(&line, bytes_first(rest, bytes_find(rest, '\n')));
    bool good = strlen(text_string(&line)) == line.length &&
                candidates.parse(&candidates, text_string(&line), &followed) && followed.count == 1;
    if (good)
        *out = followed.at[0];
    text_fini(&line);
    return good;
}

/* Would it be written so with the settings of now? */
static bool is_written_so(struct bytes note, const struct config *config,
                          const struct origin_address *followed, enum memo_teller teller)
{
    struct text now;
    text_init(&now, MEMO_LENGTH_MAX);
    memo_format(config, followed, teller, &now);
    bool equal = bytes_equal(text_bytes(&now), note);
    text_fini(&now);
    return equal;
}

enum memo_verdict memo_parse(struct bytes note, const struct config *config,
                             struct origin_address *out)
{
    struct origin_address followed;
    if (!parse_followed(note, &followed))
        return MEMO_NONSENSE;
    if (!is_written_so(note, config, &followed, MEMO_TELLER_REPLICAOF) &&
        !is_written_so(note, config, &followed, MEMO_TELLER_SENTINEL))
        return MEMO_OVERRULED;
    *out = followed;
    return MEMO_COUNTS;
}

void memo_keep(struct store *store, const struct config *config,
               const struct origin_address *origin, enum memo_teller teller)
{
    struct text note;
    struct text why;
    text_init(&note, MEMO_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    memo_format(config, origin, teller, &note);
    if (!store_keep_note(store, STORE_NOTE_ORIGIN, text_bytes(&note), &why))
        log_warnx("relay: a restart will not know of this origin: %s", text_string(&why));
    text_fini(&note);
    text_fini(&why);
}

/* NULL: it counts. */
static const char *reason_against(enum memo_verdict verdict)
{
    static const char *const reasons[] = {
        [MEMO_COUNTS] = NULL,
        [MEMO_OVERRULED] = "the settings name another origin than they did: they are followed",
        [MEMO_NONSENSE] = "it is not one that this version knows",
    };
    return reasons[verdict];
}

bool memo_recall(struct store *store, const struct config *config, struct origin_address *out)
{
    struct text note;
    struct text why;
    text_init(&note, MEMO_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    bool counts = false;
    if (!store_read_note(store, STORE_NOTE_ORIGIN, &note, &why)) {
        log_warnx("relay: whom to follow was noted, but: %s", text_string(&why));
    } else if (note.length > 0) {
        const char *against = reason_against(memo_parse(text_bytes(&note), config, out));
        counts = against == NULL;
        if (counts) {
            log_info("relay: follows %s:%u, as it was told before the restart", out->host,
                     (unsigned)out->port);
        } else {
            log_warnx("relay: the note of whom to follow is removed: %s", against);
            store_drop_note(store, STORE_NOTE_ORIGIN);
        }
    }
    text_fini(&note);
    text_fini(&why);
    return counts;
}
