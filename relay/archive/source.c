/* SPDX-License-Identifier: MIT */
#include "relay/archive/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/archive/command_words.h"
#include "relay/archive/object_name.h"
#include "relay/base/text.h"
#include "relay/os/child.h"

enum { LIST_LENGTH_MAX = 256 * 1024 * 1024, PATH_LENGTH_MAX = 4096, OUTPUT_MAX = 64 * 1024 };

/* ------------------------------------------------------------------ commands */

static bool run_for(const char *command, const char *path, const char *name, struct text *output,
                    struct error *error)
{
    struct command_words words;
    struct child_outcome outcome;
    struct error inner;
    if (!command_words_make(command, path, name, &words, &inner))
        return error_set(error, ERROR_INVALID, "%.200s: %.200s", command, inner.text);
    const struct child_request request = {
        .argv = words.argv, .stop = -1, .is_of_terminal = true, .output = output};
    child_run(&request, &outcome);
    command_words_free(&words);
    return child_is_good(&outcome, &inner) ||
           error_set(error, ERROR_SYSTEM, "%s%s%.200s: %.200s", name, name[0] != '\0' ? ": " : "",
                     command, inner.text);
}

bool archive_source_run(const char *command, const char *path, const char *name,
                        struct error *error)
{
    struct text output;
    text_init(&output, OUTPUT_MAX);
    bool good = run_for(command, path, name, &output, error);
    fputs(text_string(&output), stdout);
    text_fini(&output);
    return good;
}

/* ------------------------------------------------------------------ names */

static bool is_object(const char *name)
{
    struct object_name parsed;
    bool is_manifest;
    return object_name_parse(bytes_of(name), &parsed, &is_manifest);
}

static bool each_entry(const char *directory, archive_source_fn *fn, void *arg, struct error *error)
{
    DIR *stream = opendir(directory);
    if (stream == NULL)
        return error_set_system(error, errno, "archive %.300s: cannot open", directory);
    const struct dirent *entry;
    bool good = true;
    while (good && (entry = readdir(stream)) != NULL) {
        if (is_object(entry->d_name))
            good = fn(entry->d_name, arg);
    }
    closedir(stream);
    return good || error_set(error, ERROR_EXHAUSTED, "out of memory");
}

static bool stop_at_first(const char *name, void *arg)
{
    bool *is_found = arg;
    (void)name;
    *is_found = true;
    return false;
}

bool archive_source_is_archive(const char *directory)
{
    struct error error;
    bool is_found = false;
    (void)!each_entry(directory, stop_at_first, &is_found, &error);
    return is_found;
}

static bool each_line(struct bytes rest, archive_source_fn *fn, void *arg, struct error *error)
{
    while (rest.length > 0) {
        size_t length = bytes_find(rest, '\n');
        struct bytes line = bytes_trim(bytes_first(rest, length));
        char name[OBJECT_NAME_MAX];
        rest = bytes_skip(rest, length == rest.length ? length : length + 1);
        if (line.length == 0 || line.length >= sizeof(name))
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)line.length, (const char *)line.data);
        if (is_object(name) && !fn(name, arg))
            return error_set(error, ERROR_EXHAUSTED, "out of memory");
    }
    return true;
}

bool archive_source_list(const struct archive_source *source, archive_source_fn *fn, void *arg,
                         struct error *error)
{
    struct text output;
    if (source->directory != NULL)
        return each_entry(source->directory, fn, arg, error);
    if (source->list_command == NULL)
        return error_set(error, ERROR_INVALID,
                         "with a restore command, a list command that prints the names of the "
                         "files is needed: --list-command");
    text_init(&output, LIST_LENGTH_MAX);
    bool good = run_for(source->list_command, "", "", &output, error) &&
                each_line(text_bytes(&output), fn, arg, error);
    text_fini(&output);
    return good;
}

/* ------------------------------------------------------------------ files */

static int open_in_directory(const char *directory, const char *name, struct error *error)
{
    char path[PATH_LENGTH_MAX + OBJECT_NAME_MAX];
    snprintf(path, sizeof(path), "%.4000s/%s", directory, name);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file == -1)
        (void)error_set_system(error, errno, "%s: cannot open", name);
    return file;
}

static const char *scratch_of(const struct archive_source *source)
{
    const char *temporary = getenv("TMPDIR");
    return source->scratch != NULL      ? source->scratch
           : string_is_given(temporary) ? temporary
                                        : "/var/tmp";
}

/* Into a file of our own, which the command replaces or writes to; its name goes at once. */
static int fetch(const struct archive_source *source, const char *name, struct error *error)
{
    char path[PATH_LENGTH_MAX];
    struct text output;
    snprintf(path, sizeof(path), "%.4000s/psync-relay-fetch-XXXXXX", scratch_of(source));
    int made = mkostemp(path, O_CLOEXEC);
    if (made == -1) {
        (void)error_set_system(error, errno, "%.300s: cannot make a file there", path);
        return -1;
    }
    close(made);
    text_init(&output, OUTPUT_MAX);
    int file = -1;
    if (run_for(source->restore_command, path, name, &output, error)) {
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (file == -1)
            (void)error_set_system(error, errno, "%s: the restore command has left no file", name);
    }
    (void)unlink(path);
    text_fini(&output);
    return file;
}

int archive_source_open(const struct archive_source *source, const char *name, struct error *error)
{
    return source->directory != NULL ? open_in_directory(source->directory, name, error)
                                     : fetch(source, name, error);
}
