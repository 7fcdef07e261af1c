/* SPDX-License-Identifier: MIT
 *
 * The note of whom REPLICAOF told us to follow. The settings are those that the note itself names, where
 * they can be read, so that it may count: then it is, byte for byte, what we would write. Whatever somebody
 * gets us to write is read as what it was, or does not count: it never leads elsewhere.
 */
#include "fuzz.h"

#include <stdio.h>

#include "relay/config/config.h"
#include "relay/config/saved_primary.h"
#include "relay/config/value.h"

enum { NOTE_MAX = 1 << 20 };

static const struct value_kind candidates = {VALUE_CANDIDATES, .expected = ""};
static const struct value_kind sentinel = {VALUE_SENTINEL, .expected = ""};
static const struct primary_address untouched = {.host = "untouched", .port = 1};

/* The rest of the first line that begins so; as a string, since settings come as such. */
static char *line_of(struct bytes note, const char *word)
{
    while (note.length > 0 && !bytes_starts(note, word)) {
        size_t end = bytes_find(note, '\n');
        note = bytes_skip(note, end < note.length ? end + 1 : end);
    }
    struct bytes rest = bytes_skip(note, note.length > 0 ? strlen(word) : 0);
    char *line = strndup((const char *)rest.data, bytes_find(rest, '\n'));
    CHECK(line != NULL);
    return line;
}

static void take_settings(struct bytes note, struct config *config)
{
    char *line = line_of(note, "replicaof ");
    (void)candidates.parse(&candidates, line, &config->upstream.primary);
    free(line);
    line = line_of(note, "sentinel ");
    (void)sentinel.parse(&sentinel, line, &config->sentinel);
    free(line);
}

static bool is_same(const struct primary_address *a, const struct primary_address *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port;
}

static bool is_written_so(struct bytes note, const struct config *config,
                          const struct primary_address *followed, enum saved_primary_teller teller)
{
    struct text again;
    text_init(&again, NOTE_MAX);
    saved_primary_format(config, followed, teller, &again);
    bool equal = bytes_equal(text_bytes(&again), note);
    text_fini(&again);
    return equal;
}

static void read_it(struct bytes note, const struct config *config)
{
    struct primary_address out = untouched;
    if (saved_primary_parse(note, config, &out) != SAVED_PRIMARY_COUNTS) {
        CHECK(is_same(&out, &untouched));
        return;
    }
    CHECK(out.port != 0 && out.host[0] != '\0');
    CHECK(is_written_so(note, config, &out, SAVED_PRIMARY_TELLER_REPLICAOF) ||
          is_written_so(note, config, &out, SAVED_PRIMARY_TELLER_SENTINEL));
}

/* Somebody says REPLICAOF with this as the host. */
static void write_it(struct bytes said, const struct config *config)
{
    struct primary_address told = {.port = (uint16_t)(said.length % UINT16_MAX + 1)};
    struct primary_address out = untouched;
    struct text note;
    size_t length = said.length < sizeof(told.host) ? said.length : sizeof(told.host) - 1;
    if (length > 0)
        memcpy(told.host, said.data, length);
    text_init(&note, NOTE_MAX);
    saved_primary_format(config, &told,
                         said.length % 2 == 0 ? SAVED_PRIMARY_TELLER_REPLICAOF
                                              : SAVED_PRIMARY_TELLER_SENTINEL,
                         &note);
    if (saved_primary_parse(text_bytes(&note), config, &out) == SAVED_PRIMARY_COUNTS)
        CHECK(is_same(&out, &told));
    text_fini(&note);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct config none;
    static struct config config;
    struct bytes note = bytes_at(data, size);
    config = none;
    read_it(note, &config);
    write_it(note, &config);
    if (size > 0)
        take_settings(note, &config);
    read_it(note, &config);
    write_it(note, &config);
    return 0;
}
