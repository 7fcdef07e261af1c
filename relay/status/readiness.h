/* SPDX-License-Identifier: MIT
 *
 * Is this a relay that replicas should be sent to? What /readyz answers, and what page, /status.json and
 * metrics say with it. Pure. Thread: the owner's.
 */
#ifndef RELAY_STATUS_READINESS_H
#define RELAY_STATUS_READINESS_H

#include "picture.h"

enum { READINESS_WHY_MAX = 512 };

/* True: it is. False: `why`. */
bool readiness_look(const struct picture *picture, char why[READINESS_WHY_MAX]);

#endif
