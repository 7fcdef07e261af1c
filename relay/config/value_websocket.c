/* SPDX-License-Identifier: MIT
 *
 * Kinds of values that only the ports of WebSockets have. */
#include <string.h>

#include "relay/base/bytes.h"
#include "relay/config/value.h"
#include "relay/net/networks.h"
#include "relay/net/websocket.h"
#include "relay/upstream/primary_address.h"

bool value_parse_ws_port(const struct value_kind *kind, const char *string, void *place)
{
    uint16_t port;
    if (!value_parse_port(kind, string, &port) || (port != 0 && !websocket_is_built()))
        return false;
    *(uint16_t *)place = port;
    return true;
}

/* As it may stand behind ws://HOST: who follows us names it so. */
bool value_parse_ws_path(const struct value_kind *kind, const char *string, void *place)
{
    struct primary_address address;
    struct text url;
    struct text why;
    text_init(&url, 2 * PRIMARY_PATH_MAX);
    text_init(&why, 2 * PRIMARY_PATH_MAX);
    text_format(&url, "ws://host%s", string);
    bool good = string[0] == '/' && !url.failed &&
                primary_address_parse_url(text_bytes(&url), &address, &why);
    text_fini(&url);
    text_fini(&why);
    return good && value_parse_string(kind, string, place);
}

bool value_parse_networks(const struct value_kind *kind, const char *string, void *place)
{
    (void)kind;
    return networks_parse(string, place);
}

void value_print_networks(const struct value_kind *kind, const void *place, enum value_style style,
                          struct text *out)
{
    (void)kind;
    (void)style;
    networks_format(place, out);
}
