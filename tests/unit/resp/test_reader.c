/* SPDX-License-Identifier: MIT */
#include "relay/resp/reader.h"

#include "test.h"

enum { ARGUMENTS_SHOWN = 6, INPUT_MAX = 2 * COMMAND_LENGTH_MAX };

/* What came of reading one command, in a form that can be compared. */
struct outcome {
    enum reader_result result;
    size_t length;
    size_t argument_count;
    char error[64]; /* a copy: the reader's own goes with the reader */
};

static struct command command;
static uint8_t buffers[2][INPUT_MAX];
static bool is_unauthenticated;

/* Gives the reader the first `length` bytes of `input`, each time at another address, with other
 * bytes behind them. */
static enum reader_result give(struct reader *reader, struct bytes input, size_t length)
{
    static unsigned turn;
    uint8_t *buffer = buffers[++turn % 2];
    memset(buffers[(turn + 1) % 2], '#', input.length + 1);
    if (length > 0)
        memcpy(buffer, input.data, length);
    buffer[length] = '#';
    enum reader_result result = reader_next(reader, buffer, length, &command);
    if (result == READER_MORE)
        assert_in_range(reader->position, 0, length);
    if (result == READER_COMMAND) {
        assert_in_range(command.length, 1, length);
        for (size_t i = 0; i < command.argument_count; i++) {
            assert_true(command.argument[i].data >= buffer);
            assert_true(command.argument[i].data + command.argument[i].length <=
                        buffer + command.length);
        }
    }
    return result;
}

static struct outcome outcome_of(const struct reader *reader, enum reader_result result)
{
    struct outcome o = {.result = result};
    if (result == READER_COMMAND) {
        o.length = command.length;
        o.argument_count = command.argument_count;
    }
    if (result == READER_ERROR) {
        assert_non_null(reader->error);
        snprintf(o.error, sizeof(o.error), "%s", reader->error);
    } else {
        assert_null(reader->error);
    }
    return o;
}

/* The input given at once, in two, or byte by byte: in steps. The arguments are left in `command`. */
static struct outcome read_in_steps(struct bytes input, size_t first, size_t step)
{
    struct reader reader;
    enum reader_result result = READER_MORE;
    reader_init(&reader);
    reader_set_unauthenticated(&reader, is_unauthenticated);
    for (size_t length = first;; length += step) {
        if (length > input.length)
            length = input.length;
        result = give(&reader, input, length);
        if (result != READER_MORE || length == input.length)
            break;
    }
    if (result == READER_ERROR)
        assert_int_equal(give(&reader, input, input.length), READER_ERROR);
    return outcome_of(&reader, result);
}

static void assert_outcome(struct outcome actual, struct outcome expected, struct bytes input)
{
    if (actual.result != expected.result || actual.length != expected.length ||
        actual.argument_count != expected.argument_count ||
        strcmp(actual.error, expected.error) != 0) {
        char shown[200];
        fail_msg("\"%s\": got result %d length %zu arguments %zu \"%s\", expected %d %zu %zu "
                 "\"%s\"",
                 bytes_printable(input, shown, sizeof(shown)), (int)actual.result, actual.length,
                 actual.argument_count, actual.error, (int)expected.result, expected.length,
                 expected.argument_count, expected.error);
    }
}

static struct outcome is_command(size_t length, size_t argument_count)
{
    return (struct outcome){
        .result = READER_COMMAND, .length = length, .argument_count = argument_count};
}

static struct outcome is_error(const char *error)
{
    struct outcome o = {.result = READER_ERROR};
    snprintf(o.error, sizeof(o.error), "%s", error);
    return o;
}

static const struct {
    const char *input;
    const char *argument[ARGUMENTS_SHOWN]; /* up to the first NULL */
} commands[] = {
    {"*1\r\n$4\r\nPING\r\n", {"PING"}},
    {"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n", {"PSYNC", "?", "-1"}},
    {"*3\r\n$8\r\nREPLCONF\r\n$15\r\nrdb-filter-only\r\n$0\r\n\r\n",
     {"REPLCONF", "rdb-filter-only", ""}},
    {"*2\r\n$4\r\nECHO\r\n$6\r\n\r\n*1\r\n\r\n", {"ECHO", "\r\n*1\r\n"}},
    {"*0\r\n", {NULL}},
    {"*-1\r\n", {NULL}},
    {"*-9223372036854775808\r\n", {NULL}},
    {"\n", {NULL}},
    {"\r\n", {NULL}},
    {"   \t \r\n", {NULL}},
    {"PING\r\n", {"PING"}},
    {"PING\n", {"PING"}},
    {"SYNC\r\n", {"SYNC"}},
    {"REPLCONF listening-port 6380\r\n", {"REPLCONF", "listening-port", "6380"}},
    {"  PSYNC\t?  -1  \r\n", {"PSYNC", "?", "-1"}},
    {"$4\r\n", {"$4"}},
    {" *1\r\n", {"*1"}},
    {"AUTH \"pass word\"\r\n", {"AUTH", "pass word"}},
    {"AUTH 'pass word'\r\n", {"AUTH", "pass word"}},
    {"AUTH \"\" ''\r\n", {"AUTH", "", ""}},
    {"a \"\\n\\r\\t\\b\\a\\\\\\\"\\q\"\r\n", {"a", "\n\r\t\b\a\\\"q"}},
    {"a \"\\x41\\xfF\\x4\\xg0\\x\"\r\n", {"a", "A\xffx4xg0x"}},
    {"a '\\'' '\\n\\\\a' '\"'\r\n", {"a", "'", "\\n\\\\a", "\""}},
    {"a \"'\"\r\n", {"a", "'"}},
    {"a\"b c\"\r\n", {"ab c"}},
    {"a'b c' d\r\n", {"ab c", "d"}},
    {"\"a\"\tb\r\n", {"a", "b"}},
    {"a\\nb \\x41\r\n", {"a\\nb", "\\x41"}},
    {"a\vb\f\r\n", {"a\vb\f"}},
    {"\va\r\n", {"a"}},
    {"a\rb\r\n", {"a", "b"}},
    {"\xc3\xa9 \x01\r\n", {"\xc3\xa9", "\x01"}},
};

static size_t count_of(const char *const argument[ARGUMENTS_SHOWN])
{
    size_t count = 0;
    while (count < ARGUMENTS_SHOWN && argument[count] != NULL)
        count++;
    return count;
}

/* Split in two at every byte, and byte by byte; alone, and with the next command behind. */
TEST(commands_split_at_every_byte)
{
    for (size_t i = 0; i < LENGTH_OF(commands); i++) {
        for (int followed = 0; followed < 2; followed++) {
            char text[200];
            size_t length = strlen(commands[i].input);
            snprintf(text, sizeof(text), "%s%s", commands[i].input, followed ? "*1\r\n$4\r" : "");
            struct bytes input = bytes_of(text);
            struct outcome expected = is_command(length, count_of(commands[i].argument));
            for (size_t first = 0; first <= input.length; first++) {
                bool bytewise = first == 0;
                struct outcome o = read_in_steps(input, first, bytewise ? 1 : input.length);
                assert_outcome(o, expected, input);
                for (size_t k = 0; k < expected.argument_count; k++)
                    assert_view(command.argument[k], commands[i].argument[k]);
            }
            if (followed)
                continue;
            for (size_t shorter = 0; shorter < length; shorter++)
                assert_int_equal(read_in_steps(bytes_first(input, shorter), 0, 1).result,
                                 READER_MORE);
        }
    }
}

TEST(a_line_is_read_up_to_a_zero_byte)
{
    struct bytes input = LITERAL("PING a\0b c\r\n");
    assert_outcome(read_in_steps(input, 0, 1), is_command(input.length, 2), input);
    assert_view(command.argument[1], "a");
}

static const struct {
    const char *input;
    const char *error;
} errors[] = {
    {"*\r\n", "Protocol error: invalid multibulk length"},
    {"*x\r\n", "Protocol error: invalid multibulk length"},
    {"*1x\r\n", "Protocol error: invalid multibulk length"},
    {"*+1\r\n", "Protocol error: invalid multibulk length"},
    {"* 1\r\n", "Protocol error: invalid multibulk length"},
    {"*01\r\n", "Protocol error: invalid multibulk length"},
    {"*-0\r\n", "Protocol error: invalid multibulk length"},
    {"*1\n", "Protocol error: invalid multibulk length"},
    {"*1\rx\n", "Protocol error: invalid multibulk length"},
    {"*1025\r\n", "Protocol error: invalid multibulk length"},
    {"*2147483648\r\n", "Protocol error: invalid multibulk length"},
    {"*99999999999999999999\r\n", "Protocol error: invalid multibulk length"},
    {"*1\r\nx", "Protocol error: expected '$', got 'x'"},
    {"*1\r\n*1\r\n", "Protocol error: expected '$', got '*'"},
    {"*1\r\n\r\n", "Protocol error: expected '$', got ' '"},
    {"*2\r\n$1\r\na\r\n:1\r\n", "Protocol error: expected '$', got ':'"},
    {"*1\r\n$\r\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$x\r\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$1\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$01\r\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$65536\r\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$9223372036854775807\r\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$9223372036854775808\r\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$4\r\nPINGx\n", "Protocol error: invalid bulk length"},
    {"*1\r\n$4\r\nPING\rx", "Protocol error: invalid bulk length"},
    {"a \"b\r\n", "Protocol error: unbalanced quotes in request"},
    {"a 'b\r\n", "Protocol error: unbalanced quotes in request"},
    {"a \"b\"c\r\n", "Protocol error: unbalanced quotes in request"},
    {"a 'b'c\r\n", "Protocol error: unbalanced quotes in request"},
    {"a \"b\\\"\r\n", "Protocol error: unbalanced quotes in request"},
    {"a \"b\\\r\n", "Protocol error: unbalanced quotes in request"},
    {"a 'b\\\\' c\r\n", "Protocol error: unbalanced quotes in request"},
    {"a 'b\\'\r\n", "Protocol error: unbalanced quotes in request"},
    {"\"\r\n", "Protocol error: unbalanced quotes in request"},
    {"\"a\"\"b\"\r\n", "Protocol error: unbalanced quotes in request"},
};

TEST(errors_split_at_every_byte)
{
    for (size_t i = 0; i < LENGTH_OF(errors); i++) {
        struct bytes input = bytes_of(errors[i].input);
        for (size_t first = 0; first <= input.length; first++) {
            struct outcome o = read_in_steps(input, first, first == 0 ? 1 : input.length);
            assert_outcome(o, is_error(errors[i].error), input);
        }
    }
}

/* Every input over the bytes that matter: at once or byte by byte makes no difference. */
static void every_short_input(const char *alphabet, size_t longest)
{
    size_t letters = strlen(alphabet);
    size_t total = 1;
    char input[16];
    for (size_t length = 1; length <= longest; length++) {
        total *= letters;
        for (size_t number = 0; number < total; number++) {
            size_t rest = number;
            for (size_t i = 0; i < length; i++, rest /= letters)
                input[i] = alphabet[rest % letters];
            struct bytes view = bytes_at(input, length);
            assert_outcome(read_in_steps(view, 0, 1), read_in_steps(view, length, 1), view);
        }
    }
}

TEST(every_short_input_at_once_and_bytewise)
{
    every_short_input("*$01\r\n", 7);
    every_short_input("\"'\\x4 a\n", 6);
}

/* ---- limits ---- */

static uint8_t big[INPUT_MAX];

static struct outcome read_big(size_t length, size_t step)
{
    return read_in_steps(bytes_at(big, length), step, step);
}

static void assert_big(size_t length, struct outcome expected)
{
    assert_outcome(read_big(length, length), expected, bytes_at(big, length));
    assert_outcome(read_big(length, 997), expected, bytes_at(big, length));
}

TEST(an_inline_line_of_the_limit_and_one_byte_more)
{
    memset(big, 'a', sizeof(big));
    assert_big(COMMAND_LENGTH_MAX - 1, (struct outcome){.result = READER_MORE});
    big[COMMAND_LENGTH_MAX - 1] = '\n';
    assert_big(COMMAND_LENGTH_MAX, is_command(COMMAND_LENGTH_MAX, 1));
    assert_int_equal(command.argument[0].length, COMMAND_LENGTH_MAX - 1);

    big[COMMAND_LENGTH_MAX - 1] = 'a';
    big[COMMAND_LENGTH_MAX] = '\n';
    struct outcome too_big = is_error("Protocol error: too big inline request");
    assert_big(COMMAND_LENGTH_MAX, too_big);
    assert_big(COMMAND_LENGTH_MAX + 1, too_big);
}

TEST(an_inline_line_of_too_many_arguments)
{
    for (size_t i = 0; i < sizeof(big); i += 2)
        memcpy(big + i, "a ", 2);
    big[2 * COMMAND_ARGUMENTS_MAX] = '\n';
    assert_big(2 * COMMAND_ARGUMENTS_MAX + 1,
               is_command(2 * COMMAND_ARGUMENTS_MAX + 1, COMMAND_ARGUMENTS_MAX));
    big[2 * COMMAND_ARGUMENTS_MAX] = 'a';
    big[2 * COMMAND_ARGUMENTS_MAX + 1] = '\n';
    assert_big(2 * COMMAND_ARGUMENTS_MAX + 2, is_error("Protocol error: too big inline request"));
}

TEST(header_lines_that_do_not_end)
{
    memset(big, '1', sizeof(big));
    big[0] = '*';
    assert_big(COMMAND_LENGTH_MAX - 1, (struct outcome){.result = READER_MORE});
    assert_big(COMMAND_LENGTH_MAX + 9, is_error("Protocol error: too big mbulk count string"));
    memcpy(big, "*1\r\n$", 5);
    assert_big(COMMAND_LENGTH_MAX - 1, (struct outcome){.result = READER_MORE});
    assert_big(COMMAND_LENGTH_MAX + 9, is_error("Protocol error: too big bulk count string"));
}

/* "*1\r\n$<length>\r\n" + length + "\r\n": of just the limit, and one byte over. */
TEST(an_argument_of_the_limit_and_one_byte_more)
{
    const size_t largest = COMMAND_LENGTH_MAX - (4 + 8 + 2);
    for (size_t over = 0; over < 2; over++) {
        memset(big, 'v', sizeof(big));
        int head = snprintf((char *)big, 20, "*1\r\n$%zu\r\n", largest + over);
        assert_int_equal(head, 12);
        memcpy(big + 12 + largest + over, "\r\n", 2);
        if (over == 0) {
            assert_big(COMMAND_LENGTH_MAX, is_command(COMMAND_LENGTH_MAX, 1));
            assert_int_equal(command.argument[0].length, largest);
        } else {
            assert_big(COMMAND_LENGTH_MAX + 1, is_error("Protocol error: invalid bulk length"));
        }
    }
}

TEST(as_many_arguments_as_allowed)
{
    size_t length = (size_t)snprintf((char *)big, 20, "*%d\r\n", COMMAND_ARGUMENTS_MAX);
    for (int i = 0; i < COMMAND_ARGUMENTS_MAX; i++)
        length += (size_t)snprintf((char *)big + length, 20, "$4\r\n%04d\r\n", i);
    struct bytes input = bytes_at(big, length);
    assert_outcome(read_in_steps(input, 0, 1), is_command(length, COMMAND_ARGUMENTS_MAX), input);
    for (int i = 0; i < COMMAND_ARGUMENTS_MAX; i++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "%04d", i);
        assert_view(command.argument[i], expected);
    }
}

/* The words are redis-server's; what is wrong for everybody is told as to everybody. */
TEST(an_unauthenticated_client_may_send_less)
{
    static const struct {
        const char *said;
        struct outcome outcome;
    } rows[] = {
        {"*10\r\n", {.result = READER_MORE}},
        {"*11\r\n",
         {.result = READER_ERROR, .error = "Protocol error: unauthenticated multibulk length"}},
        {"*1025\r\n",
         {.result = READER_ERROR, .error = "Protocol error: invalid multibulk length"}},
        {"*1\r\n$8100\r\n", {.result = READER_MORE}},
        {"*1\r\n$8192\r\n",
         {.result = READER_ERROR, .error = "Protocol error: unauthenticated bulk length"}},
        {"*1\r\n$65537\r\n",
         {.result = READER_ERROR, .error = "Protocol error: invalid bulk length"}},
        {"*2\r\n$4\r\nAUTH\r\n$3\r\nabc\r\n",
         {.result = READER_COMMAND, .length = 23, .argument_count = 2}},
    };
    is_unauthenticated = true;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct bytes input = bytes_of(rows[i].said);
        for (size_t step = 1; step <= input.length; step++)
            assert_outcome(read_in_steps(input, 0, step), rows[i].outcome, input);
    }
    memset(big, 'a', sizeof(big));
    assert_big(UNAUTHENTICATED_LENGTH_MAX - 1, (struct outcome){.result = READER_MORE});
    assert_big(UNAUTHENTICATED_LENGTH_MAX, is_error("Protocol error: too big inline request"));
    assert_big(COMMAND_LENGTH_MAX + 1, is_error("Protocol error: too big inline request"));
    is_unauthenticated = false;
}

/* Who authenticates in the midst of nothing is no unauthenticated client from the next command on; in the midst of a
 * command nothing changes. */
TEST(a_client_is_unauthenticated_to_the_end_of_the_command)
{
    char said[] = "*11\r\n";
    struct reader reader;
    reader_init(&reader);
    reader_set_unauthenticated(&reader, true);
    assert_int_equal(reader_next(&reader, (uint8_t *)said, 2, &command), READER_MORE);
    reader_set_unauthenticated(&reader, false);
    assert_int_equal(reader_next(&reader, (uint8_t *)said, 5, &command), READER_ERROR);
    reader_init(&reader);
    reader_set_unauthenticated(&reader, true);
    reader_set_unauthenticated(&reader, false);
    assert_int_equal(reader_next(&reader, (uint8_t *)said, 5, &command), READER_MORE);
}

/* What has been looked at is not looked at again: the byte that would end the line is put behind
 * the reader's back, and must not be found. */
TEST(bytes_are_looked_at_once)
{
    struct reader reader;
    reader_init(&reader);
    memset(big, 'a', 1000);
    for (size_t length = 1; length < 1000; length++) {
        assert_int_equal(reader_next(&reader, big, length, &command), READER_MORE);
        assert_int_equal(reader.position, length);
        big[length - 1] = '\n';
    }
}

TEST(one_reader_for_many_commands)
{
    static const char stream[] =
        "*1\r\n$4\r\nPING\r\n\nREPLCONF ACK 7\r\n*0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";
    static const size_t counts[] = {1, 0, 3, 0, 2};
    uint8_t input[sizeof(stream)];
    size_t length = sizeof(stream) - 1;
    struct reader reader;
    reader_init(&reader);
    memcpy(input, stream, sizeof(stream));
    uint8_t *place = input;
    for (size_t i = 0; i < LENGTH_OF(counts); i++) {
        assert_int_equal(reader_next(&reader, place, length, &command), READER_COMMAND);
        assert_int_equal(command.argument_count, counts[i]);
        place += command.length;
        length -= command.length;
    }
    assert_int_equal(length, 0);
    assert_int_equal(reader_next(&reader, place, length, &command), READER_MORE);
}
