/* SPDX-License-Identifier: MIT */
#include "relay/base/moment.h"

#include <time.h>

#include "test.h"

#define NOW INT64_C(1795878245250000) /* 2026-11-28T15:04:05.25Z */

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static int64_t parse(const char *text)
{
    struct error error;
    int64_t moment = 0;
    if (!moment_parse(bytes_of(text), NOW, &moment, &error))
        fail_msg("%s: %s", text, error.text);
    return moment;
}

TEST(rfc_3339_is_read)
{
    set_zone("UTC");
    static const char *const same[] = {
        "2026-11-28T15:04:05.25Z",      "2026-11-28t15:04:05.250000z",
        "2026-11-28 15:04:05.25+00:00", "2026-11-28T16:34:05.2500001+01:30",
        "2026-11-28T07:04:05.25-08:00", "2026-11-29T00:04:05.25+09:00",
        "2026-11-28 15:04:05.25",       "now",
    };
    for (size_t i = 0; i < LENGTH_OF(same); i++)
        assert_int_equal(parse(same[i]), NOW);
    assert_int_equal(parse("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(parse("2024-02-29T23:59:60Z"), parse("2024-03-01T00:00:00Z"));
}

TEST(without_a_zone_it_is_local_time)
{
    set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    assert_int_equal(parse("2026-11-28 16:04:05.25"), NOW);
    assert_int_equal(parse("2026-07-01 12:00:00"), parse("2026-07-01T10:00:00Z"));
    set_zone("UTC");
}

TEST(relative_times_are_before_now)
{
    const int64_t second = 1000000;
    assert_int_equal(parse("-15min"), NOW - 15 * 60 * second);
    assert_int_equal(parse("-15m"), NOW - 15 * 60 * second);
    assert_int_equal(parse("-90s"), NOW - 90 * second);
    assert_int_equal(parse("-90sec"), NOW - 90 * second);
    assert_int_equal(parse("-1h30min"), NOW - 5400 * second);
    assert_int_equal(parse("-2d"), NOW - 172800 * second);
    assert_int_equal(parse("-0s"), NOW);
}

TEST(what_is_no_time_is_refused)
{
    static const char *const bad[] = {
        "",
        "-",
        "15min",
        "-15",
        "-15x",
        "-15minutes",
        "-m",
        "-1h30",
        "-99999999999999999999s",
        "-99999999d",
        "yesterday",
        "2026-11-28",
        "2026-11-28T15:04",
        "2026-11-28T15:04:05X",
        "2026-11-28T15:04:05ZZ",
        "2026-11-28T15:04:05.Z",
        "2026-11-28T15:04:05+1:00",
        "2026-11-28T15:04:05+24:00",
        "2026-11-28T15:04:05+01:60",
        "2026-13-28T15:04:05Z",
        "2026-00-28T15:04:05Z",
        "2026-02-29T15:04:05Z",
        "2026-11-31T15:04:05Z",
        "2026-11-28T24:04:05Z",
        "2026-11-28T15:60:05Z",
        "2026-11-28T15:04:61Z",
        "1969-12-31T23:59:59Z",
        "20261-11-28T15:04:05Z",
        "2026-11-28T15:04:05Z\n",
    };
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct error error;
        int64_t moment;
        if (moment_parse(bytes_of(bad[i]), NOW, &moment, &error))
            fail_msg("'%s' is taken for %lld", bad[i], (long long)moment);
        assert_int_equal(error.kind, ERROR_INVALID);
        assert_non_null(strstr(error.text, "is no time"));
    }
}

/* Cut anywhere, a time is refused or another time; never read beyond its end. */
TEST(a_time_that_is_cut_is_read_to_its_end)
{
    static const char text[] = "2026-11-28T15:04:05.25+01:30";
    for (size_t length = 0; length < sizeof(text); length++) {
        struct error error;
        int64_t moment;
        char *copy = malloc(length + 1);
        memcpy(copy, text, length);
        bool is_time = moment_parse(bytes_at(copy, length), NOW, &moment, &error);
        bool is_whole = length == 19 || length == 21 || length == 22 || length == 28;
        assert_int_equal(is_time, is_whole);
        free(copy);
    }
}

TEST(what_is_shown_is_read_again)
{
    static const char *const zones[] = {"UTC", "CET-1CEST,M3.5.0,M10.5.0/3", "XXX4:30"};
    static const int64_t moments[] = {0, NOW, NOW - 999000, INT64_C(1700000000000000)};
    char shown[MOMENT_TEXT_MAX];
    for (size_t i = 0; i < LENGTH_OF(zones); i++) {
        set_zone(zones[i]);
        for (size_t j = 0; j < LENGTH_OF(moments); j++) {
            if (moments[j] > 86400)
                assert_int_equal(parse(moment_format(moments[j], shown)), moments[j] / 1000 * 1000);
        }
    }
    set_zone("UTC");
    assert_string_equal(moment_format(NOW, shown), "2026-11-28T15:04:05.250+00:00");
}
