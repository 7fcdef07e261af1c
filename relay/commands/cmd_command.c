/* SPDX-License-Identifier: MIT
 *
 * COMMAND and HELP: the table of commands, told to clients. The forms are those of redis-server 7:
 * COMMAND INFO gives ten fields a command, COMMAND DOCS a map.
 */
#include <stdio.h>
#include <string.h>

#include "handlers.h"
#include "pattern.h"
#include "request.h"
#include "syntax.h"

static const struct {
    enum command_flag flag;
    const char *name;
} flag_names[] = {
    {COMMAND_READONLY, "readonly"},     {COMMAND_ADMIN, "admin"},
    {COMMAND_PUBSUB, "pubsub"},         {COMMAND_NOSCRIPT, "noscript"},
    {COMMAND_BLOCKING, "blocking"},     {COMMAND_LOADING, "loading"},
    {COMMAND_STALE, "stale"},           {COMMAND_FAST, "fast"},
    {COMMAND_NO_AUTH, "no_auth"},       {COMMAND_NO_MULTI, "no_multi"},
    {COMMAND_ALLOW_BUSY, "allow_busy"},
};

static bool is_read(const struct command_row *row)
{
    return (row->flags & COMMAND_READONLY) != 0;
}

static bool is_admin(const struct command_row *row)
{
    return (row->flags & COMMAND_ADMIN) != 0;
}

static bool is_fast(const struct command_row *row)
{
    return (row->flags & COMMAND_FAST) != 0;
}

static bool is_slow(const struct command_row *row)
{
    return !is_fast(row);
}

static bool is_blocking(const struct command_row *row)
{
    return (row->flags & COMMAND_BLOCKING) != 0;
}

static bool is_dangerous(const struct command_row *row)
{
    return (row->flags & (COMMAND_ADMIN | COMMAND_DANGEROUS)) != 0;
}

static bool is_pubsub(const struct command_row *row)
{
    return (row->flags & COMMAND_PUBSUB) != 0;
}

static bool is_transaction(const struct command_row *row)
{
    return strcmp(row->group, "transactions") == 0;
}

static bool is_connection(const struct command_row *row)
{
    return strcmp(row->group, "connection") == 0;
}

/* The ACL categories that redis-server has, and who is in them. */
static const struct {
    const char *name;
    bool (*has)(const struct command_row *row);
} categories[] = {
    {"read", is_read},
    {"pubsub", is_pubsub},
    {"admin", is_admin},
    {"fast", is_fast},
    {"slow", is_slow},
    {"blocking", is_blocking},
    {"dangerous", is_dangerous},
    {"connection", is_connection},
    {"transaction", is_transaction},
};

static void write_flag_names(struct writer *writer, const struct command_row *row)
{
    size_t count = 0;
    for (size_t i = 0; i < LENGTH_OF(flag_names); i++)
        count += (row->flags & flag_names[i].flag) != 0;
    write_set(writer, count);
    for (size_t i = 0; i < LENGTH_OF(flag_names); i++) {
        if ((row->flags & flag_names[i].flag) != 0)
            write_simple(writer, flag_names[i].name);
    }
}

static void write_categories(struct writer *writer, const struct command_row *row)
{
    size_t count = 0;
    for (size_t i = 0; i < LENGTH_OF(categories); i++)
        count += categories[i].has(row);
    write_set(writer, count);
    for (size_t i = 0; i < LENGTH_OF(categories); i++) {
        char name[32];
        snprintf(name, sizeof(name), "@%s", categories[i].name);
        if (categories[i].has(row))
            write_simple(writer, name);
    }
}

static void write_info(struct writer *writer, const struct command_row *row)
{
    write_array(writer, 10);
    write_bulk_string(writer, row->name);
    write_integer(writer, row->arity);
    write_flag_names(writer, row);
    write_integer(writer, 0); /* first key, last key, step: no command of a relay takes a key */
    write_integer(writer, 0);
    write_integer(writer, 0);
    write_categories(writer, row);
    write_set(writer, 0); /* tips */
    write_set(writer, 0); /* key specifications */
    if (row->children == NULL) {
        write_set(writer, 0);
        return;
    }
    write_array(writer, row->children->count);
    for (size_t i = 0; i < row->children->count; i++)
        write_info(writer, &row->children->rows[i]);
}

static void write_pair(struct writer *writer, const char *name, const char *value)
{
    write_bulk_string(writer, name);
    write_bulk_string(writer, value);
}

/* The name and the map of one command. */
static void write_docs(struct writer *writer, const struct command_row *row)
{
    bool has_arguments = row->syntax[0] != '\0';
    write_bulk_string(writer, row->name);
    write_map(writer, 4u + has_arguments + (row->children != NULL));
    write_pair(writer, "summary", row->summary);
    write_pair(writer, "since", row->since);
    write_pair(writer, "group", row->group);
    write_pair(writer, "complexity", row->complexity);
    if (has_arguments) {
        write_bulk_string(writer, "arguments");
        syntax_write(writer, row->syntax);
    }
    if (row->children != NULL) {
        write_bulk_string(writer, "subcommands");
        write_map(writer, row->children->count);
        for (size_t i = 0; i < row->children->count; i++)
            write_docs(writer, &row->children->rows[i]);
    }
}

void on_command_all(struct request *request)
{
    const struct command_table *all = request->commands->table;
    write_array(request->writer, all->count);
    for (size_t i = 0; i < all->count; i++)
        write_info(request->writer, &all->rows[i]);
}

void on_command_info(struct request *request)
{
    if (argument_count(request) == 2) {
        on_command_all(request);
        return;
    }
    write_array(request->writer, argument_count(request) - 2);
    for (size_t i = 2; i < argument_count(request); i++) {
        const struct command_row *row =
            command_find_path(request->commands->table, argument(request, i));
        if (row != NULL)
            write_info(request->writer, row);
        else
            write_null(request->writer);
    }
}

void on_command_docs(struct request *request)
{
    const struct command_table *all = request->commands->table;
    size_t known = 0;
    if (argument_count(request) == 2) {
        write_map(request->writer, all->count);
        for (size_t i = 0; i < all->count; i++)
            write_docs(request->writer, &all->rows[i]);
        return;
    }
    for (size_t i = 2; i < argument_count(request); i++)
        known += command_find_path(request->commands->table, argument(request, i)) != NULL;
    write_map(request->writer, known);
    for (size_t i = 2; i < argument_count(request); i++) {
        const struct command_row *row =
            command_find_path(request->commands->table, argument(request, i));
        if (row != NULL)
            write_docs(request->writer, row);
    }
}

void on_command_count(struct request *request)
{
    write_integer(request->writer, (int64_t)request->commands->table->count);
}

void on_command_getkeys(struct request *request)
{
    if (command_find(request->commands->table, argument(request, 2)) != NULL)
        write_error(request->writer, "ERR The command has no key arguments");
    else
        write_error(request->writer, "ERR Invalid command specified");
}

/* COMMAND LIST's filter and the names that pass it, written aside: their number comes first. */
struct name_list {
    struct bytes pattern;  /* data NULL: any name */
    struct bytes category; /* data NULL: any */
    bool is_empty;         /* of a module, and there are none */
    struct writer aside;
    size_t count;
};

static void list_row(const struct command_row *row, void *arg)
{
    struct name_list *list = arg;
    bool passes = !list->is_empty;
    if (list->pattern.data != NULL && !pattern_matches(list->pattern, bytes_of(row->name)))
        passes = false;
    if (list->category.data != NULL) {
        bool has_category = false;
        for (size_t i = 0; i < LENGTH_OF(categories); i++)
            has_category |= bytes_is(list->category, categories[i].name) && categories[i].has(row);
        passes &= has_category;
    }
    if (passes) {
        write_bulk_string(&list->aside, row->name);
        list->count++;
    }
}

static bool parse_list_filter(struct request *request, struct name_list *list)
{
    if (argument_count(request) == 2)
        return true;
    if (argument_count(request) != 5 || !argument_is(request, 2, "filterby"))
        return false;
    list->is_empty = argument_is(request, 3, "module");
    if (argument_is(request, 3, "aclcat"))
        list->category = argument(request, 4);
    else if (argument_is(request, 3, "pattern"))
        list->pattern = argument(request, 4);
    else
        return list->is_empty;
    return true;
}

void on_command_list(struct request *request)
{
    struct text names;
    struct name_list list = {.aside = {.out = &names, .protocol = request->writer->protocol}};
    if (!parse_list_filter(request, &list)) {
        reply_syntax_error(request);
        return;
    }
    text_init(&names, 64 * 1024);
    command_each(request->commands->table, list_row, &list);
    write_array(request->writer, list.count);
    text_append(request->writer->out, text_bytes(&names));
    text_fini(&names);
}

/* A word of the table in capitals, as help pages show them. */
static void append_capitals(struct text *line, const char *word)
{
    for (; *word != '\0'; word++)
        text_format(line, "%c", *word >= 'a' && *word <= 'z' ? *word - 'a' + 'A' : *word);
}

/* CLIENT HELP and its like: two lines a sub-command, from the table. */
void on_help(struct request *request)
{
    const struct command_row *parent = request->parent;
    CHECK(parent != NULL && parent->children != NULL);
    struct text line;
    text_init(&line, 1024);
    append_capitals(&line, parent->name);
    text_append_string(&line, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    write_array(request->writer, 1 + 2 * parent->children->count);
    write_simple(request->writer, text_string(&line));
    for (size_t i = 0; i < parent->children->count; i++) {
        const struct command_row *row = &parent->children->rows[i];
        text_clear(&line);
        append_capitals(&line, command_word(row));
        if (row->syntax[0] != '\0')
            text_format(&line, " %s", row->syntax);
        write_simple(request->writer, text_string(&line));
        text_clear(&line);
        text_format(&line, "    %s", row->summary);
        write_simple(request->writer, text_string(&line));
    }
    text_fini(&line);
}
