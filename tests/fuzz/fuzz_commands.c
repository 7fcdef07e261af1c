/* SPDX-License-Identifier: MIT
 *
 * The table of commands, line by line, between fake rooms: each line is answered by one whole value of
 * the protocol that the client has chosen, or by nothing where it asked for that. A first byte of '!'
 * has the room want a password.
 */
#include "../unit/admin/admin_test.h"
#include "fuzz.h"

#include "relay/resp/reader.h"

enum { LINE_LENGTH_MAX = 1000, LINES_MAX = 100 };

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

static void say_line(const char *line)
{
    struct bytes reply = say(line);
    const struct client_session *session = client_session(caller);
    bool is_muted = session->reply_off || session->reply_skip_next;
    if (reply.length == 0)
        return;
    CHECK(!is_muted || !fake_client_is_gone(caller));
    CHECK(is_one_value(reply, 2) || is_one_value(reply, 3));
    CHECK(session->protocol == 3 || is_one_value(reply, 2));
    CHECK(memmem(reply.data, reply.length, "correct horse", 13) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_at(data, size);
    fuzz_log_nowhere();
    open_room(size > 0 && data[0] == '!' ? "correct horse" : "", "");
    fake_rooms.psync_takes = true;
    if (size > 0 && data[0] == '!')
        input = bytes_skip(input, 1);
    for (int i = 0; i < LINES_MAX && input.length > 0; i++) {
        char line[LINE_LENGTH_MAX + 1];
        size_t length = bytes_find(input, '\n');
        size_t used = length < LINE_LENGTH_MAX ? length : LINE_LENGTH_MAX;
        memcpy(line, input.data, used);
        line[used] = '\0';
        input = bytes_skip(input, length < input.length ? length + 1 : length);
        if (strlen(line) == used && is_command(line, used))
            say_line(line);
        if (fake_client_is_gone(caller) || fake_client_finished(caller) != CLOSE_REASON_COUNT)
            break;
    }
    close_room();
    return 0;
}
