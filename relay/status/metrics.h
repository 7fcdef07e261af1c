/* SPDX-License-Identifier: MIT
 *
 * /metrics: a picture in Prometheus's text format, version 0.0.4. Pure. Thread: the owner's.
 */
#ifndef RELAY_STATUS_METRICS_H
#define RELAY_STATUS_METRICS_H

#include "picture.h"
#include "relay/base/text.h"

/* Puts the rows of the picture in order of their names: of two that have the same one only the younger is
 * shown, since a series must be there once. */
void metrics_write(struct picture *picture, struct text *out);

#endif
