/* SPDX-License-Identifier: MIT
 *
 * The thread of the archive, "archiver": it alone waits for the disk and for the command. It does one shipment at a time, in the
 * order that is written in shipment.h.
 *
 * Owner: the archive. Thread: thread 0.
 */
#ifndef RELAY_ARCHIVE_ARCHIVER_H
#define RELAY_ARCHIVE_ARCHIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"

struct archiver;
struct shipment;

/* `on_done` is called on the thread when a job is over. NULL: no thread, or out of memory. */
MUST_CHECK struct archiver *archiver_start(const char *data_dir, void (*on_done)(void *arg),
                                           void *arg);

/* Ends a command that is running. */
void archiver_stop(struct archiver **archiver);

/* None is under way. The shipment is the thread's until archiver_take. */
void archiver_begin(struct archiver *archiver, struct shipment *shipment);

/* True, once for each: it is over. */
MUST_CHECK bool archiver_take(struct archiver *archiver);

/* When the command that runs was started (clock_ms); 0: none does. */
int64_t archiver_running_since_ms(const struct archiver *archiver);

#endif
