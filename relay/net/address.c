/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool address_parse(const char *numeric, uint16_t port, struct address *out)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(numeric, service, &hints, &found) != 0)
        return false;
    bool taken = address_take(found->ai_addr, found->ai_addrlen, out);
    freeaddrinfo(found);
    return taken;
}

bool address_take(const struct sockaddr *from, socklen_t length, struct address *out)
{
    if (length > sizeof out->storage)
        return false;
    memset(out, 0, sizeof *out);
    memcpy(&out->storage, from, length);
    out->length = length;
    return true;
}

static bool is_ip(const struct address *address)
{
    return address->storage.ss_family == AF_INET || address->storage.ss_family == AF_INET6;
}

void address_format(const struct address *address, char out[ADDRESS_TEXT_MAX])
{
    if (!is_ip(address) || getnameinfo((const struct sockaddr *)&address->storage, address->length,
                                       out, ADDRESS_TEXT_MAX, NULL, 0, NI_NUMERICHOST) != 0)
        out[0] = '\0';
}

uint16_t address_port(const struct address *address)
{
    if (address->storage.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
    if (address->storage.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    return 0;
}

void address_set_port(struct address *address, uint16_t port)
{
    if (address->storage.ss_family == AF_INET)
        ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
    else if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
}

void address_format_peer(const char *host, uint16_t port, char out[ADDRESS_PEER_MAX])
{
    bool has_colons = strchr(host, ':') != NULL;
    snprintf(out, ADDRESS_PEER_MAX, "%s%.253s%s:%u", has_colons ? "[" : "", host,
             has_colons ? "]" : "", (unsigned)port);
}
