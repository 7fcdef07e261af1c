/* SPDX-License-Identifier: MIT */
#include "errors.h"

#include <stdio.h>

#include "relay/config/options.h"

const char *errors_place(const struct errors *errors, unsigned line, char out[CONFIG_LINE_MAX])
{
    if (line == 0)
        snprintf(out, CONFIG_LINE_MAX, "%s", errors->file);
    else
        snprintf(out, CONFIG_LINE_MAX, "%s:%u", errors->file, line);
    return out;
}

void complain(struct errors *errors, const char *where, const char *format, ...)
{
    errors->count++;
    if (errors->count > CONFIG_ERRORS_MAX)
        return;
    if (where[0] != '\0')
        text_format(errors->out, "%s: ", where);
    va_list list;
    va_start(list, format);
    text_format_list(errors->out, format, list);
    va_end(list);
    text_append_string(errors->out, "\n");
}

void complain_of(struct errors *errors, const struct config *config, const void *place,
                 const char *expected)
{
    const struct setting *setting = setting_at(0);
    while (setting_value(setting, config) != place)
        setting = setting_at(setting_index(setting) + 1);
    struct text where;
    struct text value;
    text_init(&where, CONFIG_LINE_MAX);
    text_init(&value, CONFIG_LINE_MAX);
    unsigned line = errors->found_on[setting_index(setting)];
    if (line == FOUND_IN_OVERRIDE)
        text_format(&where, "--set %s.%s", setting->section, setting->key);
    else if (line != 0)
        text_format(&where, "%s:%u", errors->file, line);
    setting->kind->print(setting->kind, place, VALUE_INI, &value);
    complain(errors, text_string(&where), "[%s] %s = %s: %s", setting->section, setting->key,
             text_string(&value), expected);
    text_fini(&where);
    text_fini(&value);
}

bool is_free_of_errors(const struct errors *errors)
{
    if (errors->count > CONFIG_ERRORS_MAX)
        text_format(errors->out, "... and %u more\n", errors->count - CONFIG_ERRORS_MAX);
    return errors->count == 0;
}
