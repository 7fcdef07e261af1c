/* SPDX-License-Identifier: MIT */
#include "ini_file.h"

#include <errno.h>
#include <ini.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/error.h"

/* An ini that is being read. inih takes the file line by line from read_line, and hands what it found
 * in the line to on_setting, so `line_number` is right in both. */
struct reading {
    struct errors *errors;
    ini_fn *fn;
    void *arg;
    FILE *stream;
    char *line;
    size_t line_capacity;
    unsigned line_number;
    struct error error; /* of the read that failed; ERROR_NONE: none has */
    bool in_question;   /* the line read last should have given a setting, and has not yet */
};

static const char *where_is(const struct reading *reading, char out[CONFIG_LINE_MAX])
{
    return errors_place(reading->errors, reading->line_number, out);
}

static int ini_file_on_setting(void *arg, const char *section, const char *key, const char *value)
{
    struct reading *reading = arg;
    reading->in_question = false;
    reading->fn(section, key, value, reading->line_number, reading->arg);
    return 1;
}

/* inih tells only the first line that it did not understand. A line that must give a setting and gave
 * none by the time the next one is asked for is one of those. */
static void judge_last_line(struct reading *reading)
{
    char place[CONFIG_LINE_MAX];
    if (reading->in_question)
        complain(reading->errors, where_is(reading, place),
                 "expected [section], key = value or a comment");
    reading->in_question = false;
}

/* May this line stand there without a setting? Empty lines, comments, and section lines; inih would
 * skip over what stands behind a "]". */
static bool is_settingless(const char *string)
{
    if (bytes_starts(bytes_of(string), "\xEF\xBB\xBF"))
        string += 3;
    string += strspn(string, " \t\r\n");
    if (*string == '[') {
        const char *end = strchr(string, ']');
        return end != NULL && end[1 + strspn(end + 1, " \t\r\n")] == '\0';
    }
    return *string == '\0' || *string == '#' || *string == ';';
}

/* Gives inih one line; an empty one in place of one that it would cut without a word. */
static char *read_line(char *into, int capacity, void *arg)
{
    struct reading *reading = arg;
    char place[CONFIG_LINE_MAX];
    CHECK(capacity > 1);
    judge_last_line(reading);
    ssize_t length = getline(&reading->line, &reading->line_capacity, reading->stream);
    if (length == -1) {
        if (ferror(reading->stream) != 0)
            (void)error_set_system(&reading->error, errno, "cannot read the configuration file");
        explicit_bzero(into, (size_t)capacity); /* its last line; inih frees it */
        return NULL;
    }
    reading->line_number++;

    const char *string = reading->line;
    into[0] = '\0';
    if (strlen(string) != (size_t)length) {
        complain(reading->errors, where_is(reading, place), "the line contains a zero byte");
    } else if (length >= capacity) {
        complain(reading->errors, where_is(reading, place),
                 "the line has %zd bytes; the maximum is %d", length, capacity - 1);
    } else {
        memcpy(into, string, (size_t)length + 1);
        reading->in_question = !is_settingless(string);
    }
    return into;
}

/* e: close on exec. A directory can be opened, but not read. The stream only reads what it is given. */
static FILE *open_ini(const char *file, const struct bytes *content)
{
    return content != NULL ? fmemopen((void *)(uintptr_t)content->data, content->length, "r")
                           : fopen(file, "re");
}

void ini_file_read(struct errors *errors, const struct bytes *content, ini_fn *fn, void *arg)
{
    const char *file = errors->file;
    struct reading reading = {.errors = errors, .fn = fn, .arg = arg};
    reading.stream = open_ini(file, content);
    if (reading.stream == NULL) {
        complain(errors, file, "cannot open the configuration file: %s", strerror(errno));
        return;
    }
    /* A value is everything behind the "=", as it stands: a password may hold " ;", and a line that
     * begins with a blank is not the rest of the one before. */
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_use_stack = false;
    ini_initial_alloc = CONFIG_LINE_MAX;
    ini_max_line = CONFIG_LINE_MAX;
    /* There are passwords in it: one buffer, of which nothing is left. */
    reading.line_capacity = 2 * (size_t)CONFIG_LINE_MAX;
    reading.line = malloc(reading.line_capacity);
    CHECK(reading.line != NULL);
    int result = ini_parse_stream(read_line, &reading, ini_file_on_setting, &reading);
    if (reading.error.kind != ERROR_NONE)
        complain(errors, file, "%s", reading.error.text);
    CHECK(result != -2); /* memory */
    explicit_bzero(reading.line, reading.line_capacity);
    free(reading.line);
    fclose(reading.stream);
}
