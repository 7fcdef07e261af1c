/* SPDX-License-Identifier: MIT
 *
 * Does what a plan says: reads the snapshot and the stream, proves them, and writes them.
 */
#ifndef RELAY_RESTORE_RUN_H
#define RELAY_RESTORE_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "output.h"
#include "plan.h"
#include "progress.h"
#include "relay/base/check.h"
#include "relay/base/error.h"

struct restore_result {
    uint64_t offset;   /* of the data that was restored */
    uint64_t commands; /* behind the RDB */
};

/* `output`: open, and finished when it returns true; NULL: all is read and proven, and nothing is written. False:
 * `error`. */
MUST_CHECK bool restore_run(const struct restore_plan *plan, enum output_format format,
                            struct output *output, struct progress *progress,
                            struct restore_result *result, struct error *error);

#endif
