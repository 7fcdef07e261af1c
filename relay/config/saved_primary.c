/* SPDX-License-Identifier: MIT */
#include "relay/config/saved_primary.h"

#include <string.h>

#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/config/value.h"
#include "relay/store/store.h"

enum { SAVED_PRIMARY_LENGTH_MAX = 64 * 1024, WHY_MAX = 512 };

static const char first_line[] = "psync-relay origin 1\nfollow ";

static const char told_by_sentinel[] = "told-by sentinel\n";

static const struct value_kind candidates = {VALUE_CANDIDATES, .expected = ""};
static const struct value_kind sentinel = {VALUE_SENTINEL, .expected = ""};

void saved_primary_format(const struct config *config, const struct primary_address *primary,
                          enum saved_primary_teller teller, struct text *out)
{
    text_append_string(out, first_line);
    primary_address_format(primary, out);
    text_append_string(out, "\nreplicaof ");
    candidates.print(&candidates, &config->upstream.primary, VALUE_INI, out);
    text_append_string(out, "\nsentinel ");
    sentinel.print(&sentinel, &config->sentinel, VALUE_INI, out);
    text_append_string(out, "\n");
    if (teller == SAVED_PRIMARY_TELLER_SENTINEL)
        text_append_string(out, told_by_sentinel);
}

/* The second line, read as one candidate. */
static bool parse_followed(struct bytes note, struct primary_address *out)
{
    if (!bytes_starts(note, first_line))
        return false;
    struct bytes rest = bytes_skip(note, strlen(first_line));
    struct text line;
    struct primary_candidates followed = {.count = 0};
    text_init(&line, SAVED_PRIMARY_LENGTH_MAX);
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
                          const struct primary_address *followed, enum saved_primary_teller teller)
{
    struct text now;
    text_init(&now, SAVED_PRIMARY_LENGTH_MAX);
    saved_primary_format(config, followed, teller, &now);
    bool equal = bytes_equal(text_bytes(&now), note);
    text_fini(&now);
    return equal;
}

enum saved_primary_verdict saved_primary_parse(struct bytes note, const struct config *config,
                                               struct primary_address *out)
{
    struct primary_address followed;
    if (!parse_followed(note, &followed))
        return SAVED_PRIMARY_NONSENSE;
    if (!is_written_so(note, config, &followed, SAVED_PRIMARY_TELLER_REPLICAOF) &&
        !is_written_so(note, config, &followed, SAVED_PRIMARY_TELLER_SENTINEL))
        return SAVED_PRIMARY_OVERRULED;
    *out = followed;
    return SAVED_PRIMARY_COUNTS;
}

void saved_primary_keep(struct store *store, const struct config *config,
                        const struct primary_address *primary, enum saved_primary_teller teller)
{
    struct text note;
    struct text why;
    text_init(&note, SAVED_PRIMARY_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    saved_primary_format(config, primary, teller, &note);
    if (!store_keep_note(store, STORE_NOTE_PRIMARY, text_bytes(&note), &why))
        log_warnx("relay: cannot save the address of the primary for the next start: %s",
                  text_string(&why));
    text_fini(&note);
    text_fini(&why);
}

/* NULL: it counts. */
static const char *reason_against(enum saved_primary_verdict verdict)
{
    static const char *const reasons[] = {
        [SAVED_PRIMARY_COUNTS] = NULL,
        [SAVED_PRIMARY_OVERRULED] =
            "the settings name another primary than they did: they are followed",
        [SAVED_PRIMARY_NONSENSE] = "it is not one that this version knows",
    };
    return reasons[verdict];
}

bool saved_primary_recall(struct store *store, const struct config *config,
                          struct primary_address *out)
{
    struct text note;
    struct text why;
    text_init(&note, SAVED_PRIMARY_LENGTH_MAX);
    text_init(&why, WHY_MAX);
    bool counts = false;
    if (!store_read_note(store, STORE_NOTE_PRIMARY, &note, &why)) {
        log_warnx("relay: cannot read the saved address of the primary: %s", text_string(&why));
    } else if (note.length > 0) {
        const char *against = reason_against(saved_primary_parse(text_bytes(&note), config, out));
        counts = against == NULL;
        if (counts) {
            log_info("relay: replicates from %s:%u, the address saved before the restart",
                     out->host, (unsigned)out->port);
        } else {
            log_warnx("relay: the saved address of the primary is removed: %s", against);
            store_drop_note(store, STORE_NOTE_PRIMARY);
        }
    }
    text_fini(&note);
    text_fini(&why);
    return counts;
}
