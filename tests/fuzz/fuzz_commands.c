/* SPDX-License-Identifier: MIT
 *
 * The table of commands, line by line, between fake components: each line is answered by whole values of the
 * protocol that the client has chosen, or by nothing where it asked for that. A first byte of '!' has
 * the room want a password, which is never told; one of '@' has it know users of all roles, whose
 * passwords are their names, and who does not log in as an admin changes nothing.
 */
#include "../unit/commands/commands_test.h"
#include "fuzz.h"

#include "relay/resp/reader.h"

enum { LINE_LENGTH_MAX = 1000, LINES_MAX = 100, SECONDS_MAX = 60 };

/* Would the reader take it? The fake client expects that. */
static bool is_command(const char *line, size_t length)
{
    static struct command command;
    struct reader reader;
    uint8_t copy[LINE_LENGTH_MAX + 3];
    memcpy(copy, line, length);
    memcpy(copy + length, "\r\n", 2);
    reader_init(&reader);
    return copy[0] != '*' && reader_next(&reader, copy, length + 2, &command) == READER_COMMAND &&
           command.argument_count > 0;
}

/* One whole value after the other, of the protocol before the line or after it (HELLO). */
static bool is_values(struct bytes reply)
{
    while (reply.length > 0) {
        size_t length = value_length(reply, 2);
        if (length == 0 && client_session(caller)->protocol == 3)
            length = value_length(reply, 3);
        if (length == 0)
            return false;
        reply = bytes_skip(reply, length);
    }
    return true;
}

static bool is_gone(void)
{
    return fake_client_is_gone(caller) || fake_client_finished(caller) != CLOSE_REASON_COUNT;
}

/* Who knows the password may be shown what he said himself. */
static void say_line(const char *line, bool may_know)
{
    struct bytes reply = say(line);
    CHECK(is_values(reply));
    CHECK(may_know || reply.length == 0 ||
          memmem(reply.data, reply.length, "correct horse", 13) == NULL);
    CHECK(is_values(fake_client_heard(caller)));
    for (int i = 0; i < SECONDS_MAX && !is_gone() && client_is_blocked(caller); i++)
        fake_loop_pass(loop, 1000);
}

/* What is left of the input, without the byte that says who is known. */
static struct bytes open_for(struct bytes input)
{
    char first = input.length > 0 ? (char)input.data[0] : '\0';
    open_room(first == '!' ? "correct horse" : first == '@' ? NULL : "", "");
    if (first == '@') {
        add_user("r", ROLE_REPLICA, "r");
        add_user("m", ROLE_MONITOR, "m");
        add_user("a", ROLE_ADMIN, "a");
    }
    return first == '!' || first == '@' ? bytes_skip(input, 1) : input;
}

static bool is_untouched(void)
{
    return shutdowns == 0 && followed[0] == '\0' && settings_set[0] == '\0' &&
           fake_components.killed_count == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_at(data, size);
    bool may_know =
        size > 0 && (memmem(data, size, "horse", 5) != NULL || memchr(data, '\\', size) != NULL);
    fuzz_log_nowhere();
    bool may_change = size == 0 || data[0] != '@';
    input = open_for(input);
    fake_components.psync_takes = true;
    for (int i = 0; i < LINES_MAX && input.length > 0; i++) {
        char line[LINE_LENGTH_MAX + 1];
        size_t length = bytes_find(input, '\n');
        size_t used = length < LINE_LENGTH_MAX ? length : LINE_LENGTH_MAX;
        memcpy(line, input.data, used);
        line[used] = '\0';
        input = bytes_skip(input, length < input.length ? length + 1 : length);
        if (strlen(line) == used && is_command(line, used))
            say_line(line, may_know);
        may_change |= strcmp(client_session(caller)->user, "a") == 0;
        CHECK(may_change || is_untouched());
        if (is_gone() || client_is_blocked(caller))
            break;
    }
    close_room();
    return 0;
}
