/* SPDX-License-Identifier: MIT
 *
 * A restore into a data directory of a relay: `--format data-dir`. A relay that starts with it goes on behind the target with a
 * partial resync, if the backlog of its upstream still has what comes next.
 *
 * It is made by the store itself, in TARGET/psync-relay-restore.part, and its history gets its name in TARGET by one rename, when all
 * of it is proven and on the disk. What a kill has left there is removed by the next restore.
 */
#ifndef RELAY_RESTORE_DATA_DIR_OUTPUT_H
#define RELAY_RESTORE_DATA_DIR_OUTPUT_H

#include <stdbool.h>

#include "plan.h"
#include "progress.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "run.h"

/* TARGET must have no history in it. False: `error`; nothing is left under its final name. */
MUST_CHECK bool data_dir_output(const struct restore_plan *plan, const char *target,
                                struct progress *progress, struct restore_result *result,
                                struct error *error);

#endif
