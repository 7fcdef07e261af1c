/* SPDX-License-Identifier: MIT
 *
 * One section of a component's report as a map, for who would rather not take INFO's lines apart: "name:value"
 * is a pair, a value of digits alone an integer, and one like "offset=1,bytes=2,..." a map in the map. Pure.
 */
#ifndef RELAY_COMMANDS_REPORT_MAP_H
#define RELAY_COMMANDS_REPORT_MAP_H

#include "relay/base/bytes.h"
#include "relay/resp/writer.h"

void report_write_map(struct writer *writer, struct bytes report);

#endif
