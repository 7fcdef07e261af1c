/* SPDX-License-Identifier: MIT
 *
 * Strings that a peer has chosen, made safe for what is written around them. What comes out is valid
 * UTF-8 whatever goes in: a byte that is none becomes U+FFFD. Pure. Any thread.
 */
#ifndef RELAY_STATUS_ESCAPE_H
#define RELAY_STATUS_ESCAPE_H

#include "relay/base/text.h"

/* In a JSON string, without its quotes. Also harmless inside HTML: '<', '>' and '&' are escaped. */
void escape_json(struct text *out, const char *string);

/* In the value of a Prometheus label, without its quotes. */
void escape_label(struct text *out, const char *string);

#endif
