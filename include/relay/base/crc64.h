/* SPDX-License-Identifier: MIT
 *
 * CRC-64 "Jones" as Redis ends its RDB files with it (docs/protocol.md 9): reflected, polynomial
 * 0xad93d23594c935a9, start 0, no final xor; crc64(0, "123456789") is e9c6d914c4b8d9ca, and the CRC
 * of a whole RDB with its eight footer bytes is 0. Ours since it sees every byte. Any thread.
 */
#ifndef RELAY_BASE_CRC64_H
#define RELAY_BASE_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what `crc` covers followed by `length` bytes at `data`. */
uint64_t crc64(uint64_t crc, const void *data, size_t length);

/* The same by tables alone, as on a processor that does not help: for tests. */
uint64_t crc64_portable(uint64_t crc, const void *data, size_t length);

#endif
