/* SPDX-License-Identifier: MIT */
#include "relay/base/duration.h"

#include <stddef.h>

static const struct {
    const char *name;
    uint64_t ms;
} units[] = {
    {"", 1000},
    {"ms", 1},
    {"s", 1000},
    {"m", 60 * 1000},
    {"h", 60 * 60 * 1000},
    {"d", 24 * 60 * 60 * 1000},
};

bool duration_parse_ms(struct bytes text, uint64_t *out)
{
    uint64_t number;
    size_t digits = 0;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    if (!bytes_to_u64(bytes_first(text, digits), &number))
        return false;
    for (size_t i = 0; i < LENGTH_OF(units); i++) {
        if (bytes_is(bytes_skip(text, digits), units[i].name))
            return !__builtin_mul_overflow(number, units[i].ms, out);
    }
    return false;
}
