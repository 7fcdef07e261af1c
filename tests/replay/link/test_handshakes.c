/* SPDX-License-Identifier: MIT
 *
 * Plays the dialogues that are written down beside this file (*.replay) with a link, each on a stage of
 * its own. A line is an act of the primary's, or what is expected of the link:
 *
 *     < +PONG\r\n            the primary sends this, in one arrival (\r \n \\ \xHH)
 *     > REPLCONF ACK 4711    the link sends this next, as an array of bulk strings
 *     connect                the link asks for a connection next, and it comes up
 *     end                    the primary closes
 *     rdb 100                the primary sends "$<length>" and an RDB with a body of 100 bytes
 *     marked-rdb 100         the same with "$EOF:" and its mark
 *     second 3               three seconds go by
 *     state streaming        the link is in that state
 *     boundary 4711          the current history's last complete command ends there
 *     replid 8e7f...         and that is its id
 *     # ...                  a remark
 *
 * Whatever the link sends must be there as a '>' line before the primary's next act.
 */
#include <dirent.h>
#include <inttypes.h>

#include "fake_conn.h"
#include "link_stage.h"
#include "relay/resp/writer.h"
#include "test.h"

#define FOLDER "tests/replay/link"

enum { LINE_MAX_LENGTH = 1024, NAME_MAX_LENGTH = 300, WORDS_MAX = 16, EXPECTED_MAX = 65536 };

/* The place in the dialogue that is played, for the message when it fails. */
struct script {
    char name[NAME_MAX_LENGTH];
    unsigned line;
    struct conn *primary;
    struct text expected; /* what '>' lines have told since the primary's last act */
};

static struct script script;

static void fail_here(const char *what, const char *line)
{
    fail_msg("%s:%u: %s: %s (link: %s, last error: %s)", script.name, script.line, what, line,
             stage_status().state_name, stage_status().last_error);
}

static uint64_t number(const char *argument)
{
    uint64_t value = 0;
    if (!bytes_to_u64(bytes_of(argument), &value))
        fail_here("no number", argument);
    return value;
}

static size_t unescape(const char *from, char *to)
{
    size_t length = 0;
    while (*from != '\0') {
        unsigned byte;
        if (*from != '\\') {
            to[length++] = *from++;
        } else if (from[1] == 'x' && sscanf(from + 2, "%2x", &byte) == 1) {
            to[length++] = (char)byte;
            from += 4;
        } else {
            to[length++] = (char)(from[1] == 'r' ? '\r' : from[1] == 'n' ? '\n' : from[1]);
            from += from[1] == '\0' ? 1 : 2;
        }
    }
    return length;
}

static void note_expected(const char *words)
{
    char copy[LINE_MAX_LENGTH];
    const char *parts[WORDS_MAX];
    size_t count = 0;
    char *rest = copy;
    char *word;
    snprintf(copy, sizeof(copy), "%s", words);
    while ((word = strsep(&rest, " ")) != NULL && count < WORDS_MAX)
        parts[count++] = word;
    struct writer writer = {&script.expected, 2};
    write_command(&writer, parts, count);
}

static void compare_sent(void)
{
    struct bytes sent = bytes_at(NULL, 0);
    if (script.primary != NULL)
        sent = fake_conn_sent(script.primary);
    if (!bytes_equal(sent, text_bytes(&script.expected))) {
        char shown[300];
        fail_here("before this the link sent something else than the '>' lines tell",
                  bytes_printable(sent, shown, sizeof(shown)));
    }
    if (script.primary != NULL)
        fake_conn_forget_sent(script.primary);
    text_clear(&script.expected);
}

static void say(const char *argument)
{
    char bytes[LINE_MAX_LENGTH];
    stage_say_bytes(script.primary, bytes_at(bytes, unescape(argument, bytes)));
}

static void bring_up(const char *argument)
{
    (void)argument;
    script.primary = stage_connect();
}

static void hang_up(const char *argument)
{
    (void)argument;
    fake_conn_end(script.primary);
    fake_conn_run(script.primary);
}

static void say_rdb(const char *argument)
{
    stage_say_rdb(script.primary, (size_t)number(argument));
}

static void say_marked_rdb(const char *argument)
{
    stage_say_marked_rdb(script.primary, (size_t)number(argument));
}

static void pass_seconds(const char *argument)
{
    stage_seconds((unsigned)number(argument));
}

static void check_state(const char *argument)
{
    if (strcmp(stage_status().state_name, argument) != 0)
        fail_here("the link is in another state", argument);
}

static void check_boundary(const char *argument)
{
    if (stage_boundary() != number(argument))
        fail_here("the boundary is another", argument);
}

static void check_replid(const char *argument)
{
    if (strcmp(history_identity(store_current(stage.temp.store))->replid.hex, argument) != 0)
        fail_here("the id is another", argument);
}

static const struct {
    const char *word;
    bool is_act; /* of the primary's, or of time's */
    void (*play)(const char *argument);
} verbs[] = {
    {"<", true, say},
    {">", false, note_expected},
    {"connect", true, bring_up},
    {"end", true, hang_up},
    {"rdb", true, say_rdb},
    {"marked-rdb", true, say_marked_rdb},
    {"second", true, pass_seconds},
    {"state", false, check_state},
    {"boundary", false, check_boundary},
    {"replid", false, check_replid},
};

static void play_line(const char *line)
{
    size_t length = strcspn(line, " ");
    const char *argument = line[length] == ' ' ? line + length + 1 : "";
    if (length == 0 || line[0] == '#')
        return;
    for (size_t i = 0; i < LENGTH_OF(verbs); i++) {
        if (bytes_is(bytes_at(line, length), verbs[i].word)) {
            if (verbs[i].is_act)
                compare_sent();
            verbs[i].play(argument);
            return;
        }
    }
    fail_here("no verb of a dialogue", line);
}

static void play(const char *name)
{
    char line[LINE_MAX_LENGTH];
    memset(&script, 0, sizeof(script));
    snprintf(script.name, sizeof(script.name), FOLDER "/%s", name);
    text_init(&script.expected, EXPECTED_MAX);
    FILE *file = fopen(script.name, "r");
    assert_non_null(file);
    stage_open(NULL);
    stage_start();
    while (fgets(line, sizeof(line), file) != NULL) {
        script.line++;
        line[strcspn(line, "\n")] = '\0';
        play_line(line);
    }
    compare_sent();
    assert_true(script.line > 0);
    fclose(file);
    text_fini(&script.expected);
    stage_close(NULL);
}

TEST(all_handshakes)
{
    unsigned played = 0;
    DIR *folder = opendir(FOLDER);
    if (folder == NULL)
        fail_msg("%s: not found: run this from the top of the tree", FOLDER);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        const char *ending = strrchr(entry->d_name, '.');
        if (ending != NULL && strcmp(ending, ".replay") == 0) {
            play(entry->d_name);
            played++;
        }
    }
    closedir(folder);
    print_message("%u dialogues\n", played);
    assert_true(played > 0);
}
