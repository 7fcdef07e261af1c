/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <string.h>

static const char VERSION_WHILE_UNKNOWN[] = "7.0.0";

bool name_is_plain(struct bytes name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] < '!' || name.data[i] > '~')
            return false;
    }
    return true;
}

void name_copy(char field[CLIENT_NAME_MAX], struct bytes name)
{
    size_t length = name.length < CLIENT_NAME_MAX ? name.length : CLIENT_NAME_MAX - 1;
    if (length > 0)
        memcpy(field, name.data, length);
    field[length] = '\0';
}

bool name_check(struct bytes name, struct writer *writer)
{
    if (name_is_plain(name))
        return true;
    write_error(writer, "ERR Client names cannot contain spaces, newlines or special characters.");
    return false;
}

const char *primary_version(const struct link_status *upstream)
{
    return upstream->server_version[0] != '\0' ? upstream->server_version : VERSION_WHILE_UNKNOWN;
}
