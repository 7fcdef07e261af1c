/* SPDX-License-Identifier: MIT */
#include "relay/base/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { YEAR_MIN = 1970, YEAR_MAX = 9999, SECONDS_DAY = 24 * 60 * 60, SHOWN_MAX = 80 };

#define MICROSECONDS INT64_C(1000000)
#define SPAN_SECONDS_MAX (INT64_C(100) * 366 * SECONDS_DAY)

/* Exactly `count` digits. */
static bool take_digits(struct bytes *text, size_t count, int *out)
{
    if (text->length < count)
        return false;
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return false;
        value = value * 10 + (text->data[i] - '0');
    }
    *text = bytes_skip(*text, count);
    *out = value;
    return true;
}

static bool take_one_of(struct bytes *text, const char *any)
{
    if (text->length == 0)
        return false;
    for (; *any != '\0'; any++) {
        if (text->data[0] == (uint8_t)*any) {
            *text = bytes_skip(*text, 1);
            return true;
        }
    }
    return false;
}

/* ".25": micro-seconds; what is finer is left out. */
static bool take_fraction(struct bytes *text, int64_t *out)
{
    *out = 0;
    if (!take_one_of(text, "."))
        return true;
    int64_t unit = MICROSECONDS / 10;
    size_t count = 0;
    for (int digit; take_digits(text, 1, &digit); count++) {
        *out += unit * digit;
        unit /= 10;
    }
    return count > 0;
}

/* "Z", "+01:00", or nothing: then *is_local. */
static bool take_zone(struct bytes *text, bool *is_local, int64_t *east_s)
{
    int hours;
    int minutes;
    *east_s = 0;
    *is_local = text->length == 0;
    if (*is_local || take_one_of(text, "Zz"))
        return true;
    bool is_west = text->data[0] == '-';
    if (!take_one_of(text, "+-") || !take_digits(text, 2, &hours) || !take_one_of(text, ":") ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *east_s = (is_west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

/* A day that the calendar has, and a time of day; a leap second counts as the next one. */
static bool is_of_calendar(const struct tm *tm)
{
    struct tm copy = *tm;
    copy.tm_hour = copy.tm_min = copy.tm_sec = 0;
    return timegm(&copy) != -1 && copy.tm_mday == tm->tm_mday && copy.tm_mon == tm->tm_mon &&
           tm->tm_hour <= 23 && tm->tm_min <= 59 && tm->tm_sec <= 60 &&
           tm->tm_year >= YEAR_MIN - 1900;
}

static bool parse_date(struct bytes text, int64_t *out)
{
    struct tm tm = {.tm_isdst = -1};
    int year;
    int month;
    int64_t fraction_us;
    int64_t east_s;
    bool is_local;
    bool is_whole = take_digits(&text, 4, &year) && take_one_of(&text, "-") &&
                    take_digits(&text, 2, &month) && take_one_of(&text, "-") &&
                    take_digits(&text, 2, &tm.tm_mday) && take_one_of(&text, "Tt ") &&
                    take_digits(&text, 2, &tm.tm_hour) && take_one_of(&text, ":") &&
                    take_digits(&text, 2, &tm.tm_min) && take_one_of(&text, ":") &&
                    take_digits(&text, 2, &tm.tm_sec) && take_fraction(&text, &fraction_us) &&
                    take_zone(&text, &is_local, &east_s) && text.length == 0;
    if (!is_whole)
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    if (!is_of_calendar(&tm))
        return false;
    int64_t seconds = is_local ? mktime(&tm) : timegm(&tm) - east_s;
    *out = seconds * MICROSECONDS + fraction_us;
    return true;
}

static const struct {
    const char *name;
    int64_t seconds;
} units[] = {
    {"s", 1}, {"sec", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", SECONDS_DAY},
};

static bool take_unit(struct bytes *text, int64_t *seconds)
{
    size_t length = 0;
    while (length < text->length && text->data[length] >= 'a' && text->data[length] <= 'z')
        length++;
    struct bytes word = bytes_first(*text, length);
    for (size_t i = 0; i < LENGTH_OF(units); i++) {
        if (bytes_equal(word, bytes_of(units[i].name))) {
            *seconds = units[i].seconds;
            *text = bytes_skip(*text, length);
            return true;
        }
    }
    return false;
}

/* "1h30min" */
static bool parse_span(struct bytes text, int64_t *seconds)
{
    *seconds = 0;
    if (text.length == 0)
        return false;
    while (text.length > 0) {
        int64_t count = 0;
        int64_t unit;
        size_t digits = 0;
        for (int digit; take_digits(&text, 1, &digit); digits++) {
            if (count > SPAN_SECONDS_MAX)
                return false;
            count = count * 10 + digit;
        }
        if (digits == 0 || !take_unit(&text, &unit) || count > SPAN_SECONDS_MAX / unit)
            return false;
        *seconds += count * unit;
        if (*seconds > SPAN_SECONDS_MAX)
            return false;
    }
    return true;
}

bool moment_parse(struct bytes text, int64_t now_us, int64_t *out, struct error *error)
{
    int64_t seconds;
    struct bytes rest = text;
    if (bytes_is(text, "now")) {
        *out = now_us;
        return true;
    }
    if (take_one_of(&rest, "-") && parse_span(rest, &seconds)) {
        *out = now_us - seconds * MICROSECONDS;
        return true;
    }
    if (parse_date(text, out))
        return true;
    char shown[SHOWN_MAX];
    return error_set(error, ERROR_INVALID,
                     "'%s' is no time: write it as 2026-11-28T15:04:05Z, as 2026-11-28 15:04:05 "
                     "(local time), or as -15min",
                     bytes_printable(text, shown, sizeof(shown)));
}

const char *moment_format(int64_t wall_us, char out[MOMENT_TEXT_MAX])
{
    int64_t fraction = wall_us % MICROSECONDS;
    if (fraction < 0)
        fraction += MICROSECONDS;
    time_t seconds = (time_t)((wall_us - fraction) / MICROSECONDS);
    struct tm tm;
    char date[MOMENT_TEXT_MAX];
    if (localtime_r(&seconds, &tm) == NULL ||
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        snprintf(out, MOMENT_TEXT_MAX, "%" PRId64, (int64_t)seconds);
        return out;
    }
    long minutes = tm.tm_gmtoff / 60;
    long distance = minutes < 0 ? -minutes : minutes;
    snprintf(out, MOMENT_TEXT_MAX, "%.20s.%03d%c%02ld:%02ld", date, (int)(fraction / 1000),
             minutes < 0 ? '-' : '+', distance / 60, distance % 60);
    return out;
}
