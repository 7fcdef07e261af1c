/* SPDX-License-Identifier: MIT */
#include "relay/base/state_machine.h"

#include <unistd.h>

#include "test.h"

enum { DOOR_SHUT, DOOR_OPEN, DOOR_GONE };

struct door {
    struct state_machine machine;
    unsigned changes;
    unsigned entered; /* state, and where from */
    unsigned from;
    bool slams; /* it is shut as soon as it is open */
};

static void enter_open(void *owner)
{
    struct door *door = owner;
    door->entered = door->machine.state;
    door->from = door->machine.previous;
    if (door->slams)
        state_machine_enter(&door->machine, DOOR_SHUT, LOG_LEVEL_ERROR, "wind");
}

static void count(void *owner)
{
    struct door *door = owner;
    assert_true(door->machine.state != DOOR_SHUT || door->changes > 0);
    door->changes++;
}

static enum log_level describe(void *owner, unsigned next, enum log_level level, const char *cause,
                               struct state_words *words)
{
    const struct door *door = owner;
    assert_int_not_equal(door->machine.state, next); /* before the change */
    assert_string_equal(words->subject, "");
    assert_string_equal(words->details, "");
    snprintf(words->subject, sizeof(words->subject), " id=7");
    snprintf(words->details, sizeof(words->details), " length=%zu", strlen(cause));
    return level;
}

static const struct state_row rows[] = {
    [DOOR_SHUT] = {"shut", STATE_BIT(DOOR_OPEN) | STATE_BIT(DOOR_GONE), NULL},
    [DOOR_OPEN] = {"open", STATE_BIT(DOOR_SHUT), enter_open},
    [DOOR_GONE] = {"gone", 0, NULL},
};

static const struct state_machine_kind plain = {.name = "house: door", .rows = rows};
static const struct state_machine_kind told = {
    .name = "house: door", .rows = rows, .describe = describe, .on_change = count};

TEST(a_state_is_entered_and_knows_where_from)
{
    struct door door = {.slams = false};
    state_machine_init(&door.machine, &told, &door);
    assert_string_equal(state_machine_name(&door.machine), "shut");
    state_machine_enter(&door.machine, DOOR_OPEN, LOG_LEVEL_DEBUG, "push");
    assert_string_equal(state_machine_name(&door.machine), "open");
    assert_int_equal(door.entered, DOOR_OPEN);
    assert_int_equal(door.from, DOOR_SHUT);
    assert_int_equal(door.changes, 1);
}

TEST(entering_may_enter_another)
{
    struct door door = {.slams = true};
    state_machine_init(&door.machine, &plain, &door);
    state_machine_enter(&door.machine, DOOR_OPEN, LOG_LEVEL_DEBUG, "push");
    assert_string_equal(state_machine_name(&door.machine), "shut");
}

static void read_log(const char *path, char *out, size_t capacity)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(out, 1, capacity - 1, file);
    out[length] = '\0';
    fclose(file);
}

TEST(a_change_is_a_line)
{
    char path[] = "/tmp/test_state_machine.XXXXXX";
    char said[2048];
    int fd = mkstemp(path);
    assert_int_not_equal(fd, -1);
    close(fd);
    struct text why;
    text_init(&why, 256);
    assert_true(log_open(path, &why));
    struct door door = {.slams = false};
    state_machine_init(&door.machine, &told, &door);
    state_machine_enter(&door.machine, DOOR_OPEN, LOG_LEVEL_WARNING, "push force=%d", 9);
    state_machine_init(&door.machine, &plain, &door);
    state_machine_enter(&door.machine, DOOR_GONE, LOG_LEVEL_WARNING, "fire");
    assert_true(log_open(NULL, &why));
    read_log(path, said, sizeof(said));
    unlink(path);
    assert_non_null(
        strstr(said, "house: door id=7 state=shut->open length=12 cause=push force=9\n"));
    assert_non_null(strstr(said, "house: door state=shut->gone cause=fire\n"));
    text_fini(&why);
}
