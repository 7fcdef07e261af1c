/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <inttypes.h>

#include "escape.h"

static void json_begin(struct json *json, const char *name)
{
    if (json->has_sibling)
        text_append_string(json->out, ",");
    json->has_sibling = true;
    if (name != NULL)
        text_format(json->out, "\"%s\":", name);
}

static void open(struct json *json, const char *name, const char *bracket)
{
    json_begin(json, name);
    text_append_string(json->out, bracket);
    json->has_sibling = false;
}

static void close(struct json *json, const char *bracket)
{
    text_append_string(json->out, bracket);
    json->has_sibling = true;
}

void json_open_object(struct json *json, const char *name)
{
    open(json, name, "{");
}

void json_close_object(struct json *json)
{
    close(json, "}");
}

void json_open_array(struct json *json, const char *name)
{
    open(json, name, "[");
}

void json_close_array(struct json *json)
{
    close(json, "]");
}

void json_string(struct json *json, const char *name, const char *value)
{
    json_begin(json, name);
    text_append_string(json->out, "\"");
    escape_json(json->out, value);
    text_append_string(json->out, "\"");
}

void json_u64(struct json *json, const char *name, uint64_t value)
{
    json_begin(json, name);
    text_format(json->out, "%" PRIu64, value);
}

void json_i64(struct json *json, const char *name, int64_t value)
{
    json_begin(json, name);
    text_format(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
    json_begin(json, name);
    text_append_string(json->out, value ? "true" : "false");
}

void json_null(struct json *json, const char *name)
{
    json_begin(json, name);
    text_append_string(json->out, "null");
}

void json_thousandths(struct json *json, const char *name, int64_t value)
{
    if (value < 0) {
        json_null(json, name);
        return;
    }
    json_begin(json, name);
    text_format(json->out, "%" PRId64 ".%03" PRId64, value / 1000, value % 1000);
}

void json_seconds(struct json *json, const char *name, int64_t ms)
{
    json_thousandths(json, name, ms);
}
