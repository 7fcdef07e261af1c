/* SPDX-License-Identifier: MIT */
#include "relay/archive/object_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "relay/base/replid.h"

enum {
    MICROSECONDS = 1000 * 1000,
    CHANCE_DIGITS = 8,
    DATE_LENGTH = 16, /* 20261128T152233Z */
    TIMELINE_DIGITS = 8,
    OFFSET_DIGITS = 20,
};

static const char *const endings[] = {[OBJECT_SEGMENT] = ".seg", [OBJECT_SNAPSHOT] = ".rdb"};
#define MANIFEST_ENDING ".manifest"

void archive_system_make(struct archive_system *out, int64_t wall_us, const char *chance)
{
    time_t seconds = (time_t)(wall_us / MICROSECONDS);
    struct tm tm = {.tm_year = 70};
    (void)gmtime_r(&seconds, &tm);
    char date[64];
    snprintf(date, sizeof(date), "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    snprintf(out->id, sizeof(out->id), "%.*s-%.*s", DATE_LENGTH, date, CHANCE_DIGITS, chance);
}

static bool is_digit_at(struct bytes view, size_t at)
{
    return view.data[at] >= '0' && view.data[at] <= '9';
}

static bool is_hex_at(struct bytes view, size_t at)
{
    return is_digit_at(view, at) || (view.data[at] >= 'a' && view.data[at] <= 'f');
}

bool archive_system_parse(struct bytes view, struct archive_system *out)
{
    static const char form[] = "00000000T000000Z-xxxxxxxx";
    if (view.length != ARCHIVE_SYSTEM_LENGTH)
        return false;
    for (size_t i = 0; i < view.length; i++) {
        bool good = form[i] == '0'   ? is_digit_at(view, i)
                    : form[i] == 'x' ? is_hex_at(view, i)
                                     : view.data[i] == (uint8_t)form[i];
        if (!good)
            return false;
    }
    memcpy(out->id, view.data, view.length);
    out->id[view.length] = '\0';
    return true;
}

const char *object_name_format(const struct object_name *name, bool is_manifest,
                               char out[OBJECT_NAME_MAX])
{
    snprintf(out, OBJECT_NAME_MAX, "%s-%08" PRIu64 "-%020" PRIu64 "%s%s", name->system.id,
             name->timeline, name->offset, endings[name->kind], is_manifest ? MANIFEST_ENDING : "");
    return out;
}

/* Takes `length` bytes off the view. False: there are fewer. */
static bool name_take(struct bytes *view, size_t length, struct bytes *out)
{
    if (view->length < length)
        return false;
    *out = bytes_first(*view, length);
    *view = bytes_skip(*view, length);
    return true;
}

static bool take_number(struct bytes *view, size_t digits, uint64_t *out)
{
    struct bytes dash;
    struct bytes number;
    return name_take(view, 1, &dash) && dash.data[0] == '-' && name_take(view, digits, &number) &&
           bytes_to_u64(number, out);
}

bool object_name_parse(struct bytes view, struct object_name *out, bool *is_manifest)
{
    struct bytes word;
    if (!name_take(&view, ARCHIVE_SYSTEM_LENGTH, &word) ||
        !archive_system_parse(word, &out->system) ||
        !take_number(&view, TIMELINE_DIGITS, &out->timeline) ||
        !take_number(&view, OFFSET_DIGITS, &out->offset) || out->timeline == 0 ||
        out->offset > OFFSET_MAX)
        return false;
    for (size_t i = 0; i < LENGTH_OF(endings); i++) {
        if (!bytes_starts(view, endings[i]))
            continue;
        out->kind = (enum object_kind)i;
        struct bytes rest = bytes_skip(view, strlen(endings[i]));
        *is_manifest = rest.length > 0;
        return rest.length == 0 || bytes_equal(rest, bytes_of(MANIFEST_ENDING));
    }
    return false;
}

int object_name_compare(const struct object_name *a, const struct object_name *b)
{
    int system = strcmp(a->system.id, b->system.id);
    if (system != 0)
        return system;
    if (a->timeline != b->timeline)
        return a->timeline < b->timeline ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return (a->kind == OBJECT_SEGMENT) - (b->kind == OBJECT_SEGMENT);
}
