/* SPDX-License-Identifier: MIT */
#include "password.h"

#include <string.h>
#include <strings.h>

#include "relay/base/bytes.h"

enum { CREDENTIALS_MAX = 1024, BASE64_BITS = 6 };

static int value_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* False: it is no base64, or longer than what anybody has to send. */
static bool decode(const char *text, uint8_t out[CREDENTIALS_MAX], size_t *length)
{
    uint32_t bits = 0;
    unsigned held = 0;
    int value;
    *length = 0;
    for (; (value = value_of(*text)) >= 0; text++) {
        bits = bits << BASE64_BITS | (uint32_t)value;
        held += BASE64_BITS;
        if (held < 8)
            continue;
        if (*length == CREDENTIALS_MAX)
            return false;
        held -= 8;
        out[(*length)++] = (uint8_t)(bits >> held);
    }
    size_t padding = strspn(text, "=");
    return padding <= 2 && text[padding] == '\0';
}

bool password_is_in(const char *authorization, const struct digest *password)
{
    static const char scheme[] = "Basic ";
    uint8_t credentials[CREDENTIALS_MAX];
    size_t length;
    bool is_right = false;
    if (strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return false;
    const char *encoded = authorization + sizeof(scheme) - 1;
    if (decode(encoded + strspn(encoded, " "), credentials, &length)) {
        struct bytes both = bytes_at(credentials, length);
        size_t name = bytes_find(both, ':');
        if (name < length) {
            struct digest given = digest_of(bytes_skip(both, name + 1));
            is_right = digest_equal(&given, password);
            explicit_bzero(&given, sizeof(given));
        }
    }
    explicit_bzero(credentials, sizeof(credentials));
    return is_right;
}
