/* SPDX-License-Identifier: MIT
 *
 * One line an event, one write(2) a line, so that lines of several threads never mix:
 *
 *     2026-11-21T20:34:26.123Z info    upstream: link state=handshake->streaming cause=continue
 *
 * The first word of a message is its component. log_warn and log_error append ": " and strerror(errno);
 * the x forms do not. Nothing is logged per command or per byte. A line is at most 2 KB (cut with
 * "..."), and control characters in a message become '?' (in JSON they are escaped): a peer cannot forge
 * lines.
 * errno is left as it was. Any thread; log_open and log_set_* from thread 0 only.
 */
#ifndef RELAY_BASE_LOG_H
#define RELAY_BASE_LOG_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Lines go to `path` (appended, created 0600), or to stderr where path is NULL or "". On failure
 * the old destination stays and `error` says why. */
MUST_CHECK bool log_open(const char *path, struct text *error);

void log_set_level(enum log_level level);

/* LOG_FORMAT_JSON: {"ts":"...Z","level":"info","component":"upstream","message":"..."}, one object a line.
 * Control characters are escaped, what is no UTF-8 is U+FFFD. */
void log_set_format(enum log_format format);

void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warnx(const char *format, ...) PRINTF_LIKE(1, 2);
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_errorx(const char *format, ...) PRINTF_LIKE(1, 2);

/* For a level that is only known at run time (rows of the reasons table). Appends no errno. */
void log_at(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
