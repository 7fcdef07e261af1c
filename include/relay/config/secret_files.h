/* SPDX-License-Identifier: MIT
 *
 * The files that hold passwords and keys: the ini, and those that settings name. Thread: thread 0.
 */
#ifndef RELAY_CONFIG_SECRET_FILES_H
#define RELAY_CONFIG_SECRET_FILES_H

struct config;

/* Logs a warning for each of them that every user of this machine may read or write. No more than that: where
 * files come from a volume of a container, the operator often cannot choose their modes. */
void secret_files_warn_of_open(const struct config *config);

/* Logs a warning for each of them that the process can no longer read, so that SIGHUP cannot reload it. */
void secret_files_warn_of_unreadable(struct config *config);

#endif
