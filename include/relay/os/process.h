/* SPDX-License-Identifier: MIT
 *
 * What the kernel allows this process. Thread: thread 0.
 */
#ifndef RELAY_OS_PROCESS_H
#define RELAY_OS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Raises the limit of open files to `wanted`, as far as the system lets us. Returns the limit in force; where
 * it cannot be read, `wanted`. */
uint64_t process_raise_descriptors(uint64_t wanted);

/* Whether a crash may leave a core dump, and whether other processes of the same user may read our memory.
 * To become another user resets it. */
void process_set_dumpable(bool is_dumpable);

#endif
