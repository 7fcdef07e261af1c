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

bool secret_read(const char *file, char out[SECRET_MAX], const char **why)
{
    int opened = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (opened == -1) {
        *why = strerror(errno);
        return false;
    }
    ssize_t length = read(opened, out, SECRET_MAX);
    *why = length == -1 ? strerror(errno) : "expected a file with one line of 1 to 4094 bytes";
    close(opened);
    if (length == -1 || length == SECRET_MAX)
        return false;
    while (length > 0 && (out[length - 1] == '\n' || out[length - 1] == '\r'))
        length--;
    out[length] = '\0';
    return length > 0 && is_line(out, (size_t)length);
}
