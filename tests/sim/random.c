/* SPDX-License-Identifier: MIT
 *
 * splitmix64: small, good enough, and the same on every machine. */
#include "sim.h"

static uint64_t state;

void random_start(uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15U + 0x1234567;
}

uint64_t random_u64(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t random_below(uint64_t limit)
{
    return limit == 0 ? 0 : random_u64() % limit;
}

int64_t random_between(int64_t least, int64_t most)
{
    return least + (int64_t)random_below((uint64_t)(most - least) + 1);
}

bool random_is_one_in(uint64_t n)
{
    return n != 0 && random_u64() % n == 0;
}

void random_hex_digits(char *out, size_t digits)
{
    for (size_t i = 0; i < digits; i++)
        out[i] = "0123456789abcdef"[random_u64() & 15];
    out[digits] = '\0';
}
