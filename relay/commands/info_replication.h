/* SPDX-License-Identifier: MIT
 *
 * The section "Replication" of INFO: the one that Sentinel, exporters and people read first.
 */
#ifndef RELAY_COMMANDS_INFO_REPLICATION_H
#define RELAY_COMMANDS_INFO_REPLICATION_H

struct info_moment;
struct report;

void report_replication(const struct info_moment *moment, struct report *report);

#endif
