/* SPDX-License-Identifier: MIT
 *
 * Randomness from the kernel. Any thread.
 */
#ifndef RELAY_OS_RANDOM_H
#define RELAY_OS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills `out` with random bytes. */
void random_bytes(void *out, size_t length);

/* Fills `out` with `digits` lower-case hexadecimal digits and a terminator. */
void random_hex(char *out, size_t digits);

/* A number in [0, bound); bound > 0. */
uint64_t random_below(uint64_t bound);

#endif
