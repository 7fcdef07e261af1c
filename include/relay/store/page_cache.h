/* SPDX-License-Identifier: MIT
 *
 * Are the bytes of a file in memory already, or would a read wait for the disk? Segments and RDBs are
 * sent from the page cache; who serves many may not wait for the disk on behalf of one.
 *
 * Thread: any.
 */
#ifndef RELAY_STORE_PAGE_CACHE_H
#define RELAY_STORE_PAGE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"

enum { PAGE_CACHE_FILL_BYTES = 256 * 1024 }; /* of memory that page_cache_fill reads through */

/* True: `length` bytes at `position` are in the page cache, and were read to the end; a moment later the
 * kernel may have dropped them. False: some are not, or the file system has a cache of its own (ZFS), or
 * the kernel does not tell. Does not wait. length > 0. */
bool page_cache_has(int file, uint64_t position, size_t length);

/* Reads them all, and waits for the disk as long as it takes. `through`: PAGE_CACHE_FILL_BYTES of memory,
 * whose contents mean nothing. False: errno; ENODATA where the file ends before that. */
MUST_CHECK bool page_cache_fill(int file, uint64_t position, size_t length, uint8_t *through);

#endif
