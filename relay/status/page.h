/* SPDX-License-Identifier: MIT
 *
 * The status page: one HTML document with its style and script in it, embedded when the program is
 * built. The sources are in page/. Pure. Any thread.
 */
#ifndef RELAY_STATUS_PAGE_H
#define RELAY_STATUS_PAGE_H

#include "relay/base/text.h"

enum { PAGE_NONCE_DIGITS = 32, PAGE_POLICY_MAX = 320 };

/* Style and script carry `nonce`, and the policy lets only them run. */
void page_write(const char *nonce, struct text *out);
const char *page_policy(const char *nonce, char out[PAGE_POLICY_MAX]);

#endif
