/* SPDX-License-Identifier: MIT */
#include "relay/base/replid.h"

#include <string.h>

bool replid_parse(struct bytes view, struct replid *out)
{
    struct replid id;
    if (view.length != REPLID_DIGITS)
        return false;
    for (size_t i = 0; i < REPLID_DIGITS; i++) {
        uint8_t digit = view.data[i];
        if (digit >= 'A' && digit <= 'F')
            digit = (uint8_t)(digit + ('a' - 'A'));
        if (!(digit >= '0' && digit <= '9') && !(digit >= 'a' && digit <= 'f'))
            return false;
        id.hex[i] = (char)digit;
    }
    id.hex[REPLID_DIGITS] = '\0';
    *out = id;
    return true;
}

bool replid_equal(const struct replid *a, const struct replid *b)
{
    return memcmp(a->hex, b->hex, REPLID_DIGITS) == 0;
}

struct replid replid_none(void)
{
    struct replid none;
    memset(none.hex, '0', REPLID_DIGITS);
    none.hex[REPLID_DIGITS] = '\0';
    return none;
}
