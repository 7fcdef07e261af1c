/* SPDX-License-Identifier: MIT */
#include "report_map.h"

#include <stdbool.h>
#include <stdint.h>

enum { FIELDS_LEAST = 3 }; /* of a map in the map: what has fewer is a text with a "=" in it */

/* Takes what stands before `end`, or all, off `rest`. */
static struct bytes take_to(struct bytes *rest, uint8_t end)
{
    size_t length = bytes_find(*rest, end);
    struct bytes taken = bytes_first(*rest, length);
    *rest = bytes_skip(*rest, length < rest->length ? length + 1 : length);
    return taken;
}

/* The next line that is a pair. False: there is none left. */
static bool next_pair(struct bytes *rest, struct bytes *name, struct bytes *value)
{
    while (rest->length > 0) {
        struct bytes line = take_to(rest, '\n');
        if (line.length > 0 && line.data[line.length - 1] == '\r')
            line = bytes_first(line, line.length - 1);
        *name = take_to(&line, ':');
        *value = line;
        if (name->length > 0 && name->data[0] != '#')
            return true;
    }
    return false;
}

/* How many "key=value" there are between the commas; 0: not all are that. */
static size_t field_count(struct bytes value)
{
    size_t count = 0;
    if (bytes_find(value, ' ') != value.length)
        return 0;
    while (value.length > 0) {
        struct bytes field = take_to(&value, ',');
        size_t sign = bytes_find(field, '=');
        if (sign == 0 || sign == field.length)
            return 0;
        count++;
    }
    return count >= FIELDS_LEAST ? count : 0;
}

static void report_map_write_plain(struct writer *writer, struct bytes value)
{
    int64_t number;
    if (bytes_to_i64(value, &number))
        write_integer(writer, number);
    else
        write_bulk(writer, value);
}

static void write_value(struct writer *writer, struct bytes value)
{
    size_t count = field_count(value);
    if (count == 0) {
        report_map_write_plain(writer, value);
        return;
    }
    write_map(writer, count);
    for (size_t i = 0; i < count; i++) {
        struct bytes field = take_to(&value, ',');
        write_bulk(writer, take_to(&field, '='));
        report_map_write_plain(writer, field);
    }
}

void report_write_map(struct writer *writer, struct bytes report)
{
    struct bytes name;
    struct bytes value;
    size_t count = 0;
    for (struct bytes rest = report; next_pair(&rest, &name, &value);)
        count++;
    write_map(writer, count);
    while (next_pair(&report, &name, &value)) {
        write_bulk(writer, name);
        write_value(writer, value);
    }
}
