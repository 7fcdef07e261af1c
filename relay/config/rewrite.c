/* SPDX-License-Identifier: MIT */
#include "rewrite.h"

#include <stdbool.h>
#include <string.h>

#include "relay/base/check.h"

/* --- a line, as inih reads it --- */

enum line_kind {
    LINE_OTHER, /* empty, or a comment that is no setting */
    LINE_SECTION,
    LINE_SETTING,
    LINE_COMMENTED, /* a setting, if it were not for the ";" */
};

struct line {
    enum line_kind kind;
    struct bytes whole; /* with its end */
    struct bytes name;  /* of the section, or the key */
    size_t value_at;    /* of a setting: where its value begins, in the whole */
};

static bool rewrite_is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct bytes rewrite_skip_blanks(struct bytes view)
{
    while (view.length > 0 && rewrite_is_blank(view.data[0]))
        view = bytes_skip(view, 1);
    return view;
}

static struct bytes drop_blanks_behind(struct bytes view)
{
    while (view.length > 0 && rewrite_is_blank(view.data[view.length - 1]))
        view = bytes_first(view, view.length - 1);
    return view;
}

static bool is_one_word(struct bytes view)
{
    for (size_t i = 0; i < view.length; i++) {
        if (rewrite_is_blank(view.data[i]))
            return false;
    }
    return view.length > 0;
}

/* The part before the "=" or ":". False: there is none. */
static bool parse_key(struct bytes rest, struct line *line)
{
    size_t equals = bytes_find(rest, '=');
    size_t colon = bytes_find(rest, ':');
    size_t sign = equals < colon ? equals : colon;
    if (sign == rest.length)
        return false;
    line->name = drop_blanks_behind(bytes_first(rest, sign));
    struct bytes value = bytes_skip(rest, sign + 1);
    while (value.length > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        value = bytes_skip(value, 1);
    line->value_at = (size_t)(value.data - line->whole.data);
    return true;
}

/* A comment in words may well hold a "=": a setting has one word before it, and a "#" none between. */
static bool parse_commented(struct bytes rest, struct line *line)
{
    bool is_prose = rest.data[0] == '#' && rest.length > 1 && rewrite_is_blank(rest.data[1]);
    return !is_prose && parse_key(rewrite_skip_blanks(bytes_skip(rest, 1)), line) &&
           is_one_word(line->name);
}

static struct line rewrite_parse_line(struct bytes whole, bool is_first)
{
    struct line line = {.kind = LINE_OTHER, .whole = whole};
    struct bytes rest = whole;
    if (is_first && bytes_starts(rest, "\xEF\xBB\xBF"))
        rest = bytes_skip(rest, 3);
    rest = rewrite_skip_blanks(rest);
    if (rest.length == 0)
        return line;
    if (rest.data[0] == '[') {
        line.kind = LINE_SECTION;
        rest = bytes_skip(rest, 1);
        line.name = bytes_first(rest, bytes_find(rest, ']'));
    } else if (rest.data[0] == ';' || rest.data[0] == '#') {
        if (parse_commented(rest, &line))
            line.kind = LINE_COMMENTED;
    } else if (parse_key(rest, &line)) {
        line.kind = LINE_SETTING;
    }
    return line;
}

/* Takes the next line off `rest`. False: there is none left. */
static bool next_line(struct bytes ini, struct bytes *rest, struct line *line)
{
    if (rest->length == 0)
        return false;
    size_t end = bytes_find(*rest, '\n');
    size_t length = end < rest->length ? end + 1 : end;
    *line = rewrite_parse_line(bytes_first(*rest, length), rest->data == ini.data);
    *rest = bytes_skip(*rest, length);
    return true;
}

/* --- where each change goes --- */

enum place_kind {
    PLACE_NOWHERE,   /* its section is not there */
    PLACE_SECTION,   /* behind the last line of its section that says something */
    PLACE_COMMENTED, /* instead of the line that is commented out */
    PLACE_SET,       /* its line */
};

struct place {
    enum place_kind kind;
    size_t line;
};

static void look_at_line(const struct line *line, size_t number,
                         const struct rewrite_change *change, struct place *place)
{
    bool is_it = line->kind != LINE_SECTION && bytes_equal(line->name, bytes_of(change->key));
    if (line->kind == LINE_SETTING && is_it)
        *place = (struct place){PLACE_SET, number};
    else if (line->kind == LINE_COMMENTED && is_it && place->kind < PLACE_COMMENTED)
        *place = (struct place){PLACE_COMMENTED, number};
    else if (line->kind != LINE_OTHER && place->kind <= PLACE_SECTION)
        *place = (struct place){PLACE_SECTION, number};
}

static void find_places(struct bytes ini, const struct rewrite_change *changes, size_t count,
                        struct place *places)
{
    struct bytes section = bytes_of("");
    struct bytes rest = ini;
    struct line line;
    for (size_t number = 0; next_line(ini, &rest, &line); number++) {
        if (line.kind == LINE_SECTION)
            section = line.name;
        for (size_t i = 0; i < count; i++) {
            if (bytes_equal(section, bytes_of(changes[i].section)))
                look_at_line(&line, number, &changes[i], &places[i]);
        }
    }
}

/* --- writing --- */

struct writing {
    struct text *out;
    const char *line_end; /* of the file */
};

static void end_last_line(struct writing *writing)
{
    const struct text *out = writing->out;
    if (out->length > 0 && out->data[out->length - 1] != '\n')
        text_append_string(writing->out, writing->line_end);
}

static void write_new(struct writing *writing, const struct rewrite_change *change)
{
    end_last_line(writing);
    text_format(writing->out, "%s =%s%s%s", change->key, change->value[0] != '\0' ? " " : "",
                change->value, writing->line_end);
}

static void rewrite_write_line(struct writing *writing, const struct line *line,
                               const struct rewrite_change *change, enum place_kind kind)
{
    if (change == NULL) {
        text_append(writing->out, line->whole);
    } else if (kind == PLACE_COMMENTED) {
        write_new(writing, change);
    } else {
        text_append(writing->out, bytes_first(line->whole, line->value_at));
        text_append_string(writing->out, change->value);
        text_append_string(writing->out, writing->line_end);
    }
}

static void write_new_sections(struct writing *writing, const struct rewrite_change *changes,
                               size_t count, const struct place *places)
{
    const char *section = "";
    for (size_t i = 0; i < count; i++) {
        if (places[i].kind != PLACE_NOWHERE)
            continue;
        if (strcmp(section, changes[i].section) != 0) {
            end_last_line(writing);
            text_format(writing->out, "%s[%s]%s", writing->out->length > 0 ? writing->line_end : "",
                        changes[i].section, writing->line_end);
        }
        section = changes[i].section;
        write_new(writing, &changes[i]);
    }
}

static const char *line_end_of(struct bytes ini)
{
    size_t end = bytes_find(ini, '\n');
    return end < ini.length && end > 0 && ini.data[end - 1] == '\r' ? "\r\n" : "\n";
}

void rewrite_ini(struct bytes ini, const struct rewrite_change *changes, size_t count,
                 struct text *out)
{
    struct place places[REWRITE_CHANGES_MAX] = {{PLACE_NOWHERE, 0}};
    CHECK(count <= REWRITE_CHANGES_MAX);
    find_places(ini, changes, count, places);

    struct writing writing = {.out = out, .line_end = line_end_of(ini)};
    struct bytes rest = ini;
    struct line line;
    for (size_t number = 0; next_line(ini, &rest, &line); number++) {
        size_t at = 0;
        while (at < count && (places[at].line != number || places[at].kind < PLACE_COMMENTED))
            at++;
        rewrite_write_line(&writing, &line, at < count ? &changes[at] : NULL,
                           at < count ? places[at].kind : PLACE_NOWHERE);
        for (size_t i = 0; i < count; i++) {
            if (places[i].kind == PLACE_SECTION && places[i].line == number)
                write_new(&writing, &changes[i]);
        }
    }
    write_new_sections(&writing, changes, count, places);
}
