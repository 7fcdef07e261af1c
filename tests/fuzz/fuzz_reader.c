/* SPDX-License-Identifier: MIT
 *
 * The reader of commands: whatever the input, and however it was cut, it reads the same commands and
 * finds the same fault. Each call sees the input at another address and not a byte behind it.
 */
#include "fuzz.h"

#include "relay/base/text.h"
#include "relay/resp/reader.h"

enum { TOLD_MAX = 8 << 20 };

/* What was read, as text to compare: lengths and arguments. */
static void tell(struct text *told, const struct command *command)
{
    text_format(told, "%zu(%zu):", command->argument_count, command->length);
    for (size_t i = 0; i < command->argument_count; i++) {
        text_format(told, "%zu=", command->argument[i].length);
        text_append(told, command->argument[i]);
    }
}

/* Reads as many commands as are there; returns the bytes that they took. */
static size_t read_all(struct reader *reader, struct bytes input, struct text *told)
{
    static struct command command;
    size_t taken = 0;
    enum reader_result result;
    do {
        struct bytes rest = bytes_skip(input, taken);
        uint8_t *copy = exact_copy(rest);
        result = reader_next(reader, copy, rest.length, &command);
        if (result == READER_COMMAND) {
            CHECK(command.length > 0 && command.length <= rest.length);
            CHECK(command.length <= COMMAND_LENGTH_MAX);
            CHECK(!reader->is_unauthenticated || command.length <= UNAUTHENTICATED_LENGTH_MAX);
            tell(told, &command);
            taken += command.length;
        }
        free(copy);
    } while (result == READER_COMMAND);
    CHECK((result == READER_ERROR) == (reader->error != NULL));
    return taken;
}

static void read_in_pieces(struct bytes input, struct cuts cuts, bool is_unauthenticated,
                           struct text *told)
{
    struct reader reader;
    struct bytes left = input;
    size_t taken = 0;
    reader_init(&reader);
    reader_set_unauthenticated(&reader, is_unauthenticated);
    while (left.length > 0 && reader.error == NULL) {
        (void)cuts_next(&cuts, &left);
        struct bytes seen = bytes_first(input, input.length - left.length);
        taken += read_all(&reader, bytes_skip(seen, taken), told);
    }
    text_format(told, "%zu: %s", taken, reader.error != NULL ? reader.error : "more");
}

static void read_twice(const uint8_t *data, size_t size, bool is_unauthenticated)
{
    struct text whole;
    struct text pieces;
    text_init(&whole, TOLD_MAX);
    text_init(&pieces, TOLD_MAX);
    read_in_pieces(bytes_at(data, size), (struct cuts){.longest = (size_t)1 << 30},
                   is_unauthenticated, &whole);
    read_in_pieces(bytes_at(data, size), cuts_of(data, size), is_unauthenticated, &pieces);
    CHECK(!whole.failed && !pieces.failed);
    CHECK(bytes_equal(text_bytes(&whole), text_bytes(&pieces)));
    text_fini(&pieces);
    text_fini(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_twice(data, size, false);
    read_twice(data, size, true);
    return 0;
}
