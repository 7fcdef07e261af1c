/* SPDX-License-Identifier: MIT */
#include "relay/upstream/renames.h"

#include <string.h>

/* All that we send to a primary. */
static const char *const commands[] = {"AUTH", "CONFIG", "INFO", "PING", "PSYNC", "REPLCONF"};

_Static_assert(LENGTH_OF(commands) <= RENAMES_MAX, "each may be renamed");

static size_t word_length(struct bytes view)
{
    size_t length = 0;
    while (length < view.length && !bytes_is_blank(view.data[length]))
        length++;
    return length;
}

static const char *find_command(struct bytes name)
{
    for (size_t i = 0; i < LENGTH_OF(commands); i++) {
        if (bytes_is(name, commands[i]))
            return commands[i];
    }
    return NULL;
}

static bool renames_is_word(struct bytes view)
{
    for (size_t i = 0; i < view.length; i++) {
        if (view.data[i] <= ' ' || view.data[i] > '~')
            return false;
    }
    return view.length > 0 && view.length < RENAME_WORD_MAX;
}

static bool is_renamed(const struct renames *renames, const char *command)
{
    for (size_t i = 0; i < renames->count; i++) {
        if (renames->at[i].command == command)
            return true;
    }
    return false;
}

/* "PSYNC xyz" */
static bool renames_add(struct renames *renames, struct bytes pair)
{
    pair = bytes_trim(pair);
    size_t length = word_length(pair);
    const char *command = find_command(bytes_first(pair, length));
    struct bytes word = bytes_trim(bytes_skip(pair, length));
    if (command == NULL || is_renamed(renames, command) || !renames_is_word(word))
        return false;
    struct rename *rename = &renames->at[renames->count++];
    rename->command = command;
    memcpy(rename->word, word.data, word.length);
    rename->word[word.length] = '\0';
    return true;
}

bool renames_parse(struct bytes text, struct renames *out)
{
    struct renames renames = {.count = 0};
    struct bytes rest = bytes_trim(text);
    for (bool ended = rest.length == 0; !ended;) {
        size_t length = bytes_find(rest, ',');
        if (!renames_add(&renames, bytes_first(rest, length)))
            return false;
        ended = length == rest.length;
        rest = bytes_skip(rest, ended ? length : length + 1);
    }
    *out = renames;
    return true;
}

const char *renames_word(const struct renames *renames, const char *command)
{
    for (size_t i = 0; renames != NULL && i < renames->count; i++) {
        if (strcmp(renames->at[i].command, command) == 0)
            return renames->at[i].word;
    }
    return command;
}
