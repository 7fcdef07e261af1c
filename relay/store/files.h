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
#include "relay/base/error.h"
#include "relay/base/text.h"

/* Files are larger than 4 GB, also where a pointer has 32 bits. */
static_assert(sizeof(off_t) == sizeof(uint64_t), "build with -D_FILE_OFFSET_BITS=64");

/* Is there no room on the disk, for us? */
bool files_is_full(int error);

/* Did the system refuse us what it takes to look at a file: descriptors, memory, permission, a disk that
 * reads, or room (some file systems need it also for who only opens)? Then nothing is said about the file. So it is with any error but those that tell that a file is
 * not there, is too short, or has other bytes than it should. */
bool files_is_refusal(int error);

/* What an operator can do about a refusal: "raise the limit of open files (...)". NULL: nothing special. */
const char *files_advice(int error);

/* The error that a function of those below has told by errno (`number`) and `why`. Returns false. */
bool files_error(struct error *error, int number, const struct text *why);

/* Makes the directory (0700) where it is missing, and opens it. -1: `why`. */
int files_open_directory(int at, const char *name, struct text *why);

/* Writes all of it at `position`. False: errno, and a part of it may have been written. */
MUST_CHECK bool files_write_at(int file, struct bytes content, uint64_t position);

/* Replaces `name` by `content` at once: written beside it, then renamed over it. With `durable` the
 * content and the name survive a power failure when it returns. */
MUST_CHECK bool files_replace(int directory, const char *name, struct bytes content, bool durable,
                              struct text *why);

/* What tells one boot of the machine from the next, with zeros behind it; all zeros where the system has none. False:
 * errno; it has one, and did not let us look. */
enum { FILES_BOOT_ID_CAPACITY = 40 };
MUST_CHECK bool files_boot_id(char out[FILES_BOOT_ID_CAPACITY]);

/* Gives an open file another name. False: errno; also where a file has none any more, or the system has no /proc. */
MUST_CHECK bool files_link(int file, int directory, const char *name);

/* The whole of a file of at most `out->limit` bytes. */
MUST_CHECK bool files_read(int directory, const char *name, struct text *out, struct text *why);

/* Makes an empty file of `length` bytes, all of them really there, so that a disk that is full says so
 * now; one of that name is replaced, and whoever has it mapped keeps the old one. */
int files_create(int directory, const char *name, uint64_t length, struct text *why);

/* Gives an open file room up to `length`. 0, or the error. */
int files_preallocate(int file, uint64_t length);

/* What tells that a file is the one it was, and has not been written since: as far as the file system notes
 * it. */
struct files_key {
    uint64_t inode;
    uint64_t length;
    int64_t modified_ns;
};

/* False: errno. */
MUST_CHECK bool files_key_of(int directory, const char *name, struct files_key *out);

/* How one reads a large file who is in no hurry. */
struct files_pace {
    /* After each piece of some hundred KB: may take its time. False: stop, with ECANCELED. NULL: go on. */
    bool (*go_on)(void *arg, size_t bytes);
    void *arg;
    const struct files_key
        *trusted; /* what it was when it was proven before: is it still, it is not read;
                                      * NULL: it is read */
};

/* Is it what `pace` trusts? */
bool files_is_trusted(int file, const struct files_pace *pace);

/* The CRC-64 of a file: goes on with *crc, that of what is before `from`, to `until`. `pace` NULL: without a pause. False:
 * it is shorter (ENODATA), or cannot be read. */
MUST_CHECK bool files_crc64_from(int file, uint64_t from, uint64_t until, uint64_t *crc,
                                 const struct files_pace *pace, struct text *why);

/* Calls `fn` with the name of every entry but "." and "..". */
typedef void files_entry_fn(const char *name, void *arg);
MUST_CHECK bool files_each(int directory, files_entry_fn *fn, void *arg, struct text *why);

#endif
