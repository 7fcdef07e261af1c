/* SPDX-License-Identifier: MIT */
#include "syntax.h"

#include <string.h>

enum { ARGUMENT_NAME_MAX = 96 };

/* One argument, taken apart. */
struct item {
    struct bytes inside; /* a word, or what is between the brackets */
    bool optional;
    bool multiple;
    bool is_group;
};

static bool is_upper(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z';
}

/* The length of what is at the front of `rest`: a word or a bracket with all that is in it. */
static size_t item_length(struct bytes rest)
{
    int depth = 0;
    size_t i = 0;
    for (; i < rest.length; i++) {
        uint8_t byte = rest.data[i];
        if (byte == '[' || byte == '<')
            depth++;
        else if (byte == ']' || byte == '>')
            depth--;
        else if ((byte == ' ' || byte == '|') && depth == 0)
            break;
        CHECK(depth >= 0);
    }
    CHECK(depth == 0);
    return i;
}

static struct bytes syntax_skip_blanks(struct bytes rest)
{
    while (rest.length > 0 && rest.data[0] == ' ')
        rest = bytes_skip(rest, 1);
    return rest;
}

/* Takes the next item off *rest. False: there is none before the end or the next '|'. */
static bool next_item(struct bytes *rest, struct item *item)
{
    static const char dots[] = "...";
    *rest = syntax_skip_blanks(*rest);
    if (rest->length == 0 || rest->data[0] == '|')
        return false;
    size_t length = item_length(*rest);
    struct bytes whole = bytes_first(*rest, length);
    *rest = syntax_skip_blanks(bytes_skip(*rest, length));
    *item = (struct item){.inside = whole};
    size_t dots_length = strlen(dots);
    if (whole.length > dots_length &&
        bytes_equal(bytes_skip(whole, whole.length - dots_length), bytes_of(dots))) {
        item->multiple = true;
        item->inside = bytes_first(whole, whole.length - dots_length);
    }
    if (item->inside.data[0] == '[' || item->inside.data[0] == '<') {
        item->is_group = true;
        item->optional = item->inside.data[0] == '[';
        item->inside = bytes_skip(bytes_first(item->inside, item->inside.length - 1), 1);
    }
    return true;
}

/* How many items are in the first alternative, and how many alternatives there are. */
static size_t count_items(struct bytes rest, size_t *alternatives)
{
    struct item item;
    size_t first = 0;
    *alternatives = 1;
    for (;;) {
        if (next_item(&rest, &item)) {
            first += *alternatives == 1;
        } else if (rest.length > 0) {
            rest = bytes_skip(rest, 1);
            (*alternatives)++;
        } else {
            return first;
        }
    }
}

/* "auth_username_password": the words of a group, in lower case. */
static void name_group(struct bytes inside, char name[ARGUMENT_NAME_MAX])
{
    size_t length = 0;
    bool is_pending = false;
    for (size_t i = 0; i < inside.length && length + 2 < ARGUMENT_NAME_MAX; i++) {
        uint8_t byte = inside.data[i];
        if (strchr("[]<>| .", byte) != NULL) {
            is_pending = length > 0;
            continue;
        }
        if (is_pending)
            name[length++] = '_';
        is_pending = false;
        name[length++] = (char)(is_upper(byte) ? byte + ('a' - 'A') : byte);
    }
    name[length] = '\0';
}

static const char *type_of_word(struct bytes word)
{
    static const char *const integers[] = {"client-id",   "count",  "index", "numlocal",
                                           "numreplicas", "offset", "port",  "protover",
                                           "seconds",     "timeout"};
    if (is_upper(word.data[0]))
        return "pure-token";
    for (size_t i = 0; i < LENGTH_OF(integers); i++) {
        if (bytes_equal(word, bytes_of(integers[i])))
            return "integer";
    }
    return "string";
}

static void write_flags(struct writer *writer, const struct item *item)
{
    if (!item->optional && !item->multiple)
        return;
    write_bulk_string(writer, "flags");
    write_set(writer, (size_t)item->optional + item->multiple);
    if (item->optional)
        write_simple(writer, "optional");
    if (item->multiple)
        write_simple(writer, "multiple");
}

static size_t count_flags(const struct item *item)
{
    return item->optional || item->multiple ? 1 : 0;
}

static void write_word(struct writer *writer, const struct item *item)
{
    char name[ARGUMENT_NAME_MAX];
    name_group(item->inside, name);
    const char *type = type_of_word(item->inside);
    bool is_token = is_upper(item->inside.data[0]);
    write_map(writer, 3 + is_token + count_flags(item));
    write_bulk_string(writer, "name");
    write_bulk_string(writer, name);
    write_bulk_string(writer, "type");
    write_bulk_string(writer, type);
    write_bulk_string(writer, "display_text");
    write_bulk(writer, item->inside);
    if (is_token) {
        write_bulk_string(writer, "token");
        write_bulk(writer, item->inside);
    }
    write_flags(writer, item);
}

static void write_item(struct writer *writer, const struct item *item);

/* The items up to the end or the next '|'. */
static void write_items(struct writer *writer, struct bytes *rest)
{
    struct item item;
    while (next_item(rest, &item))
        write_item(writer, &item);
}

static void write_group_head(struct writer *writer, const struct item *item, const char *type)
{
    char name[ARGUMENT_NAME_MAX];
    name_group(item->inside, name);
    write_map(writer, 3 + count_flags(item));
    write_bulk_string(writer, "name");
    write_bulk_string(writer, name);
    write_bulk_string(writer, "type");
    write_bulk_string(writer, type);
    write_flags(writer, item);
    write_bulk_string(writer, "arguments");
}

/* Alternatives: each is one argument, a block where it is made of several. */
static void write_choice(struct writer *writer, const struct item *item, size_t alternatives)
{
    write_group_head(writer, item, "oneof");
    write_array(writer, alternatives);
    struct bytes rest = item->inside;
    for (size_t i = 0; i < alternatives; i++) {
        struct bytes start = rest;
        struct item part;
        size_t items = 0;
        while (next_item(&rest, &part))
            items++;
        if (items > 1)
            part = (struct item){.inside = bytes_first(start, start.length - rest.length),
                                 .is_group = true};
        write_item(writer, &part);
        if (rest.length > 0)
            rest = bytes_skip(rest, 1);
    }
}

static void write_item(struct writer *writer, const struct item *item)
{
    if (!item->is_group) {
        write_word(writer, item);
        return;
    }
    size_t alternatives;
    size_t items = count_items(item->inside, &alternatives);
    struct bytes rest = item->inside;
    if (alternatives > 1) {
        write_choice(writer, item, alternatives);
    } else if (items == 1) { /* "[word]" is a word with a flag */
        struct item only;
        CHECK(next_item(&rest, &only));
        only.optional |= item->optional;
        only.multiple |= item->multiple;
        write_item(writer, &only);
    } else {
        write_group_head(writer, item, "block");
        write_array(writer, items);
        write_items(writer, &rest);
    }
}

void syntax_write(struct writer *writer, const char *syntax)
{
    size_t alternatives;
    struct bytes rest = bytes_of(syntax);
    write_array(writer, count_items(rest, &alternatives));
    CHECK(alternatives == 1); /* a choice stands in brackets */
    write_items(writer, &rest);
}
