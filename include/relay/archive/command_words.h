/* SPDX-License-Identifier: MIT
 *
 * The command of a setting, split into the words that a program is run with, without a shell:
 *
 *     blanks                separate words
 *     'as it is'            all up to the next ' is part of the word
 *     "with \" and \\"      the same, where \" is " and \\ is \
 *     \c                    outside of quotes: the character c
 *     %p %f %%              the path of the file, its name, and %: put in after the splitting, so that a path with blanks
 *                           is one word. Also within quotes
 *
 * Nothing else means anything: no variables, no pipes, no patterns. Who wants them runs a shell:
 * sh -c 'zstd -q <"$1" >/archive/"$2".zst' sh %p %f
 *
 * Pure. Any thread.
 */
#ifndef RELAY_ARCHIVE_COMMAND_WORDS_H
#define RELAY_ARCHIVE_COMMAND_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/check.h"
#include "relay/base/error.h"

enum { COMMAND_WORDS_MAX = 64 };

struct command_words {
    char *argv[COMMAND_WORDS_MAX + 1]; /* NULL behind the last */
    size_t count;
    char *memory;
};

/* False: `error` says what is wrong with the line, and there is nothing to free. */
MUST_CHECK bool command_words_make(const char *line, const char *path, const char *name,
                                   struct command_words *out, struct error *error);
/* Could it be made, for any path and name? "" could. False: `error`. */
MUST_CHECK bool command_words_check(const char *line, struct error *error);

void command_words_free(struct command_words *words);

#endif
