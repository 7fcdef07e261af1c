/* SPDX-License-Identifier: MIT */
#include "relay/config/value.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "relay/archive/command_words.h"
#include "relay/base/bytes.h"
#include "relay/base/duration.h"

static bool is_in_range(const struct value_kind *kind, uint64_t value)
{
    CHECK(kind->least >= 0);
    CHECK(kind->most >= kind->least);
    return value >= (uint64_t)kind->least && value <= (uint64_t)kind->most;
}

/* Takes the digits that `string` begins with. */
static bool value_take_number(const char **string, uint64_t *out)
{
    size_t digits = strspn(*string, "0123456789");
    if (!bytes_to_u64(bytes_at(*string, digits), out))
        return false;
    *string += digits;
    return true;
}

/* --- strings --- */

static void replace_string(const char **place, struct bytes view)
{
    char *copy = strndup((const char *)view.data, view.length);
    CHECK(copy != NULL);
    value_fini_string(place);
    *place = copy;
}

/* It may have been a password. */
void value_fini_string(void *place)
{
    const char **string = place;
    /* The components get their options as const; here is who owns them. */
    char *own = (char *)(uintptr_t)*string;
    if (own != NULL)
        explicit_bzero(own, strlen(own));
    free(own);
    *string = NULL;
}

/* One line of text: no control characters, so that what is printed can be read again. */
bool value_parse_string(const struct value_kind *kind, const char *string, void *place)
{
    size_t length = strlen(string);
    for (size_t i = 0; i < length; i++) {
        if (((unsigned char)string[i] < ' ' && string[i] != '\t') || string[i] == 127)
            return false;
    }
    if (length < (size_t)kind->least)
        return false;
    replace_string(place, bytes_at(string, length));
    return true;
}

bool value_parse_word(const struct value_kind *kind, const char *string, void *place)
{
    return strpbrk(string, " \t") == NULL && value_parse_string(kind, string, place);
}

/* Split as it will be when it is run. */
bool value_parse_command(const struct value_kind *kind, const char *string, void *place)
{
    struct error error;
    return command_words_check(string, &error) && value_parse_string(kind, string, place);
}

void value_print_string(const struct value_kind *kind, const void *place, enum value_style style,
                        struct text *out)
{
    (void)kind;
    (void)style;
    const char *const *string = place;
    text_append_string(out, *string);
}

void value_print_secret(const struct value_kind *kind, const void *place, enum value_style style,
                        struct text *out)
{
    (void)kind;
    const char *const *string = place;
    if ((*string)[0] != '\0' && style == VALUE_INI)
        text_append_string(out, "***");
}

/* --- addresses --- */

/* What listener_open takes, after an optional '-'. */
static bool is_bind_address(struct bytes word)
{
    char address[INET6_ADDRSTRLEN];
    if (word.length > 0 && word.data[0] == '-')
        word = bytes_skip(word, 1);
    if (word.length == 0 || word.length >= sizeof(address))
        return false;
    memcpy(address, word.data, word.length);
    address[word.length] = '\0';

    unsigned char binary[sizeof(struct in6_addr)];
    return strcmp(address, "*") == 0 || strcmp(address, "::*") == 0 ||
           inet_pton(AF_INET, address, binary) == 1 || inet_pton(AF_INET6, address, binary) == 1;
}

bool value_parse_bind(const struct value_kind *kind, const char *string, void *place)
{
    const char *rest = string + strspn(string, " \t");
    if (*rest == '\0')
        return false;
    while (*rest != '\0') {
        struct bytes word = bytes_at(rest, strcspn(rest, " \t"));
        if (!is_bind_address(word))
            return false;
        rest += word.length;
        rest += strspn(rest, " \t");
    }
    return value_parse_string(kind, string, place);
}

static bool is_host_name_or_all(struct bytes word)
{
    static const char *const allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (bytes_is(word, "*"))
        return true;
    for (size_t i = 0; i < word.length; i++) {
        if (strchr(allowed, word.data[i]) == NULL)
            return false;
    }
    return word.length <= 253 && !bytes_is(word, ".");
}

bool value_parse_host_names(const struct value_kind *kind, const char *string, void *place)
{
    const char *rest = string + strspn(string, " \t");
    while (*rest != '\0') {
        struct bytes word = bytes_at(rest, strcspn(rest, " \t"));
        if (!is_host_name_or_all(word))
            return false;
        rest += word.length;
        rest += strspn(rest, " \t");
    }
    return value_parse_string(kind, string, place);
}

/* --- numbers --- */

static bool value_parse_number(const struct value_kind *kind, const char *string, uint64_t *out)
{
    return value_take_number(&string, out) && *string == '\0' && is_in_range(kind, *out);
}

bool value_parse_port(const struct value_kind *kind, const char *string, void *place)
{
    uint64_t number;
    CHECK(kind->most <= UINT16_MAX);
    if (!value_parse_number(kind, string, &number))
        return false;
    *(uint16_t *)place = (uint16_t)number;
    return true;
}

void value_print_port(const struct value_kind *kind, const void *place, enum value_style style,
                      struct text *out)
{
    (void)kind;
    (void)style;
    text_format(out, "%u", (unsigned)*(const uint16_t *)place);
}

bool value_parse_count(const struct value_kind *kind, const char *string, void *place)
{
    uint64_t number;
    CHECK(kind->most <= UINT_MAX);
    if (!value_parse_number(kind, string, &number))
        return false;
    *(unsigned *)place = (unsigned)number;
    return true;
}

void value_print_count(const struct value_kind *kind, const void *place, enum value_style style,
                       struct text *out)
{
    (void)kind;
    (void)style;
    text_format(out, "%u", *(const unsigned *)place);
}

/* --- numbers with a unit --- */

struct unit {
    const char *name;
    uint64_t factor;
};

/* Reads a number and one of the units, which end with a NULL name; the first is the one of a bare
 * number. */
static bool parse_unit(const char *string, const struct unit *units, uint64_t *out)
{
    uint64_t number;
    if (!value_take_number(&string, &number))
        return false;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (bytes_is(bytes_of(string), unit->name))
            return !__builtin_mul_overflow(number, unit->factor, out);
    }
    return false;
}

/* redis.conf's: 1k is a thousand, 1kb is 1024. */
static const struct unit size_units[] = {
    {"", 1},
    {"b", 1},
    {"k", 1000},
    {"kb", 1024},
    {"m", 1000 * 1000},
    {"mb", 1024 * 1024},
    {"g", 1000 * 1000 * 1000},
    {"gb", 1024 * 1024 * 1024},
    {NULL, 0},
};

bool value_parse_size(const struct value_kind *kind, const char *string, void *place)
{
    uint64_t bytes;
    if (!parse_unit(string, size_units, &bytes) || !is_in_range(kind, bytes))
        return false;
    *(uint64_t *)place = bytes;
    return true;
}

/* The limits are those of one that is none. */
bool value_parse_rate(const struct value_kind *kind, const char *string, void *place)
{
    uint64_t bytes;
    if (!parse_unit(string, size_units, &bytes) || (bytes != 0 && !is_in_range(kind, bytes)))
        return false;
    *(uint64_t *)place = bytes;
    return true;
}

void value_print_size(const struct value_kind *kind, const void *place, enum value_style style,
                      struct text *out)
{
    static const char *const names[] = {"", "kb", "mb", "gb"};
    (void)kind;
    uint64_t bytes = *(const uint64_t *)place;
    size_t power = 0;
    while (style == VALUE_INI && bytes > 0 && bytes % 1024 == 0 && power + 1 < LENGTH_OF(names)) {
        bytes /= 1024;
        power++;
    }
    text_format(out, "%" PRIu64 "%s", bytes, names[power]);
}

bool value_parse_duration(const struct value_kind *kind, const char *string, void *place)
{
    uint64_t duration_ms;
    if (!duration_parse_ms(bytes_of(string), &duration_ms) || !is_in_range(kind, duration_ms))
        return false;
    *(int64_t *)place = (int64_t)duration_ms;
    return true;
}

/* The limits are those of one that is not 0. */
bool value_parse_period(const struct value_kind *kind, const char *string, void *place)
{
    const struct value_kind any = {.least = 0, .most = kind->most};
    int64_t duration_ms;
    if (!value_parse_duration(&any, string, &duration_ms) ||
        (duration_ms != 0 && duration_ms < kind->least))
        return false;
    *(int64_t *)place = duration_ms;
    return true;
}

void value_print_duration(const struct value_kind *kind, const void *place, enum value_style style,
                          struct text *out)
{
    (void)kind;
    int64_t duration_ms = *(const int64_t *)place;
    if (duration_ms % 1000 == 0)
        text_format(out, "%" PRId64, duration_ms / 1000);
    else if (style == VALUE_INI)
        text_format(out, "%" PRId64 "ms", duration_ms);
    else
        text_format(out, "%.3f", (double)duration_ms / 1000);
}

bool value_parse_grace(const struct value_kind *kind, const char *string, void *place)
{
    if (!bytes_is(bytes_of(string), "no"))
        return value_parse_duration(kind, string, place);
    *(int64_t *)place = -1;
    return true;
}

void value_print_grace(const struct value_kind *kind, const void *place, enum value_style style,
                       struct text *out)
{
    if (*(const int64_t *)place < 0)
        text_append_string(out, "no");
    else
        value_print_duration(kind, place, style, out);
}

/* The limits of this kind are in milliseconds, too. */
bool value_parse_seconds(const struct value_kind *kind, const char *string, void *place)
{
    int64_t duration_ms;
    CHECK(kind->most <= (int64_t)INT_MAX * 1000);
    if (!value_parse_duration(kind, string, &duration_ms) || duration_ms % 1000 != 0)
        return false;
    *(int *)place = (int)(duration_ms / 1000);
    return true;
}

void value_print_seconds(const struct value_kind *kind, const void *place, enum value_style style,
                         struct text *out)
{
    (void)kind;
    (void)style;
    text_format(out, "%d", *(const int *)place);
}

/* --- enumerations --- */

/* All our enums begin at 0 and are as wide as this. */
static_assert(sizeof(enum value_style) == sizeof(unsigned), "an enum is kept as an unsigned");

bool value_parse_name(const struct value_kind *kind, const char *string, void *place)
{
    for (unsigned i = 0; kind->names[i] != NULL; i++) {
        if (bytes_is(bytes_of(string), kind->names[i])) {
            *(unsigned *)place = i;
            return true;
        }
    }
    return false;
}

void value_print_name(const struct value_kind *kind, const void *place, enum value_style style,
                      struct text *out)
{
    (void)style;
    text_append_string(out, kind->names[*(const unsigned *)place]);
}
