/* SPDX-License-Identifier: MIT */
#include "relay/upstream/primary_address.h"

#include <arpa/inet.h>
#include <string.h>

#include "relay/base/check.h"

enum { SHOWN_MAX = 160 };

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

/* An address of IPv6, with a zone behind '%' where it needs one. */
static bool is_ipv6(const char *host)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    size_t length = strcspn(host, "%");
    if (length >= sizeof(address) || (host[length] == '%' && host[length + 1] == '\0'))
        return false;
    memcpy(address, host, length);
    address[length] = '\0';
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

/* Letters, digits, '-', '_' and dots, none of them at the begin or twice. Letters of other scripts come
 * as "xn--". */
static bool is_name(const char *host)
{
    uint8_t before = '.';
    for (const char *at = host; *at != '\0'; at++) {
        uint8_t byte = (uint8_t)*at;
        if (!is_letter(byte) && !is_digit(byte) && byte != '.' && byte != '-' && byte != '_')
            return false;
        if (byte == '.' && before == '.')
            return false;
        before = byte;
    }
    return host[0] != '-';
}

/* No name ends in a label of digits alone: then it is an address, or nothing. */
static bool is_unfinished_address(const char *host)
{
    struct in_addr parsed;
    const char *last = strrchr(host, '.');
    const char *label = last != NULL ? last + 1 : host;
    bool is_number = label[0] != '\0' && label[strspn(label, "0123456789")] == '\0';
    return is_number && (last == NULL || inet_aton(host, &parsed) == 0);
}

static const char *primary_address_judge(const char *host)
{
    if (strchr(host, ':') != NULL)
        return is_ipv6(host) ? NULL
                             : "is no address of IPv6 (a port goes behind a blank: HOST PORT)";
    if (!is_name(host))
        return "is no host name and no address";
    return is_unfinished_address(host) ? "is no whole address" : NULL;
}

static bool primary_address_refuse(struct text *why, struct bytes host, const char *reason)
{
    char shown[SHOWN_MAX];
    text_format(why, "'%s' %s", bytes_printable(host, shown, sizeof(shown)), reason);
    return false;
}

bool primary_host_parse(struct bytes word, char host[PRIMARY_HOST_MAX], struct text *why)
{
    char plain[PRIMARY_HOST_MAX];
    struct bytes inner = word;
    bool has_brackets = word.length > 1 && word.data[0] == '[' && word.data[word.length - 1] == ']';
    if (has_brackets)
        inner = bytes_skip(bytes_first(word, word.length - 1), 1);
    if (inner.length == 0)
        return primary_address_refuse(why, word, "names no host");
    if (inner.length >= PRIMARY_HOST_MAX)
        return primary_address_refuse(why, word, "is too long for a host");
    memcpy(plain, inner.data, inner.length);
    plain[inner.length] = '\0';
    if (strlen(plain) != inner.length)
        return primary_address_refuse(why, word, "holds a zero byte");
    const char *reason = has_brackets && !is_ipv6(plain) ? "has no address of IPv6 in its brackets"
                                                         : primary_address_judge(plain);
    if (reason != NULL)
        return primary_address_refuse(why, word, reason);
    memcpy(host, plain, inner.length + 1);
    return true;
}

bool primary_address_parse(struct bytes host, struct bytes port, struct primary_address *out,
                           struct text *why)
{
    uint64_t number;
    struct primary_address address = {.port = 0};
    if (!primary_host_parse(host, address.host, why))
        return false;
    if (!bytes_to_u64(port, &number) || number == 0 || number > UINT16_MAX)
        return primary_address_refuse(why, port, "is no port from 1 to 65535");
    address.port = (uint16_t)number;
    *out = address;
    return true;
}

bool primary_address_equal(const struct primary_address *a, const struct primary_address *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->carrier == b->carrier &&
           strcmp(a->path, b->path) == 0;
}

static const struct scheme {
    const char *prefix; /* "": it is none */
    const char *port;   /* where none is named */
} schemes[] = {
    [PRIMARY_TCP] = {"", ""},
    [PRIMARY_WS] = {"ws://", "80"},
    [PRIMARY_WSS] = {"wss://", "443"},
};

static enum primary_carrier primary_address_carrier(struct bytes view)
{
    for (size_t i = PRIMARY_WS; i < LENGTH_OF(schemes); i++) {
        if (bytes_starts(view, schemes[i].prefix))
            return (enum primary_carrier)i;
    }
    return PRIMARY_TCP;
}

bool primary_address_is_url(struct bytes view)
{
    return primary_address_carrier(view) != PRIMARY_TCP;
}

/* Visible, and nothing that would end it in a request of HTTP or in the list of candidates. */
static bool is_path(struct bytes path)
{
    for (size_t i = 0; i < path.length; i++) {
        uint8_t byte = path.data[i];
        if (byte <= ' ' || byte > '~' || strchr(",#?\"<>\\", byte) != NULL)
            return false;
    }
    return path.length < PRIMARY_PATH_MAX;
}

bool primary_address_parse_url(struct bytes view, struct primary_address *out, struct text *why)
{
    enum primary_carrier carrier = primary_address_carrier(view);
    struct bytes rest = bytes_skip(view, strlen(schemes[carrier].prefix));
    size_t length = bytes_find(rest, '/');
    struct bytes path = bytes_skip(rest, length);
    struct bytes host = bytes_first(rest, length);
    struct bytes port = bytes_of(schemes[carrier].port);
    bool has_brackets = host.length > 0 && host.data[0] == '[';
    size_t colon = has_brackets ? bytes_find(host, ']') + 1 : bytes_find(host, ':');
    if (carrier == PRIMARY_TCP || !is_path(path))
        return primary_address_refuse(why, view, "is no ws://HOST:PORT/PATH or wss://...");
    if (colon < host.length && host.data[colon] == ':') {
        port = bytes_skip(host, colon + 1);
        host = bytes_first(host, colon);
    }
    struct primary_address address;
    if (!primary_address_parse(host, port, &address, why))
        return false;
    address.carrier = carrier;
    memcpy(address.path, path.data, path.length);
    if (path.length == 0)
        address.path[0] = '/';
    *out = address;
    return true;
}

void primary_address_format(const struct primary_address *address, struct text *out)
{
    bool has_colon = strchr(address->host, ':') != NULL;
    if (address->carrier == PRIMARY_TCP)
        text_format(out, "%s %u", address->host, (unsigned)address->port);
    else
        text_format(out, has_colon ? "%s[%s]:%u%s" : "%s%s:%u%s", schemes[address->carrier].prefix,
                    address->host, (unsigned)address->port, address->path);
}
