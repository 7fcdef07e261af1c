/* SPDX-License-Identifier: MIT
 *
 * What the store asks of the file system, relative to open directories, with errors in words. Every
 * function returns false (or -1) with `why` and errno set, and leaves nothing half done behind. Thread:
 * any.
 */
#ifndef RELAY_STORE_FILES_H
#define RELAY_STORE_FILES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

/* Files are larger than 4 GB, also where a pointer has 32 bits. */
static_assert(sizeof(off_t) == sizeof(uint64_t), "build with -D_FILE_OFFSET_BITS=64");

/* Is there no room on the disk, for us? */
bool files_is_full(int error);

/* Did the system refuse us what it takes to look at a file: descriptors, memory, permission, a disk that
 * reads? Then nothing is said about the file. So it is with any error but those that tell that a file is
 * not there, is too short, or has other bytes than it should. */
bool files_is_refusal(int error);

/* What an operator can do about a refusal: "raise the limit of open files (...)". NULL: nothing special. */
const char *files_advice(int error);

/* Makes the directory (0700) where it is missing, and opens it. -1: `why`. */
int files_open_directory(int at, const char *name, struct text *why);

/* Makes the names in the directory `name` survive a power failure. False: errno. */
MUST_CHECK bool files_sync_directory(int at, const char *name);

/* Replaces `name` by `content` at once: written beside it, then renamed over it. With `durable` the
 * content and the name survive a power failure when it returns. */
MUST_CHECK bool files_replace(int directory, const char *name, struct bytes content, bool durable,
                              struct text *why);

/* The whole of a file of at most `out->limit` bytes. */
MUST_CHECK bool files_read(int directory, const char *name, struct text *out, struct text *why);

/* Makes an empty file of `length` bytes, all of them really there, so that a disk that is full says so
 * now; one of that name is replaced, and whoever has it mapped keeps the old one. */
int files_create(int directory, const char *name, uint64_t length, struct text *why);

/* Gives an open file room up to `length`. 0, or the error. */
int files_preallocate(int file, uint64_t length);

/* The CRC-64 of the first `length` bytes of a file. False: it is shorter (ENODATA), or cannot be read. */
MUST_CHECK bool files_crc64(int file, uint64_t length, uint64_t *crc, struct text *why);

/* Calls `fn` with the name of every entry but "." and "..". */
typedef void files_entry_fn(const char *name, void *arg);
MUST_CHECK bool files_each(int directory, files_entry_fn *fn, void *arg, struct text *why);

#endif
