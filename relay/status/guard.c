/* SPDX-License-Identifier: MIT */
#include "guard.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t length = strlen(host);
    size_t wanted = sizeof(name) - 1;
    if (length < wanted || strcasecmp(host + length - wanted, name) != 0)
        return false;
    /* What ends in .localhost never leaves the machine (RFC 6761). */
    return length == wanted || host[length - wanted - 1] == '.';
}

bool guard_is_no_foreign_name(const char *host)
{
    struct in_addr v4;
    /* No name begins with a bracket: an IPv6 address. */
    return host[0] == '\0' || host[0] == '[' || inet_pton(AF_INET, host, &v4) == 1 ||
           is_localhost(host);
}
