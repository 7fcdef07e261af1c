/* SPDX-License-Identifier: MIT
 *
 * A model's end of a connection: what has come, what is to be sent, and the protocol's words. */
#ifndef TESTS_SIM_TALKER_H
#define TESTS_SIM_TALKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "network.h"

enum { WORDS_MAX = 16, WORD_MAX = 128 };

struct talker {
    struct socket *socket; /* NULL: none */
    uint8_t *in;
    size_t in_length;
    size_t in_capacity;
    uint8_t *out;
    size_t out_length;
    size_t out_capacity;
    bool has_ended; /* nothing more will come */
};

struct words {
    unsigned count;
    char word[WORDS_MAX][WORD_MAX];
};

void talker_open(struct talker *talker, struct socket *socket);
void talker_close(struct talker *talker);
/* Takes what has come, `most` bytes at the most; sets has_ended. */
void talker_receive(struct talker *talker, size_t most);
void talker_drop(struct talker *talker, size_t length); /* the first bytes of what has come */
void talker_flush(struct talker *talker);
void talker_say_bytes(struct talker *talker, const void *bytes, size_t length);
__attribute__((format(printf, 2, 3))) void talker_say(struct talker *talker, const char *format,
                                                      ...);
/* As an array of bulk strings; ends with NULL. */
void talker_command(struct talker *talker, const char *first, ...);
/* Takes a whole command. False: there is none yet. */
bool talker_take_command(struct talker *talker, struct words *words);
/* Takes a line without its end. False: there is none yet. */
bool talker_take_line(struct talker *talker, char *line, size_t size);

#endif
