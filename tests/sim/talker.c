/* SPDX-License-Identifier: MIT */
#include "talker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/check.h"
#include "sim.h"

void talker_open(struct talker *talker, struct socket *socket)
{
    talker->socket = socket;
    talker->in_length = 0;
    talker->out_length = 0;
    talker->has_ended = false;
}

void talker_close(struct talker *talker)
{
    if (talker->socket != NULL)
        socket_close(talker->socket);
    talker->socket = NULL;
    talker->in_length = 0;
    talker->out_length = 0;
}

static void make_room(uint8_t **buffer, size_t *capacity, size_t wanted)
{
    if (wanted <= *capacity)
        return;
    *capacity = wanted * 2;
    *buffer = realloc(*buffer, *capacity);
    CHECK(*buffer != NULL);
}

void talker_receive(struct talker *talker, size_t most)
{
    uint8_t piece[8192];
    while (most > 0) {
        ssize_t got =
            socket_receive(talker->socket, piece, most < sizeof piece ? most : sizeof piece);
        if (got <= 0) {
            talker->has_ended = talker->has_ended || socket_is_readable(talker->socket) ||
                                talker->socket->state == SOCKET_DEAD;
            return;
        }
        make_room(&talker->in, &talker->in_capacity, talker->in_length + (size_t)got);
        memcpy(talker->in + talker->in_length, piece, (size_t)got);
        talker->in_length += (size_t)got;
        most -= (size_t)got;
    }
}

void talker_drop(struct talker *talker, size_t length)
{
    talker->in_length -= length;
    memmove(talker->in, talker->in + length, talker->in_length);
}

void talker_flush(struct talker *talker)
{
    if (talker->socket == NULL)
        return;
    size_t done = 0;
    while (done < talker->out_length) {
        ssize_t sent = socket_send(talker->socket, talker->out + done, talker->out_length - done);
        if (sent <= 0)
            break;
        done += (size_t)sent;
    }
    talker->out_length -= done;
    memmove(talker->out, talker->out + done, talker->out_length);
}

void talker_say_bytes(struct talker *talker, const void *bytes, size_t length)
{
    make_room(&talker->out, &talker->out_capacity, talker->out_length + length);
    memcpy(talker->out + talker->out_length, bytes, length);
    talker->out_length += length;
}

void talker_say(struct talker *talker, const char *format, ...)
{
    char text[2048];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    CHECK(length >= 0 && (size_t)length < sizeof text);
    talker_say_bytes(talker, text, (size_t)length);
    talker_flush(talker);
}

void talker_command(struct talker *talker, const char *first, ...)
{
    char text[2048];
    int used = 0;
    unsigned count = 0;
    va_list list;
    va_start(list, first);
    for (const char *word = first; word != NULL; word = va_arg(list, const char *)) {
        used +=
            snprintf(text + used, sizeof text - (size_t)used, "$%zu\r\n%s\r\n", strlen(word), word);
        count++;
    }
    va_end(list);
    talker_say(talker, "*%u\r\n%s", count, text);
}

/* The line that begins at `from`; *next is behind it. False: it is not whole. */
static bool find_line(const struct talker *talker, size_t from, size_t *length, size_t *next)
{
    if (from >= talker->in_length)
        return false;
    const uint8_t *end = memchr(talker->in + from, '\n', talker->in_length - from);
    if (end == NULL)
        return false;
    *next = (size_t)(end - talker->in) + 1;
    *length = *next - from - 1;
    if (*length > 0 && talker->in[from + *length - 1] == '\r')
        (*length)--;
    return true;
}

static bool read_number(const struct talker *talker, size_t *at, char mark, size_t *number)
{
    size_t length;
    size_t next;
    if (!find_line(talker, *at, &length, &next) || talker->in[*at] != (uint8_t)mark)
        return false;
    *number = 0;
    for (size_t i = 1; i < length; i++)
        *number = *number * 10 + (size_t)(talker->in[*at + i] - '0');
    *at = next;
    return true;
}

bool talker_take_command(struct talker *talker, struct words *words)
{
    while (talker->in_length > 0 && (talker->in[0] == '\n' || talker->in[0] == '\r'))
        talker_drop(talker, 1);
    size_t at = 0;
    size_t count;
    if (!read_number(talker, &at, '*', &count))
        return false;
    words->count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length;
        if (!read_number(talker, &at, '$', &length) || talker->in_length - at < length + 2)
            return false;
        if (words->count < WORDS_MAX) {
            char *word = words->word[words->count++];
            size_t kept = length < WORD_MAX - 1 ? length : WORD_MAX - 1;
            memcpy(word, talker->in + at, kept);
            word[kept] = '\0';
        }
        at += length + 2;
    }
    talker_drop(talker, at);
    return true;
}

bool talker_take_line(struct talker *talker, char *line, size_t size)
{
    size_t length;
    size_t next;
    if (!find_line(talker, 0, &length, &next))
        return false;
    size_t kept = length < size - 1 ? length : size - 1;
    memcpy(line, talker->in, kept);
    line[kept] = '\0';
    talker_drop(talker, next);
    return true;
}
