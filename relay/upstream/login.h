/* SPDX-License-Identifier: MIT
 *
 * AUTH, as the primary, a relay and a Sentinel take it. Pure. Any thread.
 */
#ifndef RELAY_UPSTREAM_LOGIN_H
#define RELAY_UPSTREAM_LOGIN_H

#include "relay/resp/writer.h"

/* "AUTH user password", or "AUTH password" where `user` is NULL or "". `command` is the name that the server has for
 * AUTH. */
void login_write(struct writer *writer, const char *command, const char *user,
                 const char *password);

#endif
