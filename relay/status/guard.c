/* SPDX-License-Identifier: MIT */
#include "guard.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "relay/base/bytes.h"

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

static bool is_one(const char *host, struct bytes name)
{
    size_t length = strlen(host);
    const char *own = (const char *)name.data;
    if (bytes_is(name, "*"))
        return true;
    if (own[0] != '.')
        return length == name.length && strncasecmp(host, own, length) == 0;
    if (length + 1 == name.length)
        return strncasecmp(host, own + 1, length) == 0;
    return length > name.length && strncasecmp(host + length - name.length, own, name.length) == 0;
}

bool guard_is_listed(const char *host, const char *names)
{
    for (const char *rest = names + strspn(names, " \t"); *rest != '\0';
         rest += strspn(rest, " \t")) {
        struct bytes name = bytes_at(rest, strcspn(rest, " \t"));
        if (is_one(host, name))
            return true;
        rest += name.length;
    }
    return false;
}

bool guard_is_no_foreign_name(const char *host)
{
    struct in_addr v4;
    /* No name begins with a bracket: an IPv6 address. */
    return host[0] == '\0' || host[0] == '[' || inet_pton(AF_INET, host, &v4) == 1 ||
           is_localhost(host);
}
