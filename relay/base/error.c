/* SPDX-License-Identifier: MIT */
#include "relay/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int number;
    enum error_kind kind;
} kinds[] = {
    {0, ERROR_NONE},
    {ENOENT, ERROR_MISSING},
    {ENODATA, ERROR_DAMAGED},
    {EBADMSG, ERROR_DAMAGED},
    {EFBIG, ERROR_DAMAGED},
    {EINVAL, ERROR_INVALID},
    {ENOSPC, ERROR_FULL},
    {EDQUOT, ERROR_FULL},
    {EACCES, ERROR_DENIED},
    {EPERM, ERROR_DENIED},
    {EROFS, ERROR_DENIED},
    {EMFILE, ERROR_EXHAUSTED},
    {ENFILE, ERROR_EXHAUSTED},
    {ENOMEM, ERROR_EXHAUSTED},
    {ENOBUFS, ERROR_EXHAUSTED},
    {EADDRINUSE, ERROR_IN_USE},
    {EBUSY, ERROR_IN_USE},
    {ECANCELED, ERROR_CANCELED},
};

enum error_kind error_kind_of(int number)
{
    for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
        if (kinds[i].number == number)
            return kinds[i].kind;
    }
    return ERROR_SYSTEM;
}

bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
    va_list list;
    error->kind = kind;
    error->number = 0;
    va_start(list, format);
    vsnprintf(error->text, sizeof(error->text), format, list);
    va_end(list);
    return false;
}

bool error_set_system(struct error *error, int number, const char *format, ...)
{
    va_list list;
    error->kind = error_kind_of(number);
    error->number = number;
    va_start(list, format);
    int length = vsnprintf(error->text, sizeof(error->text), format, list);
    va_end(list);
    if (length >= 0 && (size_t)length < sizeof(error->text))
        snprintf(error->text + length, sizeof(error->text) - (size_t)length, ": %s",
                 strerror(number));
    return false;
}

const char *error_reason(const struct error *error)
{
    return error->number != 0 ? strerror(error->number) : error->text;
}
