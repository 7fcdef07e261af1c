/* SPDX-License-Identifier: MIT */
#include "relay/net/caller.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"

enum { LOOPBACK_NET = 127, HEARD_MAX = 4096 };

static_assert((int)CALLER_NAME_MAX >= (int)ADDRESS_PEER_MAX, "any address fits");

static bool caller_look_up(int fd, struct address *out)
{
    *out = (struct address){.length = sizeof out->storage};
    return getpeername(fd, (struct sockaddr *)&out->storage, &out->length) == 0;
}

bool caller_is_local(int fd)
{
    struct address address;
    if (!caller_look_up(fd, &address))
        return false;
    switch (address.storage.ss_family) {
    case AF_INET: {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&address.storage;
        return ntohl(four->sin_addr.s_addr) >> 24 == LOOPBACK_NET;
    }
    case AF_INET6: {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address.storage;
        return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
    }
    default:
        return address.storage.ss_family == AF_UNIX;
    }
}

void caller_format(int fd, char out[CALLER_NAME_MAX])
{
    struct address address;
    char host[ADDRESS_TEXT_MAX] = "";
    if (caller_look_up(fd, &address))
        address_format(&address, host);
    if (host[0] != '\0')
        address_format_peer(host, address_port(&address), out);
    else
        snprintf(out, CALLER_NAME_MAX, "?");
}

void caller_turn_away(int fd, struct bytes words)
{
    /* What it said already would, unread, make of our end a reset that takes the words along. */
    char heard[HEARD_MAX];
    (void)recv(fd, heard, sizeof heard, MSG_DONTWAIT);
    (void)send(fd, words.data, words.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}
