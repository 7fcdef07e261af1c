/* SPDX-License-Identifier: MIT
 *
 * What is to be restored, and from what: the decision, before anything is written.
 */
#ifndef RELAY_RESTORE_PLAN_H
#define RELAY_RESTORE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "progress.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/text.h"
#include "relay/store/history_view.h"

enum wish_kind {
    WISH_END,            /* all that there is */
    WISH_TIME,           /* what had come at a time */
    WISH_OFFSET,         /* up to an offset */
    WISH_BEFORE_COMMAND, /* before the last command of a name */
    WISH_BEFORE_KEY,     /* before the last command on a key */
};

struct restore_wish {
    enum wish_kind kind;
    int64_t time_us;
    uint64_t offset;
    const char *word; /* the name, or the key */
    bool has_after;   /* the command came after this time */
    int64_t after_us;
};

struct restore_plan {
    const struct history_view *view;
    const struct history_view_snapshot *base; /* the newest at or before `until` */
    uint64_t until;                           /* the last boundary at or before it is the target */
};

/* Decides, and says in `notes` (a line each) what the operator should know: that the clock was set back, which command
 * was found. To find a command reads the stream. False: `error`; this history cannot give that. */
MUST_CHECK bool restore_plan_make(struct restore_plan *plan, const struct history_view *view,
                                  const struct restore_wish *wish, struct progress *progress,
                                  struct text *notes, struct error *error);

/* What can be restored of a history, in a line: "history-1: from 2026-... (offset 4711) to 2026-... (offset 9000)". */
void restore_plan_tell_span(const struct history_view *view, struct text *out);

#endif
