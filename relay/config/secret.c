/* SPDX-License-Identifier: MIT */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* No control characters, but for tabs. */
static bool is_line(const char *string, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)string[i];
        if ((byte < ' ' && byte != '\t') || byte == 127)
            return false;
    }
    return true;
}

bool secret_read(const char *file, char out[SECRET_MAX], struct error *error)
{
    int opened = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (opened == -1)
        return error_set_system(error, errno, "%s: cannot open", file);
    ssize_t length = read(opened, out, SECRET_MAX);
    int number = errno;
    close(opened);
    if (length == -1)
        return error_set_system(error, number, "%s: cannot read", file);
    while (length > 0 && length < SECRET_MAX &&
           (out[length - 1] == '\n' || out[length - 1] == '\r'))
        length--;
    if (length == 0 || length == SECRET_MAX || !is_line(out, (size_t)length))
        return error_set(error, ERROR_INVALID, "expected a file with one line of 1 to 4094 bytes");
    out[length] = '\0';
    return true;
}
