/* SPDX-License-Identifier: MIT
 *
 * What replicas that run behind need of the store ([delayed], relay/downstream/delay.h). It is kept as what readers
 * that are attached hold: within repl-backlog-max-size, and while the disk is not full.
 */
#ifndef RELAY_STORE_HISTORY_NEED_H
#define RELAY_STORE_HISTORY_NEED_H

#include <stdbool.h>
#include <stdint.h>

struct history_need {
    bool is_known; /* the store's: it has been told */
    uint64_t from; /* the stream from here on */
    uint64_t
        due; /* and the newest snapshot at or before it, with the stream behind that. Where there is none: the
                      oldest behind it, which will be that one */
};

#endif
