/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <limits.h>
#include <openssl/evp.h>

void base64_encode(struct bytes view, char *out)
{
    CHECK(view.length <= INT_MAX / 2);
    EVP_EncodeBlock((unsigned char *)out, view.data, (int)view.length);
}
