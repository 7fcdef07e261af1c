/* SPDX-License-Identifier: MIT */
#include "relay/net/proxy.h"

#include <string.h>

#include "relay/base/bytes.h"

static const struct scheme {
    const char *prefix;
    uint16_t port; /* where none is named */
} schemes[] = {
    [PROXY_HTTP] = {"http://", 3128},
    [PROXY_SOCKS5] = {"socks5://", 1080},
};

static int proxy_hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    uint8_t lower = digit | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Decodes %XX. Control characters are refused, decoded ones too: an HTTP header ends with one. */
static bool proxy_decode(struct bytes view, char out[PROXY_WORD_MAX])
{
    size_t length = 0;
    while (view.length > 0) {
        uint8_t byte = view.data[0];
        view = bytes_skip(view, 1);
        if (byte == '%') {
            int high = view.length >= 2 ? proxy_hex_value(view.data[0]) : -1;
            int low = view.length >= 2 ? proxy_hex_value(view.data[1]) : -1;
            if (high == -1 || low == -1)
                return false;
            byte = (uint8_t)(high << 4 | low);
            view = bytes_skip(view, 2);
        }
        if (byte < ' ' || byte == 127 || length + 1 == PROXY_WORD_MAX)
            return false;
        out[length++] = (char)byte;
    }
    out[length] = '\0';
    return true;
}

/* "user:password", of which the second may be missing. In Basic authentication a user has no colon. */
static bool proxy_take_login(struct bytes login, struct proxy *out)
{
    size_t colon = bytes_find(login, ':');
    struct bytes password = bytes_skip(login, colon < login.length ? colon + 1 : colon);
    return proxy_decode(bytes_first(login, colon), out->user) && out->user[0] != '\0' &&
           strchr(out->user, ':') == NULL && proxy_decode(password, out->password);
}

static bool proxy_is_host_byte(uint8_t byte, bool has_brackets)
{
    bool is_letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    bool is_digit = byte >= '0' && byte <= '9';
    bool is_other = byte == '.' || byte == '-' || byte == '_';
    return is_letter || is_digit || is_other || (has_brackets && (byte == ':' || byte == '%'));
}

/* "host", "host:port", "[::1]:port" */
static bool proxy_take_address(struct bytes view, struct proxy *out)
{
    bool has_brackets = view.length > 0 && view.data[0] == '[';
    struct bytes host = has_brackets ? bytes_skip(view, 1) : view;
    size_t length = bytes_find(host, has_brackets ? ']' : ':');
    struct bytes rest = bytes_skip(host, length);
    if (length == 0 || length >= PROXY_HOST_MAX || (has_brackets && rest.length == 0))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!proxy_is_host_byte(host.data[i], has_brackets))
            return false;
    }
    memcpy(out->host, host.data, length);
    out->host[length] = '\0';
    if (has_brackets)
        rest = bytes_skip(rest, 1);
    if (rest.length == 0)
        return true;
    uint64_t port;
    if (rest.data[0] != ':' || !bytes_to_u64(bytes_skip(rest, 1), &port) || port == 0 ||
        port > UINT16_MAX)
        return false;
    out->port = (uint16_t)port;
    return true;
}

bool proxy_parse(const char *url, struct proxy *out)
{
    size_t kind = 0;
    while (kind < LENGTH_OF(schemes) && !bytes_starts(bytes_of(url), schemes[kind].prefix))
        kind++;
    if (kind == LENGTH_OF(schemes))
        return false;
    struct bytes rest = bytes_skip(bytes_of(url), strlen(schemes[kind].prefix));
    if (rest.length > 0 && rest.data[rest.length - 1] == '/')
        rest = bytes_first(rest, rest.length - 1);
    *out = (struct proxy){.kind = (enum proxy_kind)kind, .port = schemes[kind].port};
    size_t at = bytes_find(rest, '@');
    if (at == rest.length)
        return proxy_take_address(rest, out);
    return proxy_take_login(bytes_first(rest, at), out) &&
           proxy_take_address(bytes_skip(rest, at + 1), out);
}

void proxy_format(const struct proxy *proxy, struct text *out)
{
    bool has_colon = strchr(proxy->host, ':') != NULL;
    text_append_string(out, schemes[proxy->kind].prefix);
    if (proxy->user[0] != '\0')
        text_format(out, "%s%s@", proxy->user, proxy->password[0] != '\0' ? ":***" : "");
    text_format(out, has_colon ? "[%s]:%u" : "%s:%u", proxy->host, (unsigned)proxy->port);
}
