/* SPDX-License-Identifier: MIT
 *
 * The password of the HTTP port, as a browser and a scraper send it: "Basic", with any user name (RFC
 * 7617). Two digests are compared, so that time tells nothing of the password. Pure. Any thread.
 */
#ifndef RELAY_STATUS_PASSWORD_H
#define RELAY_STATUS_PASSWORD_H

#include <stdbool.h>

#include "relay/net/digest.h"

/* Does the value of an Authorization header have this password? */
bool password_is_in(const char *authorization, const struct digest *password);

#endif
