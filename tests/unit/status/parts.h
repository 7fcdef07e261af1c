/* SPDX-License-Identifier: MIT
 *
 * What a text that was written for others has in it, and how often.
 */
#ifndef TESTS_UNIT_STATUS_PARTS_H
#define TESTS_UNIT_STATUS_PARTS_H

#include "test.h"

static inline void expect(const char *whole, const char *part)
{
    if (strstr(whole, part) == NULL)
        fail_msg("expected %s in %s", part, whole);
}

static inline void expect_not(const char *whole, const char *part)
{
    if (strstr(whole, part) != NULL)
        fail_msg("expected no %s in %s", part, whole);
}

static inline size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        found++;
    return found;
}

#endif
