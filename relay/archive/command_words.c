/* SPDX-License-Identifier: MIT */
#include "relay/archive/command_words.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/bytes.h"

/* Words are made one behind the other in memory, each with its terminator. */
struct splitter {
    const char *rest;
    const char *path;
    const char *name;
    char *out;
    struct error *error;
};

/* How much memory is enough: each placeholder has two characters. */
static size_t space_for(const char *line, const char *path, const char *name)
{
    size_t longest = strlen(path) > strlen(name) ? strlen(path) : strlen(name);
    size_t placeholders = 0;
    for (const char *at = line; *at != '\0'; at++)
        placeholders += *at == '%';
    return strlen(line) + 2 + placeholders * longest;
}

static void put_string(struct splitter *splitter, const char *string)
{
    size_t length = strlen(string);
    memcpy(splitter->out, string, length);
    splitter->out += length;
}

/* A character of a word, or the two of a placeholder. */
static bool put_next(struct splitter *splitter)
{
    char c = *splitter->rest++;
    if (c != '%') {
        *splitter->out++ = c;
        return true;
    }
    char kind = *splitter->rest;
    if (kind == 'p')
        put_string(splitter, splitter->path);
    else if (kind == 'f')
        put_string(splitter, splitter->name);
    else if (kind == '%')
        put_string(splitter, "%");
    else
        return error_set(splitter->error, ERROR_INVALID,
                         "%% stands before neither p, f nor %%: write %%%% for a percent sign");
    splitter->rest++;
    return true;
}

static bool put_quoted(struct splitter *splitter, char quote)
{
    splitter->rest++;
    while (*splitter->rest != quote) {
        const char *rest = splitter->rest;
        if (*rest == '\0')
            return error_set(splitter->error, ERROR_INVALID, "a %c is not closed", quote);
        if (quote == '"' && *rest == '\\' && (rest[1] == '"' || rest[1] == '\\')) {
            *splitter->out++ = rest[1];
            splitter->rest += 2;
        } else if (!put_next(splitter)) {
            return false;
        }
    }
    splitter->rest++;
    return true;
}

static bool put_word(struct splitter *splitter)
{
    bool good = true;
    while (good && *splitter->rest != '\0' && !bytes_is_blank((uint8_t)*splitter->rest)) {
        char c = *splitter->rest;
        if (c == '\'' || c == '"') {
            good = put_quoted(splitter, c);
        } else if (c == '\\') {
            splitter->rest++;
            if (*splitter->rest == '\0')
                return error_set(splitter->error, ERROR_INVALID, "nothing follows the last \\");
            *splitter->out++ = *splitter->rest++;
        } else {
            good = put_next(splitter);
        }
    }
    *splitter->out++ = '\0';
    return good;
}

static bool split_words(struct splitter *splitter, struct command_words *out)
{
    for (;;) {
        while (bytes_is_blank((uint8_t)*splitter->rest))
            splitter->rest++;
        if (*splitter->rest == '\0')
            break;
        if (out->count == COMMAND_WORDS_MAX)
            return error_set(splitter->error, ERROR_INVALID, "it has more than %d words",
                             COMMAND_WORDS_MAX);
        out->argv[out->count++] = splitter->out;
        if (!put_word(splitter))
            return false;
    }
    return (out->count > 0 && out->argv[0][0] != '\0') ||
           error_set(splitter->error, ERROR_INVALID, "it names no program");
}

bool command_words_make(const char *line, const char *path, const char *name,
                        struct command_words *out, struct error *error)
{
    *out = (struct command_words){.memory = malloc(space_for(line, path, name))};
    if (out->memory == NULL)
        return error_set(error, ERROR_EXHAUSTED, "out of memory");
    struct splitter splitter = {
        .rest = line, .path = path, .name = name, .out = out->memory, .error = error};
    if (split_words(&splitter, out))
        return true;
    command_words_free(out);
    return false;
}

void command_words_free(struct command_words *words)
{
    free(words->memory);
    *words = (struct command_words){.memory = NULL};
}

bool command_words_check(const char *line, struct error *error)
{
    struct command_words words;
    if (line[0] == '\0')
        return true;
    if (!command_words_make(line, "", "", &words, error))
        return false;
    command_words_free(&words);
    return true;
}
