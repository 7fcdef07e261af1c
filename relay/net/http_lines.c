/* SPDX-License-Identifier: MIT */
#include "http_lines.h"

bool http_lines_take(struct bytes *rest, struct bytes *line)
{
    size_t length = bytes_find(*rest, '\n');
    if (length == rest->length)
        return false;
    *line = bytes_first(*rest, length);
    *rest = bytes_skip(*rest, length + 1);
    if (length > 0 && line->data[length - 1] == '\r')
        *line = bytes_first(*line, length - 1);
    return true;
}

struct bytes http_lines_take_word(struct bytes *line)
{
    size_t length = bytes_find(*line, ' ');
    struct bytes word = bytes_first(*line, length);
    *line = bytes_skip(*line, length < line->length ? length + 1 : length);
    return word;
}

bool http_lines_is_visible(struct bytes view)
{
    for (size_t i = 0; i < view.length; i++) {
        if (view.data[i] <= ' ' || view.data[i] > '~')
            return false;
    }
    return view.length > 0;
}

static bool has_control(struct bytes value)
{
    for (size_t i = 0; i < value.length; i++) {
        if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 127)
            return true;
    }
    return false;
}

bool http_lines_split_header(struct bytes line, struct bytes *name, struct bytes *value)
{
    size_t colon = bytes_find(line, ':');
    *name = bytes_first(line, colon);
    if (colon == line.length || !http_lines_is_visible(*name) || has_control(line))
        return false;
    *value = bytes_trim(bytes_skip(line, colon + 1));
    return true;
}

bool http_lines_is_listed(struct bytes list, const char *word)
{
    bool more = true;
    while (more) {
        size_t length = bytes_find(list, ',');
        if (bytes_is(bytes_trim(bytes_first(list, length)), word))
            return true;
        more = length < list.length;
        list = bytes_skip(list, more ? length + 1 : length);
    }
    return false;
}
