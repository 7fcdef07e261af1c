/* SPDX-License-Identifier: MIT
 *
 * Against DNS rebinding: a page of some site lets its own name point to 127.0.0.1, and its script asks
 * us as if we were that site. It cannot change the Host header, so that tells. Pure. Any thread.
 */
#ifndef RELAY_STATUS_GUARD_H
#define RELAY_STATUS_GUARD_H

#include <stdbool.h>

/* Does `host` stand in a list of names with blanks between? ".example.com" is example.com and all that ends
 * in that; "*" is every name. Letter case is ignored. */
bool guard_is_listed(const char *host, const char *names);

/* Does `host` (no port) name a machine by an address, or this machine by localhost? "" does: no
 * browser leaves it out. */
bool guard_is_no_foreign_name(const char *host);

#endif
