/* SPDX-License-Identifier: MIT
 *
 * Where our secrets lie outside of our memory: the files that hold passwords and keys, and what a crash
 * leaves behind.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_SECRECY_H
#define RELAY_SECRECY_H

struct config;

/* A warning for each file with a secret that everybody on this machine may read or write. No more than
 * that: where files come from a volume of a container, the modes are often not the operator's to choose. */
void secrecy_warn_of_open_files(const struct config *config);

/* A warning for the ini, and each file with a secret, that we could not read again now, as SIGHUP does it. */
void secrecy_warn_of_closed_files(struct config *config);

/* No core dumps, and no look into our memory for others of the same user, unless the settings want them. */
void secrecy_guard_memory(const struct config *config);

#endif
