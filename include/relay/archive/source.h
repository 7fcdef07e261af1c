/* SPDX-License-Identifier: MIT
 *
 * Where the files of an archive are read from: a directory, or commands of the operator's.
 *
 * Thread: any; all of it may wait long.
 */
#ifndef RELAY_ARCHIVE_SOURCE_H
#define RELAY_ARCHIVE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"

struct archive_source {
    const char *directory;       /* NULL: there are the commands */
    const char *restore_command; /* fetches %f to %p */
    const char *list_command;    /* prints the names */
    const char
        *scratch; /* where fetched files are put, without a name; NULL: $TMPDIR or /var/tmp */
};

/* Is it a directory with a file of an archive in it? */
bool archive_source_is_archive(const char *directory);

/* Calls `fn` with each name that may be one of an archive. False: `error`. */
typedef bool archive_source_fn(const char *name, void *arg);
MUST_CHECK bool archive_source_list(const struct archive_source *source, archive_source_fn *fn,
                                    void *arg, struct error *error);

/* Opens a file to be read. -1: `error`. */
int archive_source_open(const struct archive_source *source, const char *name, struct error *error);

/* Runs a command for a file; its output goes to the standard output. False: `error`. */
MUST_CHECK bool archive_source_run(const char *command, const char *path, const char *name,
                                   struct error *error);

#endif
