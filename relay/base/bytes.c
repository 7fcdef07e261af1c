/* SPDX-License-Identifier: MIT */
#include "relay/base/bytes.h"

#include <string.h>

struct bytes bytes_at(const void *data, size_t length)
{
    CHECK(data != NULL || length == 0);
    return (struct bytes){.data = data, .length = length};
}

struct bytes bytes_of(const char *string)
{
    return bytes_at(string, strlen(string));
}

struct bytes bytes_skip(struct bytes view, size_t count)
{
    CHECK(count <= view.length);
    if (count == 0)
        return view; /* data may be NULL, and NULL + 0 is not C */
    return bytes_at(view.data + count, view.length - count);
}

struct bytes bytes_first(struct bytes view, size_t count)
{
    CHECK(count <= view.length);
    return bytes_at(view.data, count);
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool bytes_equal_secret(struct bytes secret, struct bytes candidate)
{
    /* volatile: a compiler that saw through the loop might leave it at the first difference. */
    volatile unsigned difference = secret.length != candidate.length;
    size_t at = 0;
    for (size_t i = 0; i < candidate.length; i++) {
        unsigned expected = secret.length > 0 ? secret.data[at] : 0;
        difference |= expected ^ candidate.data[i];
        at = at + 1 < secret.length ? at + 1 : 0;
    }
    return difference == 0;
}

/* Not tolower(3): names of the protocol are ASCII whatever the locale. */
static unsigned bytes_lower(unsigned byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

bool bytes_is(struct bytes view, const char *name)
{
    if (strlen(name) != view.length)
        return false;
    for (size_t i = 0; i < view.length; i++) {
        if (bytes_lower(view.data[i]) != bytes_lower((unsigned char)name[i]))
            return false;
    }
    return true;
}

bool bytes_starts(struct bytes view, const char *prefix)
{
    size_t length = strlen(prefix);
    return view.length >= length && bytes_equal(bytes_first(view, length), bytes_of(prefix));
}

bool bytes_to_u64(struct bytes view, uint64_t *out)
{
    uint64_t value = 0;
    if (view.length == 0)
        return false;
    for (size_t i = 0; i < view.length; i++) {
        if (view.data[i] < '0' || view.data[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(view.data[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool bytes_to_i64(struct bytes view, int64_t *out)
{
    uint64_t magnitude;
    bool negative = view.length > 0 && view.data[0] == '-';
    if (!bytes_to_u64(bytes_skip(view, negative ? 1 : 0), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    /* INT64_MIN has no positive twin: the sign is put on while still unsigned. */
    *out = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

const char *bytes_printable(struct bytes view, char *out, size_t capacity)
{
    static const char cut[] = "...";
    CHECK(capacity >= sizeof(cut));
    bool fits = view.length < capacity;
    size_t length = fits ? view.length : capacity - sizeof(cut);
    for (size_t i = 0; i < length; i++)
        out[i] = view.data[i] >= ' ' && view.data[i] <= '~' ? (char)view.data[i] : '?';
    if (fits)
        out[length] = '\0';
    else
        memcpy(out + length, cut, sizeof(cut));
    return out;
}

size_t bytes_find(struct bytes view, uint8_t byte)
{
    if (view.length == 0)
        return 0;
    const uint8_t *found = memchr(view.data, byte, view.length);
    return found != NULL ? (size_t)(found - view.data) : view.length;
}

bool bytes_is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

struct bytes bytes_trim(struct bytes view)
{
    while (view.length > 0 && bytes_is_blank(view.data[0]))
        view = bytes_skip(view, 1);
    while (view.length > 0 && bytes_is_blank(view.data[view.length - 1]))
        view = bytes_first(view, view.length - 1);
    return view;
}
