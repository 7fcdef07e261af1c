/* SPDX-License-Identifier: MIT
 *
 * The section "Replication" of INFO: the one that Sentinel, exporters and people read first.
 */
#ifndef RELAY_ADMIN_REPLICATION_INFO_H
#define RELAY_ADMIN_REPLICATION_INFO_H

struct admin;
struct report;

void report_replication(struct admin *admin, struct report *report);

#endif
