/* SPDX-License-Identifier: MIT */
#include "relay/resp/writer.h"

#include <inttypes.h>
#include <string.h>

static bool is_resp3(const struct writer *writer)
{
    CHECK(writer->protocol == 2 || writer->protocol == 3);
    return writer->protocol == 3;
}

static void head(struct writer *writer, char kind, size_t count)
{
    text_format(writer->out, "%c%zu\r\n", kind, count);
}

void write_simple(struct writer *writer, const char *string)
{
    CHECK(strpbrk(string, "\r\n") == NULL);
    text_format(writer->out, "+%s\r\n", string);
}

void write_error(struct writer *writer, const char *format, ...)
{
    struct text *out = writer->out;
    text_append_string(out, "-");

    size_t start = out->length;
    va_list list;
    va_start(list, format);
    text_format_list(out, format, list);
    va_end(list);
    text_join_lines(out, start);
    text_append_string(out, "\r\n");
}

void write_integer(struct writer *writer, int64_t value)
{
    text_format(writer->out, ":%" PRId64 "\r\n", value);
}

void write_bulk(struct writer *writer, struct bytes view)
{
    head(writer, '$', view.length);
    text_append(writer->out, view);
    text_append_string(writer->out, "\r\n");
}

void write_bulk_string(struct writer *writer, const char *string)
{
    write_bulk(writer, bytes_of(string));
}

void write_null(struct writer *writer)
{
    text_append_string(writer->out, is_resp3(writer) ? "_\r\n" : "$-1\r\n");
}

void write_array(struct writer *writer, size_t count)
{
    head(writer, '*', count);
}

void write_map(struct writer *writer, size_t pairs)
{
    if (is_resp3(writer))
        head(writer, '%', pairs);
    else
        head(writer, '*', pairs * 2);
}

void write_set(struct writer *writer, size_t count)
{
    head(writer, is_resp3(writer) ? '~' : '*', count);
}

void write_push(struct writer *writer, size_t count)
{
    head(writer, is_resp3(writer) ? '>' : '*', count);
}

void write_verbatim(struct writer *writer, struct bytes view)
{
    static const char kind[] = "txt:";
    if (!is_resp3(writer)) {
        write_bulk(writer, view);
        return;
    }
    head(writer, '=', view.length + strlen(kind));
    text_append_string(writer->out, kind);
    text_append(writer->out, view);
    text_append_string(writer->out, "\r\n");
}

void write_command(struct writer *writer, const char *const *arguments, size_t count)
{
    CHECK(count > 0);
    write_array(writer, count);
    for (size_t i = 0; i < count; i++)
        write_bulk_string(writer, arguments[i]);
}
