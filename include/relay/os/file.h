/* SPDX-License-Identifier: MIT
 *
 * A file read as a whole, and replaced as a whole: whoever reads it, also after a power failure, finds the old
 * content or the new. Names are relative to an open directory; AT_FDCWD with a path will do. Thread: any;
 * all wait for the disk.
 */
#ifndef RELAY_OS_FILE_H
#define RELAY_OS_FILE_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/text.h"

/* Appends its content. False: `error`; ERROR_DAMAGED where it is longer than what is left of out->limit. */
MUST_CHECK bool file_read(int directory, const char *name, struct text *out, struct error *error);

struct file_replacement {
    struct bytes content;
    bool is_durable; /* content and name survive a power failure when file_replace returns */
    bool
        keeps_owner; /* mode and owner are those of the old file, which is there and is no symbolic link, in a
                       * directory that may be somebody else's. Else: 0600, in a directory of our own */
    const struct bytes *replaces; /* the content that the old file has to have, or it is left alone:
                                     somebody else has written it meanwhile. NULL: any */
};

/* Writes the content beside the old file, fsyncs it where that is asked for, looks at the old one, then renames it
 * over that.
 * False: `error`, and the old content is there, unless the last step failed: to make the name durable. */
MUST_CHECK bool file_replace(int directory, const char *name,
                             const struct file_replacement *replacement, struct error *error);

/* Makes the names in the directory `name` survive a power failure. False: errno. */
MUST_CHECK bool file_sync_directory(int at, const char *name);

#endif
