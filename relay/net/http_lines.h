/* SPDX-License-Identifier: MIT
 *
 * The lines that heads of HTTP messages consist of (RFC 9112). Views of the bytes that they were read from.
 *
 * Pure. Any thread.
 */
#ifndef RELAY_NET_HTTP_LINES_H
#define RELAY_NET_HTTP_LINES_H

#include <stdbool.h>

#include "relay/base/bytes.h"

/* Takes a line off `rest`, without its end. False: the end has not come. */
bool http_lines_take(struct bytes *rest, struct bytes *line);

/* Takes what stands before the next blank, and the blank. */
struct bytes http_lines_take_word(struct bytes *line);

/* Is it one word or more of ASCII that can be seen? */
bool http_lines_is_visible(struct bytes view);

/* Splits "Name: value". False: it is no such line, or has a control character. */
bool http_lines_split_header(struct bytes line, struct bytes *name, struct bytes *value);

/* Is the word one of a list with commas between, letter case ignored? */
bool http_lines_is_listed(struct bytes list, const char *word);

/* Told of each header in the order in which they stand. */
typedef void http_header_fn(struct bytes name, struct bytes value, void *arg);

#endif
