/* SPDX-License-Identifier: MIT */
#include "relay/net/networks.h"

#include <arpa/inet.h>
#include <string.h>

#include "relay/base/bytes.h"

enum { BITS_MAX = 128, BITS_BEFORE_V4 = 96 };

/* The address as one of IPv6. */
static bool network_read_address(const char *text, struct network *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        memcpy(out->address, mapped, sizeof mapped);
        memcpy(out->address + sizeof mapped, &v4, sizeof v4);
        out->is_v4 = true;
        return true;
    }
    out->is_v4 = false;
    return inet_pton(AF_INET6, text, out->address) == 1;
}

static bool network_is_bit_set(const uint8_t address[16], unsigned bit)
{
    return (address[bit / 8] & (0x80u >> bit % 8)) != 0;
}

static bool network_parse(struct bytes word, struct network *out)
{
    char text[INET6_ADDRSTRLEN];
    size_t length = bytes_find(word, '/');
    uint64_t prefix = BITS_MAX;
    if (length >= sizeof text)
        return false;
    memcpy(text, word.data, length);
    text[length] = '\0';
    if (strlen(text) != length || !network_read_address(text, out))
        return false;
    unsigned base = out->is_v4 ? BITS_BEFORE_V4 : 0;
    if (length < word.length) {
        if (!bytes_to_u64(bytes_skip(word, length + 1), &prefix) || prefix > BITS_MAX - base)
            return false;
        prefix += base;
    }
    out->prefix = (uint8_t)prefix;
    for (unsigned bit = out->prefix; bit < BITS_MAX; bit++) {
        if (network_is_bit_set(out->address, bit))
            return false;
    }
    return true;
}

bool networks_parse(const char *string, struct networks *out)
{
    struct networks networks = {.count = 0};
    const char *rest = string + strspn(string, " \t");
    while (*rest != '\0') {
        struct bytes word = bytes_at(rest, strcspn(rest, " \t"));
        if (networks.count == NETWORKS_MAX || !network_parse(word, &networks.at[networks.count]))
            return false;
        networks.count++;
        rest += word.length;
        rest += strspn(rest, " \t");
    }
    *out = networks;
    return true;
}

void networks_format(const struct networks *networks, struct text *out)
{
    for (size_t i = 0; i < networks->count; i++) {
        const struct network *at = &networks->at[i];
        char text[INET6_ADDRSTRLEN];
        unsigned base = at->is_v4 ? BITS_BEFORE_V4 : 0;
        CHECK(inet_ntop(at->is_v4 ? AF_INET : AF_INET6, at->address + base / 8, text,
                        sizeof text) != NULL);
        text_format(out, "%s%s", i > 0 ? " " : "", text);
        if (at->prefix < BITS_MAX)
            text_format(out, "/%u", at->prefix - base);
    }
}

static bool network_has(const struct network *network, const uint8_t address[16])
{
    size_t whole = network->prefix / 8;
    if (memcmp(network->address, address, whole) != 0)
        return false;
    for (unsigned bit = (unsigned)whole * 8; bit < network->prefix; bit++) {
        if (network_is_bit_set(network->address, bit) != network_is_bit_set(address, bit))
            return false;
    }
    return true;
}

bool networks_have(const struct networks *networks, const char *address)
{
    struct network asked;
    if (!network_read_address(address, &asked))
        return false;
    for (size_t i = 0; i < networks->count; i++) {
        if (network_has(&networks->at[i], asked.address))
            return true;
    }
    return false;
}

bool networks_is_loopback(const char *address)
{
    struct networks loopback;
    CHECK(networks_parse("127.0.0.0/8 ::1", &loopback));
    return networks_have(&loopback, address);
}
