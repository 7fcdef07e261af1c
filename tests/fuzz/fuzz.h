/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share. A target gets bytes from libFuzzer and CHECKs what must hold for any
 * input; a CHECK that fails is a finding. Where an input is fed in pieces, its last byte says how it
 * is cut, so that a capture of real traffic is a seed as it stands.
 *
 *     struct cuts cuts = cuts_of(data, size);
 *     while (input.length > 0)
 *         feed(cuts_next(&cuts, &input));
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/log.h"

/* Called by libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct cuts {
    uint32_t value;
    size_t longest;
};

/* One byte at a time for every fourth value of the last byte, else pieces of 1 to 4, 16, 64, ... */
static inline struct cuts cuts_of(const uint8_t *data, size_t size)
{
    unsigned last = size > 0 ? data[size - 1] : 0;
    return (struct cuts){.value = last, .longest = (size_t)1 << (last % 4 * 2 + last % 8 / 4 * 4)};
}

/* Takes the next piece off `input`, which is not empty. */
static inline struct bytes cuts_next(struct cuts *cuts, struct bytes *input)
{
    cuts->value = cuts->value * 1103515245 + 12345;
    size_t length = 1 + (cuts->value >> 16) % cuts->longest;
    struct bytes piece = bytes_first(*input, length < input->length ? length : input->length);
    *input = bytes_skip(*input, piece.length);
    return piece;
}

/* Where time and others act between two pieces, the input says so: "\n@" and a letter. Takes the part
 * up to there; returns the letter, or 0 where the input ends. */
static inline char fuzz_part(struct bytes *input, struct bytes *part)
{
    struct bytes rest = *input;
    while (rest.length >= 3 && !(bytes_starts(rest, "\n@") && rest.data[2] >= 'a'))
        rest = bytes_skip(rest, 1);
    if (rest.length < 3) {
        *part = *input;
        *input = bytes_skip(*input, input->length);
        return '\0';
    }
    *part = bytes_first(*input, input->length - rest.length);
    *input = bytes_skip(rest, 3);
    return (char)rest.data[2];
}

/* A copy that ends where its memory ends, so that a read behind it is seen. The caller frees it. */
static inline uint8_t *exact_copy(struct bytes view)
{
    uint8_t *copy = malloc(view.length > 0 ? view.length : 1);
    CHECK(copy != NULL);
    if (view.length > 0)
        memcpy(copy, view.data, view.length);
    return copy;
}

/* Lines of the log are written, since peers have words in them, but nobody reads them. */
static inline void fuzz_log_nowhere(void)
{
    static bool is_open;
    struct text error;
    log_set_level(LOG_LEVEL_DEBUG);
    if (is_open)
        return;
    text_init(&error, 200);
    is_open = log_open("/dev/null", &error);
    CHECK(is_open);
}

#endif
