/* SPDX-License-Identifier: MIT */
#include "replica_address.h"

bool parse_replica_address(struct bytes word, struct known_who *who)
{
    size_t colon = word.length;
    size_t colons = 0;
    for (size_t i = 0; i < word.length; i++) {
        if (word.data[i] == ':') {
            colon = i;
            colons++;
        }
    }
    bool has_brackets = word.length > 0 && word.data[0] == '[';
    who->has_port = colons == 1 || (has_brackets && colon > 0 && word.data[colon - 1] == ']');
    who->address = who->has_port ? bytes_first(word, colon) : word;
    if (has_brackets) {
        size_t length = who->address.length;
        if (length < 3 || who->address.data[length - 1] != ']')
            return false;
        who->address = bytes_first(bytes_skip(who->address, 1), length - 2);
    }
    uint64_t port = 0;
    if (who->has_port && (!bytes_to_u64(bytes_skip(word, colon + 1), &port) || port > UINT16_MAX))
        return false;
    who->port = (uint16_t)port;
    return who->address.length > 0;
}
