/* SPDX-License-Identifier: MIT
 *
 * Why something failed: a kind for the caller to decide by, and a text for people. A function that can fail
 * for reasons that its caller must tell apart takes a struct error and returns false (or NULL, or -1) with
 * it set; errno means nothing then.
 *
 *     struct error error;
 *     if (!file_read(directory, "identity", &content, &error)) {
 *         if (error.kind == ERROR_MISSING)
 *             ...
 *         log_warnx("store: %s", error.text);
 *     }
 *
 * Both error_set functions return false, so that a function can end with them. Plain value, no memory of
 * its own. Any thread.
 */
#ifndef RELAY_BASE_ERROR_H
#define RELAY_BASE_ERROR_H

#include <stdbool.h>

#include "relay/base/check.h"

enum { ERROR_TEXT_MAX = 512 };

enum error_kind {
    ERROR_NONE,
    ERROR_MISSING, /* there is no such file, directory, address */
    ERROR_DAMAGED, /* it is there, and is not what it should be: too short, too long, other bytes */
    ERROR_INVALID, /* what was asked for makes no sense: a setting that is none, a bad address */
    ERROR_FULL,    /* the disk is full */
    ERROR_DENIED,  /* rights, a quota, a file system that is read-only */
    ERROR_EXHAUSTED, /* descriptors or memory: it may work later */
    ERROR_IN_USE,    /* somebody else has it: a port, a directory */
    ERROR_CANCELED,  /* the caller wanted it to stop */
    ERROR_SYSTEM,    /* anything else that the system says, a disk that fails among it */
};

struct error {
    enum error_kind kind;
    int number; /* errno, where the system has said no; else 0 */
    char text[ERROR_TEXT_MAX];
};

/* Sets kind and text. Returns false. */
bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Sets the kind that goes with `number`, an errno, and the text with ": " and the system's words for it behind.
 * Returns false. */
bool error_set_system(struct error *error, int number, const char *format, ...) PRINTF_LIKE(3, 4);

/* The system's words alone, or the text where it has said nothing. Valid as long as the error; not for two
 * threads at once. */
const char *error_reason(const struct error *error);

/* The kind of an errno. */
enum error_kind error_kind_of(int number);

#endif
