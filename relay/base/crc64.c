/* SPDX-License-Identifier: MIT
 *
 * Two ways to the same number. Everywhere: sixteen bytes a step by table lookups that do not wait
 * for each other. On x86-64 with PCLMULQDQ: the input is folded, 64 bytes a step, into sixteen bytes
 * that have the same CRC, by carry-less multiplication with x^n mod P; these go through the tables.
 * With VPCLMULQDQ and AVX-512 four such blocks a step, for inputs that are worth it.
 */
#include "relay/base/crc64.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "relay/base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_FOLDING 1
#else
#define HAS_FOLDING 0
#endif

#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5) /* ad93d23594c935a9, lowest power in the top bit */

enum {
    SLICES = 16,
    LANE = 16,            /* bytes in one register of the folding */
    LANES = 4,            /* registers that are folded side by side */
    BLOCK = LANE * LANES, /* and in one register of the wide folding */
    WIDE_BLOCK = BLOCK * LANES,
    WIDE_MIN = 4 * WIDE_BLOCK,
};

/* Written once before main, only read afterwards. table[n][b]: the CRC of b and n zero bytes. */
static uint64_t table[SLICES][256];
#if HAS_FOLDING
static bool may_fold;
static bool may_fold_wide;
#endif
static uint64_t fold_wide[2];  /* moves a lane WIDE_BLOCK bytes on */
static uint64_t fold_block[2]; /* moves a lane BLOCK bytes on: its low half, its high half */
static uint64_t fold_lane[2];  /* the same for LANE bytes */

static uint64_t times_x(uint64_t value)
{
    return (value >> 1) ^ (value & 1 ? POLYNOMIAL : 0);
}

/* x^power mod P. */
static uint64_t power_of_x(unsigned power)
{
    uint64_t value = UINT64_C(1) << 63; /* x^0 */
    while (power-- > 0)
        value = times_x(value);
    return value;
}

/* A lane is low * x^64 + high, since the first byte has the highest powers. A product of two
 * reflected halves comes out times x: hence the - 1. */
static void make_fold(uint64_t fold[2], unsigned bytes)
{
    fold[0] = power_of_x(bytes * 8 + 64 - 1);
    fold[1] = power_of_x(bytes * 8 - 1);
}

__attribute__((constructor)) static void make_tables(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t value = byte;
        for (int bit = 0; bit < 8; bit++)
            value = times_x(value);
        table[0][byte] = value;
    }
    for (unsigned slice = 1; slice < SLICES; slice++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint64_t value = table[slice - 1][byte];
            table[slice][byte] = (value >> 8) ^ table[0][value & 0xff];
        }
    }
    make_fold(fold_wide, WIDE_BLOCK);
    make_fold(fold_block, BLOCK);
    make_fold(fold_lane, LANE);
#if HAS_FOLDING
    __builtin_cpu_init();
    may_fold = __builtin_cpu_supports("pclmul");
    may_fold_wide =
        may_fold && __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("avx512f");
#endif
}

static uint64_t load(const uint8_t *place)
{
    uint64_t value;
    memcpy(&value, place, sizeof(value));
    return le64toh(value);
}

/* The eight lookups for one word, whose last byte is followed by `slice` more of this step. */
static uint64_t crc64_look_up(uint64_t word, unsigned slice)
{
    const uint64_t(*t)[256] = &table[slice];
    return t[7][word & 0xff] ^ t[6][word >> 8 & 0xff] ^ t[5][word >> 16 & 0xff] ^
           t[4][word >> 24 & 0xff] ^ t[3][word >> 32 & 0xff] ^ t[2][word >> 40 & 0xff] ^
           t[1][word >> 48 & 0xff] ^ t[0][word >> 56];
}

uint64_t crc64_portable(uint64_t crc, const void *data, size_t length)
{
    const uint8_t *place = data;
    for (; length >= SLICES; length -= SLICES, place += SLICES)
        crc = crc64_look_up(crc ^ load(place), 8) ^ crc64_look_up(load(place + 8), 0);
    for (; length > 0; length--, place++)
        crc = (crc >> 8) ^ table[0][(crc ^ *place) & 0xff];
    return crc;
}

#if HAS_FOLDING
#define WITH_PCLMUL __attribute__((target("pclmul,sse2")))

WITH_PCLMUL static inline __m128i lane_at(const uint8_t *place)
{
    return _mm_loadu_si128((const void *)place);
}

/* `lane` moved on by what `constants` stand for, and added to what it meets there. */
WITH_PCLMUL static inline __m128i fold(__m128i lane, __m128i constants, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(lane, constants, 0x00);
    __m128i high = _mm_clmulepi64_si128(lane, constants, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

WITH_PCLMUL static uint64_t crc64_folded(uint64_t crc, const uint8_t *place, size_t length)
{
    CHECK(length >= BLOCK);
    const __m128i by_block = lane_at((const uint8_t *)fold_block);
    const __m128i by_lane = lane_at((const uint8_t *)fold_lane);
    __m128i lane[LANES];
    for (int i = 0; i < LANES; i++)
        lane[i] = lane_at(place + i * LANE);
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi64_si128((long long)crc));
    place += BLOCK;
    length -= BLOCK;

    for (; length >= BLOCK; length -= BLOCK, place += BLOCK) {
        for (int i = 0; i < LANES; i++)
            lane[i] = fold(lane[i], by_block, lane_at(place + i * LANE));
    }
    for (int i = 1; i < LANES; i++)
        lane[0] = fold(lane[0], by_lane, lane[i]);
    for (; length >= LANE; length -= LANE, place += LANE)
        lane[0] = fold(lane[0], by_lane, lane_at(place));

    uint8_t rest[LANE];
    _mm_storeu_si128((void *)rest, lane[0]);
    return crc64_portable(crc64_portable(0, rest, sizeof(rest)), place, length);
}

#define WITH_VPCLMUL __attribute__((target("vpclmulqdq,avx512f")))

WITH_VPCLMUL static inline __m512i lanes_at(const uint8_t *place)
{
    return _mm512_loadu_si512((const void *)place);
}

WITH_VPCLMUL static inline __m512i fold_lanes(__m512i lanes, __m512i constants, __m512i next)
{
    __m512i low = _mm512_clmulepi64_epi128(lanes, constants, 0x00);
    __m512i high = _mm512_clmulepi64_epi128(lanes, constants, 0x11);
    return _mm512_xor_si512(_mm512_xor_si512(low, high), next);
}

/* The same, each register four lanes wide; what is left goes on as above. */
WITH_VPCLMUL static uint64_t crc64_folded_wide(uint64_t crc, const uint8_t *place, size_t length)
{
    CHECK(length >= WIDE_BLOCK);
    const __m512i by_wide = _mm512_broadcast_i32x4(lane_at((const uint8_t *)fold_wide));
    const __m512i by_block = _mm512_broadcast_i32x4(lane_at((const uint8_t *)fold_block));
    __m512i lanes[LANES];
    for (int i = 0; i < LANES; i++)
        lanes[i] = lanes_at(place + i * BLOCK);
    __m512i begin = _mm512_zextsi128_si512(_mm_cvtsi64_si128((long long)crc));
    lanes[0] = _mm512_xor_si512(lanes[0], begin);
    place += WIDE_BLOCK;
    length -= WIDE_BLOCK;

    for (; length >= WIDE_BLOCK; length -= WIDE_BLOCK, place += WIDE_BLOCK) {
        for (int i = 0; i < LANES; i++)
            lanes[i] = fold_lanes(lanes[i], by_wide, lanes_at(place + i * BLOCK));
    }
    for (int i = 1; i < LANES; i++)
        lanes[0] = fold_lanes(lanes[0], by_block, lanes[i]);

    uint8_t rest[BLOCK];
    _mm512_storeu_si512((void *)rest, lanes[0]);
    crc = crc64_folded(0, rest, sizeof(rest));
    return length >= BLOCK ? crc64_folded(crc, place, length) : crc64_portable(crc, place, length);
}
#endif

uint64_t crc64(uint64_t crc, const void *data, size_t length)
{
#if HAS_FOLDING
    if (may_fold_wide && length >= WIDE_MIN)
        return crc64_folded_wide(crc, data, length);
    if (may_fold && length >= BLOCK)
        return crc64_folded(crc, data, length);
#endif
    return crc64_portable(crc, data, length);
}
