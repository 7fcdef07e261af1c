/* SPDX-License-Identifier: MIT */
#include "relay/net/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

struct digest digest_of(struct bytes view)
{
    struct digest digest;
    unsigned length = 0;
    CHECK(EVP_Digest(view.data, view.length, digest.byte, &length, EVP_sha256(), NULL) == 1);
    CHECK(length == DIGEST_LENGTH);
    return digest;
}

static int digit_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    uint8_t lower = digit | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool digest_parse(struct bytes digits, struct digest *out)
{
    struct digest digest;
    if (digits.length != DIGEST_DIGITS)
        return false;
    for (size_t i = 0; i < DIGEST_LENGTH; i++) {
        int high = digit_value(digits.data[2 * i]);
        int low = digit_value(digits.data[2 * i + 1]);
        if (high == -1 || low == -1)
            return false;
        digest.byte[i] = (uint8_t)(high << 4 | low);
    }
    *out = digest;
    return true;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return CRYPTO_memcmp(a->byte, b->byte, DIGEST_LENGTH) == 0;
}
