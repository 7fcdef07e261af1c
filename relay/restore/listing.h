/* SPDX-License-Identifier: MIT
 *
 * What `--list` shows of a history: ids, the part of the stream that is there, its RDBs, and the moments that can be
 * restored.
 */
#ifndef RELAY_RESTORE_LISTING_H
#define RELAY_RESTORE_LISTING_H

#include "relay/base/text.h"
#include "relay/store/history_view.h"

void listing_write(const struct history_view *view, struct text *out);

#endif
