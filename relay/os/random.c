/* SPDX-License-Identifier: MIT */
#include "relay/os/random.h"

#include <errno.h>
#include <sys/random.h>

#include "relay/base/check.h"

void random_bytes(void *out, size_t length)
{
    uint8_t *place = out;
    while (length > 0) {
        ssize_t got = getrandom(place, length, 0);
        if (got == -1) {
            CHECK(errno == EINTR);
            continue;
        }
        place += got;
        length -= (size_t)got;
    }
}

void random_hex(char *out, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    random_bytes(out, digits);
    for (size_t i = 0; i < digits; i++)
        out[i] = hex[(unsigned char)out[i] & 15];
    out[digits] = '\0';
}

uint64_t random_below(uint64_t bound)
{
    CHECK(bound > 0);
    /* The first (2^64 mod bound) values are thrown away: what is left is a multiple of bound. */
    uint64_t reject = (0 - bound) % bound;
    uint64_t value;
    do {
        random_bytes(&value, sizeof(value));
    } while (value < reject);
    return value % bound;
}
