/* SPDX-License-Identifier: MIT
 *
 * One line of the log, made of what there is to say: as text, or as a JSON object. Of bounded length,
 * and one line whatever the message holds. Pure. Any thread.
 */
#ifndef RELAY_BASE_LOG_LINE_H
#define RELAY_BASE_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum { LOG_LINE_MAX = 2048 };

struct log_line {
    char data[LOG_LINE_MAX];
    size_t length;
    bool is_cut; /* something did not fit: "..." stands for it */
};

struct log_event {
    const char *time;
    const char *level;
    const char *message; /* "component: what happened" */
};

void log_line_text(struct log_line *line, const struct log_event *event);
void log_line_json(struct log_line *line, const struct log_event *event);

#endif
