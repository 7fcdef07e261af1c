/* SPDX-License-Identifier: MIT */
#include "relay/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log_line.h"
#include "relay/base/clock.h"

/* Relaxed everywhere: a line that races with a change may go by the old or the new setting. */
static atomic_int destination = STDERR_FILENO;
static atomic_int level_least = LOG_LEVEL_INFO;
static atomic_int format_used = LOG_FORMAT_TEXT;

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_ERROR] = "error",
};

static int open_destination(const char *path)
{
    if (string_is_given(path))
        return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

static void log_last_words(const char *last_words)
{
    log_errorx("%s", last_words);
}

bool log_open(const char *path, struct text *error)
{
    int opened = open_destination(path);
    if (opened == -1) {
        text_format(error, "cannot open log file '%s': %s", string_is_given(path) ? path : "stderr",
                    strerror(errno));
        return false;
    }
    check_set_witness(string_is_given(path) ? log_last_words : NULL); /* stderr hears it anyway */
    int current = atomic_load_explicit(&destination, memory_order_relaxed);
    if (current == STDERR_FILENO) {
        atomic_store_explicit(&destination, opened, memory_order_relaxed);
        return true;
    }
    /* Another thread may be about to write to `current`: it must stay a descriptor of ours. */
    CHECK(dup3(opened, current, O_CLOEXEC) == current);
    close(opened);
    return true;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_least, (int)level, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&format_used, (int)format, memory_order_relaxed);
}

static void format_time(char out[32])
{
    int64_t now_ms = clock_wall_us() / 1000;
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    CHECK(gmtime_r(&seconds, &utc) != NULL);
    size_t length = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    CHECK(length > 0);
    snprintf(out + length, 32 - length, ".%03dZ", (int)(now_ms % 1000));
}

static void log_fill(struct log_line *line, enum log_level level, const char *message)
{
    char time[32];
    format_time(time);
    const struct log_event event = {.time = time, .level = level_names[level], .message = message};
    if (atomic_load_explicit(&format_used, memory_order_relaxed) == LOG_FORMAT_JSON)
        log_line_json(line, &event);
    else
        log_line_text(line, &event);
}

static void log_write_line(const struct log_line *line)
{
    int place = atomic_load_explicit(&destination, memory_order_relaxed);
    ssize_t written;
    do {
        written = write(place, line->data, line->length);
    } while (written == -1 && errno == EINTR);
    /* A line that cannot be written is lost: there is nobody to tell. */
}

/* `error`: the errno to append, or 0. */
static void log_list(enum log_level level, int error, const char *format, va_list list)
{
    if ((int)level < atomic_load_explicit(&level_least, memory_order_relaxed))
        return;
    char message[LOG_LINE_MAX];
    int length = vsnprintf(message, sizeof(message), format, list);
    CHECK(length >= 0);
    if (error != 0 && (size_t)length < sizeof(message))
        snprintf(message + length, sizeof(message) - (size_t)length, ": %s", strerror(error));

    struct log_line line;
    log_fill(&line, level, message);
    log_write_line(&line);
}

/* All the forms differ by two words only, and C has no other way to hand on "...". */
#define LOG_FORM(level, error)                                                                     \
    do {                                                                                           \
        int saved = errno;                                                                         \
        va_list list;                                                                              \
        va_start(list, format);                                                                    \
        log_list(level, error, format, list);                                                      \
        va_end(list);                                                                              \
        errno = saved;                                                                             \
    } while (0)

void log_debug(const char *format, ...)
{
    LOG_FORM(LOG_LEVEL_DEBUG, 0);
}

void log_info(const char *format, ...)
{
    LOG_FORM(LOG_LEVEL_INFO, 0);
}

void log_warn(const char *format, ...)
{
    LOG_FORM(LOG_LEVEL_WARNING, errno);
}

void log_warnx(const char *format, ...)
{
    LOG_FORM(LOG_LEVEL_WARNING, 0);
}

void log_error(const char *format, ...)
{
    LOG_FORM(LOG_LEVEL_ERROR, errno);
}

void log_errorx(const char *format, ...)
{
    LOG_FORM(LOG_LEVEL_ERROR, 0);
}

void log_at(enum log_level level, const char *format, ...)
{
    LOG_FORM(level, 0);
}
