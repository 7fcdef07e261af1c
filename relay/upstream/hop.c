/* SPDX-License-Identifier: MIT */
#include "relay/upstream/hop.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SILENCE_S_MAX ((uint64_t)100 * 365 * 24 * 60 * 60)

static const char *const link_names[] = {
    [HOP_UP] = "up",
    [HOP_SYNC] = "sync",
    [HOP_DOWN] = "down",
};

const char *hop_link_name(enum hop_link link)
{
    return link_names[link];
}

void hop_format(const struct hop *hop, struct text *out)
{
    text_format(out, "host=%s,port=%u,link=%s,silence=%" PRId64, hop->to.host,
                (unsigned)hop->to.port, link_names[hop->link], hop->silence_ms / 1000);
}

int64_t hops_silence_ms(const struct hops *hops)
{
    int64_t longest_ms = 0;
    for (size_t i = 0; i < hops->count; i++) {
        if (hops->at[i].silence_ms > longest_ms)
            longest_ms = hops->at[i].silence_ms;
    }
    return longest_ms;
}

static bool read_host(struct bytes value, struct hop *hop)
{
    struct text why;
    text_init(&why, 512);
    /* Empty: that relay does not know whom to follow. */
    bool good = value.length == 0 || primary_host_parse(value, hop->to.host, &why);
    text_fini(&why);
    return good;
}

static bool read_port(struct bytes value, struct hop *hop)
{
    uint64_t port;
    bool good = bytes_to_u64(value, &port) && port <= UINT16_MAX;
    hop->to.port = good ? (uint16_t)port : 0;
    return good;
}

static bool read_link(struct bytes value, struct hop *hop)
{
    for (size_t i = 0; i < LENGTH_OF(link_names); i++) {
        if (bytes_is(value, link_names[i])) {
            hop->link = (enum hop_link)i;
            return true;
        }
    }
    return false;
}

static bool read_silence(struct bytes value, struct hop *hop)
{
    uint64_t seconds;
    if (!bytes_to_u64(value, &seconds) || seconds > SILENCE_S_MAX)
        return false;
    hop->silence_ms = (int64_t)seconds * 1000;
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct bytes value, struct hop *hop);
} fields[] = {
    {"host=", read_host},
    {"port=", read_port},
    {"link=", read_link},
    {"silence=", read_silence},
};

/* All four must be there; newer relays may tell more. */
static bool hop_parse(struct bytes line, struct hop *hop)
{
    unsigned found = 0;
    memset(hop, 0, sizeof(*hop));
    while (line.length > 0) {
        size_t length = bytes_find(line, ',');
        struct bytes pair = bytes_first(line, length);
        for (size_t i = 0; i < LENGTH_OF(fields); i++) {
            if (!bytes_starts(pair, fields[i].name))
                continue;
            if (!fields[i].read(bytes_skip(pair, strlen(fields[i].name)), hop))
                return false;
            found |= 1u << i;
        }
        line = bytes_skip(line, length < line.length ? length + 1 : length);
    }
    return found == (1u << LENGTH_OF(fields)) - 1;
}

void hops_read(struct bytes section, struct hops *out)
{
    out->count = 0;
    while (section.length > 0 && out->count < HOPS_MAX) {
        char name[32];
        size_t length = bytes_find(section, '\n');
        struct bytes line = bytes_first(section, length);
        line = bytes_first(line, bytes_find(line, '\r'));
        snprintf(name, sizeof(name), "upstream_hop%zu:", out->count);
        if (bytes_starts(line, name) &&
            hop_parse(bytes_skip(line, strlen(name)), &out->at[out->count]))
            out->count++;
        section = bytes_skip(section, length < section.length ? length + 1 : length);
    }
}
