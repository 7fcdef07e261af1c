/* SPDX-License-Identifier: MIT
 *
 * The data directory as a whole: one process has it, and there are numbered histories in it.
 * Thread: thread 0.
 */
#ifndef RELAY_STORE_DATA_DIR_H
#define RELAY_STORE_DATA_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct data_dir {
    int directory;
    int lock; /* holds the flock */
    size_t count;
    uint64_t *numbers; /* of the histories that were there when it was opened, the newest first */
};

/* Locks it, and looks what is in it; names what is not ours. `make`: where it is missing it is made
 * (0700). False: `why` says what is wrong and what to do, and nothing is open. */
MUST_CHECK bool data_dir_open(struct data_dir *data_dir, const char *path, bool make,
                              struct text *why);

/* The same without making, taking or keeping anything: who has the lock stays who has it, and is told in
 * `taken`. For looking; the rest of the struct is as after data_dir_open. */
MUST_CHECK bool data_dir_look(struct data_dir *data_dir, const char *path, struct text *taken,
                              struct text *why);

void data_dir_close(struct data_dir *data_dir);

#endif
