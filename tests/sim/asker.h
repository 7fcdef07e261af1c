/* SPDX-License-Identifier: MIT
 *
 * A model of somebody who asks a relay at random moments and never stops: INFO and other commands, WAIT, or the pages
 * of its HTTP port. Every answer has to be a whole reply, and what it says has to be true (claims.h). Once the faults
 * have ended every question is answered within a time. */
#ifndef TESTS_SIM_ASKER_H
#define TESTS_SIM_ASKER_H

#include <stdbool.h>
#include <stdint.h>

#include "claims.h"

enum asker_kind { ASKS_COMMANDS, ASKS_WAIT, ASKS_HTTP };

struct asker;

struct asker *asker_new(enum asker_kind kind, unsigned host, unsigned to, uint16_t port,
                        struct claims *claims);
/* With pauses of up to `pause_us` between its questions. */
void asker_start(struct asker *asker, int64_t pause_us);
/* From now on a question that waits too long is a failure, and none is asked that costs the primary a fork. */
void asker_set_peaceful(struct asker *asker);

#endif
